"""What the tests of affine layers share: a network's first step, and its matrix by applying it to unit vectors."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from clearance import Classifier
from clearance.certificates.operations import Affine, LinearBounds
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
