"""Max pooling: its windows, linear bounds and Lipschitz constant, against torch and random points."""

import math

import pytest
import torch
from torch.nn import functional

from clearance.certificates.layers.max_pool import MaxPool, make_max_pool
from clearance.certificates.operations import NotSupportedError
from clearance.certificates.rows import Rows
from layer_cases import check_windows


def test_max_pooling_counts_the_windows_an_input_is_in():
    device = torch.device("cpu")
    apart = make_max_pool((1, 4, 4), 2, None, 0, 1, False, device)
    overlapping = make_max_pool((1, 4, 4), 2, 1, 0, 1, False, device)
    assert apart.lipschitz(2.0) == (1.0,)
    assert overlapping.lipschitz(2.0) == (2.0,)
    assert overlapping.lipschitz(math.inf) == (1.0,)


WINDOWS = {
    "apart": ((2, 4, 4), (2, None, 0, 1)),
    "overlapping": ((2, 5, 5), (3, 1, 0, 1)),
    "padded": ((1, 5, 5), (3, 2, 1, 1)),
    "dilated": ((1, 6, 6), (2, 1, 0, 2)),
    "oblong": ((1, 4, 6), ((1, 3), (2, 1), 0, 1)),
}
each = pytest.mark.parametrize("name", WINDOWS)


def pool_of(name: str) -> MaxPool:
    shape, (kernel, stride, padding, dilation) = WINDOWS[name]
    return make_max_pool(shape, kernel, stride, padding, dilation, False, torch.device("cpu"))


def boxes(pool: MaxPool, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    center = torch.randn(count, *pool.shape, generator=draw, dtype=torch.float64)
    half = torch.rand(count, *pool.shape, generator=draw, dtype=torch.float64) * torch.tensor([0.05, 0.5, 3.0]).reshape(
        3, 1, 1, 1
    )
    return center - half, center + half


@each
def test_it_answers_as_torch(name: str):
    pool, (_, (kernel, stride, padding, dilation)) = pool_of(name), WINDOWS[name]
    low, _ = boxes(pool, 3)
    assert torch.equal(pool.apply(low), functional.max_pool2d(low, kernel, stride, padding, dilation))


@each
def test_every_point_of_a_box_lies_between_the_bounds(name: str):
    pool = pool_of(name)
    low, high = boxes(pool, 3)
    bounds, (least, most) = pool.relax(low, high), pool.interval([low], [high])
    draw = torch.Generator().manual_seed(1)
    for trial in range(100):
        share = torch.rand(low.shape, generator=draw, dtype=torch.float64)
        x = low + (share.round() if trial % 2 else share) * (high - low)  # corners and inner points
        value, windows = pool.apply(x).flatten(1), functional.pad(x.flatten(1), (0, 1))[:, pool.index]
        assert (value >= (bounds.lower * windows).sum(2) - 1e-12).all()
        assert (value <= (bounds.upper * windows).sum(2) + bounds.offset + 1e-12).all()
        assert (least.flatten(1) <= value + 1e-12).all() and (value <= most.flatten(1) + 1e-12).all()


def test_a_window_with_one_largest_input_is_exact():
    pool = make_max_pool((1, 1, 3), (1, 3), None, 0, 1, False, torch.device("cpu"))
    low = torch.tensor([[[[0.0, 2.0, -1.0]]]], dtype=torch.float64)
    bounds = pool.relax(low, low + 1)
    assert bounds.lower.tolist() == bounds.upper.tolist() == [[[0.0, 1.0, 0.0]]] and bounds.offset.tolist() == [[0.0]]


@each
def test_backwards_it_is_the_transposed_bounds(name: str):
    pool = pool_of(name)
    low, high = boxes(pool, 3)
    bounds = pool.relax(low, high)
    draw = torch.Generator().manual_seed(2)
    rows = torch.randn(3, 4, *pool.output, generator=draw, dtype=torch.float64)
    (back,), offset = bounds.bound_backward(Rows(rows))
    found = back.values
    x = low + torch.rand(low.shape, generator=draw, dtype=torch.float64) * (high - low)
    exact = (rows * pool.apply(x)[:, None]).flatten(2).sum(2)
    below = (found * x[:, None]).flatten(2).sum(2) + offset
    assert (below <= exact + 1e-12).all()
    tight, (point,) = pool.relax(x, x), (x,)
    (back,), offset = tight.bound_backward(Rows(rows))
    assert torch.allclose((back.values * point[:, None]).flatten(2).sum(2) + offset, exact)
    check_windows(bounds, pool.output, batch=3)


def test_undecided_are_the_inputs_that_may_exceed_the_surest_one():
    """Of four windows: decided, contested by one other, contested by a constant's rival, all apart from one another."""
    pool = make_max_pool((1, 1, 8), (1, 2), None, 0, 1, False, torch.device("cpu"))
    low = torch.tensor([[[[0.0, 2.0, 0.0, 1.0, 3.0, 2.0, 5.0, 5.0]]]], dtype=torch.float64)
    high = torch.tensor([[[[1.0, 3.0, 2.0, 3.0, 3.0, 4.0, 5.0, 5.0]]]], dtype=torch.float64)
    found = pool.undecided(low, high).flatten().tolist()
    assert found == [False, False, True, True, False, True, False, False]


@pytest.mark.parametrize("norm", [1.0, 2.0, 3.0, math.inf])
@each
def test_no_pair_of_points_moves_apart_by_more_than_the_constant(name: str, norm: float):
    pool = pool_of(name)
    (constant,) = pool.lipschitz(norm)
    x, y = boxes(pool, 3)
    change = torch.linalg.vector_norm((pool.apply(y) - pool.apply(x)).flatten(1), norm, dim=1)
    assert (change <= constant * torch.linalg.vector_norm((y - x).flatten(1), norm, dim=1) * (1 + 1e-12)).all()


@pytest.mark.parametrize(("shape", "ceil_mode"), [((1, 4, 4), True), ((4, 4), False)])
def test_what_has_no_windows_is_refused(shape: tuple[int, ...], ceil_mode: bool):
    with pytest.raises(NotSupportedError, match="max pooling"):
        make_max_pool(shape, 2, None, 0, 1, ceil_mode, torch.device("cpu"))
