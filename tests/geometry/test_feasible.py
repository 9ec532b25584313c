"""Feasible directions: the support function against linear and convex programs, and its limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.optimize import linprog, minimize
from torch import Tensor

from clearance.geometry.feasible import feasible_directions, onto_sphere
from clearance.geometry.norms import dual_norm, vector_norm

NORMS = (1.0, 1.5, 2.0, 3.0, math.inf)
BOUNDS = (torch.zeros(5, dtype=torch.float64), torch.ones(5, dtype=torch.float64))


def a_case(seed: int) -> tuple[Tensor, Tensor]:
    """An input with some coordinates at the ends of [0, 1], and gradients."""
    draw = torch.Generator().manual_seed(seed)
    x0 = torch.rand(5, generator=draw, dtype=torch.float64)
    x0[torch.rand(5, generator=draw) < 0.3] = 0.0
    x0[torch.rand(5, generator=draw) < 0.2] = 1.0
    return x0, torch.randn(3, 5, generator=draw, dtype=torch.float64)


def by_program(gradient: Tensor, x0: Tensor, norm: float, reach: float) -> float:
    """`max <-w, u>` over `||u||_p <= 1`, `0 <= x0 + reach u <= 1`, by a linear or a convex program."""
    w, low, high = gradient.numpy(), -(x0 / reach).numpy(), ((1 - x0) / reach).numpy()
    if norm == 1:  # u = a - b with a, b >= 0 and the sum of all at most 1
        ends = [*((0, end) for end in high), *((0, -end) for end in low)]
        return -linprog(np.concatenate([w, -w]), np.ones((1, 10)), [1.0], bounds=ends).fun
    if math.isinf(norm):
        return -linprog(w, bounds=list(zip(np.maximum(low, -1), np.minimum(high, 1), strict=True))).fun
    room = {"type": "ineq", "fun": lambda u: 1 - (np.abs(u) ** norm).sum()}
    best = minimize(lambda u: w @ u, np.zeros(5), bounds=list(zip(low, high, strict=True)), constraints=[room],
                    method="SLSQP", options={"ftol": 1e-12, "maxiter": 500})  # fmt: skip
    return float(-best.fun)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("reach", [0.1, 0.7, 2.0])
def test_the_support_function_is_the_programs_optimum(norm: float, reach: float) -> None:
    for seed in range(4):
        x0, gradients = a_case(seed)
        found = feasible_directions(x0, BOUNDS, norm).support(gradients, reach)
        wanted = [by_program(gradient, x0, norm, reach) for gradient in gradients]
        assert found.tolist() == pytest.approx(wanted, abs=2e-6)  # the convex program's own tolerance


@pytest.mark.parametrize("norm", NORMS)
def test_without_bounds_it_is_the_dual_norm(norm: float) -> None:
    x0, gradients = a_case(7)
    wanted = vector_norm(gradients, dual_norm(norm))
    for directions in (feasible_directions(x0, None, norm), feasible_directions(x0, BOUNDS, norm, feasible=False)):
        torch.testing.assert_close(directions.support(gradients, 3.0), wanted, rtol=0, atol=0)


@pytest.mark.parametrize("norm", NORMS)
def test_it_falls_with_the_reach_from_what_the_signs_allow(norm: float) -> None:
    x0, gradients = a_case(3)
    directions = feasible_directions(x0, BOUNDS, norm)
    values = torch.stack([directions.support(gradients, reach) for reach in (0.0, 0.05, 0.3, 1.0, 4.0)])
    assert bool((values[1:] <= values[:-1] * (1 + 1e-12)).all())
    blocked = ((x0 <= 0) & (gradients > 0)) | ((x0 >= 1) & (gradients < 0))
    torch.testing.assert_close(values[0], vector_norm(gradients.masked_fill(blocked, 0), dual_norm(norm)))


def test_an_input_in_a_corner_that_cannot_fall_has_none() -> None:
    directions = feasible_directions(torch.zeros(5, dtype=torch.float64), BOUNDS, 2.0)
    assert directions.support(torch.ones(1, 5, dtype=torch.float64)).item() == 0


@pytest.mark.parametrize("norm", NORMS)
def test_downhill_is_open_and_falls_fastest(norm: float) -> None:
    x0, gradients = a_case(5)
    directions = feasible_directions(x0, BOUNDS, norm)
    way = directions.downhill(gradients)
    assert bool(((x0 > 0) | (way >= 0)).all()) and bool(((x0 < 1) | (way <= 0)).all())
    torch.testing.assert_close(-(gradients * way).sum(1), directions.support(gradients))


def test_a_zero_shift_stays_zero_on_the_sphere() -> None:
    assert onto_sphere(torch.zeros(1, 3), 2.0, torch.ones(1)).abs().max() == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("norm", [1.0, 1.5, 2.0, math.inf])
def test_a_row_of_zeros_stays_zero_whatever_the_radius(dtype: torch.dtype, norm: float):
    rows = torch.tensor([[0.0, 0.0], [3.0, -4.0]], dtype=dtype)
    for radius in (1e-3, 1.0, 5.0, 1e6):  # a radius above 4 over the smallest float is infinite in single precision
        found = onto_sphere(rows, norm, torch.full((2,), radius, dtype=dtype))
        assert found[0].tolist() == [0.0, 0.0]
        assert float(torch.linalg.vector_norm(found[1], norm)) == pytest.approx(radius, rel=1e-6)
