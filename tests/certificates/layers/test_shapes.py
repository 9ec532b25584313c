"""Reshapes, indexing, padding and concatenation: against torch; what touches the batch is refused."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from clearance import Classifier
from clearance.certificates.operations import NotSupportedError
from clearance.certificates.translate import translate
from layer_cases import Function, check_affine

SHAPE = (2, 3, 4)
CASES: dict[str, Callable[[Tensor], Tensor]] = {
    "flatten": lambda x: x.flatten(2),
    "view": lambda x: x.view(x.size(0), -1, 2),
    "reshape by a shape": lambda x: x.reshape(x.shape[0], 6, x.shape[-1]),
    "unsqueeze": lambda x: x.unsqueeze(2),
    "squeeze": lambda x: x.unsqueeze(-1).squeeze(-1),
    "columns": lambda x: x[:, :, 1:3],
    "strides": lambda x: x[..., ::2],
    "a new side": lambda x: x[:, None, 1],
    "padding": lambda x: functional.pad(x, (1, 2)),
    "padding with a value": lambda x: functional.pad(x, (0, 0, 1, 0), value=0.4),
    "transposed matrices": lambda x: x.mT,
    "negative padding": lambda x: functional.pad(x, (-1, 1)),
}
SEVERAL: dict[str, Callable[[Tensor], Tensor]] = {
    "concatenation": lambda x: torch.cat([x, 2 * x, x[:, :1]], 1),
    "along the last side": lambda x: torch.cat((x, -x), dim=-1),
    "products of sizes": lambda x: x.reshape(x.shape[0], x.size(1) * x.size(2), 4),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_its_matrix(name: str):
    check_affine(Function(CASES[name]), SHAPE)


@pytest.mark.parametrize("name", SEVERAL)
def test_it_answers_as_torch(name: str):
    x = torch.rand(3, *SHAPE, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert torch.equal(translate(Classifier(Function(SEVERAL[name])), SHAPE)(x), SEVERAL[name](x).flatten(1))


@pytest.mark.parametrize(
    ("layer", "count"),
    [(nn.Identity(), 0), (nn.Dropout(0.5), 0), (nn.Dropout2d(0.5), 0), (nn.ZeroPad2d((1, 0, 2, 1)), 1)],
)
def test_layers_that_move_numbers(layer: nn.Module, count: int):
    network = nn.Sequential(layer, nn.Flatten()).eval()
    x = torch.rand(3, *SHAPE, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    graph = translate(Classifier(network), SHAPE)
    assert torch.equal(graph(x), network(x)) and graph.last == count + 1


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda x: x[0:1], "touches the batch"),
        (lambda x: x[:, [0, 1]], "indexing that is not basic"),
        (lambda x: functional.pad(x, (1, 1), mode="circular"), "padding mode circular"),
        (lambda x: torch.cat([x, x], 0), "along the batch"),
        (lambda x: torch.cat([x, torch.ones(1, 2, 3, 4)], 1), "with constants"),
        (lambda x: x.reshape(-1, 12), "the batch does not stay"),
        (lambda x: x.flatten(0), "the batch does not stay"),
        (lambda x: functional.dropout(x, training=True), "dropout that stays on"),
        (lambda x: x.H, "the attribute H"),
    ],
)
def test_what_is_not_known_is_refused(function: Callable[[Tensor], Tensor], said: str):
    network = Function(lambda x: functional.linear(function(x).flatten(1), torch.ones(2, 24)))
    with pytest.raises(NotSupportedError, match=said):
        translate(Classifier(network, micro_batch=1), SHAPE)
