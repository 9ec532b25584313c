"""Permutations, chunks, stacks, expansions: against torch and their matrices; what touches the batch is refused."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from clearance import Classifier
from clearance.certificates.operations import NotSupportedError
from clearance.certificates.translate import translate
from layer_cases import Function, check_affine

SHAPE = (2, 3, 4)
ONE: dict[str, Callable[[Tensor], Tensor]] = {
    "permute": lambda x: x.permute(0, 3, 1, 2),
    "torch.permute": lambda x: torch.permute(x, (0, 2, 1, 3)),
    "transpose": lambda x: x.transpose(1, -1),
    "movedim": lambda x: x.movedim(1, 3),
    "moveaxis": lambda x: torch.moveaxis(x, 3, 1),
    "swapaxes": lambda x: x.swapaxes(2, 3),
    "swapdims": lambda x: x.swapdims(2, 3),
    "select": lambda x: x.select(1, 1),
    "narrow": lambda x: x.narrow(3, 1, 2),
    "one chunk": lambda x: x.chunk(2, 3)[1],
    "one part": lambda x: x.split([1, 3], dim=3)[1],
    "torch.split": lambda x: torch.split(x, 2, 2)[0],
    "one slice": lambda x: x.unbind(2)[1],
    "expand": lambda x: x[:, :, :1].expand(-1, -1, 3, 4),
    "expand with a size": lambda x: x[:, :1].expand(x.size(0), 2, 3, 4),
    "repeat": lambda x: x.repeat(1, 1, 2, 1),
    "roll": lambda x: x.roll((1, -1), (2, 3)),
    "torch.roll": lambda x: torch.roll(x, 1, 3),
    "flip": lambda x: x.flip(-1),
    "torch.flip": lambda x: torch.flip(x, [2, 3]),
    "unflatten": lambda x: x.unflatten(3, (2, 2)),
    "slices with strides": lambda x: x[:, :, ::2, 1::2],
}
PAIR = torch.tensor([[[1.0, -2.0, 0.5, 3.0]]], dtype=torch.float64)


class Token(nn.Module):
    """A class token before the rows of an input."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(PAIR.clone())

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.token.expand(x.shape[0], -1, -1), x.flatten(1, 2)], dim=1).flatten(1)


def of_halves(x: Tensor) -> Tensor:
    a, b = x.chunk(2, dim=1)
    return a - 2 * b


SEVERAL: dict[str, Callable[[Tensor], Tensor]] = {
    "chunks": of_halves,
    "uneven chunks": lambda x: torch.cat(x.chunk(3, 3), 3),
    "parts": lambda x: torch.cat(x.split(3, -1)[::-1], -1),
    "unbind": lambda x: torch.stack(torch.unbind(x, 1), 2),
    "stack": lambda x: torch.stack([x, -x, 2 * x], dim=1),
    "stack at the end": lambda x: torch.stack((x, x * 3), -1),
}


@pytest.mark.parametrize("name", ONE)
def test_it_answers_as_torch_and_is_its_matrix(name: str):
    x = torch.rand(3, *SHAPE, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert torch.equal(translate(Classifier(Function(ONE[name])), SHAPE)(x), ONE[name](x).flatten(1))
    if "expand" not in name and "one " not in name and "split" not in name:
        check_affine(Function(ONE[name]), SHAPE)


@pytest.mark.parametrize("name", SEVERAL)
def test_several_values(name: str):
    x = torch.rand(3, *SHAPE, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert torch.equal(translate(Classifier(Function(SEVERAL[name])), SHAPE)(x), SEVERAL[name](x).flatten(1))


def test_a_constant_repeated_for_each_input_is_joined():
    x = torch.rand(3, *SHAPE, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    network = Token()
    graph = translate(Classifier(network), SHAPE)
    assert torch.equal(graph(x), network(x))
    low, high = graph.steps[-2].operation.interval([x.flatten(1, 2)], [x.flatten(1, 2) + 1])
    assert torch.allclose(low[:, :1], PAIR) and torch.allclose(high[:, :1], PAIR)
    assert torch.allclose(high[:, 1:], x.flatten(1, 2) + 1)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.permute(1, 0, 2, 3),
        lambda x: x.transpose(0, 1),
        lambda x: x.flip(0),
        lambda x: x.roll(1),
        lambda x: x.roll(1, 0),
        lambda x: x.chunk(2)[0],
        lambda x: torch.split(x, 1)[0],
        lambda x: x.unbind()[0],
        lambda x: x.select(0, 0),
        lambda x: x.narrow(-4, 0, 1),
        lambda x: torch.stack([x, x]),
        lambda x: x.expand(2, -1, -1, -1),
        lambda x: x[:, :1].expand(5, -1, x.size(0), 3, 4),
        lambda x: x.repeat(2, 1, 1, 1),
        lambda x: x + PAIR[:, None].expand(2, -1, -1, -1),
    ],
)
def test_what_touches_the_batch_is_refused(function: Callable[[Tensor], Tensor]):
    with pytest.raises(NotSupportedError):
        translate(Classifier(Function(function)), SHAPE)


def halves(x: Tensor) -> Tensor:
    a, b = x.chunk(2, 1)
    nn.functional.relu(x, inplace=True)
    return torch.cat([a, b], 1)


def other_halves(x: Tensor) -> Tensor:
    part = x.select(1, 0)
    nn.functional.relu(part, inplace=True)
    return x.chunk(2, 1)[0]


class InPlace(nn.Module):
    """A step in place behind a linear layer."""

    def __init__(self, change: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.change = nn.Linear(4, 4), change

    def forward(self, x: Tensor) -> Tensor:
        return self.change(self.first(x))


@pytest.mark.parametrize("change", [halves, other_halves])
def test_chunks_share_the_memory_of_what_they_are_taken_from(change: Callable[[Tensor], Tensor]):
    with pytest.raises(NotSupportedError, match="changed in place"):
        translate(Classifier(InPlace(change)), (4,))
