"""Affine steps of several inputs, such as residual additions: matrices, bounds and norms of each input."""

import math

import pytest
import torch

from clearance.certificates.operations import Affine, NotSupportedError, make_affine, refuse
from clearance.certificates.rows import Rows

FIRST = torch.tensor([[1.0, -2.0, 0.5], [0.0, 3.0, -1.0]], dtype=torch.float64)
SECOND = torch.tensor([[2.0, 0.0], [-1.0, 4.0]], dtype=torch.float64)
SHIFT = torch.tensor([0.3, -0.7], dtype=torch.float64)


def step() -> Affine:
    """`FIRST x + SECOND y + SHIFT`."""
    return make_affine(
        "both",
        lambda x, y: x @ FIRST.T + y @ SECOND.T + SHIFT,
        [(3,), (2,)],
        FIRST,
        absolute=lambda x, y: x @ FIRST.abs().T + y @ SECOND.abs().T,
        mixes=True,
    )


def test_each_input_has_its_matrix():
    both = step()
    assert torch.equal(both.constant, SHIFT[None])
    for place, matrix in enumerate((FIRST, SECOND)):
        one = torch.eye(matrix.shape[1], dtype=torch.float64)
        assert torch.allclose(both.forward(one, place), matrix.T)
        assert torch.allclose(both.backward(torch.eye(2, dtype=torch.float64))[place], matrix)
        linear = both.linear_map(place)
        assert torch.allclose(linear.absolute(one), matrix.abs().T)


def test_intervals_are_attained():
    both, draw = step(), torch.Generator().manual_seed(0)
    centers = [torch.randn(4, size, generator=draw, dtype=torch.float64) for size in (3, 2)]
    halves = [torch.rand(4, size, generator=draw, dtype=torch.float64) for size in (3, 2)]
    low, high = both.interval(
        [c - h for c, h in zip(centers, halves, strict=True)], [c + h for c, h in zip(centers, halves, strict=True)]
    )
    signs = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0], dtype=torch.float64)] * 5)
    corners = torch.stack([both.apply(centers[0] + s[:3] * halves[0], centers[1] + s[3:] * halves[1]) for s in signs])
    assert torch.allclose(corners.amin(0), low) and torch.allclose(corners.amax(0), high)


def test_backwards_it_is_exact():
    both, draw = step(), torch.Generator().manual_seed(1)
    rows = torch.randn(1, 5, 2, generator=draw, dtype=torch.float64)
    x, y = (torch.randn(1, size, generator=draw, dtype=torch.float64) for size in (3, 2))
    (first, second), offset = both.bound_backward(Rows(rows))
    found = first.values[0] @ x[0] + second.values[0] @ y[0] + offset[0]
    assert torch.allclose(found, rows[0] @ both.apply(x, y)[0])


@pytest.mark.parametrize("norm", [1.0, 2.0, math.inf])
def test_each_input_has_its_norm(norm: float):
    wanted = [float(torch.linalg.matrix_norm(matrix, norm)) for matrix in (FIRST, SECOND)]
    assert list(step().lipschitz(norm)) == pytest.approx(wanted, rel=1e-9)


def test_without_absolute_values_the_coefficients_are_taken_as_nonnegative():
    mean = make_affine("mean", lambda x: x.mean(1, keepdim=True) + 1, [(4,)], FIRST)
    low, high = mean.interval([torch.zeros(1, 4)], [torch.full((1, 4), 2.0)])
    assert (float(low), float(high)) == (1.0, 3.0)
    assert list(mean.lipschitz(math.inf)) == [1.0]


def test_a_refusal_says_why():
    with pytest.raises(NotSupportedError, match="no such thing"):
        refuse("no such thing")


@pytest.mark.parametrize("weights", [[-1.0, -1.0, -1.0, -1.0], [1.0, 1.0, 1.0, -1e-3], [-1e-6, 0.0, 0.0, 5.0]])
def test_coefficients_of_another_sign_are_refused(weights: list[float]):
    row = torch.tensor(weights, dtype=torch.float64)
    with pytest.raises(NotSupportedError, match="negative coefficient"):
        make_affine("sum", lambda x: (x * row).sum(1, keepdim=True), [(4,)], row)
