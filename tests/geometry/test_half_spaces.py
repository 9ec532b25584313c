"""The shortest step into several half-spaces within a box, against linear and quadratic programs and closed forms."""

import math

import numpy as np
import pytest
import torch
from scipy import optimize
from torch import Tensor

from clearance.errors import InputError
from clearance.geometry.half_space import nearest_in_half_space
from clearance.geometry.half_spaces import ALLOWED, ROUNDS, SECTIONS, excess, nearest_in_half_spaces
from clearance.geometry.norms import dual_norm, vector_norm

INF = math.inf
ROWS, SIZE = 40, 5
RATE = 20
"""How fast the length grows with a gap, at most, in these problems: near their corners planes meet at small angles."""
each_norm = pytest.mark.parametrize("norm", [1.0, 1.5, 2.0, 3.0, INF])
each_count = pytest.mark.parametrize("count", [2, 3])


def problem(count: int, norm: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Random half-spaces of unit normals, all of which the box reaches at one point inside it."""
    draw = torch.Generator().manual_seed(count)
    normals = torch.randn(count, ROWS, SIZE, generator=draw, dtype=torch.float64)
    normals /= vector_norm(normals.reshape(-1, SIZE), dual_norm(norm)).reshape(count, ROWS, 1)
    down, up = torch.rand(2, ROWS, SIZE, generator=draw, dtype=torch.float64) + 0.1
    inside = -down + (down + up) * torch.rand(ROWS, SIZE, generator=draw, dtype=torch.float64)
    return normals, -(normals * inside).sum(2), down, up


def slack(gaps: Tensor, length: Tensor) -> Tensor:
    """What the search leaves open: each of `k - 1` weights is off by one part, and no excess is above `|b| + ||d||`."""
    return (len(gaps) - 1) * SECTIONS**-ROUNDS * 2 * (gaps.abs().amax(0) + length) + ALLOWED * length


def by_program(normals: Tensor, gaps: Tensor, down: Tensor, up: Tensor, norm: float) -> float:
    """The shortest length by a program of scipy: linear for `l_1` and `l_inf`, nonnegative least squares for `l_2`."""
    if norm == 2:
        one = np.eye(SIZE)
        rows = np.vstack([-normals.numpy(), one, -one])
        limits = np.concatenate([gaps.numpy(), -down.numpy(), -up.numpy()])
        matrix = np.vstack([rows.T, limits])
        weights, _ = optimize.nnls(matrix, np.append(np.zeros(SIZE), 1.0))
        rest = matrix @ weights - np.append(np.zeros(SIZE), 1.0)
        return float(np.linalg.norm(rest[:-1] / rest[-1]))
    sizes = np.eye(SIZE) if norm == 1 else np.ones((SIZE, 1))
    rows = np.vstack([np.hstack([np.eye(SIZE), -sizes]), np.hstack([-np.eye(SIZE), -sizes])])
    reach = np.hstack([normals.numpy(), np.zeros((len(normals), sizes.shape[1]))])
    span = [(-float(a), float(b)) for a, b in zip(down, up, strict=True)] + [(0, None)] * sizes.shape[1]
    cost = np.concatenate([np.zeros(SIZE), np.ones(sizes.shape[1])])
    limits = np.concatenate([np.zeros(2 * SIZE), -gaps.numpy()])
    return float(optimize.linprog(cost, A_ub=np.vstack([rows, reach]), b_ub=limits, bounds=span).fun)


@pytest.mark.parametrize("norm", [1.0, 2.0, INF])
@each_count
def test_no_shorter_step_by_the_program(norm: float, count: int):
    normals, gaps, down, up = problem(count, norm)
    step, weights = nearest_in_half_spaces(normals, gaps, down, up, norm)
    length, used = vector_norm(step, norm), (weights > 0).sum(0)
    left = slack(gaps, length)
    assert (used >= 2).sum() >= 10  # of 40 rows: one half-space alone is enough in many
    for row in range(ROWS):
        best = by_program(normals[:, row], gaps[:, row], down[row], up[row], norm)
        assert float(length[row]) <= best + 1e-7  # the solver's tolerance
        assert float(length[row]) >= best - RATE * float(left[row])


@each_norm
@each_count
def test_the_step_lies_in_the_box_and_in_every_half_space(norm: float, count: int):
    normals, gaps, down, up = problem(count, norm)
    step, weights = nearest_in_half_spaces(normals, gaps, down, up, norm)
    used = torch.where(weights > 0, weights, 1.0).amin(0)  # a sum of excesses bounds one of them by its weight
    left = slack(gaps, vector_norm(step, norm)) / used
    assert (used > 0.05).sum() >= 0.5 * ROWS  # where it is small the bound says little
    assert (step >= -down - 1e-12).all() and (step <= up + 1e-12).all()
    for normal, gap in zip(normals, gaps, strict=True):
        assert (excess(normal, gap, step) <= left + 1e-12).all()
    assert torch.allclose(weights.sum(0), torch.ones(ROWS, dtype=torch.float64)) and (weights >= 0).all()


@each_norm
@each_count
def test_the_weights_give_one_half_space_that_is_as_far(norm: float, count: int):
    """No combination is farther than the intersection, and that of the weights is as far: strong duality."""
    normals, gaps, down, up = problem(count, norm)
    step, weights = nearest_in_half_spaces(normals, gaps, down, up, norm)
    one = nearest_in_half_space((weights[..., None] * normals).sum(0), (weights * gaps).sum(0), down, up, norm)
    length = vector_norm(step, norm)
    assert ((vector_norm(one, norm) - length).abs() <= RATE * slack(gaps, length) + 1e-12).all()


def test_planes_at_right_angles_meet_in_their_corner():
    """Three of them: `d = -b`; the `l_2` multipliers are `b`, so the weights are `b / sum(b)`."""
    normals, free = torch.eye(3, dtype=torch.float64)[:, None], torch.full((1, 3), INF, dtype=torch.float64)
    gaps = torch.tensor([[1.0], [2.0], [3.0]], dtype=torch.float64)
    step, weights = nearest_in_half_spaces(normals, gaps, free, free, 2.0)
    assert torch.allclose(step[0], -gaps[:, 0], rtol=2e-3) and torch.allclose(weights, gaps / 6, atol=1e-3)


@each_norm
def test_a_half_space_that_holds_anyway_changes_nothing(norm: float):
    normals, gaps, down, up = problem(2, norm)
    alone = nearest_in_half_space(normals[0], gaps[0], down, up, norm)
    for other in (normals[0], -normals[0]):
        pair = torch.stack([normals[0], other])
        wide = torch.stack([gaps[0], -gaps[0].abs() - 10])
        step, weights = nearest_in_half_spaces(pair, wide, down, up, norm)
        assert torch.equal(step, alone) and (weights[1] == 0).all()


def test_what_has_no_common_point_is_missed():
    normals = torch.tensor([[[1.0, 0.0]], [[-1.0, 0.0]]])
    gaps, room = torch.tensor([[0.5], [0.5]]), torch.ones(1, 2)
    step, _ = nearest_in_half_spaces(normals, gaps, room, room, 2.0)
    assert max(float(excess(normal, gap, step)) for normal, gap in zip(normals, gaps, strict=True)) > 0.4


def test_misuse_is_one_clear_line():
    normals, gaps, down, up = problem(2, 2.0)
    with pytest.raises(InputError, match="norm"):
        nearest_in_half_spaces(normals, gaps, down, up, 0.5)
