"""Sums and products with constants: against torch and their matrices; what is no affine function is refused."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from clearance import Classifier
from clearance.certificates.operations import NotSupportedError
from clearance.certificates.translate import translate
from layer_cases import Function, check_affine

SHAPE = (2, 3)
ROW = torch.tensor([0.5, -2.0, 3.0], dtype=torch.float64)
AFFINE: dict[str, Callable[[Tensor], Tensor]] = {
    "times a number": lambda x: -1.5 * x,
    "times a row": lambda x: x * ROW,
    "divided by a row": lambda x: x / ROW,
    "divided by a number": lambda x: x.div(4),
    "plus a row": lambda x: x + ROW,
    "a row minus": lambda x: ROW - x,
    "minus a number": lambda x: x.sub(0.7),
    "negative": lambda x: -x,
    "torch.mul": lambda x: torch.mul(x, ROW),
    "broadcast by a constant": lambda x: x[:, :1] * torch.ones(1, 2, 1, dtype=torch.float64) * ROW,
}
SEVERAL: dict[str, Callable[[Tensor], Tensor]] = {
    "sum": lambda x: 2 * x + x * ROW,
    "difference": lambda x: 3 * x - x * ROW,
    "broadcast": lambda x: x + x[:, :1] * 2.0,
    "torch.add": lambda x: torch.add(x * 1.0, x * ROW),
}


@pytest.mark.parametrize("name", [name for name in AFFINE if name != "broadcast by a constant"])
def test_it_is_its_matrix(name: str):
    check_affine(Function(AFFINE[name]), SHAPE)


@pytest.mark.parametrize("name", [*SEVERAL, "broadcast by a constant"])
def test_steps_of_several_values_answer_as_torch(name: str):
    network = Function({**SEVERAL, **AFFINE}[name])
    x = torch.rand(4, *SHAPE, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    graph = translate(Classifier(network), SHAPE)
    assert torch.allclose(graph(x), network(x), atol=1e-12)
    pair = [step.operation for step in graph.steps if len(step.inputs) == 2]
    for operation in pair:
        a, b = (x, x[:, :1]) if name == "broadcast" else (x, 2 * x)
        low, high = operation.interval([a - 0.1, b - 0.2], [a + 0.1, b + 0.2])
        sign = -1 if name == "difference" else 1
        assert torch.allclose(low, a + sign * b - 0.3) and torch.allclose(high, a + sign * b + 0.3)
    assert bool(pair) == (name in SEVERAL)


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda x: x // x, "a division that rounds"),
        (lambda x: x // 2, "a division that rounds"),
        (lambda x: x + x.mean((1, 2)), "two values of different rank"),
        (lambda x: x * torch.ones(2, 2, 3, dtype=torch.float64), "a constant with a batch of its own"),
        (lambda x: x * x.size(0), "a value that depends on the batch"),
    ],
)
def test_what_is_not_affine_is_refused(function: Callable[[Tensor], Tensor], said: str):
    with pytest.raises(NotSupportedError, match=said):
        translate(Classifier(Function(function)), SHAPE)


def test_arithmetic_on_sizes_stays_a_size():
    network = Function(lambda x: x.view(x.size(0) * 1, x.shape[1] * x.shape[2] // 2, 1 + 1))
    x = torch.rand(3, *SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.equal(translate(Classifier(network), SHAPE)(x), x.flatten(1))
