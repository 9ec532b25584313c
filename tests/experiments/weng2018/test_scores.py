"""The measurements on a classifier whose distances are known: a linear one."""

import math
from pathlib import Path

import pytest
import torch

from clearance.data.dataset import Dataset
from clearance.experiments.brackets import KnownBracket
from clearance.experiments.networks import PaperNetwork
from clearance.experiments.reproduce import Sitting, open_session
from clearance.experiments.table import Scale
from clearance.experiments.weng2018.scores import Counts, Measurement, measure
from clearance.model.classifier import Classifier
from clearance.zoo.loaded import LoadedNetwork

WEIGHTS = torch.tensor([[0.3, 0.4, 0.0], [-0.3, 0.0, 0.1], [0.0, -0.4, -0.3]])
X = torch.tensor([[0.5, 0.6, 0.5], [0.7, 0.5, 0.4]])


@pytest.fixture
def found(tmp_path: Path) -> list[Measurement]:
    line = torch.nn.Linear(3, 3, bias=False)
    with torch.no_grad():
        line.weight.copy_(WEIGHTS)
    network = PaperNetwork(
        "line", "Line", "none", LoadedNetwork(line, "line"), Classifier(line, (-9, 9)), "digest", "here"
    )
    data = Dataset(X, torch.tensor([0, 0]), "two", (-9.0, 9.0), indices=(4, 7))
    known = {(4, 2.0, "random"): KnownBracket(0.1, 0.2, 0.3, "ok")}
    with open_session(Sitting("weng-2018", Scale.TINY, 0, "cpu", tmp_path), lambda _: None) as session:
        records = measure(session, network, data, Counts(2, 1, 8, 4, 9, 100, 50), known)
        before = len(session.journal)
        assert measure(session, network, data, Counts(2, 1, 8, 4, 9, 100, 50), known) == records
        assert len(session.journal) == before  # nothing is measured twice
    return records


def test_scores_of_a_linear_classifier_are_exact(found: list[Measurement]):
    logits = X @ WEIGHTS.T
    for one in found:
        row = [4, 7].index(one.input)
        distances = []
        for target in (1, 2):
            shift = WEIGHTS[0] - WEIGHTS[target]
            dual = shift.norm() if one.norm == 2 else shift.abs().sum()
            distances.append(float((logits[row, 0] - logits[row, target]) / dual))
        if one.target == "untargeted":
            assert one.clever == pytest.approx(min(distances), rel=1e-5)
            assert one.norm != 2 or one.cw == pytest.approx(one.clever, rel=1e-2)  # the attack is exact here as well
            assert one.slope is None and one.fit is None and one.input == 4
            continue
        assert any(one.clever == pytest.approx(distance, rel=1e-5) for distance in distances)
        assert one.slope is not None and one.slope > 0
        assert one.fit is not None and one.fit.radius == one.clever
        nearer = one.cw if one.norm == 2 else one.ifgsm
        assert nearer >= one.clever * (1 - 1e-5)


def test_attacks_are_measured_in_both_norms(found: list[Measurement]):
    pairs = {(one.input, one.target, one.norm): one for one in found}
    for (row, target, norm), one in pairs.items():
        if norm == 2:
            other = pairs[row, target, math.inf]
            assert one.cw >= other.cw * (1 - 1e-6) and one.ifgsm >= other.ifgsm * (
                1 - 1e-6
            )  # of one and the same point
            assert one.cw <= one.ifgsm * (1 + 1e-6) and other.ifgsm <= other.cw * 1.3


@pytest.mark.slow
def test_what_is_known_goes_to_its_record(found: list[Measurement]):
    known = [(one.input, one.norm, one.target) for one in found if one.witness is not None]
    assert known == [(4, 2.0, "random")]
    assert len(found) == 2 * 2 * 3 + 2
