"""`fast_minimum_norm`: exact on linear classifiers in any `l_p`, and the promises of every method."""

from functools import partial

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from attack_cases import (
    INF,
    LinearCase,
    assert_above_the_program,
    assert_aimed_is_near,
    assert_finds_nothing,
    assert_most_have_a_witness,
    assert_near,
    assert_promises,
    assert_scales_with_units,
    classifier,
    each_dead,
    goal_of,
    linear_case,
    on_any_network,
    threatened,
)
from clearance.attacks import fast_minimum_norm
from clearance.errors import InputError
from clearance.geometry.norms import vector_norm
from closed_forms import ball_classifier, random_inputs, random_linear, random_relu

each_norm = pytest.mark.parametrize("norm", [1.0, 2.0, INF])


@pytest.mark.parametrize("norm", [1.0, 2.0, 3.0, INF])
@pytest.mark.parametrize("seed", range(3))
def test_within_5_percent_on_linear_classifiers(norm: float, seed: int):
    case = linear_case(seed)
    assert_near(fast_minimum_norm(case.model, case.x, case.goal, norm=norm).distance, case.exact(norm))


def test_within_1_percent_on_a_sphere():
    x = 0.4 * random_inputs(5, 6, 5)
    model = classifier(ball_classifier)
    assert_near(fast_minimum_norm(model, x, goal_of(model, x), norm=2).distance, 1 - x.norm(dim=1), 0.01)


@pytest.mark.parametrize("norm", [1.0, 2.0, 3.0, INF])
def test_with_bounds_above_the_program(norm: float):
    assert_above_the_program(norm, partial(fast_minimum_norm, norm=norm))


@pytest.mark.thinned(3)
@each_norm
@pytest.mark.parametrize("seed", range(3))
def test_aimed_at_each_class_in_turn(norm: float, seed: int):
    assert_aimed_is_near(norm, partial(fast_minimum_norm, norm=norm), seed)


@pytest.mark.parametrize("norm", [1.0, INF])
def test_units(norm: float):
    assert_scales_with_units(norm, partial(fast_minimum_norm, norm=norm))


@pytest.mark.parametrize("norm", [1.0, INF])
@on_any_network()
def test_promises(norm: float, threat):
    assert_promises(norm, partial(fast_minimum_norm, norm=norm, steps=20), *threatened(threat))


@pytest.mark.parametrize("norm", [1.0, INF])
@each_dead
def test_nothing_without_gradients(norm: float, dead):
    assert_finds_nothing(partial(fast_minimum_norm, norm=norm, steps=20), dead)


@pytest.mark.parametrize("norm", [1.0, INF])
def test_most_inputs_have_a_witness(norm: float):
    assert_most_have_a_witness(partial(fast_minimum_norm, norm=norm, steps=20))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    norm=st.sampled_from([1.0, 2.0, 3.0, INF]),
    seed=st.integers(0, 10_000),
    share=st.floats(0, 1),
    steps=st.sampled_from([1, 2, 10, 60]),
)
def test_never_farther_than_an_adversarial_start(norm: float, seed: int, share: float, steps: int):
    """Starts: points of the box in another class, or between those and the input, as near to the boundary as drawn."""
    model, x = classifier(random_relu(seed, size=6), (0, 1)), random_inputs(seed, 12, 6)
    goal, start = goal_of(model, x), random_inputs(seed + 1, 12, 6)
    between = x + share * (start - x)
    start = torch.where(goal.reached(model.logits(between))[:, None], between, start)
    adversarial = goal.reached(model.logits(start))
    assume(bool(adversarial.any()))
    found = fast_minimum_norm(model, x, goal, norm=norm, steps=steps, start=start)
    assert found.success[adversarial].all()
    assert (found.distance <= vector_norm(start - x, norm))[adversarial].all()


@pytest.mark.thinned(3)
@pytest.mark.parametrize("bounds", [None, (-20.0, 20.0)])
@pytest.mark.parametrize("norm", [1.0, 2.0, 3.0, INF])
@pytest.mark.parametrize("seed", range(3))
def test_from_far_beyond_the_boundary_it_comes_back(norm: float, seed: int, bounds):
    """An adversarial start keeps its ball, so that later passes move: from 20 distances away to the plane itself."""
    network, x = random_linear(seed, classes=2, size=12), random_inputs(seed, 8, 12)
    model, exact = classifier(network, bounds), network.distance(x, norm)
    goal, gap = goal_of(model, x), network.weight[1] - network.weight[0]
    outward = gap.sign() * torch.where(network(x).argmax(1) == 0, 1.0, -1.0)[:, None]
    start = model.clip(x + (20 * exact / vector_norm(outward, norm))[:, None] * outward)
    assert goal.reached(model.logits(start)).all()
    found = fast_minimum_norm(model, x, goal, norm=norm, start=start)
    assert (found.distance < vector_norm(start - x, norm)).all()
    assert_near(found.distance, exact)


@pytest.mark.parametrize(("given", "message"), [({"norm": 0.5}, "norm: expected"), ({"norm": 2, "steps": 0}, "steps")])
def test_misuse_is_one_clear_line(case: LinearCase, given, message: str):
    with pytest.raises(InputError, match=message):
        fast_minimum_norm(case.model, case.x, case.goal, **given)
