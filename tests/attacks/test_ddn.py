"""`ddn`: exact on linear classifiers, near on a sphere, and the promises of every method."""

import pytest
import torch
from torch import Tensor

from attack_cases import (
    LinearCase,
    Variants,
    assert_above_the_program,
    assert_aimed_is_near,
    assert_begins_at_its_start,
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
    small_inputs,
    threatened,
)
from clearance.attacks import ddn
from clearance.errors import InputError
from closed_forms import ball_classifier, random_inputs

SHORT: Variants = {"ddn": (2.0, lambda m, x, g: ddn(m, x, g, steps=20))}


@pytest.mark.parametrize("seed", range(3))
def test_within_5_percent_on_linear_classifiers(seed: int):
    case = linear_case(seed)
    assert_near(ddn(case.model, case.x, case.goal).distance, case.exact(2.0))


def test_forty_steps_reach_a_boundary_far_beyond_the_linear_estimate():
    """The margin falls five times as fast at first: the nearest witness lies at 3 times the linear estimate."""

    def network(x: Tensor) -> Tensor:
        margin = 1 - x.sum(1).clamp(max=0.5) - 0.2 * (x.sum(1) - 0.5).relu()
        return torch.stack([margin, torch.zeros_like(margin)], 1)

    x, model = torch.zeros(1, 4, dtype=torch.float64), classifier(network)
    found = ddn(model, x, goal_of(model, x), steps=40)
    assert float(found.distance) == pytest.approx(1.5, rel=0.01)  # the linear estimate is .5


def test_within_1_percent_on_a_sphere():
    x = 0.4 * random_inputs(5, 6, 5)
    model = classifier(ball_classifier)
    assert_near(ddn(model, x, goal_of(model, x)).distance, 1 - x.norm(dim=1), 0.01)


def test_with_bounds_above_the_program():
    assert_above_the_program(2.0, ddn)


@pytest.mark.parametrize("seed", range(3))
def test_aimed_at_each_class_in_turn(seed: int):
    assert_aimed_is_near(2.0, ddn, seed)


def test_units():
    assert_scales_with_units(2.0, ddn)


@on_any_network()
def test_promises(threat):
    assert_promises(*SHORT["ddn"], *threatened(threat))


@each_dead
def test_nothing_without_gradients(dead):
    assert_finds_nothing(SHORT["ddn"][1], dead)


def test_most_inputs_have_a_witness():
    assert_most_have_a_witness(SHORT["ddn"][1])


def test_a_start_is_where_it_begins(case: LinearCase):
    assert_begins_at_its_start(ddn, case)


def test_misuse_is_one_clear_line(case: LinearCase):
    with pytest.raises(InputError, match="steps: expected at least 1, got 0"):
        ddn(case.model, small_inputs(0), case.goal, steps=0)
