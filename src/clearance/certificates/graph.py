"""A network as a list of steps in order, read off by `torch.fx`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from clearance.certificates.activations import Activation
from clearance.certificates.operations import Affine, Operation

CHUNK = 2**22
"""Numbers in one tensor at most: 32 MiB."""


@dataclass(frozen=True)
class Node:
    """One step: what it does, to which earlier nodes, and the shape of its output without the batch dimension.

    The first node of a graph is the input and has no operation.
    """

    operation: Operation | None
    inputs: tuple[int, ...]
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Graph:
    """The steps of a network in float64; the last node holds the logits."""

    nodes: tuple[Node, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the logits of one input: `(classes,)`."""
        return self.nodes[-1].shape

    @cached_property
    def bent(self) -> tuple[int, ...]:
        """The nodes that are not affine."""
        return tuple(i for i, node in enumerate(self.nodes) if i and not isinstance(node.operation, Affine))

    @cached_property
    def before_bends(self) -> frozenset[int]:
        """The nodes that feed one that is not affine: their bounds decide how tight everything after them is."""
        return frozenset(source for i in self.bent for source in self.nodes[i].inputs)

    @cached_property
    def widest(self) -> int:
        """How many numbers the largest node holds."""
        return max(_size(node.shape) for node in self.nodes)

    @cached_property
    def neurons(self) -> int:
        """How many numbers feed something that is not affine: what CROWN's cost grows with, squared."""
        return sum(_size(self.nodes[i].shape) for i in self.before_bends)

    @property
    def kinds(self) -> Sequence[str]:
        """Names of the steps that are not affine, each once."""
        return sorted({operation.name for i in self.bent if (operation := self.nodes[i].operation) is not None})

    def activation(self, index: int) -> Activation | None:
        """The activation at a node, if it is one."""
        operation = self.nodes[index].operation
        return operation if isinstance(operation, Activation) else None

    def __call__(self, x: Tensor) -> Tensor:
        """Logits `(batch, classes)` of `(batch, *input)`, for as many inputs at a time as fit."""
        return torch.cat([self._answer(part) for part in x.split(self.fitting())])

    def fitting(self, rows: int = 1) -> int:
        """How many inputs, each with so many rows of coefficients of the widest node, are worked on at a time."""
        return max(1, CHUNK // (self.widest * rows))

    def _answer(self, x: Tensor) -> Tensor:
        values: list[Tensor] = [x]
        for node in self.nodes[1:]:
            if node.operation is not None:
                values.append(node.operation.apply(*(values[i] for i in node.inputs)))
        return values[-1]


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for side in shape:
        size *= side
    return size
