"""What the tests of layers share: matrices by unit vectors, points between bounds, grids in the plane."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from clearance import Classifier, certify
from clearance.certificates.layers.activations import ActivationBounds
from clearance.certificates.layers.smooth import Smooth
from clearance.certificates.operations import Affine, LinearBounds, NonlinearOperation
from clearance.certificates.region import Region
from clearance.certificates.relaxation import relax
from clearance.certificates.rows import Rows, WindowRows
from clearance.certificates.translate import translate
from clearance.geometry.norms import vector_norm


class Function(nn.Module):
    """A function as a network, its result flattened to logits."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x).flatten(1)


def first_step(layer: nn.Module, shape: tuple[int, ...]) -> Affine:
    """The layer as the first step of a network whose logits are what it gives, flattened."""
    operation = translate(Classifier(nn.Sequential(layer, nn.Flatten()).double()), shape).step(1).operation
    assert isinstance(operation, Affine)
    return operation


def matrix_of(step: Affine, shape: tuple[int, ...]) -> Tensor:
    """`J`, `(outputs, inputs)`."""
    one = torch.eye(math.prod(shape), dtype=torch.float64).reshape(-1, *shape)
    return step.forward(one).flatten(1).T


def check_affine(layer: nn.Module, shape: tuple[int, ...]) -> None:
    """The step answers as the layer; its transpose, absolute values, intervals and norms are those of its matrix."""
    layer = layer.double().eval()
    step, draw = first_step(layer, shape), torch.Generator().manual_seed(0)
    matrix = matrix_of(step, shape)
    x, half = (torch.rand(5, *shape, generator=draw, dtype=torch.float64) for _ in range(2))
    assert torch.allclose(step.apply(x).flatten(1), layer(x).flatten(1), atol=1e-12)
    assert torch.allclose(matrix @ x.flatten(1).T + step.constant.flatten(1).T, layer(x).flatten(1).T, atol=1e-12)
    rows = torch.randn(4, *step.constant.shape[1:], generator=draw, dtype=torch.float64)
    assert torch.allclose(step.backward(rows)[0].flatten(1), rows.flatten(1) @ matrix, atol=1e-12)
    low, high = step.interval([x - half], [x + half])
    middle, spread = layer(x).flatten(1), half.flatten(1) @ matrix.abs().T
    assert torch.allclose(low.flatten(1), middle - spread, atol=1e-12)
    assert torch.allclose(high.flatten(1), middle + spread, atol=1e-12)
    (back,), offset = step.bound_backward(Rows(rows[None]))
    found = back.values
    exact = (rows.flatten(1) @ step.apply(x).flatten(1).T).T
    assert torch.allclose((found[0].flatten(1) @ x.flatten(1).T).T + offset, exact, atol=1e-12)
    for norm in (1.0, math.inf):
        (constant,) = step.lipschitz(norm)
        assert math.isclose(constant, float(torch.linalg.matrix_norm(matrix, norm)), rel_tol=1e-9)
    for norm in (1.5, 2.0, 3.0):
        (constant,) = step.lipschitz(norm)
        longest = (
            vector_norm(rows.flatten(1) @ matrix @ matrix.T, norm) / vector_norm(rows.flatten(1) @ matrix, norm)
        ).max()
        assert isinstance(constant, float) and constant >= float(longest) * (1 - 1e-9)
    check_windows(step, step.constant.shape[1:])


def random_windows(shape: tuple[int, ...], side: int, batch: int = 1) -> WindowRows:
    """Windows of `side` pixels at random places of an image, some of them partly off it, with zeros there."""
    draw = torch.Generator().manual_seed(side)
    channels, height, width = shape
    most = torch.tensor([height, width])
    corner = ((torch.rand(5, 2, generator=draw) * (most + side)).long() - side).clamp_min(1 - side)
    values = torch.randn(batch, 5, side, side, channels, generator=draw, dtype=torch.float64)
    rows = WindowRows(values, corner, shape)
    return rows.replaced(values * rows.on_image)


def check_windows(bounds: LinearBounds, shape: tuple[int, ...], batch: int = 1) -> None:
    """A step of images does to windows what it does to the same rows written out."""
    if len(shape) != 3:
        return
    for side in (1, 2, 3):
        rows = random_windows(shape, side, batch)
        found, expected = bounds.bound_backward(rows), bounds.bound_backward(rows.whole())
        for part, wanted in zip(found[0], expected[0], strict=True):
            assert torch.allclose(part.whole().values, wanted.values, atol=1e-12)
        assert torch.allclose(found[1], expected[1], atol=1e-12)


def intervals(breakpoints: Sequence[float], positive: bool = False) -> tuple[Tensor, Tensor]:
    """Intervals of every kind: tight, wide, of width 0, huge, tiny, at breakpoints and around them, `(intervals,)`."""
    draw = torch.Generator().manual_seed(0)
    scales = torch.tensor([1e-12, 1e-3, 0.3, 1.0, 3.0, 10.0, 300.0, 1e5], dtype=torch.float64)
    widths = torch.tensor([0.0, 1e-12, 1e-7, 1e-3, 0.3, 2.0, 8.0, 50.0, 1e5], dtype=torch.float64)
    ends = (scales[:, None] * torch.randn(len(scales), 4, generator=draw, dtype=torch.float64)).flatten()
    points = torch.tensor([0.0, *(b for b in breakpoints if math.isfinite(b))], dtype=torch.float64)
    ends = torch.cat([ends, points, points - 1e-9, points - 0.2, points - 2.5, points - 30.0])
    if positive:
        ends = ends.abs().clamp_min(1e-3)
    low = ends.repeat_interleave(len(widths))
    return low, low + widths.repeat(len(ends))


def check_bounds(
    operation: NonlinearOperation, reference: Callable[[Tensor], Tensor], low: Tensor, high: Tensor, error: float = 0.0
) -> None:
    """Interval, linear bounds and their backward step hold at points of every interval, the ends among them.

    Args:
        operation: A function of one number.
        reference: What torch computes.
        low: Lower ends, `(intervals,)`.
        high: Upper ends.
        error: By how much torch's function may differ besides rounding.
    """
    draw = torch.Generator().manual_seed(1)
    points = math.ceil(10_000 / len(low)) + 20
    share = torch.rand(points, len(low), generator=draw, dtype=torch.float64)
    share[0], share[1] = 0.0, 1.0
    x = torch.minimum(low + share * (high - low), high)
    value = reference(x)
    least, most = operation.interval([low[None]], [high[None]])
    rounding = 4e-15 * value.abs() + error
    assert (least - rounding <= value).all() and (value <= most + rounding).all()
    found = operation.relax(low[None], high[None])
    assert isinstance(found, ActivationBounds)
    size = value.abs() + (found.lower.abs() + found.upper.abs()) * x.abs()
    rounding = 4e-15 * size + error
    assert (found.lower * x + found.lower_offset <= value + rounding).all()
    assert (found.upper * x + found.upper_offset >= value - rounding).all()
    rows = torch.randn(1, 6, len(low), generator=draw, dtype=torch.float64)
    rows[0, 4:] *= (torch.arange(len(low)) % 7 == 0).double()
    (through,), offset = found.bound_backward(Rows(rows))
    below, exact = (through.values[0] @ x.T) + offset[0, :, None], rows[0] @ value.T
    assert (below <= exact + rows[0].abs() @ rounding.T + 1e-15 * len(low) * (rows[0].abs() @ size.T)).all()


def check_derivative(curve: Smooth, reference: Callable[[Tensor], Tensor], points: Tensor) -> None:
    """The derivative of each piece and the sign of its second derivative are what automatic differentiation finds."""
    for piece in curve.pieces:
        inner = points[(points > piece.low + 1e-3) & (points < piece.high - 1e-3)]
        x = inner.clone().requires_grad_(True)
        (rate,) = torch.autograd.grad(reference(x).sum(), x, create_graph=True)
        assert torch.allclose(piece.derivative(inner), rate.detach(), rtol=1e-9, atol=1e-12)
        assert torch.allclose(piece.function(inner), reference(inner), rtol=1e-12, atol=1e-14)
        assert (rate.abs() <= curve.largest_derivative * (1 + 1e-12)).all()
        (second,) = torch.autograd.grad(rate.sum(), x) if rate.requires_grad else (torch.zeros_like(inner),)
        assert (second * piece.curvature >= -1e-12).all()
        assert piece.curvature or bool((second.abs() <= 1e-12).all())


def check_tightness(curve: Smooth, low: Tensor, high: Tensor) -> None:
    """At the middle of each interval the lines are as near as the convex hull of the graph there, by brute force."""
    x = low[:, None] + (high - low)[:, None] * torch.linspace(0, 1, 401, dtype=torch.float64)
    value, middle, found = curve.function(x), (low + high) / 2, curve.relax(low, high)
    left, right = x[:, :201, None], x[:, None, 200:]
    share = torch.where(right > left, (middle[:, None, None] - left) / (right - left).clamp_min(1e-300), 0.0)
    through = value[:, :201, None] + share * (value[:, None, 200:] - value[:, :201, None])  # chords around the middle
    slack = 3e-3 * (high - low) * (1 + (found.upper - found.lower).abs())
    assert (found.upper * middle + found.upper_offset - through.flatten(1).amax(1) <= slack).all()
    assert (through.flatten(1).amin(1) - found.lower * middle - found.lower_offset <= slack).all()


def check_radius(network: nn.Module, norm: float, *, center: float = 0.0, seed: int = 0) -> float:
    """CROWN's radius in two dimensions is above 0 and no point of a grid nearer than it has another class.

    Args:
        network: From `(batch, 2)` to logits.
        norm: `p`.
        center: Where the input lies, about.
        seed: Of the input.

    Returns:
        The radius.
    """
    x = center + torch.randn(1, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    (proof,) = certify(Classifier(network.double().eval()), x, norm=norm, method="crown")
    assert proof.status == "certified" and proof.radius > 0, proof.reason
    side = min(proof.radius, 100.0) * torch.linspace(-1, 1, 151, dtype=torch.float64)
    shifts = torch.cartesian_prod(side, side)
    changed = network(x + shifts).argmax(1) != proof.predicted
    assert not (vector_norm(shifts[changed], norm) < proof.radius).any()
    return proof.radius


def check_graph(
    network: nn.Module, shape: tuple[int, ...], *, radii: Sequence[float] = (0.0, 1e-9, 1e-3, 0.05, 0.5, 5.0)
) -> None:
    """The graph answers as the network; every interval and every linear bound holds at 10,000 points of each box.

    Args:
        network: From `(batch, *shape)` to logits.
        shape: Shape of one input.
        radii: Half the sides of the boxes.
    """
    draw = torch.Generator().manual_seed(0)
    network = network.double().eval()
    graph = translate(Classifier(network), shape)
    x = torch.randn(1, *shape, generator=draw, dtype=torch.float64)
    rows = torch.randn(1, 8, *graph.shape, generator=draw, dtype=torch.float64)
    with torch.no_grad():
        assert torch.allclose(graph(x), network(x), rtol=1e-10, atol=1e-12)
        for radius in radii:
            share = 2 * torch.rand(10_000, *shape, generator=draw, dtype=torch.float64) - 1
            share[::3] = share[::3].sign()  # corners
            points = x + radius * share
            bounds = relax(graph, Region(x, torch.full((1,), radius, dtype=torch.float64), math.inf, None))
            values = graph.values(points)
            for low, high, value in zip(bounds.low, bounds.high, values, strict=False):
                rounding = 1e-12 * (1 + value.abs().amax(0, keepdim=True))
                assert not ((value < low - rounding) | (value > high + rounding)).any()
            least = (values[-1] @ rows[0].T).amin(0)
            found = bounds.lowest(graph.last, rows)[0]
            assert not (found > least + 1e-11 * (1 + least.abs())).any()
            assert radius > 0.01 or bool(found.isfinite().all())
            if radius == 0:
                assert torch.allclose(found, least, rtol=1e-9, atol=1e-9)
