"""Steps of a profile brought inward: to where a region begins, in one dimension and in a corner; what it takes."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from clearance.estimates.profile.inward import BISECTIONS, bring_inward, inward_gradients
from clearance.estimates.profile.pool import Pool
from clearance.model.classifier import Classifier
from score_cases import margin_problem


def _pool(margin: Callable[[Tensor], Tensor], coordinates: int, norm: float = 2.0) -> Pool:
    def network(x: Tensor) -> Tensor:
        value = margin(x)
        return torch.stack([value, torch.zeros_like(value)], 1)

    return Pool(margin_problem(Classifier(network), torch.zeros(coordinates, dtype=torch.float64), norm=norm))


def _kink(x: Tensor) -> Tensor:
    """Falls by 1, and by 5 from `x_0 = 0.3` on."""
    return 9 - x[:, 0] - 4 * (x[:, 0] - 0.3).relu()


def _nearest_steep(pool: Pool, fall: float) -> float:
    return float(pool.column("distance")[pool.column("fall") >= fall].min())


@pytest.mark.parametrize("norm", [1.0, 2.0, math.inf])
def test_a_step_is_brought_to_where_it_begins_as_near_as_bisection_goes(norm: float) -> None:
    pool = _pool(_kink, 30, norm)
    axis = torch.eye(30, dtype=torch.float64)[:1]
    pool.visit(torch.cat([0 * axis, axis]))
    bring_inward(pool, 2.0, 320)
    assert 0.3 <= _nearest_steep(pool, 5.0) <= 0.3 + 2.0**-BISECTIONS
    assert pool.samples == 2 + BISECTIONS


@pytest.mark.parametrize("allowed", [0, 4, 5, 12, 40])
def test_it_takes_no_more_than_it_may(allowed: int) -> None:
    pool = _pool(lambda x: 9 - x.square().sum(1), 30)
    pool.visit(torch.eye(30, dtype=torch.float64)[:1] * torch.linspace(0, 2, 20, dtype=torch.float64)[:, None])
    bring_inward(pool, 2.0, allowed)
    assert pool.samples == 20 + allowed // BISECTIONS * BISECTIONS


def test_a_short_round_leaves_it_a_share() -> None:
    assert [inward_gradients(30, count) for count in (499, 500, 5000)] == [0, 50, 80]


def test_a_point_beyond_the_limit_stays_where_it_is() -> None:
    pool = _pool(_kink, 30)
    axis = torch.eye(30, dtype=torch.float64)[:1]
    pool.visit(torch.cat([0 * axis, axis]))
    bring_inward(pool, 0.9, 320)
    assert pool.samples == 2


def test_where_nothing_rises_nothing_is_spent() -> None:
    pool = _pool(lambda x: 9 - x.sum(1), 3)
    pool.visit(torch.rand(20, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64))
    bring_inward(pool, 5.0, 320)
    assert pool.samples == 20


def test_in_a_few_dimensions_it_comes_into_the_corner_that_is_nearest() -> None:
    """A half plane `x_0 >= 0.3`, met far to the side: straight in ends at 0.3 times its length over its width."""
    pool = _pool(_kink, 2)
    start = torch.tensor([[0.0, 0.0], [0.4, 0.9]], dtype=torch.float64)
    pool.visit(start)
    for _ in range(6):
        bring_inward(pool, 2.0, 320)
    straight = 0.3 / 0.4 * float(start[1].norm())
    assert 0.3 <= _nearest_steep(pool, 5.0) <= 0.75 * straight


def test_the_same_pool_gives_the_same_points() -> None:
    found = list[Tensor]()
    for _ in range(2):
        pool = _pool(_kink, 2)
        pool.visit(torch.tensor([[0.0, 0.0], [0.4, 0.9]], dtype=torch.float64))
        bring_inward(pool, 2.0, 320)
        found.append(torch.from_numpy(pool.column("distance")))
    assert torch.equal(*found)
