"""The graph under construction: values, sizes, and how a step is added."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from clearance.certificates.graph import Node
from clearance.certificates.operations import Operation, make_affine, refuse

PROBE = 7919
"""Inputs in a meta tensor: a number that no other side of a tensor is likely to have."""
TRIALS = (2, 3)
"""Batches on which a function has to keep the batch as its first dimension."""

Map = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Ref:
    """The value of a node: its index, and its shape for one input."""

    index: int
    shape: tuple[int, ...]

    @property
    def meta(self) -> Tensor:
        """A tensor without content of the value's shape, for a batch of `PROBE` inputs."""
        return torch.empty(PROBE, *self.shape, device="meta")


@dataclass(frozen=True)
class Size:
    """A number or a shape that depends on the batch: of use for reshaping only."""

    value: Any


class Builder:
    """Collects the nodes of a graph.

    Args:
        shape: Shape of one input.
        device: Where the constants live.
    """

    def __init__(self, shape: tuple[int, ...], device: torch.device) -> None:
        self.device = device
        self.like = torch.zeros((), dtype=torch.float64, device=device)
        self.nodes = [Node(None, (), shape)]

    def add(self, operation: Operation, *inputs: Ref) -> Ref:
        """A step on earlier values."""
        zeros = (self.like.new_zeros(1, *value.shape) for value in inputs)
        shape = tuple(operation.apply(*zeros).shape[1:])
        self.nodes.append(Node(operation, tuple(value.index for value in inputs), shape))
        return Ref(len(self.nodes) - 1, shape)

    def affine(
        self,
        name: str,
        function: Map,
        x: Ref,
        *,
        absolute: Map | None = None,
        transpose: Map | None = None,
        mixes: bool = False,
    ) -> Ref:
        """An affine step on one value; see `make_affine`."""
        return self.combine(name, function, x, absolute=absolute, transpose=transpose, mixes=mixes)

    def combine(self, name: str, function: Callable[..., Tensor], *inputs: Ref, **facts: Any) -> Ref:
        """An affine step on several values; the batch must stay the first dimension."""
        for count in TRIALS:
            if function(*(self.like.new_zeros(count, *value.shape) for value in inputs)).shape[:1] != (count,):
                refuse("the batch does not stay the first dimension")
        return self.add(make_affine(name, function, [value.shape for value in inputs], self.like, **facts), *inputs)

    def reshape(self, x: Ref, meta: Tensor) -> Ref:
        """The same numbers in the shape of `meta`, whose batch must be the first dimension."""
        if meta.shape[:1] != (PROBE,) or meta.numel() != PROBE * math.prod(x.shape):
            refuse("the batch does not stay the first dimension")
        shape = tuple(meta.shape[1:])
        return self.affine("reshape", lambda t: t.reshape(len(t), *shape), x)
