"""A small ReLU network inside a box, written down as matrices: what the exact solvers work on.

Within given bounds of the pre-activations, every unit that cannot change sign is linear. What is left is one variable
`z_j` for each other unit: with the displacement `d` of the input, in order of the layers,

    y_j = <A_j, (d, z_1, ..., z_{j-1})> + a_j,    z_j = max(y_j, left_j y_j),    low_j <= y_j <= high_j,
    logits = B (d, z) + b.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clearance.certificates.graph import Graph
from clearance.certificates.layers.activations import Activation
from clearance.certificates.operations import Affine, NotSupportedError
from clearance.certificates.relaxation import Relaxation

Array = NDArray[np.float64]
"""Numbers in float64, for NumPy and SciPy."""


@dataclass(frozen=True)
class Encoding:
    """The network around one input; see the module's docstring. `size` = entries of the input.

    Source: Tjeng, Xiao and Tedrake (2019).

    Attributes:
        size: Entries of the input.
        units: `A`, `(units, size + units)`: zero from column `size + j` on in row `j`.
        offsets: `a`, `(units,)`.
        low: Lower bounds of `y`, `(units,)`.
        high: Upper bounds of `y`, `(units,)`.
        left_coefficients: Derivatives left of 0, `(units,)`: 0 for ReLU.
        logits: `B`, `(classes, size + units)`.
        biases: `b`, `(classes,)`.
    """

    size: int
    units: Array
    offsets: Array
    low: Array
    high: Array
    left_coefficients: Array
    logits: Array
    biases: Array


def count_relu_units(graph: Graph) -> int:
    """How many units the network's activations have, all of them ReLU or LeakyReLU.

    Args:
        graph: The network.

    Returns:
        The number.

    Raises:
        NotSupportedError: If an activation is not of two linear pieces that meet at 0.
    """
    count = 0
    for place, operation in graph.nonlinear.items():
        if not isinstance(operation, Activation) or operation.pieces is None:
            raise NotSupportedError(f"exact: expected ReLU layers only, found {', '.join(graph.nonlinear_names)}")
        count += math.prod(graph.shapes[place])
    return count


def encode(relaxed: Relaxation) -> Encoding:
    """Write the network down around one input, inside the region that it was relaxed on.

    Source: Tjeng, Xiao and Tedrake (2019).

    Args:
        relaxed: The network's bounds on a region of one input, `(1, *input)`.

    Returns:
        The encoding; `count_relu_units` says for which networks.
    """
    graph, center = relaxed.graph, relaxed.region.center
    size = center.numel()
    total = size + sum(int(_can_change_sign(relaxed, place).sum()) for place in graph.nonlinear)
    writer = _Writer(relaxed, size, total)
    columns = [torch.eye(total, size, dtype=center.dtype, device=center.device).reshape(total, *center.shape[1:])]
    constants = [center]
    for place, step in enumerate(graph.steps, start=1):
        inputs, parts = [columns[i] for i in step.inputs], [constants[i] for i in step.inputs]
        if isinstance(step.operation, Affine):
            columns.append(step.operation.apply(*inputs) - step.operation.constant)
            constants.append(step.operation.apply(*parts))
        elif isinstance(step.operation, Activation):
            column, constant = writer.add_activations(place, step.operation, inputs[0], parts[0])
            columns.append(column)
            constants.append(constant)
    return writer.finish(columns[-1], constants[-1])


def _can_change_sign(relaxed: Relaxation, place: int) -> Tensor:
    """Which units of an activation can change sign, `(units,)`."""
    (source,) = relaxed.graph.step(place).inputs
    return ((relaxed.low[source] < 0) & (relaxed.high[source] > 0)).flatten()


@dataclass
class _Writer:
    """Collects the units that can change sign, of `total` variables with the `size` entries of the input."""

    relaxed: Relaxation
    size: int
    total: int
    parts: list[tuple[Tensor, ...]] = field(default_factory=list[tuple[Tensor, ...]])

    @property
    def used(self) -> int:
        """How many of the variables stand for something."""
        return self.size + sum(len(part[0]) for part in self.parts)

    def add_activations(
        self, place: int, activation: Activation, column: Tensor, constant: Tensor
    ) -> tuple[Tensor, Tensor]:
        """One layer of activations: columns `(total, *shape)` and constant `(1, *shape)` of its output."""
        left, right = activation.pieces or (0.0, 1.0)
        (source,), undecided = self.relaxed.graph.step(place).inputs, _can_change_sign(self.relaxed, place)
        low, high = self.relaxed.low[source].flatten(), self.relaxed.high[source].flatten()
        flat, offset = column.flatten(1), constant.flatten()
        kept, first = undecided.nonzero().flatten(), self.used
        left_coefficients = torch.full_like(low, left)
        self.parts.append((flat.T[kept], offset[kept], low[kept], high[kept], left_coefficients[kept]))
        factor = torch.where(undecided, 0.0, torch.where(low >= 0, right, left))
        flat, offset = flat * factor, offset * factor
        flat[torch.arange(first, first + len(kept), device=kept.device), kept] = 1.0
        return flat.reshape(column.shape), offset.reshape(constant.shape)

    def finish(self, column: Tensor, constant: Tensor) -> Encoding:
        """The encoding, from the logits' columns and constants."""
        empty = column.new_zeros(0)
        nothing = (column.new_zeros(0, self.total), empty, empty, empty, empty)
        units, offsets, low, high, left = (_array(torch.cat(part)) for part in zip(nothing, *self.parts, strict=True))
        return Encoding(self.size, units, offsets, low, high, left, _array(column.T), _array(constant.flatten()))


def _array(value: Tensor) -> Array:
    return value.detach().cpu().numpy()
