"""Activations and poolings of the papers' networks, by name for the command line and the headers of files."""

from collections.abc import Callable
from typing import TypeVar

from torch import nn

from clearance.errors import InputError

Value = TypeVar("Value")

Activation = Callable[[], nn.Module]
"""Makes one activation layer, for example `nn.ReLU`."""


def bounded_relu(ceiling: float = 1.0) -> nn.Hardtanh:
    """Bounded ReLU, `f(z) = min(max(z, 0), t)` (Zantedeschi, Nicolae and Rawat 2017).

    Args:
        ceiling: `t`, the largest answer.

    Returns:
        The layer: torch's `Hardtanh` from 0 to `t`, which certificates know.

    >>> import torch
    >>> bounded_relu()(torch.tensor([-1.0, 0.5, 2.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    return nn.Hardtanh(0.0, ceiling)


ACTIVATION_LAYERS: dict[str, Activation] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "softplus": nn.Softplus,
    "bounded-relu": bounded_relu,
}
"""Activations by name, for the command line and for the headers of files."""
POOLINGS: dict[str, Callable[[tuple[int, int]], nn.Module]] = {"max": nn.MaxPool2d, "average": nn.AvgPool2d}
"""Poolings by name. Average pooling is twice differentiable, as second-order scores need."""


def known_activation(chosen: Activation | str) -> Activation:
    """An activation by its name; one that is none is given back.

    Args:
        chosen: A name of `ACTIVATION_LAYERS`, or what makes a layer.

    Returns:
        What makes a layer.

    >>> known_activation("relu")()
    ReLU()
    """
    return _known(chosen, ACTIVATION_LAYERS, "activation") if isinstance(chosen, str) else chosen


def known_pooling(name: str) -> Callable[[tuple[int, int]], nn.Module]:
    """A pooling by its name.

    Args:
        name: A name of `POOLINGS`.

    Returns:
        What makes a layer from the size of its window.

    >>> known_pooling("average")((2, 2))
    AvgPool2d(kernel_size=(2, 2), stride=(2, 2), padding=0)
    """
    return _known(name, POOLINGS, "pooling")


def _known(name: str, table: dict[str, Value], what: str) -> Value:
    if name not in table:
        raise InputError(f"{what}: expected one of {', '.join(table)}, got {name!r}")
    return table[name]
