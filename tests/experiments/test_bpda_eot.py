"""BPDA and EOT against defences: the ascent against a closed form, how defences are judged, and the experiment."""

from pathlib import Path

import pytest
import torch
from torch import nn

from clearance.experiments.bpda_eot import Defence
from clearance.experiments.steps import signed_ascent
from clearance.model.classifier import Classifier
from clearance.model.transforms import RandomDrop
from tiny_experiments import tiny


def plane(*weight: float) -> nn.Linear:
    """Class 1 where `⟨w, x⟩ > 1/2`, else class 0."""
    layer = nn.Linear(len(weight), 2)
    layer.load_state_dict({"weight": torch.tensor([[0.0] * len(weight), weight]), "bias": torch.tensor([0.5, 0.0])})
    return layer


@pytest.mark.parametrize("seed", [0, 1])
def test_ascent_ends_in_the_worst_corner_of_the_box(seed: int):
    x = torch.tensor([[0.5, 0.5], [0.95, 0.05]])
    found = signed_ascent(
        Classifier(plane(1.0, -1.0), bounds=(0, 1)), x, torch.tensor([0, 0]), 0.2, steps=10, seed=seed
    )
    assert torch.allclose(found, torch.tensor([[0.7, 0.3], [1.0, 0.0]]))  # class 0: up the plane


def test_a_random_defence_is_judged_by_the_mean_over_its_draws():
    model = Classifier(nn.Sequential(RandomDrop(0.25, seed=0), plane(1.0)))
    x, labels = torch.ones(400, 1), torch.ones(400, dtype=torch.int64)
    found = Defence("random", model, model, random=True).accuracy(x, labels, draws=10)
    assert found == pytest.approx(0.75, abs=4.5 * (0.25 * 0.75 / 4000) ** 0.5)  # standard errors


@pytest.mark.slow
def test_the_experiment_on_its_tiny_scale(tmp_path: Path):
    assert [finding.holds for finding in tiny("bpda-eot", tmp_path).findings] == [True, True, True, True]
