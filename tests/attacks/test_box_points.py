"""Points all over the bounds: what they find without gradients, for inputs without a witness alone."""

import torch
from torch import Tensor

from clearance.attacks import attack
from clearance.attacks.best import best
from clearance.attacks.box_points import box_points
from clearance.attacks.goals import make_goal
from clearance.attacks.passes import Streams
from clearance.attacks.result import Witnesses
from clearance.attacks.task import AttackRun, make_task
from clearance.model.classifier import Classifier
from clearance.model.inputs import prepare


def staircase(x: Tensor) -> Tensor:
    """Class 1 where the mean is at least a half: no gradient anywhere."""
    high = (x.flatten(1).mean(1) >= 0.5).to(x.dtype)
    return torch.stack([1 - high, high], 1)


GOAL = make_goal(torch.tensor([0, 0]), [[1], [1]], 2)
X = torch.full((2, 1, 3, 3), 0.2)


def looked_at(bounds: tuple[float, float] | None, known: Witnesses) -> tuple[Witnesses, int]:
    model = Classifier(staircase, bounds)
    before = model.meter.read()
    found = box_points(model, GOAL, known, scale=torch.ones(2), streams=Streams(X, 0), steps=8)
    return found, model.meter.since(before).forward


def test_it_finds_a_class_that_no_gradient_leads_to():
    for bounds in ((0.0, 1.0), None):
        found, spent = looked_at(bounds, Witnesses(X, 2.0))
        assert found.success.all() and spent == 16
        assert GOAL.reached(staircase(found.adversarial)).all()


def test_an_input_with_a_witness_costs_nothing():
    known = Witnesses(X, 2.0)
    known.offer(torch.ones_like(X), torch.tensor([True, False]))
    found, spent = looked_at((0.0, 1.0), known)
    assert found.success.tolist() == [False, True] and spent == 8


def test_the_ensemble_brings_such_a_point_back_to_the_boundary():
    (result,) = attack(Classifier(staircase, (0, 1)), X[:1], budget="quick")
    assert result.success and 0.9 <= result.distance <= 1.6  # straight to the plane: 0.3 * 3 = 0.9


def test_it_needs_no_neighbour():
    model = Classifier(staircase, (0, 1))
    task = make_task(prepare(model, X[:1], None, target="untargeted", norm=2, seed=0))
    assert best(task, (AttackRun("box_points", 8),)).witnesses.success.all()


def bump(x: Tensor) -> Tensor:
    """Class 1 within .05 of the point (.9, .35), flat around the input: no corner and hardly any point lies there."""
    away = (x.flatten(1) - torch.tensor([0.9, 0.35])).norm(dim=1)
    return torch.stack([torch.zeros_like(away), 0.05 - away], 1) * torch.where(away < 0.7, 1.0, 0.0)[:, None] + (
        torch.tensor([1.0, 0.0]) * (away >= 0.7)[:, None]
    )


def test_steps_from_the_points_find_what_no_point_meets():
    x, goal = torch.tensor([[0.1, 0.9]]), make_goal(torch.tensor([0]), [[1]], 2)
    model, none = Classifier(bump, (0, 1)), Witnesses(x, 2.0)
    for descents, success in ((0, False), (12, True)):
        streams = Streams(x, 3)
        found = box_points(model, goal, none, scale=torch.ones(1), streams=streams, steps=6, descents=descents)
        assert bool(found.success) is success
