"""Products with constant matrices: against torch's layers and their dense matrices."""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional

from clearance import Classifier, Normalize, certify
from layer_cases import Function, check_affine


def batch_norm(layer: nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d) -> nn.Module:
    assert layer.running_mean is not None and layer.running_var is not None
    layer.running_mean.copy_(torch.linspace(-0.5, 0.7, layer.num_features))
    layer.running_var.copy_(torch.linspace(0.2, 2.0, layer.num_features))
    if layer.affine:
        layer.weight.data.copy_(torch.linspace(-1.0, 1.5, layer.num_features))
        layer.bias.data.copy_(torch.linspace(1.0, -0.3, layer.num_features))
    return layer


WEIGHT = torch.randn(4, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
KERNEL = torch.randn(2, 2, 3, 2, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
CASES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "linear": (lambda: nn.Linear(6, 4), (6,)),
    "linear without bias": (lambda: nn.Linear(6, 4, bias=False), (6,)),
    "linear on the last side": (lambda: nn.Linear(6, 4), (3, 6)),
    "linear as a function": (lambda: Function(lambda x: functional.linear(x, WEIGHT)), (6,)),
    "matrix product": (lambda: Function(lambda x: x @ WEIGHT.T), (6,)),
    "convolution": (lambda: nn.Conv2d(2, 3, 3, padding=1), (2, 5, 5)),
    "strided": (lambda: nn.Conv2d(2, 4, (2, 3), stride=(2, 1), groups=2), (2, 6, 5)),
    "dilated": (lambda: nn.Conv2d(1, 2, 2, dilation=2, bias=False), (1, 5, 5)),
    "convolution as a function": (lambda: Function(lambda x: functional.conv2d(x, KERNEL, padding=1)), (2, 4, 4)),
    "padding same": (lambda: nn.Conv2d(2, 3, (3, 5), padding="same"), (2, 5, 5)),
    "padding valid": (lambda: nn.Conv2d(2, 3, 3, padding="valid", stride=2), (2, 5, 5)),
    "batch norm 3d": (lambda: batch_norm(nn.BatchNorm3d(2)), (2, 2, 3, 2)),
    "batch norm": (lambda: batch_norm(nn.BatchNorm2d(2)), (2, 3, 3)),
    "batch norm 1d": (lambda: batch_norm(nn.BatchNorm1d(6)), (6,)),
    "batch norm without weights": (lambda: batch_norm(nn.BatchNorm2d(2, affine=False)), (2, 3, 3)),
    "normalise": (lambda: Normalize([0.4, -0.6], [0.5, 2.0]), (2, 3, 3)),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_its_matrix(name: str):
    make, shape = CASES[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        check_affine(make(), shape)


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (nn.Sequential(nn.Conv2d(1, 2, 3, padding="same", padding_mode="circular")), "padding mode circular"),
        (nn.Conv2d(1, 2, 3, padding=1, padding_mode="reflect"), "padding mode reflect"),
        (nn.BatchNorm2d(1, track_running_stats=False), "batch statistics"),
        (Function(lambda x: x[:, 0] @ x), "a product of matrices"),
    ],
)
def test_what_is_not_known_is_refused(layer: nn.Module, said: str):
    (proof,) = certify(Classifier(nn.Sequential(layer, nn.Flatten())), torch.zeros(1, 1, 4, 4))
    assert proof.status == "unsupported" and said in proof.reason
