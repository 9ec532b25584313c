"""A network as a list of steps in order, in float64.

Values are numbered: value 0 is the input, value `i` is what step `i` makes of earlier values, the last value holds the
logits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from clearance.certificates.operations import Affine, NonlinearOperation, Operation

LARGEST_TENSOR = 2**22
"""Numbers in one tensor of coefficients at most, 32 MiB: large enough that the overhead of a call does not count."""


@dataclass(frozen=True)
class Step:
    """One step of a network.

    Attributes:
        operation: What it does.
        inputs: Numbers of the values that it takes.
        shape: Shape of its output without the batch dimension.
    """

    operation: Operation
    inputs: tuple[int, ...]
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Graph:
    """The steps of a network.

    Source: this project.

    Attributes:
        input_shape: Shape of one input.
        steps: Step `i` at place `i - 1`; none in a network that returns its input.
    """

    input_shape: tuple[int, ...]
    steps: tuple[Step, ...]

    @property
    def last(self) -> int:
        """Number of the value that holds the logits."""
        return len(self.steps)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the logits of one input: `(classes,)`."""
        return self.shapes[-1]

    @cached_property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shape of each value for one input; that of the input first."""
        return (self.input_shape, *(step.shape for step in self.steps))

    def step(self, index: int) -> Step:
        """The step that makes a value, which is not the input."""
        return self.steps[index - 1]

    @cached_property
    def nonlinear(self) -> dict[int, NonlinearOperation]:
        """The steps that are not affine, such as activations, by number, in order."""
        return {
            index: step.operation
            for index, step in enumerate(self.steps, start=1)
            if not isinstance(step.operation, Affine)
        }

    @cached_property
    def preactivations(self) -> frozenset[int]:
        """The values that feed a step that is not affine: their bounds decide how tight all later ones are."""
        return frozenset(source for index in self.nonlinear for source in self.step(index).inputs)

    @cached_property
    def independent(self) -> frozenset[int]:
        """The input, and the values that are made of it entry by entry: in a box their entries vary independently."""
        found = {0}
        for index, step in enumerate(self.steps, start=1):
            if isinstance(step.operation, Affine) and step.operation.entrywise and step.inputs[0] in found:
                found.add(index)
        return frozenset(found)

    @cached_property
    def last_used_by(self) -> dict[int, tuple[int, ...]]:
        """For each step the values that no later step takes."""
        last = {source: index for index, step in enumerate(self.steps, start=1) for source in step.inputs}
        return {index: tuple(source for source, user in last.items() if user == index) for index in set(last.values())}

    @cached_property
    def widest(self) -> int:
        """How many numbers the largest value holds."""
        return max(math.prod(shape) for shape in self.shapes)

    @cached_property
    def neurons(self) -> int:
        """How many numbers feed a step that is not affine: what CROWN's cost grows with, squared."""
        return sum(math.prod(self.shapes[index]) for index in self.preactivations)

    @property
    def nonlinear_names(self) -> Sequence[str]:
        """Names of the steps that are not affine, each once."""
        return sorted({operation.name for operation in self.nonlinear.values()})

    def __call__(self, x: Tensor) -> Tensor:
        """Logits `(batch, classes)` of `(batch, *input)`, for as many inputs at a time as fit."""
        return torch.cat([self.values(part)[-1] for part in x.split(self.fitting())])

    def fitting(self, rows: int = 1) -> int:
        """How many inputs, each with so many rows of coefficients of the largest value, are worked on at a time."""
        return max(1, LARGEST_TENSOR // (self.widest * rows))

    def values(self, x: Tensor) -> list[Tensor]:
        """Every value, `(batch, *shape)` each, from the input on."""
        values = [x]
        for step in self.steps:
            values.append(step.operation.apply(*(values[i] for i in step.inputs)))
        return values
