"""Max pooling: its windows, linear bounds and Lipschitz constant, against torch and random points."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from clearance import Classifier
from clearance.certificates.layers.max_pool import MaxPool, make_adaptive_max_pool, make_max_pool
from clearance.certificates.operations import NotSupportedError
from clearance.certificates.rows import Rows
from clearance.certificates.translate import translate
from layer_cases import Function, check_windows


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
ROUNDED_UP = {
    "rounded up": ((2, 5, 5), (2, None, 0, 1)),
    "rounded up, padded": ((1, 6, 5), (3, 2, 1, 1)),
    "rounded up, dilated": ((1, 6, 7), (2, 3, 0, 2)),
    "rounded up, a last window that torch leaves out": ((1, 4, 4), (2, 3, 1, 1)),
}
WINDOWS = {**WINDOWS, **ROUNDED_UP}
ADAPTIVE = {
    "adaptive, even": ((2, 4, 6), (2, 3)),
    "adaptive, of two sizes": ((2, 5, 7), (3, 4)),
    "adaptive, all": ((1, 3, 4), 1),
}
each = pytest.mark.parametrize("name", [*WINDOWS, *ADAPTIVE])


def pool_of(name: str) -> MaxPool:
    if name in ADAPTIVE:
        return make_adaptive_max_pool(*ADAPTIVE[name], torch.device("cpu"))
    shape, (kernel, stride, padding, dilation) = WINDOWS[name]
    return make_max_pool(shape, kernel, stride, padding, dilation, name in ROUNDED_UP, torch.device("cpu"))


def boxes(pool: MaxPool, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    center = torch.randn(count, *pool.shape, generator=draw, dtype=torch.float64)
    half = torch.rand(count, *pool.shape, generator=draw, dtype=torch.float64) * torch.tensor([0.05, 0.5, 3.0]).reshape(
        3, 1, 1, 1
    )
    return center - half, center + half


@each
def test_it_answers_as_torch(name: str):
    pool = pool_of(name)
    low, _ = boxes(pool, 3)
    if name in ADAPTIVE:
        expected = functional.adaptive_max_pool2d(low, ADAPTIVE[name][1])
    else:
        expected = functional.max_pool2d(low, *WINDOWS[name][1], ceil_mode=name in ROUNDED_UP)
    assert torch.equal(pool.apply(low), expected)


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


def test_what_has_no_windows_is_refused():
    with pytest.raises(NotSupportedError, match="max pooling"):
        make_max_pool((4, 4), 2, None, 0, 1, False, torch.device("cpu"))
    with pytest.raises(NotSupportedError, match="max pooling"):
        make_adaptive_max_pool((4, 4), 2, torch.device("cpu"))


@pytest.mark.parametrize(
    "layer",
    [
        nn.MaxPool1d(2),
        nn.MaxPool1d(3, 2, padding=1, ceil_mode=True),
        nn.MaxPool1d(2, 1, dilation=2),
        nn.AdaptiveMaxPool1d(3),
        Function(lambda x: functional.max_pool1d(x, 3, stride=1)),
        Function(lambda x: functional.adaptive_max_pool1d(x, 4)),
    ],
)
def test_windows_of_sequences(layer: nn.Module):
    network = nn.Sequential(layer, nn.Flatten())
    x = torch.randn(4, 2, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    graph = translate(Classifier(network), (2, 7))
    assert torch.equal(graph(x), network(x))
    ((_, pool),) = graph.nonlinear.items()
    bounds = pool.relax(x - 0.3, x + 0.4)  # type: ignore[call-arg]
    rows = torch.randn(4, 5, *graph.shapes[1], generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    (back,), offset = bounds.bound_backward(Rows(rows))
    found = back.values
    for seed in range(50):
        y = x - 0.3 + 0.7 * torch.rand(x.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        exact = (rows * pool.apply(y)[:, None]).flatten(2).sum(2)
        assert ((found * y[:, None]).flatten(2).sum(2) + offset <= exact + 1e-12).all()


def test_indices_are_refused():
    for layer in (nn.MaxPool1d(2, return_indices=True), nn.AdaptiveMaxPool2d(2, return_indices=True)):
        shape = (2, 6) if isinstance(layer, nn.MaxPool1d) else (2, 4, 4)
        network = Function(lambda x, layer=layer: layer(x)[0])
        with pytest.raises(NotSupportedError, match="indices of the largest values"):
            translate(Classifier(nn.Sequential(layer, network)), shape)
