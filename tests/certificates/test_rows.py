"""Rows of coefficients: windows are the rows that they stand for, sums and convolutions of them too."""

import pytest
import torch
from torch.nn import functional

from clearance.certificates.rows import Rows, WindowRows, convolve_back, unit_rows
from layer_cases import random_windows

SHAPE = (3, 9, 8)


def whole(rows: Rows) -> torch.Tensor:
    return rows.whole().values


@pytest.mark.parametrize("side", [1, 2, 4])
def test_windows_are_their_whole_rows(side: int) -> None:
    """Written out by hand, pixel by pixel; and what stands at each pixel, and the sums with it."""
    rows, draw = random_windows(SHAPE, side, batch=2), torch.Generator().manual_seed(0)
    expected = torch.zeros(2, 5, *SHAPE, dtype=torch.float64)
    for row, (top, left) in enumerate(rows.corner.tolist()):
        for i in range(side):
            for j in range(side):
                if 0 <= top + i < SHAPE[1] and 0 <= left + j < SHAPE[2]:
                    expected[:, row, :, top + i, left + j] = rows.values[:, row, i, j]
    assert torch.equal(whole(rows), expected)
    for entries in (torch.randn(2, *SHAPE, generator=draw, dtype=torch.float64), torch.rand(1, 3, 1, 1).double()):
        assert torch.allclose(rows.dot(entries), Rows(expected).dot(entries.expand(-1, *SHAPE)), atol=1e-12)
    assert torch.allclose(rows.summed(rows.values), expected.flatten(2).sum(2), atol=1e-12)
    assert torch.equal(whole(rows.replaced(-rows.values)), -expected)
    assert torch.equal(whole(rows.joined(rows)), torch.cat([expected, expected], 1))


def test_windows_add_up_as_whole_rows_do() -> None:
    """Those that lie alike in every row stay windows; of others, and of windows and whole rows, the sum is whole."""
    small, large = random_windows(SHAPE, 1), random_windows(SHAPE, 3)
    beside = WindowRows(large.values * 0 + 1, small.corner - 1, SHAPE)
    inside = beside.replaced(beside.values * beside.on_image)
    assert isinstance(small + inside, WindowRows) and isinstance(inside + small, WindowRows)
    for one, other in (
        (small, inside),
        (inside, small),
        (small, large),
        (large, large.whole()),
        (small.whole(), large),
    ):
        assert torch.allclose(whole(one + other), whole(one) + whole(other), atol=1e-12)
    batched = random_windows(SHAPE, 1, batch=2)
    assert torch.allclose(whole(small + batched), whole(small) + whole(batched), atol=1e-12)


@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize(("stride", "padding", "dilation"), [((1, 1), (1, 1), (1, 1)), ((2, 1), (0, 2), (1, 2))])
def test_back_through_a_convolution_windows_are_the_gradient(
    groups: int, stride: tuple[int, int], padding: tuple[int, int], dilation: tuple[int, int]
) -> None:
    draw = torch.Generator().manual_seed(1)
    weight = torch.randn(6, 3 // groups, 3, 2, generator=draw, dtype=torch.float64)
    x = torch.zeros(5, *SHAPE, dtype=torch.float64, requires_grad=True)
    out = functional.conv2d(x, weight, None, stride, padding, dilation, groups)
    rows = random_windows(tuple(out.shape[1:]), 2)
    (expected,) = torch.autograd.grad((out * whole(rows)[0]).sum(), x)
    found = convolve_back(rows, weight, stride, padding, dilation, groups, SHAPE)
    assert torch.allclose(whole(found)[0], expected, atol=1e-12)


@pytest.mark.parametrize("shape", [(7,), (2, 5), (3, 4, 5), (6, 1, 1)])
def test_unit_rows_return_their_entries(shape: tuple[int, ...]) -> None:
    value = torch.randn(1, *shape, generator=torch.Generator().manual_seed(2))
    entries = torch.tensor([0, 5, 3])
    found = unit_rows(entries, shape, value)
    assert torch.equal(found.dot(value)[0], value.flatten()[entries])
    assert isinstance(found, WindowRows) == (shape == (3, 4, 5))
