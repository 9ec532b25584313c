"""The parts of a step: radii, balls within bounds, free coordinates, directions, random points."""

import pytest
import torch

from attack_cases import INF, LinearCase, classifier
from clearance.attacks import Witnesses
from clearance.attacks.goals import margin
from clearance.attacks.passes import Streams
from clearance.attacks.steps import as_radius, descent, into_ball, random_points, room, visit
from clearance.errors import InputError
from clearance.geometry.norms import dual_norm, vector_norm
from clearance.model.gradients import free
from closed_forms import random_inputs, random_linear

each_norm = pytest.mark.parametrize("norm", [1.0, 1.5, 2.0, INF])
X = random_inputs(0, 5, 200)
BOXED = classifier(random_linear(0, size=200), (0, 1))


@each_norm
def test_into_the_ball_and_the_bounds(norm: float):
    away = X + torch.randn(5, 200, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    radius = torch.linspace(0.1, 1.0, 5, dtype=torch.float64)
    points = into_ball(BOXED, X, away, norm, radius)
    assert (vector_norm(points - X, norm) <= radius * (1 + 1e-12)).all()
    assert ((points >= 0) & (points <= 1)).all()
    assert torch.equal(into_ball(BOXED, X, X, norm, radius), X)


@pytest.mark.parametrize("norm", [1.0, 1.5, 2.0])
def test_no_length_is_spent_outside_the_bounds(norm: float):
    """From the lowest corner half of a direction leads out: what is left of it still reaches the sphere."""
    corner = torch.zeros_like(X)
    away = 10 * torch.randn(5, 200, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    radius = torch.linspace(0.1, 1.0, 5, dtype=torch.float64)
    assert torch.allclose(vector_norm(into_ball(BOXED, corner, away, norm, radius), norm), radius)


def test_free_coordinates_are_those_that_can_move():
    points = torch.tensor([[0.0, 0.0, 1.0, 1.0, 0.5]], dtype=torch.float64)
    gradient = torch.tensor([[1.0, -1.0, 1.0, -1.0, 3.0]], dtype=torch.float64)
    model = classifier(random_linear(0, size=5), (0, 1))
    assert free(model, points, gradient).tolist() == [[0.0, -1.0, 1.0, 0.0, 3.0]]
    assert torch.equal(free(classifier(random_linear(0, size=5)), points, gradient), gradient)
    fall, rise = room(model, points)
    assert torch.equal(fall, points) and torch.equal(rise, 1 - points)
    assert all(torch.isinf(part).all() for part in room(classifier(random_linear(0, size=5)), points))


@each_norm
def test_a_direction_is_a_unit_step_downhill(norm: float):
    gradient = torch.randn(5, 200, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    direction = descent(BOXED, X, gradient, norm)
    assert torch.allclose(vector_norm(direction, norm), torch.ones(5, dtype=torch.float64))
    gain = (direction * gradient).sum(1)
    if norm == 1:  # the mean of the two largest of 200 coordinates, not the largest alone
        assert ((direction != 0).sum(1) == 2).all()
        assert torch.allclose(gain, gradient.abs().topk(2, dim=1).values.mean(1))
    else:
        assert torch.allclose(gain, vector_norm(gradient, dual_norm(norm)))


@each_norm
def test_random_points_lie_in_the_ball(norm: float):
    radius = torch.linspace(0.1, 1.0, 5, dtype=torch.float64)
    draws = random_points(X, Streams(X, 0, "points"), norm, radius)
    lengths = vector_norm(draws, norm) / radius
    assert (lengths <= 1 + 1e-12).all() and (lengths > 0.9).all()  # r^200 is uniform: below 0.9 with chance 1e-9


def test_visit_keeps_the_nearer_witness(case: LinearCase):
    found = Witnesses(case.x, 2.0)
    gap = case.network.weight[1 - case.goal.source] - case.network.weight[case.goal.source]
    way = gap / gap.norm(dim=1, keepdim=True) * case.exact(2.0)[:, None]
    for share in (3.0, 1.5, 0.9, 2.0):
        seen = visit(case.model, case.x + share * way, case.goal, found, loss=margin)
        assert seen.reached.all() == (share > 1)
    assert torch.allclose(found.distance, 1.5 * case.exact(2.0))


def test_a_radius_is_a_number_or_one_for_each_input():
    assert torch.equal(as_radius(0.5, X), torch.full((5,), 0.5, dtype=torch.float64))
    each = torch.arange(5)
    assert torch.equal(as_radius(each, X), each.double())
    for wrong in (-1.0, float("inf"), torch.ones(3), torch.ones(5, 1)):
        with pytest.raises(InputError, match="epsilon: expected"):
            as_radius(wrong, X)
