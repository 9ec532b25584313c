"""`cutting_planes`: edges between linear regions in closed form, exact distances of tiny networks, and the promises."""

import pytest
import torch
from torch import Tensor

from attack_cases import (
    INF,
    LinearCase,
    Variants,
    assert_above_the_program,
    assert_finds_nothing,
    assert_most_have_a_witness,
    assert_near,
    assert_promises,
    assert_scales_with_units,
    classifier,
    each,
    each_dead,
    goal_of,
    linear_case,
    on_any_network,
    threatened,
)
from clearance.attacks import Goal, Witnesses, boundary_walk, cutting_planes, make_goal
from clearance.attacks.cutting_planes import BEYOND_PLANES
from clearance.attacks.linear_model import linear_distance
from clearance.attacks.passes import Streams
from clearance.errors import InputError
from clearance.model.classifier import Classifier
from closed_forms import exact_linear, exact_relu, random_inputs, random_linear, random_relu


def walk(model: Classifier, x: Tensor, goal: Goal, norm: float, steps: int = 8, starts: int = 8) -> Witnesses:
    """From the inputs and points of the bounds, without a known witness."""
    scale, streams = linear_distance(model, x, goal, norm), Streams(x, 0)
    scale = torch.where(scale.isfinite() & (scale > 0), scale, 1.0)
    none = Witnesses(x, norm)
    return cutting_planes(model, goal, none, scale=scale, streams=streams, steps=steps, starts=starts)


VARIANTS: Variants = {
    f"l{norm:g}": (norm, lambda m, x, g, norm=norm: walk(m, x, g, norm)) for norm in (1.0, 1.5, 2.0, INF)
}
each_norm = pytest.mark.parametrize("norm", [1.0, 2.0, INF])


@each_norm
@pytest.mark.parametrize("seed", range(2))
def test_on_linear_classifiers_the_second_point_is_the_nearest(norm: float, seed: int):
    case = linear_case(seed)
    found = walk(case.model, case.x, case.goal, norm, steps=2, starts=1)
    assert_near(found.distance, case.exact(norm), BEYOND_PLANES * 1.01)


@each_norm
def test_with_bounds_at_the_linear_program(norm: float):
    """What is aimed beyond the plane is moved along coordinates less steep than those that the bounds stop."""
    assert_above_the_program(norm, lambda m, x, g: walk(m, x, g, norm))
    network, x = random_linear(3, classes=2), random_inputs(3, 8, 6)
    model = classifier(network, (0, 1))
    goal = goal_of(model, x)
    if norm != 2:
        targets = [wanted.nonzero().flatten().tolist() for wanted in goal.wanted]
        exact = [exact_linear(network, *own, 0, 1) for own in zip(x, [norm] * 8, targets, strict=True)]
        assert_near(walk(model, x, goal, norm).distance, torch.tensor(exact).double() - 1e-7, 5 * BEYOND_PLANES)


def wedge(x: Tensor) -> Tensor:
    """Class 1 where both `3 x_1 + x_2 > 4` and `x_1 + 3 x_2 > 4`: a corner at (1, 1), the nearest point to the origin.

    For `l_2`, where a plane alone has its nearest point at (1.2, .4) or (.4, 1.2), where the other plane is missed.
    """
    margin = torch.minimum(3 * x[:, 0] + x[:, 1] - 4, x[:, 0] + 3 * x[:, 1] - 4)
    return torch.stack([torch.zeros_like(margin), margin], 1)


def test_the_corner_between_two_planes_is_found_in_three_steps():
    x, model = torch.zeros(1, 2, dtype=torch.float64), classifier(wedge)
    goal, corner = make_goal(torch.tensor([0]), [[1]], 2), 2**0.5
    far = Witnesses(x, 2.0)
    far.offer(torch.tensor([[3.0, 1.0]], dtype=torch.float64), torch.tensor([True]))
    scale, streams = torch.ones(1, dtype=torch.float64), Streams(x, 0)
    found = cutting_planes(model, goal, far, scale=scale, streams=streams, steps=3, starts=1)
    assert_near(found.distance, torch.tensor([corner]).double(), 2 * BEYOND_PLANES)
    assert boundary_walk(model, goal, far, steps=3).distance > 1.01 * corner


@pytest.mark.parametrize("norm", [1.0, INF])
def test_near_the_exact_distance_of_tiny_networks(norm: float):
    """Of six networks the walks alone are within 1 % on five; never below the program's proven end."""
    ratios: list[float] = []
    for seed in range(6):
        network, x = random_relu(seed, hidden=6), random_inputs(seed, 1, 4)
        model = classifier(network, (0, 1))
        goal = goal_of(model, x)
        exact = exact_relu(network, x[0], norm, goal.wanted[0].nonzero().flatten().tolist(), 0.0, 1.0)
        found = float(walk(model, x, goal, norm, starts=16).distance)
        assert found >= exact - 1e-6  # the program's tolerance
        ratios.append(1.0 if found == exact else found / exact)
    assert sum(ratio <= 1.01 for ratio in ratios) >= 5


def test_it_only_comes_nearer_and_leaves_the_known_witnesses():
    network, x = random_relu(2, classes=4, size=6), random_inputs(2, 6, 6)
    model = classifier(network, (0, 1))
    goal, known = goal_of(model, x), Witnesses(x, 2.0)
    corner = (x < 0.5).double()
    known.offer(corner, goal.reached(network(corner)))
    before = known.distance.clone()
    scale, streams = torch.ones(6, dtype=torch.float64), Streams(x, 0)
    found = cutting_planes(model, goal, known, scale=scale, streams=streams, steps=6, starts=4)
    assert (found.distance <= before).all() and (found.distance < before).any()
    assert torch.equal(known.distance, before)


def test_it_costs_what_it_says():
    model, x = classifier(random_relu(0, size=6), (0, 1)), random_inputs(0, 2, 6)
    goal, none, scale = goal_of(model, x), Witnesses(x, 2.0), torch.ones(2, dtype=torch.float64)
    before = model.meter.read()
    cutting_planes(model, goal, none, scale=scale, streams=Streams(x, 0), steps=5, starts=3)
    spent = model.meter.since(before)
    assert 2 * 3 * 2 <= spent.forward <= 2 * 3 * (1 + 5) and spent.backward <= 2 * 3 * 5


@each(VARIANTS)
def test_units(name: str):
    assert_scales_with_units(*VARIANTS[name])


@pytest.mark.slow
@on_any_network()
def test_promises(threat):
    for variant in VARIANTS.values():
        assert_promises(*variant, *threatened(threat))


@pytest.mark.thinned(3)
@each_dead
@each(VARIANTS)
def test_nothing_without_gradients(name, dead):
    assert_finds_nothing(VARIANTS[name][1], dead)


@each(VARIANTS)
def test_most_inputs_have_a_witness(name: str):
    assert_most_have_a_witness(VARIANTS[name][1])


def test_misuse_is_one_clear_line(case: LinearCase):
    for wrong in ({"steps": 0}, {"starts": 0}):
        with pytest.raises(InputError, match="steps: expected at least 1, got 0"):
            walk(case.model, case.x, case.goal, 2.0, **wrong)
