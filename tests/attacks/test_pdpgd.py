"""`pdpgd`: exact on linear classifiers in `l_1`, and the promises of every method."""

from functools import partial

import pytest

from attack_cases import (
    LinearCase,
    assert_above_the_program,
    assert_aimed_is_near,
    assert_finds_nothing,
    assert_most_have_a_witness,
    assert_near,
    assert_promises,
    assert_scales_with_units,
    each_dead,
    linear_case,
    on_any_network,
    threatened,
)
from clearance.attacks import pdpgd
from clearance.errors import InputError

short = partial(pdpgd, steps=20)


@pytest.mark.parametrize("seed", range(3))
def test_within_5_percent_on_linear_classifiers(seed: int):
    case = linear_case(seed)
    assert_near(pdpgd(case.model, case.x, case.goal).distance, case.exact(1.0))


def test_witnesses_are_sparse(case: LinearCase):
    """The nearest point in `l_1` differs in the one coordinate of the largest weight; 200 steps leave few others."""
    shift = pdpgd(case.model, case.x, case.goal).adversarial - case.x
    largest = (case.network.weight[0] - case.network.weight[1]).abs().argmax()
    assert (shift[:, largest].abs() >= 0.9 * shift.abs().sum(1)).all()


def test_with_bounds_above_the_program():
    assert_above_the_program(1.0, pdpgd)


@pytest.mark.parametrize("seed", range(3))
def test_aimed_at_each_class_in_turn(seed: int):
    assert_aimed_is_near(1.0, partial(pdpgd, steps=400), seed)  # 200 steps: 1.06 x on seed 1


def test_units():
    assert_scales_with_units(1.0, pdpgd)


@on_any_network()
def test_promises(threat):
    assert_promises(1.0, short, *threatened(threat))


@each_dead
def test_nothing_without_gradients(dead):
    assert_finds_nothing(short, dead)


def test_most_inputs_have_a_witness():
    assert_most_have_a_witness(short)


def test_misuse_is_one_clear_line(case: LinearCase):
    with pytest.raises(InputError, match="steps: expected at least 1, got 0"):
        pdpgd(case.model, case.x, case.goal, steps=0)
