"""Goodfellow's counterexample: what is expected of a front, the proof behind stairs, and the experiment end to end."""

import math
from pathlib import Path

import pytest
import torch
from torch import nn

from clearance.experiments.fronts import (
    Front,
    OneAgainstRest,
    Subject,
    first_correct,
    known_behind_stairs,
    paper_options,
)
from clearance.experiments.staircase import expected_zero
from clearance.model.transforms import Ramp, Staircase
from tiny_experiments import tiny

STAIRS_PER_UNIT = 4
LINE = Staircase(STAIRS_PER_UNIT)


def line() -> nn.Linear:
    """Margin `x_1 + x_2 - 1` of class 0: the boundary is the diagonal of the unit square."""
    network = nn.Linear(2, 2).double()
    weights = {"weight": torch.tensor([[1.0, 1.0], [0.0, 0.0]]), "bias": torch.tensor([-1.0, 0.0])}
    network.load_state_dict(weights)
    return network


def test_the_share_without_a_gradient_is_the_expected_one():
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(20_000, 3, generator=generator, dtype=torch.float64).requires_grad_()
    (gradient,) = torch.autograd.grad(Ramp(10, 0.3)(x).sum(), x)
    share = float((gradient == 0).all(1).double().mean())
    assert share == pytest.approx(expected_zero(0.3, 3), abs=4.5 * math.sqrt(0.25 / 20_000))  # standard errors


@pytest.mark.parametrize("front", [Staircase(STAIRS_PER_UNIT), Ramp(STAIRS_PER_UNIT, 0.2)])
def test_the_proof_behind_stairs_holds_on_a_grid(front: nn.Module):
    steps = torch.linspace(0, 1, 201, dtype=torch.float64)
    grid = torch.cartesian_prod(steps, steps)
    other = line()(front(grid))[:, 0] < 0
    x = torch.tensor([[0.9, 0.95], [1.0, 1.0], [0.7, 0.6]], dtype=torch.float64)
    subject = Subject(line(), x, paper_options(1.0, 2, 4), seed=0)
    found = known_behind_stairs(
        subject, Front("front", front, torch.float64), STAIRS_PER_UNIT, budget="quick", time_limit=1
    )
    for one, row in zip(found, x, strict=True):
        nearest = float((grid[other] - row).norm(dim=1).min())
        assert one.proved <= nearest and one.witness >= nearest - math.sqrt(2) / 200  # the grid's width
    assert found[1].proved == pytest.approx(
        math.sqrt(0.5) - math.sqrt(2) / STAIRS_PER_UNIT, abs=1e-3
    )  # rounding given away


def test_confidences_agree_with_the_margins():
    logits = torch.tensor([[3.0, 1.0, 2.0]])
    assert torch.allclose(OneAgainstRest(1.0)(logits), torch.tensor([[1.0, -2.0, -1.0]]).sigmoid())


def test_the_first_correct_inputs_are_those():
    x = torch.tensor([[1.0, 1.0], [0.0, 0.0], [1.0, 0.5]], dtype=torch.float64)
    assert first_correct(line(), x, torch.tensor([0, 0, 0]), 5).tolist() == [0, 2]


@pytest.mark.slow
def test_the_experiment_on_its_tiny_scale(tmp_path: Path):
    found = tiny("goodfellow-2018", tmp_path)
    holds = {finding.sentence: finding.holds for finding in found.findings}
    # Of many coordinates one lies on a ramp of figure 1 almost surely, and has five times the gradient there.
    refuted = [sentence for sentence, held in holds.items() if not held]
    assert refuted == ["The ramps of figure 1 make the score too large"]
    for _, score, _, witness, proved in found.tables[1].rows:
        assert proved <= witness < score
