"""The smallest value of a linear function on a ball cut by bounds: linear programs, dual norms, a convex solver."""

import math

import numpy as np
import pytest
import torch
from scipy import optimize

from clearance.certificates.region import Region
from clearance.certificates.rows import Rows
from clearance.geometry.norms import dual_norm


def problem(seed: int, norm: float, bounds: bool, size: int = 6) -> tuple[Region, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    center = torch.rand(3, size, generator=draw, dtype=torch.float64)
    radius = torch.tensor([0.05, 0.4, 1.5], dtype=torch.float64)
    rows = torch.randn(3, 4, size, generator=draw, dtype=torch.float64)
    box = (torch.zeros_like(center), torch.ones_like(center)) if bounds else None
    return Region(center, radius, norm, box), rows


def smallest(row: np.ndarray, center: np.ndarray, radius: float, norm: float) -> float:
    """By a general convex solver, within [0, 1]; exact linear programs for 1 and infinity."""
    size = len(row)
    if norm in (1.0, math.inf):
        sizes = size if norm == 1 else 1
        spread = np.eye(size) if norm == 1 else np.ones((size, 1))
        matrix = np.block([[np.eye(size), -spread], [-np.eye(size), -spread]])
        total = np.concatenate([np.zeros(size), np.ones(sizes)])
        solved = optimize.linprog(
            np.concatenate([row, np.zeros(sizes)]),
            A_ub=np.vstack([matrix, total]),
            b_ub=np.append(np.zeros(2 * size), radius),
            bounds=[(-c, 1 - c) for c in center] + [(0, None)] * sizes,
        )
        return float(solved.fun + row @ center)
    solved = optimize.minimize(
        lambda d: row @ d,
        np.zeros(size),
        jac=lambda d: row,
        bounds=[(-c, 1 - c) for c in center],
        constraints={"type": "ineq", "fun": lambda d: radius**norm - (np.abs(d) ** norm).sum()},
        method="SLSQP",
        options={"maxiter": 500, "ftol": 1e-14},
    )
    return float(row @ solved.x + row @ center)


@pytest.mark.parametrize("norm", [1.0, 1.5, 2.0, 3.0, math.inf])
def test_without_bounds_it_is_the_dual_norm(norm: float):
    region, rows = problem(0, norm, bounds=False)
    length = torch.linalg.vector_norm(rows, dual_norm(norm), dim=2)
    wanted = (rows * region.center[:, None]).sum(2) - region.radius[:, None] * length
    assert torch.allclose(region.lowest(Rows(rows)), wanted, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("norm", [1.0, 1.5, 2.0, 3.0, math.inf])
def test_with_bounds_it_is_the_constrained_minimum(norm: float, seed: int):
    region, rows = problem(seed, norm, bounds=True)
    found = region.lowest(Rows(rows), splits=200)
    for i in range(3):
        for row, value in zip(rows[i], found[i].tolist(), strict=True):
            wanted = smallest(row.numpy(), region.center[i].numpy(), float(region.radius[i]), norm)
            assert value <= wanted + 1e-7
            assert value >= wanted - 1e-4


@pytest.mark.parametrize("bounds", [False, True])
@pytest.mark.parametrize(("norm", "limit"), [(1 + 1e-5, 1.0), (1e5, math.inf)])
def test_norms_far_from_two_are_sound_and_come_near_their_limits(norm: float, limit: float, bounds: bool):
    for seed in range(3):
        region, rows = problem(seed, norm, bounds=bounds)
        wanted = Region(region.center, region.radius, limit, region.bounds).lowest(Rows(rows))
        if limit > 1 or not bounds:  # near 1 the dual bounds within a box are right, and loose
            assert torch.allclose(region.lowest(Rows(rows), splits=200), wanted, atol=2e-2)
        share = 1.0 if limit == 1 else 6 ** (-1 / norm)  # of the limit's ball, which then lies within this one
        inner = Region(region.center, share * region.radius, limit, region.bounds)
        assert (region.lowest(Rows(rows)) <= inner.lowest(Rows(rows)) + 1e-9).all()


@pytest.mark.parametrize("norm", [1.0, 1.5, 2.0, 3.0, math.inf])
@pytest.mark.parametrize("splits", [1, 3])
def test_few_splits_stay_below_and_shared_rows_count_for_all(norm: float, splits: int):
    region, rows = problem(7, norm, bounds=True)
    exact = region.lowest(Rows(rows), splits=200)
    assert (region.lowest(Rows(rows), splits=splits) <= exact + 1e-9).all()
    shared = region.lowest(Rows(rows[:1]), splits=splits)
    assert torch.allclose(shared, region.lowest(Rows(rows[:1].expand(3, -1, -1)), splits=splits), atol=1e-12)


def test_covered_is_the_distance_to_the_farthest_corner():
    region, _ = problem(0, 2.0, bounds=True)
    farthest = torch.maximum(region.center, 1 - region.center).square().sum(1).sqrt()
    assert torch.allclose(region.covered(), farthest)
    assert problem(0, 2.0, bounds=False)[0].covered().isinf().all()
