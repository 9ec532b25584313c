"""Table 4 of "On Extensions of CLEVER": its averages by hand, the paper's own order, and the experiment end to end."""

import math
from pathlib import Path

import pytest

from clearance.experiments.weng2018b_bpda import (
    FRONTS,
    NOTICEABLE,
    PAPER_SCORES,
    TransformScores,
    attacked_averages,
    averages,
)
from tiny_experiments import tiny


def test_averages_are_those_of_each_target():
    rows = [TransformScores((1.0, 2.0, 3.0), (), 0.0, 0.0), TransformScores((3.0, 2.0, 0.0), (), 0.0, 0.0)]
    assert averages(rows) == pytest.approx([2.0, 2.0, 1.5])


def test_the_attacks_average_is_of_the_inputs_where_it_succeeds():
    infinite = float("inf")
    rows = [
        TransformScores((1.0, 2.0, 3.0), (2.0, infinite, infinite), 0.0, 0.0),
        TransformScores((3.0, 4.0, 3.0), (4.0, 5.0, infinite), 0.0, 0.0),
    ]
    first, second, third = attacked_averages(rows)
    assert first == pytest.approx((3.0, 2.0, 2)) and second == pytest.approx((5.0, 4.0, 1))
    assert math.isnan(third[0]) and third[2] == 0


def test_the_papers_scores_do_not_rise_behind_a_front():
    assert set(PAPER_SCORES) == {front.name for front in FRONTS}
    ratios = [
        own / bare for name in PAPER_SCORES for own, bare in zip(PAPER_SCORES[name], PAPER_SCORES["none"], strict=True)
    ]
    assert max(ratios) < NOTICEABLE


@pytest.mark.slow
def test_the_experiment_on_its_tiny_scale(tmp_path: Path):
    found = tiny("weng-2018b-bpda", tmp_path)
    assert [finding.holds for finding in found.findings] == [True, True, True]
    assert len(found.tables[0].rows) == len(FRONTS) + 1
