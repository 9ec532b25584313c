"""Duals, steepest directions and projections against their definitions."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from clearance.errors import InputError
from clearance.geometry.exponents import as_distance, as_norm
from clearance.geometry.norms import dual_norm, last_norm, project, soft_threshold, steepest, unit, vector_norm

NORMS = (1.0, 1.5, 2.0, 3.0, math.inf)


@pytest.mark.parametrize("norm", NORMS)
def test_steepest_direction_attains_the_dual_norm(norm: float):
    gradient = torch.randn(20, 3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    direction = steepest(gradient, norm)
    assert torch.allclose(vector_norm(direction, norm), torch.ones(20, dtype=torch.float64))
    product = (direction * gradient).flatten(1).sum(1)
    assert torch.allclose(product, vector_norm(gradient, dual_norm(norm)))


@pytest.mark.parametrize("norm", NORMS)
def test_steepest_of_zero_is_zero(norm: float):
    assert not steepest(torch.zeros(2, 5), norm).any()


@given(st.sampled_from(NORMS), st.integers(0, 10**6), st.floats(0.1, 3.0))
def test_projection_lands_in_the_ball_and_keeps_what_is_inside(norm: float, seed: int, radius: float):
    delta = torch.randn(6, 7, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    inside = vector_norm(delta, norm) <= radius
    projected = project(delta, norm, radius)
    assert bool((vector_norm(projected, norm) <= radius * (1 + 1e-12)).all())
    assert torch.equal(projected[inside], delta[inside])


@pytest.mark.parametrize("norm", [1.0, 2.0, math.inf])
def test_projection_is_the_nearest_point(norm: float):
    generator = torch.Generator().manual_seed(1)
    delta = 2 * torch.randn(1, 4, generator=generator, dtype=torch.float64)
    nearest = (project(delta, norm, 1.0) - delta).norm()
    others = project(torch.randn(20000, 4, generator=generator, dtype=torch.float64), norm, 1.0)
    assert nearest <= (others - delta).flatten(1).norm(dim=1).min() + 1e-9


@pytest.mark.parametrize(("text", "norm"), [("2", 2.0), ("inf", math.inf), ("linf", math.inf), ("L1", 1.0)])
def test_norms_are_read(text: str, norm: float):
    assert as_norm(text) == norm


@pytest.mark.parametrize("bad", [0.5, "two", float("nan"), -1])
def test_norms_below_one_are_refused(bad: object):
    with pytest.raises(InputError, match="norm: expected"):
        as_norm(bad)  # pyright: ignore


@pytest.mark.parametrize(
    ("text", "p"), [(0, 0.0), ("0", 0.0), ("l0", 0.0), ("L0", 0.0), (-0.0, 0.0), ("l2", 2.0), ("inf", math.inf)]
)
def test_distances_may_be_counts_as_well(text: float | str, p: float):
    assert as_distance(text) == p


@pytest.mark.parametrize("bad", [0.5, -1, 1e-300, float("nan")])
def test_between_a_count_and_a_norm_there_is_no_distance(bad: float):
    with pytest.raises(InputError, match=r"norm: expected p >= 1, or 0 for the number of coordinates that differ, got"):
        as_distance(bad)
    with pytest.raises(InputError, match="norm: expected p >= 1, or 0"):
        vector_norm(torch.ones(1, 2), bad)


def test_l0_is_no_norm_and_has_no_dual_no_direction_and_no_projection():
    x = torch.ones(1, 2)
    for use in (
        lambda: as_norm(0),
        lambda: as_norm("l0"),
        lambda: dual_norm(0.0),
        lambda: dual_norm(0.5),
        lambda: steepest(x, 0.0),
        lambda: project(x, 0.0, 1.0),
    ):
        with pytest.raises(InputError, match=r"norm: expected p >= 1, got .*; l0 is no norm: only attack has an l0"):
            use()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_the_count_is_exact_in_any_precision(dtype: torch.dtype):
    """The smallest number is not 0, and neither is what is not finite."""
    x = torch.zeros(3, 3000, dtype=dtype)
    x[0, :2999], x[1, :2], x[2, :3] = torch.finfo(dtype).tiny, -1.0, torch.tensor([math.inf, -math.inf, math.nan])
    assert vector_norm(x.reshape(3, 3, 1000), 0).tolist() == [2999, 2, 3]


@pytest.mark.parametrize("norm", [1.0, 1.5, 2.0, 3.0, math.inf])
@pytest.mark.parametrize("scale", [1e-30, 1e-20, 1.0, 1e20, 1e30])
def test_norms_neither_underflow_nor_overflow(norm: float, scale: float):
    x = torch.linspace(-1, 1, 50)[None] * scale
    expected = torch.linalg.vector_norm(x.double(), norm, dim=1)
    assert vector_norm(x, norm).double() / scale == pytest.approx(expected / scale, rel=1e-5)


def test_norms_of_what_is_not_finite_are_not_finite():
    x = torch.tensor([[math.inf, 1.0], [math.nan, 1.0], [0.0, 0.0]])
    for norm in (1.0, 1.5, 2.0, math.inf):
        found = vector_norm(x, norm)
        assert not found[0].isfinite() and found[1].isnan() and found[2] == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("norm", [1.0001, 1.001, 60.0, 128.0, 300.0, 1e4, 1e6])
def test_norms_far_from_two(norm: float, dtype: torch.dtype):
    x = torch.tensor([[3.0, -2.0, 1.0], [0.3, 0.2, -0.3]], dtype=dtype)
    largest = x.double().abs().amax(1)
    expected = largest * ((x.double() / largest[:, None]).abs() ** norm).sum(1) ** (1 / norm)
    assert torch.allclose(vector_norm(x, norm).double(), expected, rtol=1e-5)
    direction = steepest(x, norm)
    assert torch.allclose((direction * x).sum(1), vector_norm(x, dual_norm(norm)), rtol=1e-4)
    assert torch.allclose(last_norm(x[None], norm), vector_norm(x, norm)[None], rtol=1e-6)


@pytest.mark.parametrize("norm", [1.0, 1.5, 2.0, 3.0, 300.0, math.inf])
def test_a_row_has_the_same_norm_whatever_else_is_in_the_batch(norm: float):
    x = torch.randn(50, 7, generator=torch.Generator().manual_seed(2))
    others = torch.tensor([0.0, 1e-30, 1e30])[:, None].expand(3, 7)
    for other in others:
        assert torch.equal(vector_norm(torch.cat([x, other[None]]), norm)[:50], vector_norm(x, norm))


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_unit_rows_have_length_one_at_any_scale(scale: float):
    rows = scale * torch.randn(9, 2, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rows[0] = 0.0
    found = unit(rows)
    assert not found[0].any()
    assert torch.allclose(vector_norm(found, 2.0)[1:], torch.ones(8, dtype=torch.float64))
    assert torch.allclose(found[1:] * vector_norm(rows, 2.0)[1:, None, None], rows[1:])


def test_soft_thresholding_minimises_its_objective():
    """`w |d| + (d - v)^2 / 2`, coordinate by coordinate, against a grid."""
    values, grid = torch.linspace(-2, 2, 9, dtype=torch.float64), torch.linspace(-3, 3, 6001, dtype=torch.float64)
    for weight in (0.0, 0.3, 1.0):
        found = soft_threshold(values[None], torch.tensor([weight], dtype=torch.float64))[0]
        cost = weight * grid.abs() + (grid - values[:, None]).square() / 2
        assert (found - grid[cost.argmin(1)]).abs().max() <= 0.001  # the grid's step


@given(st.integers(0, 10**6), st.sampled_from([0.0, 1e-6, 0.5, 3.0, 40.0]), st.booleans())
def test_the_l1_projection_is_that_of_sorting(seed: int, radius: float, ties: bool):
    delta = torch.randn(5, 40, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    delta = (2 * delta).round() / 2 if ties else delta
    expected = torch.stack([_by_sorting(row, radius) for row in delta])
    assert torch.allclose(project(delta, 1.0, radius), expected, rtol=0, atol=1e-12)


def _by_sorting(row: torch.Tensor, radius: float) -> torch.Tensor:
    """Duchi et al. 2008, figure 1, for one vector."""
    if float(row.abs().sum()) <= radius:
        return row
    ordered = sorted(row.abs().tolist(), reverse=True)
    thresholds = [(sum(ordered[: k + 1]) - radius) / (k + 1) for k in range(len(ordered))]
    last = max((k for k, size in enumerate(ordered) if size > thresholds[k]), default=0)
    return row.sign() * (row.abs() - thresholds[last]).clamp_min(0)


def test_a_row_is_projected_to_the_same_bits_alone_and_in_a_batch():
    delta = 3 * torch.randn(40, 300, generator=torch.Generator().manual_seed(1))
    radius = torch.logspace(-3, 3, 40)
    alone = [project(row, 1.0, reach) for row, reach in zip(delta.split(1), radius.split(1), strict=True)]
    assert torch.equal(project(delta, 1.0, radius), torch.cat(alone))
