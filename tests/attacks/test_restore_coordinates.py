"""`restore_coordinates`: the closed form on linear classifiers, never more coordinates, and only forward steps back."""

import pytest
import torch
from torch import Tensor

from attack_cases import INF, classifier, goal_of, linear_case, relu_network, small_inputs
from clearance.attacks import Goal, Witnesses, restore_coordinates
from clearance.model.classifier import Classifier
from closed_forms import fewest_linear


def corner(model: Classifier, x: Tensor, goal: Goal, seed: int) -> Witnesses:
    """Witnesses at random corners of the bounds, where a few out of 50 are."""
    found, draw = Witnesses(x, 0.0), torch.Generator().manual_seed(seed)
    for _ in range(50):
        points = model.clip(x + 100 * torch.randn(x.shape, generator=draw).to(x))
        found.offer(points, goal.reached(model.logits(points)))
    return found


@pytest.mark.parametrize("seed", range(5))
def test_the_closed_form_on_two_classes_split_by_a_plane(seed: int):
    case = linear_case(seed)
    model = classifier(case.network, (0, 1))
    far = corner(model, case.x, case.goal, seed)
    found = restore_coordinates(model, case.goal, far)
    assert far.success.any() and torch.equal(found.success, far.success)
    for row in far.success.nonzero().flatten().tolist():
        targets = case.goal.wanted[row].nonzero().flatten().tolist()
        assert far.distance[row] > found.distance[row] or found.distance[row] == 12
        assert found.distance[row] == fewest_linear(case.network, case.x[row], targets, 0.0, 1.0)


def test_without_bounds_one_coordinate_is_left():
    """It moves by the whole `l_1` length of the witness, which no linear classifier withstands."""
    case = linear_case(1)
    far = corner(case.model, case.x, case.goal, 1)
    found = restore_coordinates(case.model, case.goal, far)
    assert far.success.all() and (found.distance == 1).all()


@pytest.mark.parametrize("bounds", [None, (0.0, 1.0), (0.0, INF)])
def test_never_more_coordinates_and_still_witnesses(bounds: tuple[float, float] | None):
    model, x = Classifier(relu_network(4, 4), bounds and tuple(map(torch.tensor, bounds))), small_inputs(4, 12)
    goal = goal_of(model, x)
    far = corner(model, x, goal, 1)
    before = far.distance.clone()
    found = restore_coordinates(model, goal, far)
    assert far.success.sum() >= 3 and torch.equal(found.success, far.success) and torch.equal(far.distance, before)
    assert (found.distance <= far.distance).all() and (found.distance < far.distance).any()
    assert goal.reached(model.logits(found.adversarial))[found.success].all()
    assert torch.equal(found.adversarial[~found.success], x[~found.success])
    assert torch.equal(model.clip(found.adversarial), found.adversarial)


def test_a_round_that_adds_none_only_puts_back():
    model, x = Classifier(relu_network(5, 3), (0, 1)), small_inputs(5, 12)
    goal = goal_of(model, x)
    far = corner(model, x, goal, 5)
    found = restore_coordinates(model, goal, far, exchanges=(0,))
    assert far.success.any()
    assert ((found.adversarial == x) | (found.adversarial == far.adversarial)).all()


def test_what_it_costs():
    """One backward pass a round; forward passes are those of bisection, `2 + log2(k + a)` at most."""
    case = linear_case(0)
    model = classifier(case.network, (0, 1))
    far = corner(model, case.x, case.goal, 0)
    before = model.meter.read()
    restore_coordinates(model, case.goal, far, exchanges=(4, 0))
    spent = model.meter.since(before)
    assert spent.backward == 2 * len(case.x)
    assert spent.forward <= len(case.x) * 2 * (2 + 4)
