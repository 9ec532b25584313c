"""Real runs of an experiment: resumed, reported, and read back."""

import math
from pathlib import Path

import pytest
import torch

from clearance.data.datasets import load
from clearance.experiments.brackets import BracketChoices, KnownBracket, as_brackets, correct_inputs, run_brackets
from clearance.experiments.networks import PaperNetwork
from clearance.experiments.reproduce import Sitting, open_session
from clearance.experiments.table import Scale
from clearance.model.classifier import Classifier
from clearance.zoo.specs import load_model


def bundled() -> PaperNetwork:
    loaded = load_model("digits-standard")
    return PaperNetwork("digits-x", "Digits-X", "digits", loaded, Classifier(loaded.network, (0, 1)), "digest", "here")


def test_a_run_resumes_and_has_a_report(tmp_path: Path):
    network, choices = bundled(), BracketChoices((2.0,), ("random",), 1500, "operator-norms", 1.0)
    said: list[str] = []
    with open_session(Sitting("weng-2018", Scale.TINY, 0, "cpu", tmp_path), said.append) as session:
        data = load("digits", indices=[2, 5])
        found = run_brackets(session, network, data, choices)
        assert len(said) == 2 and (session.runs / "digits-x" / "report.html").is_file()
        assert run_brackets(session, network, data, choices) == found and len(said) == 2
    assert set(found) == {(2, 2.0, "random"), (5, 2.0, "random")}
    for known in found.values():
        assert known.proof is not None and known.witness is not None and 0 < known.proof <= known.witness


def test_records_without_numbers():
    common = {"input": 1, "norm": 2.0, "target": "random", "error": None, "status": "masked"}
    parts = {"estimated": {"radius": None}, "attacked": {"distance": None}}
    one = {**common, **parts, "certified": None}
    infinite = {**common, **parts, "input": 2, "certified": {"radius": "inf"}}
    unsupported = {**common, **parts, "input": 3, "certified": {"radius": None}}
    found = as_brackets([one, infinite, unsupported, {**one, "input": 4, "error": "failed"}])
    assert [known.proof for known in found.values()] == [None, math.inf, 0.0]
    assert found[1, 2.0, "random"] == KnownBracket(None, None, None, "masked")


@pytest.mark.parametrize("count", [3, 400])
def test_inputs_are_those_that_are_right(tmp_path: Path, count: int):
    network = bundled()
    with open_session(Sitting("weng-2018", Scale.TINY, 0, "cpu", tmp_path), print) as session:
        found = correct_inputs(session, network, count)
    every = load("digits")
    right = network.model.logits(every.images).argmax(1) == every.labels
    assert list(found.indices) == right.nonzero().flatten().tolist()[:count]
    assert torch.equal(network.model.logits(found.images).argmax(1), found.labels)
