"""`ifgsm`: the smallest success over its grid of radii, and the promises of every method."""

from functools import partial

import pytest
import torch

from attack_cases import (
    INF,
    LinearCase,
    assert_finds_nothing,
    assert_near,
    assert_promises,
    each_dead,
    goal_of,
    on_any_network,
    threatened,
)
from clearance.attacks import ifgsm
from clearance.errors import InputError
from clearance.model.classifier import Classifier
from clearance.zoo.networks import digits_cnn
from closed_forms import random_inputs

short = partial(ifgsm, steps=5)


def test_the_exact_distance_up_to_one_step_of_the_radius(case: LinearCase):
    """Every step moves along the same sign: the first iterate past the plane is at most `epsilon / steps` beyond it."""
    exact = case.exact(INF)
    found = ifgsm(case.model, case.x, case.goal, epsilons=(2 * float(exact.max()),), steps=200)
    assert (found.distance >= exact).all()
    assert (found.distance <= exact + 2 * exact.max() / 200 * (1 + 1e-9)).all()
    grid = [float(share * exact[0]) for share in (0.5, 0.99, 1.01, 3.0)]
    first = ifgsm(case.model, case.x, case.goal, epsilons=grid, steps=7).distance[:1]
    assert_near(first, exact[:1], 0.01 * (1 + 1e-9))


def test_the_smallest_success_of_the_grid():
    model, x = Classifier(digits_cnn(seed=1), (0, 1)), random_inputs(1, 10, 64).float().reshape(10, 1, 8, 8)
    goal, best_so_far = goal_of(model, x), torch.full((10,), INF)
    for count in range(1, 9):
        found = ifgsm(model, x, goal, epsilons=(0.01, 0.025, 0.05, 0.1, 0.3, 0.5, 0.8, 1.0)[:count], steps=10)
        assert (found.distance <= best_so_far).all()
        best_so_far = found.distance
    assert best_so_far.isfinite().any()


@on_any_network()
def test_promises(threat):
    assert_promises(INF, short, *threatened(threat))


@each_dead
def test_nothing_without_gradients(dead):
    assert_finds_nothing(short, dead)


@pytest.mark.parametrize("given", [{"epsilons": ()}, {"norm": 0.5}])
def test_misuse_is_one_clear_line(case: LinearCase, given):
    with pytest.raises(InputError, match="expected"):
        ifgsm(case.model, case.x, case.goal, **given)
