"""`pgd`: the exact radius on linear classifiers, its random starts, and the promises of every method."""

from functools import partial

import pytest
import torch
from torch import Tensor

from attack_cases import (
    INF,
    Variants,
    assert_above_the_program,
    assert_exact_radius,
    assert_finds_nothing,
    assert_near,
    assert_promises,
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
from clearance.attacks import pgd
from clearance.errors import InputError
from clearance.model.classifier import Classifier

SHORT: Variants = {
    "1": (1.0, partial(pgd, norm=1, epsilon=2.0, steps=8, restarts=2)),
    "2": (2.0, partial(pgd, norm=2, epsilon=1.0, steps=8)),
    "inf": (INF, partial(pgd, norm=INF, epsilon=0.3, steps=8)),
}
each_norm = pytest.mark.parametrize("norm", [1.0, 2.0, INF])


@pytest.mark.parametrize("norm", [2.0, INF])
def test_the_exact_radius_on_linear_classifiers(norm: float):
    assert_exact_radius(norm, pgd, share=5e-2)


@pytest.mark.thinned(3)
@each_norm
@pytest.mark.parametrize("seed", range(3))
def test_bisected_within_5_percent_on_linear_classifiers(norm: float, seed: int):
    case = linear_case(seed)
    assert_near(bisected(pgd, norm)(case.model, case.x, case.goal).distance, case.exact(norm))


@each_norm
def test_with_bounds_above_the_program(norm: float):
    assert_above_the_program(norm, bisected(pgd, norm))


@each_norm
def test_success_does_not_fall_as_the_radius_grows(norm: float):
    assert_success_grows_with_the_radius(norm, pgd)


@each(SHORT)
@on_any_network()
def test_promises(name: str, threat):
    assert_promises(*SHORT[name], *threatened(threat))


@each(SHORT)
@each_dead
def test_nothing_without_gradients(name: str, dead):
    assert_finds_nothing(SHORT[name][1], dead)


def test_the_seed_fixes_the_start_and_matters():
    model, x = Classifier(relu_network(1, 3)), small_inputs(1)
    goal = goal_of(model, x)

    def start(seed: int) -> Tensor:
        found = pgd(model, x, goal, norm=2, epsilon=20.0, steps=1, seed=seed)
        assert found.success.any()
        return found.adversarial

    assert torch.equal(start(0), start(0)) and not torch.equal(start(0), start(1))


def test_results_do_not_depend_on_the_rest_of_the_batch():
    model, x = Classifier(relu_network(3, 3), (0, 1), dtype=torch.float64), small_inputs(3, 5).double()
    drawn = pgd(model, x, goal_of(model, x), norm=2, epsilon=1.0, steps=3)
    for row in range(5):
        own = x[row : row + 1]
        lone = pgd(model, own, goal_of(model, own), norm=2, epsilon=1.0, steps=3)
        assert float(lone.distance[0]) == pytest.approx(float(drawn.distance[row]), rel=1e-9)
    assert drawn.success.any()


@pytest.mark.parametrize("given", [{"norm": 0.5}, {"steps": 0}, {"restarts": 0}, {"epsilon": torch.ones(3)}])
def test_misuse_is_one_clear_line(case, given):
    with pytest.raises(InputError, match="expected"):
        pgd(case.model, case.x, case.goal, **{"norm": 2, "epsilon": 1.0, **given})
