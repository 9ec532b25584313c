"""Operator norms of layers against dense matrices."""

import math

import pytest
import torch
from torch import nn

from clearance import Classifier
from clearance.certificates import matrix_norms
from clearance.certificates.matrix_norms import gram_norm, operator_norm
from clearance.certificates.operations import Affine
from clearance.certificates.translate import translate


def layer_of(layer: nn.Module, shape: tuple[int, ...]) -> Affine:
    """The layer as the first step of a network (its logits are what it gives, flattened)."""
    graph = translate(Classifier(nn.Sequential(layer, nn.Flatten())), shape)
    operation = graph.step(1).operation
    assert isinstance(operation, Affine)
    return operation


def dense(operation: Affine, shape: tuple[int, ...]) -> torch.Tensor:
    one = torch.eye(math.prod(shape), dtype=torch.float64).reshape(-1, *shape)
    return operation.forward(one).flatten(1).T


LAYERS = {
    "linear": (lambda: nn.Linear(6, 4), (6,)),
    "wide linear": (lambda: nn.Linear(4, 9), (4,)),
    "convolution": (lambda: nn.Conv2d(2, 3, 3, padding=1), (2, 5, 5)),
    "strided convolution": (lambda: nn.Conv2d(2, 4, 4, stride=2, padding=1, groups=2), (2, 6, 6)),
    "dilated convolution": (lambda: nn.Conv2d(1, 2, 2, dilation=2), (1, 5, 5)),
    "batch norm": (lambda: nn.BatchNorm2d(2), (2, 3, 3)),
    "average pooling": (lambda: nn.AvgPool2d(2), (2, 4, 4)),
    "overlapping pooling": (lambda: nn.AvgPool2d(3, 1, 1), (2, 4, 4)),
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("norm", [1.0, 1.3, 2.0, 4.0, math.inf])
def test_norms_bound_the_dense_matrix(name: str, norm: float):
    make, shape = LAYERS[name]
    torch.manual_seed(0)
    operation = layer_of(make(), shape)
    matrix = dense(operation, shape)
    (bound,) = operation.lipschitz(norm)
    draw = torch.Generator().manual_seed(1)
    points = torch.randn(500, matrix.shape[1], generator=draw, dtype=torch.float64)
    points = torch.cat([points, torch.eye(matrix.shape[1], dtype=torch.float64), points.sign()])
    stretched = torch.linalg.vector_norm(points @ matrix.T, norm, dim=1)
    assert (stretched <= bound * torch.linalg.vector_norm(points, norm, dim=1) * (1 + 1e-12)).all()
    if norm in (1.0, math.inf) or (norm == 2 and operation.mixes):
        assert bound == pytest.approx(float(torch.linalg.matrix_norm(matrix, norm)), rel=1e-9)


def test_a_map_too_large_for_eigenvalues_takes_the_product_of_sums(monkeypatch: pytest.MonkeyPatch):
    torch.manual_seed(0)
    operation = layer_of(nn.Conv2d(2, 3, 3), (2, 6, 6))
    exact = operation.lipschitz(2.0)[0]
    monkeypatch.setattr(matrix_norms, "LARGEST_GRAM", 4)
    monkeypatch.setattr(matrix_norms, "_KNOWN", {})
    loose = operation.lipschitz(2.0)[0]
    assert math.isinf(gram_norm(operation.linear_map()))
    assert exact < loose == math.sqrt(operation.lipschitz(1.0)[0] * operation.lipschitz(math.inf)[0])


def test_power_iteration_stays_below():
    torch.manual_seed(0)
    operation = layer_of(nn.Conv2d(3, 4, 3, padding=1), (3, 8, 8))
    linear, bound = operation.linear_map(), operator_norm(operation.linear_map(), 2.0)
    vector = torch.randn(1, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for _ in range(1000):
        vector = linear.backward(linear.forward(vector / vector.norm()))
    assert bound * (1 - 1e-3) < float(vector.norm().sqrt()) < bound
    assert bound == pytest.approx(float(torch.linalg.matrix_norm(dense(operation, (3, 8, 8)), 2)), rel=1e-12)


def test_a_norm_is_computed_once_for_each_map(monkeypatch: pytest.MonkeyPatch):
    """The same numbers in another layer object are the same map; other numbers, norms, strides or sizes are not."""
    monkeypatch.setattr(matrix_norms, "_KNOWN", {})
    computed: list[float] = []

    def counted(*given: object, **options: object) -> float:
        computed.append(operator_norm(*given, **options))  # type: ignore[arg-type]
        return computed[-1]

    monkeypatch.setattr(matrix_norms, "operator_norm", counted)
    weight = torch.randn(3, 2, 3, 3, generator=torch.Generator().manual_seed(0))

    def norm(scale: float = 1.0, stride: int = 1, side: int = 7, p: float = 2.0) -> float:
        layer = nn.Conv2d(2, 3, 3, stride=stride, bias=False)
        layer.weight.data = scale * weight
        return layer_of(layer, (2, side, side)).lipschitz(p)[0]

    first = norm()
    assert norm() == first and len(computed) == 1
    others = [norm(2.0), norm(stride=2), norm(side=9), norm(p=math.inf)]
    assert len(computed) == 5 and len({first, *others}) == 5 and others[0] == pytest.approx(2 * first)
