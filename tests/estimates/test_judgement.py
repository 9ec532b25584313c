"""Which status an estimate deserves."""

import math

import pytest
import torch
from torch import Tensor

from clearance.estimates.clever import clever
from clearance.estimates.evidence import Evidence, Observation
from clearance.estimates.extremes import fit_reverse_weibull
from clearance.estimates.fixed_point import Ball
from clearance.estimates.judgement import TargetEstimate, judge
from clearance.estimates.settings import Settings
from clearance.estimates.status import Status
from clearance.model.classifier import Classifier
from clearance.model.cost import Cost
from closed_forms import random_linear
from score_cases import half_hidden, normal, small_mlp, stairs

SMALL = {"bound": "ball", "blocks": 8, "block_size": 64}


def constant(x: Tensor) -> Tensor:
    return torch.stack([x.sum(1) * 0 + 1, x.sum(1) * 0], 1)


def undefined_nearby(x: Tensor) -> Tensor:
    value = 1 + torch.log(1 - x.abs().sum(1))
    return torch.stack([value, torch.zeros_like(value)], 1)


@pytest.mark.parametrize("sampler", ["directed", "uniform"])
@pytest.mark.parametrize(
    ("network", "settings", "status"),
    [
        (stairs, {"radius": 1.0}, Status.MASKED),
        (stairs, {}, Status.MASKED),
        (constant, {"radius": 1.0}, Status.NO_GRADIENT),
        (constant, {}, Status.NO_GRADIENT),
        (half_hidden, {"radius": 3.0}, Status.REFUTED),
        (undefined_nearby, {"radius": 2.0}, Status.NON_FINITE),
        (random_linear(0, size=3), {"radius": 1e-3}, Status.AT_RADIUS),
        (lambda x: random_linear(0, size=3)(x).softmax(1), {}, Status.PROBABILITIES),
    ],
)
def test_statuses(network: object, settings: dict[str, float], status: Status, sampler: str):
    x = torch.zeros(1, 3, dtype=torch.float64)
    model = Classifier(network, dtype=torch.float64)  # pyright: ignore
    score = clever(model, x, target="runner-up", sampler=sampler, **settings, **SMALL)[0]
    assert score.status is status
    assert math.isnan(score.radius) == (status is Status.NON_FINITE)


@pytest.mark.parametrize(
    ("network", "bounds", "status"),
    [
        (stairs, None, Status.MASKED),
        (constant, None, Status.NO_GRADIENT),
        (half_hidden, None, Status.REFUTED),
        (undefined_nearby, None, Status.NON_FINITE),
        (lambda x: constant(x) + torch.stack([9 + x.sum(1), x.sum(1) * 0], 1), (-1, 1), Status.AT_RADIUS),
        (lambda x: random_linear(0, size=3)(x).softmax(1), None, Status.PROBABILITIES),
        (random_linear(0, size=3), None, Status.OK),
    ],
)
@pytest.mark.parametrize("order", [2.0, math.inf])
def test_statuses_of_a_profile(network: object, bounds: tuple[float, float] | None, status: Status, order: float):
    x = torch.zeros(1, 3, dtype=torch.float64)
    model = Classifier(network, bounds, dtype=torch.float64)  # pyright: ignore
    (score,) = clever(model, x, target="runner-up", norm=order, budget=3000)
    assert score.status is status


def test_a_profile_that_never_reaches_the_margin_ends_at_the_farthest_valid_point():
    """`g = 10 + sum(x)` on `[-1, 1]^3`: at least 7 everywhere, so that no valid input is adversarial."""
    model = Classifier(lambda x: torch.stack([10 + x.sum(1), x.sum(1) * 0], 1), bounds=(-1, 1))
    (score,) = clever(model, torch.zeros(1, 3), norm=2, budget=3000)
    assert score.radius == score.ball_radius == pytest.approx(math.sqrt(3)) and score.witness is None


def hidden_class(x: Tensor) -> Tensor:
    """Class 1 is at distance 1; class 2 at 1/8, and its gradient is 50 times too small."""
    steep = 24 * x[:, 1]
    return torch.stack([torch.full_like(steep, 3.0), 3 * x[:, 0], 0.98 * steep.detach() + 0.02 * steep], 1)


@pytest.mark.parametrize("settings", [{}, {"racing": False}, {"radius": 2.0}, {"sampler": "uniform"}])
@pytest.mark.thinned(8)
def test_untargeted_a_contradiction_of_any_class_refutes(settings: dict):
    found = clever(Classifier(hidden_class), torch.zeros(1, 8), bound="ball", **settings)[0]
    assert found.status is Status.REFUTED and found.target == 2
    assert clever(Classifier(hidden_class), torch.zeros(1, 8), target=1, bound="ball")[0].status is Status.OK


def test_few_blocks_that_leave_the_interval_open_are_not_ok():
    found = clever(Classifier(small_mlp(3)), normal(1, 6, seed=3), bound="ball", blocks=3)[0]
    assert found.interval[0] < 0.95 * found.radius and found.status is not Status.OK


def test_a_larger_norm_than_the_fit_allows_is_a_poor_fit():
    settings, fit = Settings(bound="ball"), fit_reverse_weibull((1 - 0.2 * torch.linspace(0.01, 1, 60) ** 2).tolist())
    met = Evidence(derivative=Observation(2.0, torch.zeros(1)))
    outcome = TargetEstimate(0, 1, 1.0, Ball(5.0, searched=True), (1.0, 1.1), fit, met)
    found = judge(settings, outcome, False, Cost())
    assert found.radius == 0.5 and found.interval == (0.0, 0.5) and found.status is Status.POOR_FIT
