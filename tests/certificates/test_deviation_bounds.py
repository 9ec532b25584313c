"""Linear bounds of a layer in a box and a ball, against points, closed forms and a convex program."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import optimize
from torch import Tensor

from clearance.certificates.deviation_bounds import DeviationBounds
from clearance.certificates.layers.activations import leaky_relu
from clearance.certificates.rows import Rows, WindowRows

UNITS = 6


def made(seed: int, left: float, *, wide: bool = False) -> tuple[DeviationBounds, Rows]:
    """Random bounds, and rows of coefficients of both signs."""
    draw = torch.Generator().manual_seed(seed)
    center = torch.randn(1, UNITS, generator=draw, dtype=torch.float64)
    reach = 1e6 if wide else 2.0
    low, high = (center + sign * reach * torch.rand(1, UNITS, generator=draw).double() for sign in (-1, 1))
    deviation = 0.3 + 2 * torch.rand(1, generator=draw, dtype=torch.float64)
    slopes = left + (1 - left) * torch.rand(2, 1, UNITS, generator=draw, dtype=torch.float64)
    stable = ((low >= 0), (high <= 0))
    below, above = (torch.where(stable[0], 1.0, torch.where(stable[1], left, each)) for each in slopes)
    rows = Rows(torch.randn(1, 8, UNITS, generator=draw, dtype=torch.float64))
    return DeviationBounds(low, high, center, deviation, left, below, above), rows


def inside(bounds: DeviationBounds, count: int) -> Tensor:
    """Points of the box and the ball of the units that can change sign."""
    draw = torch.Generator().manual_seed(1)
    step = torch.randn(count, UNITS, generator=draw, dtype=torch.float64)
    step *= bounds.deviation * torch.rand(count, 1, generator=draw).double() ** 0.3 / step.norm(dim=1, keepdim=True)
    step[: count // 4] = 0
    some = torch.arange(count // 4)
    step[some, some % UNITS] = bounds.deviation * (2.0 * (some % 2) - 1)
    return torch.minimum(torch.maximum(bounds.center + step, bounds.low), bounds.high)


@pytest.mark.parametrize("left", [0.0, 0.2])
@pytest.mark.parametrize("seed", range(20))
def test_no_point_lies_below(seed: int, left: float):
    bounds, rows = made(seed, left)
    (through,), offset = bounds.bound_backward(rows)
    z = inside(bounds, 10_000)
    values = torch.maximum(z, left * z) @ rows.values[0].T - z @ through.values[0].T
    assert (values >= offset[0] - 1e-12).all()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("multiplier", [0.1, 1.0, 7.0])
def test_without_the_box_it_is_the_offset_of_sdp_crown(seed: int, multiplier: float):
    """Chiu, Chen, Zhang and Zhang (2025), theorem 4.1, as it is written there."""
    bounds, rows = made(seed, 0.0, wide=True)
    through = Rows(rows.values * bounds.coefficients(rows))
    c, g, z, rho = rows.values[0], through.values[0], bounds.center, bounds.deviation
    phi = torch.minimum(torch.minimum(c - g - multiplier * z, g + multiplier * z), torch.zeros(()).double())
    written = -(multiplier * (rho**2 - z.square().sum()) + phi.square().sum(1) / multiplier) / 2
    found = bounds.at(rows, through, torch.full((1, 8), multiplier, dtype=torch.float64))
    assert torch.allclose(found[0], written, rtol=1e-7)


@pytest.mark.parametrize("seed", range(3))
def test_with_positive_coefficients_the_best_multiplier_is_exact(seed: int):
    """Then the minimum is a convex program, and there is no duality gap."""
    bounds, rows = made(seed, 0.0)
    rows = Rows(rows.values.abs()[:, :2])
    through = Rows(rows.values * bounds.coefficients(rows))
    grid = torch.logspace(-4, 3, 2000, dtype=torch.float64)
    best = torch.stack([bounds.at(rows, through, m.expand(1, 2)) for m in (torch.zeros(()).double(), *grid)]).amax(0)
    near = bounds.best(rows, through)[0]
    for row in range(2):
        least = convex_minimum(bounds, rows.values[0, row], through.values[0, row])
        assert best[0, row] == pytest.approx(least, abs=2e-4 * (1 + abs(least)))
        assert best[0, row] - 0.05 * (1 + abs(least)) <= near[0, row] <= best[0, row] + 1e-4


def convex_minimum(bounds: DeviationBounds, c: Tensor, g: Tensor) -> float:
    """`min c max(z, 0) - g z` over the box and the ball, `c >= 0`: `z` and `t >= max(z, 0)`, by SLSQP."""
    low, high, center = (end[0].numpy() for end in (bounds.low, bounds.high, bounds.center))
    cost = np.concatenate([-g.numpy(), c.numpy()])
    free = (low < 0) & (high > 0)  # the ball is about these alone
    room = {"type": "ineq", "fun": lambda v: float(bounds.deviation) ** 2 - (((v[:UNITS] - center) * free) ** 2).sum()}
    above = {"type": "ineq", "fun": lambda v: v[UNITS:] - v[:UNITS]}
    ends = [*zip(low, high, strict=True), *[(0, None)] * UNITS]
    start = np.concatenate([center, np.maximum(center, 0)])
    options = {"maxiter": 1000, "ftol": 1e-12}
    solved = optimize.minimize(
        lambda v: cost @ v, start, jac=lambda _: cost, bounds=ends, constraints=[room, above], options=options
    )
    assert solved.success
    return float(solved.fun)


def test_in_a_ball_of_any_size_it_is_crown():
    bounds, rows = made(3, 0.0)
    crown = leaky_relu(0.0).relax(bounds.low, bounds.high)
    wide = DeviationBounds(
        bounds.low, bounds.high, bounds.center, torch.tensor([1e9]).double(), 0.0, crown.lower, crown.upper
    )
    (expected,), offset = crown.bound_backward(rows)
    (found,), reached = wide.bound_backward(rows)
    assert torch.allclose(found.values, expected.values) and torch.allclose(reached, offset, atol=1e-12)


@pytest.mark.parametrize("deviation", [0.0, math.inf])
def test_a_ball_of_no_size_and_one_without_end(deviation: float):
    bounds, rows = made(4, 0.0)
    one = DeviationBounds(
        bounds.low, bounds.high, bounds.center, torch.tensor([deviation]).double(), 0.0, bounds.below, bounds.above
    )
    (through,), offset = one.bound_backward(rows)
    (_,), wide = DeviationBounds(
        bounds.low, bounds.high, bounds.center, torch.tensor([1e9]).double(), 0.0, bounds.below, bounds.above
    ).bound_backward(rows)
    at_center = (rows.values * bounds.center.clamp_min(0.0) - through.values * bounds.center).sum(2)
    stable = ((bounds.low >= 0) | (bounds.high <= 0)).all()
    assert offset.isfinite().all() and not stable
    assert (offset <= at_center + 1e-12).all() and (offset >= wide - 1e-12).all()
    if math.isinf(deviation):
        assert torch.allclose(offset, wide)


def test_windows_are_rows_with_zeros():
    draw = torch.Generator().manual_seed(0)
    center = torch.randn(1, 2, 5, 5, generator=draw, dtype=torch.float64)
    reach = torch.rand(2, 1, 2, 5, 5, generator=draw, dtype=torch.float64)
    low, high = center - reach[0], center + reach[1]
    half = torch.where(low >= 0, 1.0, torch.where(high <= 0, 0.0, 0.5)).double()
    bounds = DeviationBounds(low, high, center, torch.tensor([0.7]).double(), 0.0, half, half)
    places = list(itertools.product((0, 2, 3), repeat=2))
    values = torch.randn(1, len(places), 2, 2, 2, generator=draw, dtype=torch.float64)
    windows = WindowRows(values, torch.tensor(places), (2, 5, 5))
    (through,), offset = bounds.bound_backward(windows)
    (expected,), reached = bounds.bound_backward(windows.whole())
    assert torch.allclose(through.whole().values, expected.values) and torch.allclose(offset, reached)
