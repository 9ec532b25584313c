"""Estimates on public MNIST networks (in `CLEARANCE_DATA`): never above a witness, within the budget of gradients."""

import importlib
import json
import math
import sys
from pathlib import Path

import pytest
from torch import Tensor, nn

from clearance.attacks import attack
from clearance.data import datasets
from clearance.estimates.clever import clever
from clearance.estimates.status import Status
from clearance.model.classifier import Classifier


def load(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch, count: int) -> tuple[nn.Module, Tensor, Tensor]:
    """A public network and the first images that it classifies correctly."""
    monkeypatch.setenv("CLEARANCE_DATA", str(folder))
    monkeypatch.setattr(sys, "path", [str(folder / "checkpoints"), *sys.path])
    entries = json.loads((folder / "checkpoints" / "manifest.json").read_text())
    network = importlib.import_module("zoo").load(next(entry for entry in entries if entry["id"] == name))
    data = datasets.load("mnist", count=2 * count)
    right = (network(data.images).argmax(1) == data.labels).nonzero().flatten()[:count]
    return network, data.images[right], data.labels[right]


@pytest.mark.parametrize("norm", [2.0, math.inf])
@pytest.mark.parametrize("name", ["mnist-eran-6x100", "mnist-kw-0.1"])
@pytest.mark.thinned(6)
def test_no_estimate_exceeds_a_witness(clearance_data: Path, monkeypatch: pytest.MonkeyPatch, name: str, norm: float):
    network, x, labels = load(clearance_data, name, monkeypatch, 5)
    model = Classifier(network, (0, 1))
    scores = clever(model, x, labels=labels, target="runner-up", norm=norm)
    witnesses = attack(model, x, labels, norm=norm, target="runner-up", budget="quick")
    for score, witness in zip(scores, witnesses, strict=True):
        assert witness.success
        assert score.status.has_number
        assert 0.05 * witness.distance < score.radius < witness.distance
        assert score.cost.backward <= 20_000


def test_directed_searches_find_steeper_points_than_uniform_samples(
    clearance_data: Path, monkeypatch: pytest.MonkeyPatch
):
    network, x, labels = load(clearance_data, "mnist-eran-6x100", monkeypatch, 4)
    model = Classifier(network, (0, 1))
    settings = {"labels": labels, "target": "runner-up", "norm": 2, "bound": "ball", "radius": 1.0}
    directed = clever(model, x, sampler="directed", blocks=12, **settings)  # 3,072 gradients
    uniform = clever(model, x, sampler="uniform", blocks=12, **settings)  # 12,288 gradients
    for near, far in zip(directed, uniform, strict=True):
        assert near.largest_seen > 1.1 * far.largest_seen


def test_a_staircase_in_front_of_a_real_network_is_called_masked(clearance_data: Path, monkeypatch: pytest.MonkeyPatch):
    """Goodfellow 2018: a quantised input hides the gradient, and the plain score is the radius of the ball."""
    network, x, labels = load(clearance_data, "mnist-eran-6x100", monkeypatch, 2)
    model = Classifier(lambda z: network((255 * z).ceil() / 255), (0, 1))
    for score in clever(model, x, labels=labels, target="runner-up", bound="ball", norm=2, radius=5.0, blocks=4):
        assert score.radius == 5.0
        assert score.status is Status.MASKED
        assert not score.status.has_number
    for score in clever(model, x, labels=labels, target="runner-up", norm=2, budget="quick"):
        assert score.status is Status.MASKED and not score.status.has_number
