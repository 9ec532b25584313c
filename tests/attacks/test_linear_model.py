"""The linearised model, on classifiers that are linear: its distances are exact."""

import pytest
import torch

from attack_cases import INF, LinearCase, classifier, goal_of, linear_case
from clearance.attacks.goals import margin, soft_margin
from clearance.attacks.linear_model import (
    boundary_distance,
    linear_distance,
    rank_classes,
    tie_distance,
    zero_crossing,
)
from clearance.attacks.passes import evaluate
from clearance.geometry.norms import dual_norm, vector_norm
from closed_forms import exact_linear, random_inputs, random_linear

each_norm = pytest.mark.parametrize("norm", [1.0, 1.5, 2.0, INF])


@each_norm
def test_the_distance_is_exact_on_linear_classifiers(case: LinearCase, norm: float):
    assert torch.allclose(linear_distance(case.model, case.x, case.goal, norm), case.exact(norm))
    for loss in (margin, soft_margin):
        seen = evaluate(case.model, case.x, case.goal, loss=loss)
        found = boundary_distance(seen, norm, torch.zeros_like(seen.loss))
        assert torch.allclose(found, case.exact(norm))


@each_norm
def test_classes_are_ranked_by_their_exact_distance(norm: float):
    case = linear_case(0, classes=6, size=8)
    ranked = rank_classes(case.model, case.x, case.goal, case.model.logits(case.x), norm=norm, most=5)
    for row, own in enumerate(case.goal.source.tolist()):
        gaps = case.network(case.x)[row, own] - case.network(case.x)[row]
        rates = vector_norm(case.network.weight[own] - case.network.weight, dual_norm(norm))
        others = [k for k in range(6) if k != own]
        assert ranked[row].tolist() == sorted(others, key=lambda k: float(gaps[k] / rates[k]))


@pytest.mark.parametrize("norm", [1.0, INF])
def test_with_bounds_the_first_class_is_that_of_the_program(norm: float):
    network, x = random_linear(3), random_inputs(3, 8, 6)
    model = classifier(network, (0, 1))
    goal = goal_of(model, x)
    ranked = rank_classes(model, x, goal, model.logits(x), norm=norm, most=3)
    for row, own in enumerate(goal.source.tolist()):
        pairs = {k: _to_level_with(network, x[row], norm, own, k) for k in range(4) if k != own}
        first = pairs[int(ranked[row, 0])]
        assert first == min(pairs.values()) or first <= min(pairs.values()) * (1 + 1e-7)  # the program's tolerance


def _to_level_with(network, x: torch.Tensor, norm: float, own: int, other: int) -> float:
    """The exact distance to the boundary between two classes alone."""
    rows = [own, other]
    return exact_linear(type(network)(network.weight[rows], network.bias[rows]), x, norm, [1], 0.0, 1.0)


def test_fewer_classes_than_asked_repeat_the_last():
    case = linear_case(0, classes=3)
    goal = case.toward(1)
    ranked = rank_classes(case.model, case.x, goal, case.model.logits(case.x), norm=2.0, most=9)
    assert ranked.shape == (8, 1) and torch.equal(ranked[:, 0], goal.wanted.long().argmax(1))


def test_without_a_gradient_it_is_the_scale_of_the_space():
    def flat(z: torch.Tensor) -> torch.Tensor:
        return torch.tensor([1.0, 0.0], dtype=z.dtype).repeat(len(z), 1) + 0.0 * z.sum(1, keepdim=True)

    x = random_inputs(0, 3, 4)
    free, boxed = classifier(flat), classifier(flat, (0, 1))
    goal = goal_of(free, x)
    assert torch.equal(linear_distance(free, x, goal, 2.0), torch.ones(3, dtype=torch.float64))
    assert torch.allclose(linear_distance(boxed, x, goal, 2.0), torch.ones(3, dtype=torch.float64))  # sqrt(4) / 2
    assert torch.allclose(linear_distance(boxed, x, goal, 1.0), torch.full((3,), 2.0, dtype=torch.float64))
    assert (tie_distance(boxed, x, 1.0) > 0).all() and (tie_distance(boxed, x, 1.0) < 1e-3).all()


def test_a_crossing_behind_or_nowhere_is_zero():
    values, rates = torch.tensor([1.0, -1.0, 1.0, torch.inf]), torch.tensor([2.0, 2.0, 0.0, 1.0])
    assert zero_crossing(values, rates).tolist() == [0.5, 0.0, 0.0, 0.0]
