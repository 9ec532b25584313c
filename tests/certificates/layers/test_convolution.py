"""Convolutions of one and three dimensions and transposed ones: against torch's layers and their dense matrices."""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional

from clearance import Classifier, certify
from clearance.certificates.translate import translate
from layer_cases import Function, check_affine

KERNEL = torch.randn(2, 3, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
CASES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "1d": (lambda: nn.Conv1d(2, 3, 3, padding=1), (2, 6)),
    "1d, strided": (lambda: nn.Conv1d(2, 4, 3, stride=2, groups=2, bias=False), (2, 8)),
    "1d, dilated": (lambda: nn.Conv1d(1, 2, 2, dilation=3), (1, 6)),
    "1d, same": (lambda: nn.Conv1d(2, 3, 3, padding="same", dilation=2), (2, 6)),
    "1d, valid": (lambda: nn.Conv1d(2, 3, 3, padding="valid"), (2, 6)),
    "3d": (lambda: nn.Conv3d(1, 2, 2, padding=(0, 1, 0)), (1, 3, 3, 4)),
    "3d, same": (lambda: nn.Conv3d(1, 2, (3, 1, 1), padding="same"), (1, 3, 2, 2)),
    "transposed 1d": (lambda: nn.ConvTranspose1d(2, 3, 3, stride=2, padding=1, output_padding=1), (2, 4)),
    "transposed": (lambda: nn.ConvTranspose2d(2, 3, 2, stride=2), (2, 3, 4)),
    "transposed, padded": (lambda: nn.ConvTranspose2d(2, 3, 3, padding=(1, 0), stride=(1, 2)), (2, 3, 4)),
    "transposed, larger": (lambda: nn.ConvTranspose2d(2, 3, 3, stride=3, output_padding=(2, 1)), (2, 3, 2)),
    "transposed, grouped": (lambda: nn.ConvTranspose2d(2, 4, 2, groups=2, dilation=2, bias=False), (2, 3, 3)),
    "transposed 3d": (lambda: nn.ConvTranspose3d(1, 2, 2, stride=2), (1, 2, 2, 2)),
    "1d as a function": (lambda: Function(lambda x: functional.conv1d(x, KERNEL.mT, stride=2)), (3, 5)),
    "transposed as a function": (lambda: Function(lambda x: functional.conv_transpose1d(x, KERNEL)), (2, 5)),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_its_matrix(name: str):
    make, shape = CASES[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        check_affine(make(), shape)


def test_padding_to_the_same_size_with_even_kernels_pads_the_value():
    layer = nn.Conv1d(2, 3, 4, padding="same").double()
    x = torch.randn(3, 2, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    graph = translate(Classifier(nn.Sequential(layer, nn.Flatten())), (2, 7))
    assert [step.operation.name for step in graph.steps] == ["padding", "convolution", "reshape"]
    assert torch.allclose(graph(x), layer(x).flatten(1))


@pytest.mark.parametrize(
    ("layer", "shape"),
    [(nn.Conv1d(1, 2, 3, padding=1, padding_mode="circular"), (1, 4)), (Function(lambda x: x), (1, 4))],
)
def test_what_is_not_known_is_refused(layer: nn.Module, shape: tuple[int, ...]):
    network = nn.Sequential(layer, nn.Flatten())
    (proof,) = certify(Classifier(network), torch.rand(1, *shape))
    assert (proof.status == "unsupported") == isinstance(layer, nn.Conv1d)
    if isinstance(layer, nn.Conv1d):
        assert "padding mode circular" in proof.reason


def test_a_size_asked_for_at_the_call_is_recorded():
    class Sized(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.ConvTranspose1d(1, 2, 2, stride=2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layer(x, output_size=[9]).flatten(1)

    model, x = Classifier(Sized().double()), torch.rand(3, 1, 4, dtype=torch.float64)
    assert torch.allclose(translate(model, (1, 4))(x), model.logits(x))
