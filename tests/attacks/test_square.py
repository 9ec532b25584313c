"""`square`: never below the exact distance, no gradients, its patches; and the promises of every method."""

from functools import partial

import pytest
import torch

from attack_cases import (
    INF,
    LinearCase,
    Variants,
    assert_finds_nothing,
    assert_promises,
    assert_success_grows_with_the_radius,
    classifier,
    each,
    each_dead,
    goal_of,
    on_any_network,
    threatened,
)
from clearance.attacks import square
from clearance.attacks.square import HALVE_AFTER, _share
from clearance.errors import InputError
from closed_forms import random_inputs, random_linear

SHORT: Variants = {
    "2": (2.0, partial(square, norm=2, epsilon=2.0, steps=40)),
    "inf": (INF, partial(square, norm=INF, epsilon=0.5, steps=40)),
}
each_norm = pytest.mark.parametrize("norm", [2.0, INF])


@each_norm
def test_on_linear_classifiers_nothing_inside_the_exact_distance(case: LinearCase, norm: float):
    exact = case.exact(norm)
    inside = square(case.model, case.x, case.goal, norm=norm, epsilon=exact * (1 - 1e-9), steps=100)
    outside = square(case.model, case.x, case.goal, norm=norm, epsilon=2 * exact, steps=300)
    assert not inside.success.any() and outside.success.all()
    assert ((outside.distance >= exact) & (outside.distance <= 2 * exact * (1 + 1e-12))).all()


def test_in_the_maximum_norm_signs_are_the_corners(case: LinearCase):
    """Every patch is `+-epsilon`: coordinates with the right signs make the best corner, at the exact distance."""
    found = square(case.model, case.x, case.goal, norm=INF, epsilon=1.02 * case.exact(INF), steps=400)
    assert found.success.float().mean() >= 0.75


def test_no_gradient_is_taken(case: LinearCase):
    model = case.model
    before = model.meter.read()
    square(model, case.x, case.goal, norm=2, epsilon=1.0, steps=10)
    spent = model.meter.since(before)
    assert spent.backward == 0 and spent.forward == 11 * len(case.x)


def test_patches_shrink_as_the_paper_has_them():
    moments = [0.0, *(moment + 1e-9 for moment in HALVE_AFTER)]
    assert [_share(moment) for moment in moments] == [0.8 / 2**halvings for halvings in range(len(moments))]


@pytest.mark.thinned(2)
@each_norm
def test_success_does_not_fall_as_the_radius_grows(norm: float):
    assert_success_grows_with_the_radius(norm, partial(square, steps=150))


@each(SHORT)
@on_any_network()
def test_promises(name: str, threat):
    assert_promises(*SHORT[name], *threatened(threat))


@each(SHORT)
@each_dead
def test_nothing_where_no_class_is_left(name: str, dead):
    assert_finds_nothing(SHORT[name][1], dead)


@each(SHORT)
@pytest.mark.parametrize("shape", [(6,), (2, 3), (3, 4, 4)])
def test_inputs_of_any_shape(name: str, shape: tuple[int, ...]):
    """Vectors and matrices are images of one row; the seed fixes the patches."""
    size = torch.Size(shape).numel()
    model = classifier(random_linear(0, classes=2, size=size))
    x = random_inputs(0, 4, size).reshape(4, *shape)
    runs = [SHORT[name][1](model, x, goal_of(model, x)) for _ in range(2)]
    assert runs[0].adversarial.shape == x.shape and torch.equal(runs[0].adversarial, runs[1].adversarial)


@pytest.mark.parametrize("given", [{"norm": 1}, {"steps": 0}, {"epsilon": -1.0}])
def test_misuse_is_one_clear_line(case: LinearCase, given):
    with pytest.raises(InputError, match="expected"):
        square(case.model, case.x, case.goal, **{"norm": 2, "epsilon": 1.0, **given})
