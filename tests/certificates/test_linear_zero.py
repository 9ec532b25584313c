"""The radius at which a linear function is zero: closed forms, and never beyond the zero."""

import math

import pytest
import torch

from clearance.certificates.linear_zero import lowest_points, zero_radius
from clearance.certificates.region import Region
from clearance.certificates.rows import Rows
from clearance.geometry.norms import dual_norm, vector_norm
from split_cases import NORMS


def make(norm: float, *, bounds: bool, radius: float = 5.0) -> tuple[Region, torch.Tensor, torch.Tensor]:
    """A ball, 30 rows of coefficients and their constants: positive at the input."""
    draw = torch.Generator().manual_seed(0)
    center = torch.rand(1, 4, generator=draw, dtype=torch.float64)
    rows = torch.randn(30, 4, generator=draw, dtype=torch.float64)
    box = (torch.zeros_like(center), torch.ones_like(center)) if bounds else None
    constant = torch.rand(30, generator=draw, dtype=torch.float64) + 0.1 - (rows * center).sum(1)
    return Region(center, torch.tensor([radius], dtype=torch.float64), norm, box), rows, constant


@pytest.mark.parametrize("norm", NORMS)
def test_without_bounds_it_is_the_distance_to_the_hyperplane(norm: float):
    region, rows, constant = make(norm, bounds=False)
    zero = torch.zeros_like(constant)
    found = zero_radius(region, rows, constant, zero, zero + 1e-6)
    expected = ((rows * region.center).sum(1) + constant) / vector_norm(rows, dual_norm(norm))
    assert torch.allclose(found, expected.clamp_max(5.0), rtol=1e-7)
    assert (found <= expected).all()


@pytest.mark.parametrize("norm", NORMS)
def test_within_bounds_the_function_is_positive_there_and_not_a_little_farther(norm: float):
    region, rows, constant = make(norm, bounds=True)
    slack = torch.full_like(constant, 1e-3)
    found = zero_radius(region, rows, constant, slack, torch.full_like(constant, 1e-6))
    assert (found > 0).all()

    def least(radius: torch.Tensor) -> torch.Tensor:
        box = (torch.zeros_like(rows), torch.ones_like(rows))
        return Region(region.center.expand_as(rows), radius, norm, box).lowest(Rows(rows[:, None]))[:, 0] + constant

    assert (least(found) > slack).all()
    inside = found < 5.0
    assert bool(inside.any()) and bool((~inside).any())
    assert (least(found * 1.001)[inside] < slack[inside]).all()


def test_what_fails_at_the_first_radius_has_none():
    region, rows, _ = make(2.0, bounds=False)
    ones = torch.ones(30, dtype=torch.float64)
    assert (zero_radius(region, rows, -10 * ones, 0 * ones, 1e-6 * ones) == -1).all()


@pytest.mark.parametrize("norm", NORMS)
def test_the_lowest_point_attains_the_lowest_value(norm: float):
    region, rows, _ = make(norm, bounds=False)
    radius = torch.linspace(0.1, 2.0, 30, dtype=torch.float64)
    points = lowest_points(region, rows, radius)
    expected = (rows * region.center).sum(1) - radius * vector_norm(rows, dual_norm(norm))
    assert torch.allclose((rows * points).sum(1), expected)
    assert torch.allclose(vector_norm(points - region.center, norm), radius)
    assert math.isclose(float(vector_norm(points[:1] - region.center, norm)), 0.1, rel_tol=1e-9)
