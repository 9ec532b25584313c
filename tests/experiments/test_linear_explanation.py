"""The linear explanation: growth and transfer against closed forms, and the experiment end to end."""

from pathlib import Path

import pytest
import torch
from torch import nn

from clearance.experiments.linear_explanation import transfer
from clearance.experiments.linear_growth import GROWTH_EPS, grown_by, growth
from clearance.experiments.steps import away_from, signed_step
from clearance.model.classifier import Classifier
from tiny_experiments import tiny


def plane(*weight: float) -> Classifier:
    """Class 1 where `⟨w, x⟩ > 0`, else class 0."""
    layer = nn.Linear(len(weight), 2).double()
    layer.load_state_dict({"weight": torch.tensor([[0.0] * len(weight), weight]), "bias": torch.zeros(2)})
    return Classifier(layer)


def test_growth_is_eps_times_the_sum_of_the_weights():
    found = grown_by("plane", plane(3.0, -4.0, 0.5), torch.ones(3, dtype=torch.float64), 1, 0, seed=0)
    assert (found.n, found.m) == (3, pytest.approx(2.5))
    assert found.measured == pytest.approx(GROWTH_EPS * 7.5) and found.exact == pytest.approx(GROWTH_EPS * 7.5)


@pytest.mark.parametrize("n", [100, 1000])
def test_growth_is_linear_and_that_of_random_signs_is_not(n: int):
    small, large = growth(n, seed=1), growth(10 * n, seed=1)
    assert large.exact / small.exact == pytest.approx(10, rel=0.2)  # mean absolute values of n normal weights
    assert large.random / small.random == pytest.approx(10**0.5, rel=0.4)  # 200 signs, n weights
    assert large.random == pytest.approx(large.expected, rel=0.25)


def test_a_signed_step_lowers_the_margin_most():
    model, x = plane(3.0, -4.0), torch.tensor([[0.5, -0.5], [-1.0, 1.0]], dtype=torch.float64)
    moved = signed_step(model, x, torch.tensor([1, 0]), 0.1)
    assert torch.allclose(moved, x + 0.1 * torch.tensor([[-1.0, 1.0], [1.0, -1.0]]).double())


def test_leaving_a_class_is_reached_by_any_other():
    reached = away_from(torch.tensor([1, 1]), 3).reached(torch.tensor([[0.0, 1.0, 2.0], [0.0, 3.0, 2.0]]))
    assert reached.tolist() == [True, False]


def test_examples_transfer_to_a_network_with_the_same_boundary_only():
    models = {"one": plane(1.0, 0.0), "same": plane(2.0, 0.0), "other": plane(0.0, 1.0)}
    x = torch.tensor([[0.1, 1.0], [-0.1, -1.0]], dtype=torch.float64)
    found = transfer(models, x, torch.tensor([1, 0]), 0.2)
    assert found["one"] == {"one": 1.0, "same": 1.0, "other": 0.0}


@pytest.mark.slow
def test_the_experiment_on_its_tiny_scale(tmp_path: Path):
    grown, resists, _, transfers = tiny("linear-explanation", tmp_path).findings
    # Not the confidence: a linear network is sure of few digits, wherever it is right.
    assert grown.holds and resists.holds and transfers.holds
