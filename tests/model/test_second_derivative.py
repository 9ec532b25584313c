"""Which networks have a Hessian that is not zero, against what is known of them."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import clearance as cl
from clearance.model.second_derivative import SecondDerivative, second_derivative


def layers(*middle: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), *middle, nn.Linear(8, 3))


class Quadratic(nn.Module):
    """The logits `a ||x||² + b x`, of which every margin has the Hessian `2 (a_c - a_t) I`."""

    def __init__(self, curvature: float) -> None:
        super().__init__()
        self.weight, self.curvature = nn.Parameter(torch.eye(3, 6)), curvature * torch.arange(3.0)

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight.T + self.curvature.to(x) * x.square().sum(1, keepdim=True)


class Failing(torch.autograd.Function):
    """The identity, without a backward pass."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        raise NotImplementedError("no second derivative here")


class Once(torch.autograd.Function):
    """The identity, with a backward pass that cannot be differentiated again."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        return Failing.apply(gradient)


@pytest.mark.parametrize(
    ("network", "kind"),
    [
        (layers, SecondDerivative.ZERO),
        (lambda: layers(nn.ReLU()), SecondDerivative.ZERO),
        (lambda: layers(nn.LeakyReLU(), nn.BatchNorm1d(8)), SecondDerivative.ZERO),
        (lambda: nn.Sequential(layers(nn.ReLU()), nn.LogSoftmax(1)), SecondDerivative.ZERO),
        (lambda: nn.Sequential(layers(nn.ReLU()), nn.Softmax(1)), SecondDerivative.CURVED),
        (lambda: layers(nn.Softplus()), SecondDerivative.CURVED),
        (lambda: layers(nn.GELU(), nn.ReLU()), SecondDerivative.CURVED),
        (lambda: Quadratic(1e-2), SecondDerivative.CURVED),
        (lambda: Quadratic(0.0), SecondDerivative.ZERO),
        (lambda: lambda x: x.detach().round(), SecondDerivative.FLAT),
        (lambda: lambda x: Once.apply(x).square(), SecondDerivative.NONE),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [1.0, 255.0])
def test_kinds(network: Callable[[], nn.Module], kind: SecondDerivative, dtype: torch.dtype, scale: float):
    x = scale * torch.rand(4, 6, generator=torch.Generator().manual_seed(1))
    found, said = second_derivative(cl.Classifier(network(), dtype=dtype), x)
    assert found is kind and bool(said) == (kind is SecondDerivative.NONE)


def test_one_input_at_a_time_is_the_same():
    x = torch.rand(4, 6)
    assert second_derivative(cl.Classifier(layers(nn.Tanh()), micro_batch=1), x)[0] is SecondDerivative.CURVED
