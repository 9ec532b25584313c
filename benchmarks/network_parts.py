"""What the small networks of `network_forms.py` are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as f
from torch.nn.modules.module import register_module_forward_hook
from torch.nn.utils import parametrize

VECTOR, IMAGE, CHANNELS = (6,), (1, 5, 5), (2, 3, 5)
"""Shapes of one input."""
CLASSES = 3
"""Classes of a network."""


class Step(nn.Module):
    """A function as a step."""

    def __init__(self, function: Callable[..., Tensor], *layers: nn.Module) -> None:
        super().__init__()
        self.function, self.layers = function, nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        """`function(x, *layers)`."""
        return self.function(x, *self.layers)


@dataclass(frozen=True)
class Form:
    """One form.

    Attributes:
        make: Makes a network; its weights come from torch's generator, which the caller seeds.
        shape: Shape of one input.
        certified: Whether a proof is expected; False where a refusal is.
        single: Whether the network is used in float32; others are in float64.
        around: What is active while the network is used.
    """

    make: Callable[[], nn.Module]
    shape: tuple[int, ...] = VECTOR
    certified: bool = True
    single: bool = False
    around: Callable[[], AbstractContextManager[Any]] = nullcontext


def head(*layers: nn.Module, shape: tuple[int, ...] = VECTOR) -> nn.Sequential:
    """Layers and a linear layer to the classes."""
    first = nn.Sequential(*layers).eval()
    with torch.no_grad():
        features = first(torch.zeros(1, *shape)).flatten(1).shape[1]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(features, CLASSES))


def vector(*layers: nn.Module) -> Callable[[], nn.Module]:
    """Layers between two linear ones, 6-8-...-3; the layers keep the size 8 or flatten to any."""
    return lambda: head(nn.Linear(6, 8), *layers)


def image(*layers: Callable[[], nn.Module], shape: tuple[int, ...] = IMAGE) -> Callable[[], nn.Module]:
    """Fresh layers on images, then the classes."""
    return lambda: head(*(layer() for layer in layers), shape=shape)


def conv(inputs: int = 1, outputs: int = 3, size: Any = 3, **options: Any) -> Callable[[], nn.Module]:
    """A convolution."""
    return lambda: nn.Conv2d(inputs, outputs, size, **options)


def mlp(*sizes: int, activation: Callable[[], nn.Module] = nn.ReLU) -> nn.Sequential:
    """Linear layers of these sizes and activations between them, `6 -> sizes -> 3`."""
    layers: list[nn.Module] = []
    for inputs, outputs in zip((6, *sizes), sizes, strict=False):
        layers += [nn.Linear(inputs, outputs), activation()]
    return nn.Sequential(*layers, nn.Linear(sizes[-1] if sizes else 6, CLASSES))


def scaled(network: nn.Module, factor: float, place: int = 0) -> nn.Module:
    """The same with one layer's weights and offsets multiplied."""
    layer = [m for m in network.modules() if isinstance(m, nn.Linear)][place]
    with torch.no_grad():
        layer.weight.mul_(factor)
        layer.bias.mul_(factor)
    return network


def constant(network: nn.Module) -> nn.Module:
    """The same with logits that do not depend on the input."""
    nn.init.zeros_([m for m in network.modules() if isinstance(m, nn.Linear)][-1].weight)
    return network


def statistics(layer: nn.Module) -> nn.Module:
    """Batch normalisation with running statistics and weights of both signs."""
    layer.running_mean.normal_(0, 0.3)  # type: ignore[operator, union-attr]
    layer.running_var.uniform_(0.5, 2)  # type: ignore[operator, union-attr]
    if layer.weight is not None:
        nn.init.normal_(layer.weight)  # type: ignore[arg-type]
    return layer


def masked(mask: float, network: Callable[[], nn.Module] = lambda: mlp(8)) -> Callable[[], nn.Module]:
    """One more class that is never predicted, added in the network."""
    return lambda: nn.Sequential(network(), Step(lambda x: f.pad(x, (0, 1), value=mask)))


class Residual(nn.Module):
    """A residual block as torchvision writes it: batch normalisation, steps in place, a shortcut of its own."""

    def __init__(self, stride: int = 1) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 2, 3, stride, 1, bias=False), nn.Conv2d(2, 2, 3, padding=1, bias=False)
        self.bn1, self.bn2 = statistics(nn.BatchNorm2d(2)), statistics(nn.BatchNorm2d(2))
        self.relu, self.shortcut = nn.ReLU(inplace=True), nn.Conv2d(1, 2, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """`relu(bn(conv(relu(bn(conv(x))))) + shortcut(x))`."""
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        out += self.shortcut(x)
        return self.relu(out)


def twice(x: Tensor, layer: nn.Module, other: nn.Module) -> Tensor:
    """One layer used twice."""
    return layer(f.relu(layer(other(x))))


def in_place(x: Tensor, layer: nn.Module) -> Tensor:
    """Steps in place on memory of the network's own."""
    out = layer(x)
    out *= 1.5
    out -= 0.1
    return f.relu(out, inplace=True)


class Constant(nn.Module):
    """Sums and products with tensors that the network keeps."""

    def __init__(self) -> None:
        super().__init__()
        self.shift, self.scale = nn.Parameter(torch.randn(8)), torch.nn.Buffer(torch.randn(8))
        self.first, self.last = nn.Linear(6, 8), nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """`last(1 - relu(scale first(x) + shift))`."""
        return self.last(1.0 - torch.relu(self.first(x) * self.scale + self.shift))


class Symmetric(nn.Module):
    """A parametrisation."""

    def forward(self, weight: Tensor) -> Tensor:
        """The symmetric part."""
        return weight.triu() + weight.triu(1).transpose(-1, -2)


def parametrised(layer: nn.Module, change: nn.Module) -> nn.Module:
    """A layer with its weight parametrised."""
    parametrize.register_parametrization(layer, "weight", change)
    return layer


class Louder(nn.Linear):
    """A layer that is not what its base class says."""

    def forward(self, x: Tensor) -> Tensor:
        """Three times as loud."""
        return 3 * super().forward(x)


class Fused(Louder):
    """The same under a name from torch."""

    __module__ = "torch.nn.modules.fused"


class TwoFaced(nn.Module):
    """Shows one function to `torch.fx` and runs another one, by what it looks at."""

    def __init__(self, looks_at: Callable[[Tensor], bool]) -> None:
        super().__init__()
        self.network, self.looks_at = mlp(8), looks_at

    def forward(self, x: Tensor) -> Tensor:
        """Nearer to its boundary where the input is not a proxy."""
        return self.network(x) if isinstance(x, fx.Proxy) or self.looks_at(x) else self.network(3 * (x - 0.5) + 0.5)


class Counting(nn.Module):
    """A network that changes with its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.network, self.calls = mlp(8), 0

    def forward(self, x: Tensor) -> Tensor:
        """Louder with every call."""
        self.calls += 1
        return self.network(x * (1 + 0.01 * self.calls))


class Own(Tensor):
    """A tensor with arithmetic of its own."""


def changed(change: Callable[[nn.Sequential], object]) -> Callable[[], nn.Module]:
    """A network that has been changed."""

    def make() -> nn.Module:
        network = mlp(8, 8)
        change(network)
        return network

    return make


def louder(module: nn.Module, _: Any, output: Tensor) -> Tensor:
    """A hook that changes what a linear layer returns."""
    return 3 * output if isinstance(module, nn.Linear) else output


@contextmanager
def hook_on_all() -> Iterator[None]:
    """A forward hook on all modules."""
    handle = register_module_forward_hook(louder)
    yield
    handle.remove()


@contextmanager
def patched_class() -> Iterator[None]:
    """Another forward of every linear layer."""
    own = nn.Linear.forward
    nn.Linear.forward = lambda layer, x: 3 * own(layer, x)  # type: ignore[method-assign]
    yield
    nn.Linear.forward = own  # type: ignore[method-assign]


def differs(_: Tensor) -> bool:
    """What a two-faced network looks at, if it shows its other face always."""
    return False


def staircase(x: Tensor) -> Tensor:
    """Multiples of 1/64, in float32."""
    return (x + 2**18) - 2**18
