"""`apgd`: the exact radius on linear classifiers, its checkpoints, and the promises of every method."""

from functools import partial

import pytest
import torch

from attack_cases import (
    INF,
    Variants,
    assert_above_the_program,
    assert_exact_radius,
    assert_finds_nothing,
    assert_near,
    assert_promises,
    assert_scales_with_units,
    assert_success_grows_with_the_radius,
    bisected,
    each,
    each_dead,
    goal_of,
    linear_case,
    on_any_network,
    relu_network,
    small_inputs,
    threatened,
)
from clearance.attacks import apgd
from clearance.attacks.apgd import _Checkpoints
from clearance.errors import InputError
from clearance.model.classifier import Classifier

SHORT: Variants = {
    "1": (1.0, partial(apgd, norm=1, epsilon=2.0, steps=10)),
    "2": (2.0, partial(apgd, norm=2, epsilon=1.0, steps=10)),
    "inf": (INF, partial(apgd, norm=INF, epsilon=0.3, steps=10, restarts=2)),
}
each_norm = pytest.mark.parametrize("norm", [1.0, 2.0, INF])


@pytest.mark.parametrize("norm", [2.0, INF])
def test_the_exact_radius_on_linear_classifiers(norm: float):
    assert_exact_radius(norm, apgd)


@pytest.mark.thinned(3)
@each_norm
@pytest.mark.parametrize("seed", range(3))
def test_bisected_within_5_percent_on_linear_classifiers(norm: float, seed: int):
    case = linear_case(seed)
    assert_near(bisected(apgd, norm)(case.model, case.x, case.goal).distance, case.exact(norm))


@each_norm
def test_with_bounds_above_the_program(norm: float):
    assert_above_the_program(norm, bisected(apgd, norm))


def test_units():
    assert_scales_with_units(INF, bisected(apgd, INF))


@each_norm
@pytest.mark.thinned(3)
def test_success_does_not_fall_as_the_radius_grows(norm: float):
    assert_success_grows_with_the_radius(norm, apgd)


@each(SHORT)
@on_any_network()
def test_promises(name: str, threat):
    assert_promises(*SHORT[name], *threatened(threat))


@each(SHORT)
@each_dead
def test_nothing_without_gradients(name: str, dead):
    assert_finds_nothing(SHORT[name][1], dead)


def test_checkpoints_are_those_of_the_paper():
    """Croce and Hein 2020, section 3: p_0 = 0, p_1 = 0.22, p_(j+1) = p_j + max(p_j - p_(j-1) - 0.03, 0.06)."""
    share, before, expected = 0.22, 0.0, [22]
    while share < 1:
        share, before = share + max(share - before - 0.03, 0.06), share
        expected.append(round(100 * share))
    checkpoints, seen = _Checkpoints(100), []
    for step in range(1, 101):
        if checkpoints.due(step):
            seen.append(step)
            checkpoints.advance(step)
    assert seen == [step for step in expected if step <= 100] and len(seen) >= 8


def test_more_restarts_never_find_less():
    model, x = Classifier(relu_network(1, 4)), small_inputs(1)
    goal = goal_of(model, x)
    runs = [apgd(model, x, goal, norm=2, epsilon=1.5, steps=8, restarts=count).distance for count in (1, 3)]
    assert (runs[1] <= runs[0]).all() and torch.isfinite(runs[1]).any()


@pytest.mark.parametrize("given", [{"norm": 0.5}, {"steps": 0}, {"restarts": 0}, {"epsilon": -1.0}])
def test_misuse_is_one_clear_line(case, given):
    with pytest.raises(InputError, match="expected"):
        apgd(case.model, case.x, case.goal, **{"norm": 2, "epsilon": 1.0, **given})
