"""`fgsm`: one step is enough on linear classifiers, by exactly their distance; and the promises of every method."""

from functools import partial

import pytest
import torch

from attack_cases import (
    INF,
    LinearCase,
    Variants,
    assert_exact_radius,
    assert_finds_nothing,
    assert_promises,
    assert_success_grows_with_the_radius,
    each,
    each_dead,
    on_any_network,
    threatened,
)
from clearance.attacks import fgsm
from clearance.errors import InputError

VARIANTS: Variants = {
    "1": (1.0, partial(fgsm, norm=1, epsilon=2.0)),
    "2": (2.0, partial(fgsm, norm=2, epsilon=1.0)),
    "inf": (INF, partial(fgsm, norm=INF, epsilon=0.3)),
}


@pytest.mark.parametrize("norm", [1.0, 1.5, 2.0, INF])
def test_the_exact_radius_on_linear_classifiers(norm: float):
    assert_exact_radius(norm, fgsm, share=1e-6)


def test_the_step_is_the_sign_of_the_gradient(case: LinearCase):
    """Goodfellow, Shlens and Szegedy 2015: `x + epsilon sign(w)`, with `w` the weights of the wanted class."""
    found = fgsm(case.model, case.x, case.goal, norm=INF, epsilon=2 * case.exact(INF))
    ahead = case.network.weight[1 - case.goal.source] - case.network.weight[case.goal.source]
    assert torch.equal(found.adversarial, case.x + 2 * case.exact(INF)[:, None] * ahead.sign())


@pytest.mark.parametrize("norm", [1.0, 2.0, INF])
def test_success_does_not_fall_as_the_radius_grows(norm: float):
    assert_success_grows_with_the_radius(norm, fgsm)


@each(VARIANTS)
@on_any_network()
def test_promises(name: str, threat):
    assert_promises(*VARIANTS[name], *threatened(threat))


@each(VARIANTS)
@each_dead
def test_nothing_without_gradients(name: str, dead):
    assert_finds_nothing(VARIANTS[name][1], dead)


@pytest.mark.parametrize(
    "given",
    [{"norm": 0.5, "epsilon": 1.0}, {"norm": 2, "epsilon": -1.0}, {"norm": 2, "epsilon": torch.ones(3)}],
)
def test_misuse_is_one_clear_line(case: LinearCase, given):
    with pytest.raises(InputError, match="expected") as caught:
        fgsm(case.model, case.x, case.goal, **given)
    assert "\n" not in str(caught.value)
