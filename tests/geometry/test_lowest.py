"""The smallest value of a linear function on a ball in a box: against a convex program, and by weak duality."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from clearance.geometry.lowest import lowest_on_ball


def problem(seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    rows = torch.randn(1, 1, 6, generator=draw, dtype=torch.float64)
    low, high = (torch.rand(1, 1, 6, generator=draw, dtype=torch.float64) for _ in range(2))
    return rows, -low, high


@pytest.mark.parametrize("norm", [1.2, 1.5, 2.0, 4.0])
def test_until_it_is_exact_it_is_the_minimum(norm: float) -> None:
    for seed in range(6):
        rows, low, high = problem(seed)
        room = {"type": "ineq", "fun": lambda d: 1 - (np.abs(d) ** norm).sum()}
        ends = list(zip(low[0, 0].numpy(), high[0, 0].numpy(), strict=True))
        goal = rows[0, 0].numpy().dot
        wanted = minimize(goal, np.zeros(6), bounds=ends, constraints=[room],
                          method="SLSQP", options={"ftol": 1e-12, "maxiter": 500}).fun  # fmt: skip
        found = lowest_on_ball(rows, torch.ones(1, dtype=torch.float64), low, high, norm, splits=None).item()
        assert found == pytest.approx(wanted, abs=2e-6)


@pytest.mark.parametrize("norm", [1.5, 2.0, 3.0])
def test_every_split_is_a_lower_bound_and_more_are_no_worse(norm: float) -> None:
    for seed in range(20):
        rows, low, high = problem(seed)
        one = torch.ones(1, dtype=torch.float64)
        bounds = [lowest_on_ball(rows, one, low, high, norm, splits=splits).item() for splits in (1, 2, 5)]
        exact = lowest_on_ball(rows, one, low, high, norm, splits=None).item()
        assert bounds == sorted(bounds) and bounds[-1] <= exact + 1e-12


def test_where_the_ball_holds_the_box_the_box_decides() -> None:
    rows, low, high = problem(0)
    far = torch.full((1,), 100.0, dtype=torch.float64)
    wanted = torch.minimum(rows * low, rows * high).sum().item()
    for norm in (1.0, 2.0, float("inf")):
        assert lowest_on_ball(rows, far, low, high, norm, splits=None).item() == pytest.approx(wanted)


@pytest.mark.parametrize("room", [0.001, 0.01, 1.0, float("inf")])
def test_in_l1_the_largest_coefficients_are_spent_first_however_many_it_takes(room: float) -> None:
    """300 coordinates: with little room in each the radius is spent on 200 of them, or on none but the box's ends."""
    draw = torch.Generator().manual_seed(3)
    rows = torch.randn(1, 4, 300, generator=draw, dtype=torch.float64)
    ends = room * torch.rand(2, 1, 1, 300, generator=draw, dtype=torch.float64) + (0 if room < 1 else 0.1)
    found = lowest_on_ball(rows, torch.ones(1, dtype=torch.float64), -ends[0], ends[1], 1.0, splits=None)
    for row, lowest in zip(rows[0], found[0], strict=True):
        left, wanted = 1.0, 0.0
        for place in row.abs().argsort(descending=True).tolist():
            spent = min(left, float(ends[0 if row[place] > 0 else 1, 0, 0, place]))
            left, wanted = left - spent, wanted - spent * float(row[place].abs())
        assert lowest.item() == pytest.approx(wanted)
