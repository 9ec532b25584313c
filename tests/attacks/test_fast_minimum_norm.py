"""`fast_minimum_norm`: exact on linear classifiers in any `l_p`, and the promises of every method."""

from functools import partial

import pytest

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
from closed_forms import ball_classifier, random_inputs

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


@pytest.mark.parametrize(("given", "message"), [({"norm": 0.5}, "norm: expected"), ({"norm": 2, "steps": 0}, "steps")])
def test_misuse_is_one_clear_line(case: LinearCase, given, message: str):
    with pytest.raises(InputError, match=message):
        fast_minimum_norm(case.model, case.x, case.goal, **given)
