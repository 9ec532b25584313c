"""A small ReLU network inside a box, written down as matrices: what the exact solvers work on.

Within given bounds of the pre-activations, every unit that cannot change sign is linear. What is left is one variable
`z_j` for each other unit: with the displacement `d` of the input, in order of the layers,

    y_j = <A_j, (d, z_1, ..., z_{j-1})> + a_j,    z_j = max(y_j, slope_j y_j),    low_j <= y_j <= high_j,
    logits = B (d, z) + b.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clearance.certificates.activations import Activation
from clearance.certificates.crown import Relaxation
from clearance.certificates.graph import Graph
from clearance.certificates.operations import Affine, NotSupportedError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Encoding:
    """The network around one input; see the module's docstring. `size` = entries of the input.

    Attributes:
        size: Entries of the input.
        units: `A`, `(units, size + units)`: zero from column `size + j` on in row `j`.
        offsets: `a`, `(units,)`.
        low: Lower bounds of `y`.
        high: Upper bounds of `y`.
        slopes: Slopes left of 0.
        logits: `B`, `(classes, size + units)`.
        biases: `b`, `(classes,)`.
    """

    size: int
    units: Array
    offsets: Array
    low: Array
    high: Array
    slopes: Array
    logits: Array
    biases: Array


def check_piecewise_linear(graph: Graph) -> int:
    """How many units the network's activations have.

    Args:
        graph: The network.

    Returns:
        The number.

    Raises:
        NotSupportedError: If an activation is not of two linear pieces that meet at 0.
    """
    count = 0
    for place in graph.bent:
        activation = graph.activation(place)
        if activation is None or activation.pieces is None:
            raise NotSupportedError(f"exact: expected ReLU layers only, found {', '.join(graph.kinds)}")
        count += math.prod(graph.nodes[place].shape)
    return count


def encode(relaxed: Relaxation) -> Encoding:
    """Write the network down around one input, inside the region that it was relaxed on.

    Args:
        relaxed: The network's bounds on a region of one input (a batch of one).

    Returns:
        The encoding.
    """
    graph, center = relaxed.graph, relaxed.region.center
    size = center.numel()
    total = size + sum(int(_open(relaxed, place).sum()) for place in graph.bent)
    writer = _Writer(relaxed, size, total)
    columns = [torch.eye(total, size, dtype=center.dtype, device=center.device).reshape(total, *center.shape[1:])]
    constants = [center]
    for place, node in enumerate(graph.nodes[1:], start=1):
        inputs, parts = [columns[i] for i in node.inputs], [constants[i] for i in node.inputs]
        if isinstance(node.operation, Affine):
            columns.append(node.operation.apply(*inputs) - node.operation.constant)
            constants.append(node.operation.apply(*parts))
        elif isinstance(node.operation, Activation):
            column, constant = writer.bend(place, node.operation, inputs[0], parts[0])
            columns.append(column)
            constants.append(constant)
    return writer.finish(columns[-1], constants[-1])


def _open(relaxed: Relaxation, place: int) -> Tensor:
    """Which units of an activation can change sign, `(units,)`."""
    source = relaxed.graph.nodes[place].inputs[0]
    return ((relaxed.low[source] < 0) & (relaxed.high[source] > 0)).flatten()


class _Writer:
    """Collects the units that can change sign."""

    def __init__(self, relaxed: Relaxation, size: int, total: int) -> None:
        self.relaxed, self.size, self.total, self.used = relaxed, size, total, size
        self.parts: list[tuple[Tensor, ...]] = []

    def bend(self, place: int, activation: Activation, column: Tensor, constant: Tensor) -> tuple[Tensor, Tensor]:
        """One layer of activations: columns `(total, *shape)` and constant `(1, *shape)` of its output."""
        left, right = activation.pieces or (0.0, 1.0)
        source, open_ = self.relaxed.graph.nodes[place].inputs[0], _open(self.relaxed, place)
        low, high = self.relaxed.low[source].flatten(), self.relaxed.high[source].flatten()
        flat, offset = column.flatten(1), constant.flatten()
        kept = open_.nonzero().flatten()
        slopes = torch.full_like(low, left)
        self.parts.append((flat.T[kept], offset[kept], low[kept], high[kept], slopes[kept]))
        factor = torch.where(open_, 0.0, torch.where(low >= 0, right, left))
        flat, offset = flat * factor, offset * factor
        new = torch.arange(self.used, self.used + len(kept), device=kept.device)
        flat[new, kept] = 1.0
        self.used += len(kept)
        return flat.reshape(column.shape), offset.reshape(constant.shape)

    def finish(self, column: Tensor, constant: Tensor) -> Encoding:
        """The encoding, from the logits' columns and constants."""
        empty = column.new_zeros(0)
        nothing = (column.new_zeros(0, self.total), empty, empty, empty, empty)
        units, offsets, low, high, slopes = (_array(torch.cat(part)) for part in zip(nothing, *self.parts, strict=True))
        return Encoding(self.size, units, offsets, low, high, slopes, _array(column.T), _array(constant.flatten()))


def _array(value: Tensor) -> Array:
    return value.detach().cpu().numpy()
