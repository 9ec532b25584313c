"""`carlini_wagner`: near the exact distance on linear classifiers and a sphere, and the promises of every method."""

from functools import partial

import pytest

from attack_cases import (
    INF,
    LinearCase,
    Variants,
    assert_above_the_program,
    assert_confidence_is_kept,
    assert_finds_nothing,
    assert_most_have_a_witness,
    assert_near,
    assert_promises,
    assert_scales_with_units,
    assert_targeted_is_near,
    classifier,
    each,
    each_dead,
    goal_of,
    linear_case,
    on_any_network,
    threatened,
)
from clearance.attacks import carlini_wagner
from clearance.errors import InputError
from closed_forms import ball_classifier, random_inputs

FULL: Variants = {
    "2": (2.0, partial(carlini_wagner, norm=2)),
    "inf": (INF, partial(carlini_wagner, norm=INF, searches=20)),
}
SHORT: Variants = {
    "2": (2.0, partial(carlini_wagner, norm=2, searches=3, steps=15)),
    "inf": (INF, partial(carlini_wagner, norm=INF, searches=3, steps=15)),
}


@each(FULL)
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.thinned(3)
def test_within_5_percent_on_linear_classifiers(name: str, seed: int):
    norm, method = FULL[name]
    case = linear_case(seed)
    assert_near(method(case.model, case.x, case.goal).distance, case.exact(norm))


def test_within_2_percent_on_a_sphere():
    x = 0.4 * random_inputs(5, 6, 5)
    model = classifier(ball_classifier)
    assert_near(carlini_wagner(model, x, goal_of(model, x)).distance, 1 - x.norm(dim=1), 0.02)


@each(FULL)
def test_with_bounds_above_the_program(name: str):
    assert_above_the_program(*FULL[name])


@pytest.mark.thinned(6)
@each(FULL)
def test_targeted_at_each_class_in_turn(name: str):
    assert_targeted_is_near(*FULL[name])


def test_units():
    assert_scales_with_units(*FULL["2"])


def test_confidence_is_kept():
    assert_confidence_is_kept(carlini_wagner)


@each(SHORT)
@on_any_network()
def test_promises(name: str, threat):
    assert_promises(*SHORT[name], *threatened(threat))


@each(SHORT)
@each_dead
def test_nothing_without_gradients(name: str, dead):
    assert_finds_nothing(SHORT[name][1], dead)


def test_most_inputs_have_a_witness():
    assert_most_have_a_witness(SHORT["2"][1])


@pytest.mark.parametrize("given", [{"norm": 1}, {"confidence": -1.0}, {"searches": 0}, {"steps": 0}])
def test_misuse_is_one_clear_line(case: LinearCase, given):
    with pytest.raises(InputError, match="expected"):
        carlini_wagner(case.model, case.x, case.goal, **given)
