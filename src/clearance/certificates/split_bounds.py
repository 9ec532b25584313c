"""Lower bounds of margins where the signs of some units are given: CROWN's, with multipliers that gradients improve.

A subproblem is the part of a ball in which some units have a given sign. A linear function below its margin comes from
CROWN's backward pass (`relaxation`), in which

    a unit with a sign       is linear, and its constraint `s z >= 0` is added with a multiplier `b >= 0`: `- b s z`
    any other unit           lies between its chord and a line through the origin, whose coefficient is `l + (1 - l) a`

with `l` the derivative left of 0 (0 for ReLU) and `a` in [0, 1]. Every `a` and every `b` gives a valid bound (weak
duality), so they are chosen in float32 by projected gradient ascent, and the bound that counts is computed in float64.
Source: beta-CROWN (Wang et al. 2021, theorem 3.1), alpha-CROWN (Xu et al. 2021).

The gradient costs one pass forwards instead of automatic differentiation: at the point of the region where the linear
function is smallest, the bound is the relaxed network itself, in which each multiplier appears once (envelope theorem).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from clearance.certificates.graph import Graph
from clearance.certificates.layers.activations import Activation
from clearance.certificates.operations import Affine, NotSupportedError
from clearance.certificates.region import Region
from clearance.certificates.relaxation import Relaxation
from clearance.certificates.rows import Rows
from clearance.certificates.subproblems import Signs, Subproblems


@dataclass(frozen=True)
class Layer:
    """The units of one activation, `entries` of them, and which of them can change sign on the region.

    Attributes:
        source: Number of the value that it takes.
        columns: Its units that can change sign, as a slice of all those of the network.
        undecided: Places of these units in the flat value, `(columns,)`.
        positive: Whether each other unit is positive, `(entries,)`.
        fixed: Its coefficient, `(entries,)`.
        left: Derivative left of 0.
        chord: Coefficient of the line above each undecided unit, `(columns,)`.
        height: Its value at 0, `(columns,)`.
        largest: Largest size of each undecided unit, `(columns,)`.
    """

    source: int
    columns: slice
    undecided: Tensor
    positive: Tensor
    fixed: Tensor
    left: float
    chord: Tensor
    height: Tensor
    largest: Tensor


@dataclass(frozen=True)
class Pass:
    """What one backward pass found.

    Attributes:
        coefficients: Of the input, `(n, *input)`.
        offset: `(n,)`.
        weights: Coefficient of each unit's output, `(n, units)`.
    """

    coefficients: Tensor
    offset: Tensor
    weights: Tensor


@dataclass(frozen=True)
class SplitBounds:
    """The bounds of subproblems of one input on a ball.

    Source: Wang et al. (2021), theorem 3.1.

    Attributes:
        graph: The network.
        region: The ball, of a batch of one input.
        layers: Its activations by number.
        units: How many units can change sign on the ball.
        top: Number of the value that the rows are coefficients of; 0: the logits.
    """

    graph: Graph
    region: Region
    layers: dict[int, Layer]
    units: int
    top: int = 0

    def single(self, graph: Graph) -> SplitBounds:
        """The same in float32, with the network made in it."""
        region = self.region
        bounds = None if region.bounds is None else (region.bounds[0].float(), region.bounds[1].float())
        smaller = Region(region.center.float(), region.radius.float(), region.norm, bounds)
        layers = {
            place: replace(
                layer,
                fixed=layer.fixed.float(),
                chord=layer.chord.float(),
                height=layer.height.float(),
                largest=layer.largest.float(),
            )
            for place, layer in self.layers.items()
        }
        return SplitBounds(graph, smaller, layers, self.units, self.top)

    def root(self, rows: Tensor) -> Subproblems:
        """The whole ball, for each row of coefficients, `(n, classes)`; `a` encloses the least area."""
        start = rows.new_zeros(self.units)
        for layer in self.layers.values():
            start[layer.columns] = (layer.chord > (1 + layer.left) / 2).to(start)
        signs = torch.zeros(len(rows), self.units, dtype=torch.int8, device=rows.device)
        return Subproblems(rows, signs, start.expand(len(rows), -1).clone())

    def backward(self, given: Subproblems) -> Pass:
        """One linear function of the input below each margin."""
        rows, offset = given.rows, given.rows.new_zeros(len(given.rows))
        top = self.top or self.graph.last
        waiting, weights = {top: Rows(rows[None])}, rows.new_zeros(len(rows), self.units)
        for place in range(top, 0, -1):
            coefficients = waiting.pop(place, None)
            if coefficients is None:
                continue
            step = self.graph.step(place)
            if isinstance(step.operation, Affine):
                parts, more = step.operation.bound_backward(coefficients)
                more = more[0]
            else:
                values, more = self._through(place, coefficients.values[0], given, weights)
                parts = (Rows(values[None]),)
            offset = offset + more
            for source, part in zip(step.inputs, parts, strict=True):
                waiting[source] = waiting[source] + part if source in waiting else part
        if 0 not in waiting:
            return Pass(rows.new_zeros(len(rows), *self.graph.input_shape), offset, weights)
        return Pass(waiting[0].whole().values[0], offset, weights)

    def _through(self, place: int, values: Tensor, given: Subproblems, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Coefficients of an activation's input, and the offset; `weights` takes those of its undecided units."""
        layer, signs = self.layers[place], given.at(self.layers[place].columns)
        flat = values.flatten(1)
        weight, found = flat[:, layer.undecided], flat * layer.fixed
        weights[:, layer.columns] = weight
        multipliers = given.multipliers[:, layer.columns]
        through = weight * _coefficient(layer, weight, signs, multipliers)
        found[:, layer.undecided] = through - signs.value * multipliers
        offset = (weight.clamp_max(0.0) * signs.free) @ layer.height
        return found.reshape(values.shape), offset

    def gradient(self, given: Subproblems, passed: Pass, point: Tensor) -> Tensor:
        """The bounds' derivatives with respect to the multipliers, `(n, units)`.

        Args:
            given: The subproblems.
            passed: Their backward pass.
            point: Where its functions are smallest, `(n, *input)`.

        Returns:
            The derivatives.
        """
        found, values = torch.zeros_like(given.multipliers), {0: point}
        last = max((place for place in self.layers if not self.top or place < self.top), default=0)
        for place in range(1, last + 1):
            step = self.graph.step(place)
            if isinstance(step.operation, Affine):
                values[place] = step.operation.apply(*(values[i] for i in step.inputs))
                continue
            layer = self.layers[place]
            before = values[layer.source].flatten(1)
            z, weight = before[:, layer.undecided], passed.weights[:, layer.columns]
            signs, multipliers = given.at(layer.columns), given.multipliers[:, layer.columns]
            found[:, layer.columns] = ((1 - layer.left) * weight.clamp_min(0.0) * signs.free - signs.value) * z
            after = before * layer.fixed
            lifted = layer.height * (signs.free * (weight < 0))
            after[:, layer.undecided] = z * _coefficient(layer, weight, signs, multipliers) + lifted
            values[place] = after.reshape(values[layer.source].shape)
        return found

    def lowest(self, passed: Pass) -> tuple[Tensor, Tensor]:
        """The smallest value on the ball of each function, `(n,)`, and where it is, `(n, *input)`."""
        least, point = self.region.lowest_and_where(passed.coefficients)
        return least + passed.offset, point

    @cached_property
    def heights(self) -> Tensor:
        """Value of each unit's chord at 0, `(units,)`: how far the relaxation lies above the unit at most."""
        return self._joined([layer.height for layer in self.layers.values()])

    def size_of_constraints(self, given: Subproblems) -> Tensor:
        """The sum of `b max |z|` over the constraints of each subproblem, for the rounding of their terms, `(n,)`."""
        return torch.where(given.signs == 0, 0.0, given.multipliers) @ self._joined(
            [layer.largest for layer in self.layers.values()]
        )

    @cached_property
    def place(self) -> Tensor:
        """Number of each unit that can change sign among all units of the network, in order, `(units,)`."""
        found, used = list[Tensor](), 0
        for layer in self.layers.values():
            found.append(used + layer.undecided)
            used += len(layer.fixed)
        return self._joined(found).long()

    @cached_property
    def decided(self) -> Tensor:
        """Sign on the ball of every unit of the network, `(all units,)`; of one that can change it, any."""
        return self._joined([torch.where(layer.positive, 1, -1) for layer in self.layers.values()])

    @property
    def dtype(self) -> torch.dtype:
        """In what precision it computes."""
        return self.region.center.dtype

    def _joined(self, parts: list[Tensor]) -> Tensor:
        return torch.cat(parts) if parts else self.region.center.new_zeros(0)


def _coefficient(layer: Layer, weight: Tensor, signs: Signs, multipliers: Tensor) -> Tensor:
    """The coefficient that stands for each undecided unit, `(n, columns)`."""
    below = multipliers if not layer.left else layer.left + (1 - layer.left) * multipliers
    given = signs.positive if not layer.left else layer.left + (1 - layer.left) * signs.positive
    return torch.where(signs.open, torch.where(weight >= 0, below, layer.chord), given)


def check_piecewise_linear(graph: Graph) -> None:
    """See whether a network has no other nonlinear steps than ReLU and LeakyReLU.

    Args:
        graph: The network.

    Raises:
        NotSupportedError: If it has.
    """
    for operation in graph.nonlinear.values():
        if not isinstance(operation, Activation) or operation.pieces is None:
            found = ", ".join(graph.nonlinear_names)
            raise NotSupportedError(f"branch-and-bound: expected ReLU or LeakyReLU layers only, found {found}")


def split_bounds(relaxed: Relaxation) -> SplitBounds:
    """The bounds of subproblems of the region that a network was relaxed on.

    Source: Wang et al. (2021), theorem 3.1; the intervals of the units are those of the whole region.

    Args:
        relaxed: The network's bounds on a region of one input, `(1, *input)`.

    Returns:
        The bounds; `check_piecewise_linear` says for which networks.
    """
    layers, used = dict[int, Layer](), 0
    for place, operation in relaxed.graph.nonlinear.items():
        assert isinstance(operation, Activation)
        (source,), (left, right) = relaxed.graph.step(place).inputs, operation.pieces or (0.0, 1.0)
        low, high = relaxed.low[source], relaxed.high[source]
        undecided = operation.undecided(low, high).flatten().nonzero().flatten()
        lines = operation.relax(low, high)
        columns, used = slice(used, used + len(undecided)), used + len(undecided)
        layers[place] = Layer(
            source,
            columns,
            undecided,
            (low >= 0).flatten(),
            torch.where(low >= 0, right, left).flatten().to(low),
            left,
            lines.upper.flatten()[undecided],
            lines.upper_offset.flatten()[undecided],
            torch.maximum(-low, high).flatten()[undecided],
        )
    return SplitBounds(relaxed.graph, relaxed.region, layers, used)
