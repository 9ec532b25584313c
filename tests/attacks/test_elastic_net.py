"""`elastic_net`: near the exact `l_1` distance on linear classifiers, and the promises of every method."""

from functools import partial

import pytest

from attack_cases import (
    LinearCase,
    assert_above_the_program,
    assert_confidence_is_kept,
    assert_finds_nothing,
    assert_most_have_a_witness,
    assert_near,
    assert_promises,
    assert_scales_with_units,
    assert_targeted_is_near,
    each_dead,
    linear_case,
    on_any_network,
    threatened,
)
from clearance.attacks import elastic_net
from clearance.errors import InputError

short = partial(elastic_net, searches=3, steps=15)


@pytest.mark.parametrize("seed", range(3))
def test_within_5_percent_on_linear_classifiers(seed: int):
    case = linear_case(seed)
    assert_near(elastic_net(case.model, case.x, case.goal).distance, case.exact(1.0))


def test_with_bounds_above_the_program():
    assert_above_the_program(1.0, elastic_net)


def test_targeted_at_each_class_in_turn():
    assert_targeted_is_near(1.0, elastic_net)


def test_units():
    assert_scales_with_units(1.0, elastic_net)


def test_confidence_is_kept():
    assert_confidence_is_kept(elastic_net)


@on_any_network()
def test_promises(threat):
    assert_promises(1.0, short, *threatened(threat))


@each_dead
def test_nothing_without_gradients(dead):
    assert_finds_nothing(short, dead)


def test_most_inputs_have_a_witness():
    assert_most_have_a_witness(short)


@pytest.mark.parametrize("given", [{"beta": 0.0}, {"beta": float("inf")}, {"steps": 0}, {"confidence": -1.0}])
def test_misuse_is_one_clear_line(case: LinearCase, given):
    with pytest.raises(InputError, match="expected"):
        elastic_net(case.model, case.x, case.goal, **given)
