"""The shortest step into a half-space within a box, against linear programs, optimality conditions and brute force."""

import math

import numpy as np
import pytest
import torch
from scipy import optimize
from torch import Tensor

from clearance.errors import InputError
from clearance.geometry.half_space import nearest_in_half_space
from clearance.geometry.norms import dual_norm, vector_norm

INF = math.inf
each_norm = pytest.mark.parametrize("norm", [1.0, 1.5, 2.0, 3.0, INF])


def problem(seed: int, size: int = 5) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Eight random half-spaces that the box reaches, and how far each coordinate may fall and rise."""
    draw = torch.Generator().manual_seed(seed)
    weight = torch.randn(8, size, generator=draw, dtype=torch.float64)
    weight[torch.rand(8, size, generator=draw) < 0.2] = 0.0
    down, up = torch.rand(2, 8, size, generator=draw, dtype=torch.float64)
    most = (weight.abs() * torch.where(weight > 0, down, up)).sum(1)
    return weight, most * torch.rand(8, generator=draw, dtype=torch.float64), down, up


@each_norm
def test_without_a_box_the_length_is_the_gap_over_the_dual_norm(norm: float):
    """Hölder's inequality: `||d||_p >= b / ||w||_q`, attained."""
    weight, gap, *_ = problem(0)
    free = torch.full_like(weight, INF)
    step = nearest_in_half_space(weight, gap, free, free, norm)
    assert torch.allclose((weight * step).sum(1), -gap)
    assert torch.allclose(vector_norm(step, norm), gap / vector_norm(weight, dual_norm(norm)))


@each_norm
@pytest.mark.parametrize("seed", range(3))
def test_the_step_is_feasible_and_reaches_the_half_space(norm: float, seed: int):
    weight, gap, down, up = problem(seed)
    step = nearest_in_half_space(weight, gap, down, up, norm)
    assert (step >= -down).all() and (step <= up).all()
    assert torch.allclose((weight * step).sum(1), -gap)


@pytest.mark.parametrize("norm", [1.0, INF])
@pytest.mark.parametrize("seed", range(3))
def test_no_shorter_step_by_the_linear_program(norm: float, seed: int):
    weight, gap, down, up = problem(seed)
    step = nearest_in_half_space(weight, gap, down, up, norm)
    for row in range(8):
        best = by_linear_program(weight[row], float(gap[row]), down[row], up[row], norm)
        assert float(vector_norm(step[row : row + 1], norm)) == pytest.approx(best, abs=1e-7)  # the solver's tolerance


def by_linear_program(weight: Tensor, gap: float, down: Tensor, up: Tensor, norm: float) -> float:
    """Variables: the step and its sizes (one for `l_inf`, one each for `l_1`)."""
    size = len(weight)
    sizes = np.eye(size) if norm == 1 else np.ones((size, 1))
    rows = np.vstack([np.hstack([np.eye(size), -sizes]), np.hstack([-np.eye(size), -sizes])])
    reach = np.concatenate([weight.numpy(), np.zeros(sizes.shape[1])])
    span = [(-float(a), float(b)) for a, b in zip(down, up, strict=True)] + [(0, None)] * sizes.shape[1]
    cost = np.concatenate([np.zeros(size), np.ones(sizes.shape[1])])
    limits = np.concatenate([np.zeros(2 * size), [-gap]])
    return float(optimize.linprog(cost, A_ub=np.vstack([rows, reach]), b_ub=limits, bounds=span).fun)


@pytest.mark.parametrize("norm", [1.5, 2.0, 3.0])
@pytest.mark.parametrize("seed", range(3))
def test_no_shorter_step_by_the_optimality_conditions(norm: float, seed: int):
    """Karush, Kuhn, Tucker: one `t` with `|d_i|^(p-1) = t |w_i|` where there is room left, at most that elsewhere."""
    weight, gap, down, up = problem(seed)
    step = nearest_in_half_space(weight, gap, down, up, norm)
    assert ((step == 0) | (step.sign() == -weight.sign())).all()
    for row in range(8):
        room = torch.where(weight[row] > 0, down[row], up[row])
        used, size = weight[row] != 0, step[row].abs()
        inner = used & (size < room * (1 - 1e-9))
        rates = size[used] ** (norm - 1) / weight[row][used].abs()
        level = (size[inner] ** (norm - 1) / weight[row][inner].abs()).max() if inner.any() else rates.max()
        assert torch.allclose(size[inner] ** (norm - 1), level * weight[row][inner].abs())
        assert (rates <= level * (1 + 1e-9)).all()
        assert not step[row][~used].any()


@each_norm
def test_where_the_room_does_not_suffice_all_of_it_is_used(norm: float):
    weight, gap, down, up = problem(1)
    step = nearest_in_half_space(weight, gap + 100.0, down, up, norm)
    assert torch.allclose(step, torch.where(weight > 0, -down, torch.where(weight < 0, up, 0.0)))


@each_norm
def test_inside_the_half_space_nothing_moves(norm: float):
    weight, gap, down, up = problem(2)
    assert not nearest_in_half_space(weight, -gap, down, up, norm).any()
    assert not nearest_in_half_space(torch.zeros_like(weight), gap, down, up, norm).any()


@each_norm
@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_any_scale_of_the_weights(norm: float, scale: float):
    weight, gap, down, up = problem(0)
    plain = nearest_in_half_space(weight, gap, down, up, norm)
    assert torch.allclose(nearest_in_half_space(scale * weight, scale * gap, down, up, norm), plain)


def test_l0_is_refused():
    with pytest.raises(InputError, match="norm: expected p >= 1, got"):
        nearest_in_half_space(*problem(0), 0.0)


def test_images_keep_their_shape():
    weight, gap, down, up = (part.reshape(8, 1, 2, 3) if part.ndim == 2 else part for part in problem(0, 6))
    step = nearest_in_half_space(weight, gap, down, up, 2.0)
    assert step.shape == (8, 1, 2, 3)


@each_norm
@pytest.mark.parametrize("share", [0.001, 0.3, 0.99, 2.0])
def test_many_coordinates_and_each_row_by_itself(norm: float, share: float):
    """300 coordinates, of which a few or all are used up: met where the box reaches, else all of the room."""
    weight, _, down, up = problem(5, 300)
    room = torch.where(weight > 0, down, up)
    gap = share * (weight.abs() * room).sum(1)
    step = nearest_in_half_space(weight, gap, down, up, norm)
    expected = -gap if share < 1 else -(weight.abs() * room).sum(1)
    assert torch.allclose((weight * step).sum(1), expected)
    rows = [nearest_in_half_space(*(part[row : row + 1] for part in (weight, gap, down, up)), norm) for row in range(8)]
    if norm in {1.0, 2.0, INF}:
        assert torch.equal(step, torch.cat(rows))
