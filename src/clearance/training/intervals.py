"""Bounds of a plain chain of layers that training can differentiate: intervals, and one CROWN pass over them.

Only for training: they are in the precision of the network and round as it does. Proofs are made by `certificates`.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, linear

from clearance.errors import InputError

MONOTONE = (
    nn.ReLU,
    nn.LeakyReLU,
    nn.Hardtanh,
    nn.Tanh,
    nn.Sigmoid,
    nn.Softplus,
    nn.MaxPool2d,
    nn.AvgPool2d,
    nn.Flatten,
    nn.Identity,
)
"""Layers whose outputs never fall where their inputs grow: they map ends of intervals to ends of intervals."""
AFFINE = (nn.Linear, nn.Conv2d)
"""Layers with weights."""


def proved_share(network: nn.Module, low: Tensor, high: Tensor, labels: Tensor) -> float:
    """The share of boxes all of whose points have their label, as far as interval bounds tell.

    Args:
        network: A chain of known layers that ends in `nn.Linear`.
        low: `(batch, *input)`, the lower ends.
        high: `(batch, *input)`, the upper ends.
        labels: `(batch,)`.

    Returns:
        A number in [0, 1]. It is no proof: see the module.
    """
    with torch.no_grad():
        margins = interval_margins(network, low, high, labels)
    others = torch.ones_like(margins, dtype=torch.bool).scatter(1, labels[:, None], value=False)
    return ((margins > 0) | ~others).all(1).double().mean().item()


def interval_margins(network: nn.Module, low: Tensor, high: Tensor, labels: Tensor) -> Tensor:
    """Lower bounds of `f_y - f_j` over boxes by interval bound propagation (Gowal et al. 2018, section 3).

    The last layer is merged with the difference of its outputs, as there (elision of the last layer).

    Args:
        network: A chain of known layers that ends in `nn.Linear`.
        low: `(batch, *input)`, the lower ends.
        high: `(batch, *input)`, the upper ends.
        labels: `(batch,)`, the classes `y`.

    Returns:
        `(batch, classes)`; 0 for the label itself.

    Raises:
        InputError: If a layer is not known.
    """
    last, ends = _propagate(network, low, high)
    low, high = ends[-1][1:]
    weight, bias = _differences(last, labels)
    centre, radius = (low + high) / 2, (high - low) / 2
    return torch.einsum("bjf,bf->bj", weight, centre) + bias - torch.einsum("bjf,bf->bj", weight.abs(), radius)


def linear_margins(network: nn.Module, low: Tensor, high: Tensor, labels: Tensor) -> Tensor:
    """Lower bounds of `f_y - f_j` over boxes by one backward CROWN pass over interval bounds (Zhang et al. 2020).

    Each ReLU lies above `alpha h` (`alpha` 1 where its upper end is the larger one, else 0) and below the chord of its
    interval (Zhang et al. 2018, section 3).

    Args:
        network: A chain of `nn.Linear`, `nn.Conv2d`, `nn.ReLU`, `nn.Flatten`, `nn.Identity` that ends in `nn.Linear`.
        low: `(batch, *input)`, the lower ends.
        high: `(batch, *input)`, the upper ends.
        labels: `(batch,)`, the classes `y`.

    Returns:
        `(batch, classes)`; 0 for the label itself.

    Raises:
        InputError: If a layer is not known.
    """
    last, ends = _propagate(network, low, high)
    rows, total = _differences(last, labels)
    for layer, before, above in reversed(ends[:-1]):
        rows, offset = _back(layer, rows, before, above)
        total = total + offset
    low, high, rows = low.flatten(1), high.flatten(1), rows.flatten(2)
    best = torch.einsum("bjf,bf->bj", rows.clamp(min=0), low) + torch.einsum("bjf,bf->bj", rows.clamp(max=0), high)
    return best + total


def _chain(network: nn.Module) -> Iterator[nn.Module]:
    """The layers one after the other."""  # noqa: DOC402, DOC501
    if isinstance(network, nn.Sequential):
        for layer in network:
            yield from _chain(layer)
    elif isinstance(network, (*MONOTONE, *AFFINE)):
        yield network
    else:
        raise InputError(f"interval bounds: expected a chain of known layers, got {type(network).__name__}")


def _propagate(
    network: nn.Module, low: Tensor, high: Tensor
) -> tuple[nn.Linear, list[tuple[nn.Module, Tensor, Tensor]]]:
    """The last layer, and every layer with the ends of its input."""  # noqa: DOC501
    ends: list[tuple[nn.Module, Tensor, Tensor]] = []
    for layer in _chain(network):
        ends.append((layer, low, high))
        if isinstance(layer, AFFINE):
            centre, radius = layer((low + high) / 2), _spread(layer, (high - low) / 2)
            low, high = centre - radius, centre + radius
        else:
            low, high = layer(low), layer(high)
    last = ends[-1][0] if ends else None
    if not isinstance(last, nn.Linear):
        raise InputError("interval bounds: expected a network that ends in nn.Linear")
    return last, ends


def _spread(layer: nn.Module, radius: Tensor) -> Tensor:
    """What a layer with weights makes of half the width of its input's intervals."""
    if isinstance(layer, nn.Conv2d):
        return conv2d(radius, layer.weight.abs(), None, layer.stride, layer.padding, layer.dilation, layer.groups)
    assert isinstance(layer, nn.Linear)
    return linear(radius, layer.weight.abs())


def _differences(last: nn.Linear, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The rows `W_y - W_j` of the margins, `(batch, classes, features)`, and their offsets `(batch, classes)`."""
    bias = torch.zeros_like(last.weight[:, 0]) if last.bias is None else last.bias  # pyright: ignore[reportUnnecessaryComparison]
    return last.weight[labels][:, None] - last.weight, bias[labels][:, None] - bias


def _back(layer: nn.Module, rows: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Rows over the input of a layer, from rows over its output, and what they leave behind.

    Args:
        layer: The layer.
        rows: `(batch, classes, *output)`.
        low: `(batch, *input)`, the lower ends of its input.
        high: The upper ends.

    Returns:
        `(batch, classes, *input)` and `(batch, classes)`.

    Raises:
        InputError: If the layer is not known.
    """
    none = rows.new_zeros(rows.shape[:2])
    match layer:
        case nn.Linear():
            return rows @ layer.weight, none if layer.bias is None else rows @ layer.bias  # pyright: ignore
        case nn.Conv2d():
            offset = none if layer.bias is None else torch.einsum("bjchw,c->bj", rows, layer.bias)
            return _transposed(layer, rows, low), offset
        case nn.ReLU():
            lower, chord, above = _relaxed(low, high)
            positive, negative = rows.clamp(min=0), rows.clamp(max=0)
            offset = (negative * above[:, None]).flatten(2).sum(2)
            return positive * lower[:, None] + negative * chord[:, None], offset
        case nn.Flatten() | nn.Identity():
            return rows.reshape(*rows.shape[:2], *low.shape[1:]), none
        case _:
            known = "Linear, Conv2d, ReLU, Flatten"
            raise InputError(f"CROWN-IBP: knows the layers {known}, got {type(layer).__name__}; set crown to 0")


def _transposed(layer: nn.Conv2d, rows: Tensor, low: Tensor) -> Tensor:
    """Rows through a convolution: its transpose, with what its stride left over at the far ends put back."""
    pads = [pad if isinstance(pad, int) else 0 for pad in layer.padding]
    missing = [
        side - ((out - 1) * step - 2 * pad + gap * (kernel - 1) + 1)
        for side, out, step, pad, gap, kernel in zip(
            low.shape[2:], rows.shape[3:], layer.stride, pads, layer.dilation, layer.kernel_size, strict=True
        )
    ]
    back = conv_transpose2d(
        rows.flatten(0, 1), layer.weight, None, layer.stride, pads, missing, layer.groups, layer.dilation
    )
    return back.unflatten(0, rows.shape[:2])


def _relaxed(low: Tensor, high: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The slopes of the lines below and above a ReLU, and where the upper one meets 0."""
    unstable = (low < 0) & (high > 0)
    chord = torch.where(unstable, high / (high - low).clamp(min=1e-12), (low >= 0).to(low.dtype))
    lower = torch.where(unstable, (high > -low).to(low.dtype), chord)
    return lower, chord, torch.where(unstable, -low * chord, torch.zeros_like(low))
