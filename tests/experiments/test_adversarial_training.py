"""What training does to a bracket: the experiment end to end on two inputs, and its findings by hand."""

import math
from pathlib import Path

import pytest

from clearance.experiments.adversarial_training import MedianBracket, _all_grow
from tiny_experiments import tiny


def row(network: str, proved: float, estimated: float | None, attacked: float) -> MedianBracket:
    return MedianBracket(network, "digits", "", "", proved, estimated, attacked, 2)


@pytest.mark.slow
def test_adversarial_training_raises_all_three_numbers_of_the_bracket(tmp_path: Path):
    found = tiny("adversarial-training", tmp_path)
    assert [finding.holds for finding in found.findings] == [True], found.findings
    usual, robust = found.tables[0].rows
    assert (usual[0], robust[0]) == ("digits-standard", "digits-robust")
    for line in (usual, robust):
        assert 0 < line[3] <= line[4] <= line[5] < math.inf
    assert (tmp_path / "adversarial-training" / "runs" / "digits-robust" / "report.html").is_file()


def test_the_finding_is_that_all_three_grow():
    usual = row("digits-standard", 0.1, 0.2, 0.3)
    assert _all_grow("digits", [usual, row("digits-robust", 0.2, 0.3, 0.4)]).holds is True
    assert _all_grow("digits", [usual, row("digits-robust", 0.2, 0.1, 0.4)]).holds is False
    assert _all_grow("digits", [usual, row("digits-robust", 0.2, None, 0.4)]).holds is None
