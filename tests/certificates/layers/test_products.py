"""Products of two values: planes at points of boxes of every kind, against torch."""

import math

import pytest
import torch
from torch import Tensor

from clearance import Classifier, certify
from clearance.certificates.layers.products import Product
from clearance.certificates.operations import NotSupportedError
from clearance.certificates.rows import Rows
from clearance.certificates.translate import translate
from layer_cases import Function

SHAPES: dict[str, tuple[Product, tuple[int, ...], tuple[int, ...]]] = {
    "entry by entry": (Product("product"), (2, 3), (2, 3)),
    "matrices": (Product("matrix product", matrices=True), (3, 4), (4, 2)),
    "batches of matrices": (Product("matrix product", matrices=True), (2, 1, 5), (2, 5, 3)),
}
each = pytest.mark.parametrize("name", SHAPES)
HALVES = (0.0, 1e-12, 1e-3, 0.3, 3.0, 1e5)


def boxes(shape: tuple[int, ...], seed: int) -> tuple[Tensor, Tensor]:
    """Boxes with sides of every size, some of width 0, the numbers tiny, ordinary and huge."""
    draw = torch.Generator().manual_seed(seed)
    scales = torch.tensor([1e-9, 1.0, 100.0], dtype=torch.float64).repeat(20).reshape(-1, *[1] * len(shape))
    center = scales * torch.randn(60, *shape, generator=draw, dtype=torch.float64)
    size = torch.tensor(HALVES, dtype=torch.float64)[torch.randint(len(HALVES), center.shape, generator=draw)]
    return center - size, center + size * torch.rand(center.shape, generator=draw, dtype=torch.float64)


@each
def test_every_point_of_a_box_lies_between_the_bounds(name: str):
    step, *shapes = SHAPES[name]
    (a, b), (c, d) = (boxes(shape, seed) for seed, shape in enumerate(shapes))
    least, most = step.interval([a, c], [b, d])
    bounds = step.relax(a, c, b, d)
    draw = torch.Generator().manual_seed(5)
    rows = torch.randn(60, 4, *step.apply(a, c).shape[1:], generator=draw, dtype=torch.float64)
    parts, offset = bounds.bound_backward(Rows(rows))
    first, second = (part.values for part in parts)
    for trial in range(200):  # 12,000 pairs of points
        share = [torch.rand(end.shape, generator=draw, dtype=torch.float64) for end in (a, c)]
        share = [part.round() if trial % 2 else part for part in share]
        x, y = torch.minimum(a + share[0] * (b - a), b), torch.minimum(c + share[1] * (d - c), d)
        value = step.apply(x, y)
        size = step.apply(x.abs(), y.abs())
        assert (least <= value + 2e-15 * size).all() and (value <= most + 2e-15 * size).all()
        exact = (rows * value[:, None]).flatten(2).sum(2)
        below = (first * x[:, None]).flatten(2).sum(2) + (second * y[:, None]).flatten(2).sum(2) + offset
        largest = step.apply(torch.maximum(a.abs(), b.abs()), torch.maximum(c.abs(), d.abs()))
        assert (below <= exact + 4e-15 * (rows.abs() * largest[:, None]).flatten(2).sum(2)).all()


@each
def test_on_a_point_it_is_exact_and_its_interval_is_sharp(name: str):
    step, *shapes = SHAPES[name]
    draw = torch.Generator().manual_seed(2)
    x, y = (torch.randn(4, *shape, generator=draw, dtype=torch.float64) for shape in shapes)
    rows = torch.randn(4, 3, *step.apply(x, y).shape[1:], generator=draw, dtype=torch.float64)
    parts, offset = step.relax(x, y, x, y).bound_backward(Rows(rows))
    first, second = (part.values for part in parts)
    below = (first * x[:, None]).flatten(2).sum(2) + (second * y[:, None]).flatten(2).sum(2) + offset
    assert torch.allclose(below, (rows * step.apply(x, y)[:, None]).flatten(2).sum(2), atol=1e-12)
    low, high = step.interval([x.abs(), y.abs()], [x.abs() + 1, y.abs() + 2])  # nonnegative: the ends themselves
    assert torch.allclose(low, step.apply(x.abs(), y.abs()), atol=1e-12)
    assert torch.allclose(high, step.apply(x.abs() + 1, y.abs() + 2), atol=1e-12)


def test_the_planes_are_mccormicks_average():
    a, b, c, d = (torch.tensor([value], dtype=torch.float64) for value in (-1.0, 3.0, 0.5, 2.0))
    bounds = Product("product").relax(a, c, b, d)
    (x,), (y,) = bounds.second.tolist(), bounds.first.tolist()
    assert (x, y) == pytest.approx(((0.5 + 2.0) / 2, (-1.0 + 3.0) / 2))
    below = float(-bounds.first * bounds.second - bounds.spread)
    above = float(-bounds.first * bounds.second + bounds.spread)
    assert below == pytest.approx(-(-1.0 * 0.5 + 3.0 * 2.0) / 2, abs=1e-12)
    assert above == pytest.approx(-(-1.0 * 2.0 + 3.0 * 0.5) / 2, abs=1e-12)


def test_intervals_that_are_not_finite_prove_nothing():
    ends = torch.tensor([[-math.inf, 0.0, math.nan]], dtype=torch.float64)
    one = torch.ones(1, 3, dtype=torch.float64)
    bounds = Product("product").relax(ends, -one, torch.tensor([[math.inf, math.inf, 1.0]], dtype=torch.float64), one)
    _, offset = bounds.bound_backward(Rows(torch.ones(1, 1, 3, dtype=torch.float64)))
    assert not (offset > -math.inf).any()


def test_values_of_one_side_are_repeated_and_other_ranks_refused():
    x = torch.randn(5, 2, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    network = Function(lambda x: x * x[:, :1].sigmoid() + x[..., :1] * x)
    assert torch.allclose(translate(Classifier(network), (2, 3))(x), network(x))
    for function in (lambda x: x * x.sum(1), lambda x: x.flatten(1) @ x.flatten(1)):
        with pytest.raises(NotSupportedError):
            translate(Classifier(Function(function)), (3, 3))


def test_a_product_has_no_lipschitz_constant():
    (proof,) = certify(Classifier(Function(lambda x: x * x.sigmoid())), torch.rand(1, 3), method="operator-norms")
    assert proof.status == "unsupported" and "no Lipschitz constant" in proof.reason
