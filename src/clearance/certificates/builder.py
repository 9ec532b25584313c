"""The graph under construction: values, sizes, and how a step is added."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from clearance.certificates.graph import Graph, Step
from clearance.certificates.operations import Operation, WindowMap, make_affine, refuse
from clearance.certificates.rows import Rows, WindowRows

META_BATCH = 7919
"""Inputs in a meta tensor: a prime that no other side of a tensor is likely to have."""
TRIAL_BATCHES = (2, 3)
"""Batches on which a function has to keep the batch as its first dimension: two, so that no constant size passes."""

Map = Callable[[Tensor], Tensor]
"""A function of one tensor, `(batch, *shape)` to `(batch, *output)`."""


@dataclass(frozen=True)
class Ref:
    """A value of the graph: its number, and its shape for one input."""

    index: int
    shape: tuple[int, ...]

    @property
    def meta(self) -> Tensor:
        """A tensor without content of the value's shape, for a batch of `META_BATCH` inputs."""
        return torch.empty(META_BATCH, *self.shape, device="meta")


@dataclass(frozen=True)
class LogProbabilities(Ref):
    """The logarithm of a softmax, whose differences are those of the value it was made from."""

    logits: Ref


@dataclass(frozen=True)
class Size:
    """A number or a shape that depends on the batch: of use for reshaping only."""

    value: Any


class Builder:
    """Collects the steps of a graph.

    Args:
        shape: Shape of one input.
        device: Where the constants live.
        dtype: Of the constants.
    """

    def __init__(self, shape: tuple[int, ...], device: torch.device, dtype: torch.dtype = torch.float64) -> None:
        self.device = device
        self.like = torch.zeros((), dtype=dtype, device=device)
        self.input = Ref(0, shape)
        self.steps: list[Step] = []

    def add(self, operation: Operation, *inputs: Ref) -> Ref:
        """A step on earlier values."""
        zeros = (self.like.new_zeros(1, *value.shape) for value in inputs)
        shape = tuple(operation.apply(*zeros).shape[1:])
        self.steps.append(Step(operation, tuple(value.index for value in inputs), shape))
        return Ref(len(self.steps), shape)

    def constants(self, *values: Tensor | None) -> list[Any]:
        """Constants of the network in the graph's precision; `None` stays `None`."""
        return [None if value is None else value.detach().to(self.like) for value in values]

    def affine(
        self,
        name: str,
        function: Map,
        x: Ref,
        *,
        absolute: Map | None = None,
        transpose: Map | None = None,
        mixes: bool = False,
        windowed: Callable[[WindowRows], Rows] | None = None,
        entrywise: bool = False,
        matrix: tuple[object, ...] = (),
    ) -> Ref:
        """An affine step on one value; see `make_affine`."""
        return self.combine(
            name,
            function,
            x,
            absolute=absolute,
            transpose=transpose,
            mixes=mixes,
            windowed=None if windowed is None else lambda rows: (windowed(rows),),
            entrywise=entrywise,
            matrix=matrix,
        )

    def combine(
        self,
        name: str,
        function: Callable[..., Tensor],
        *inputs: Ref,
        absolute: Callable[..., Tensor] | None = None,
        transpose: Map | None = None,
        mixes: bool = False,
        windowed: WindowMap | None = None,
        entrywise: bool = False,
        matrix: tuple[object, ...] = (),
    ) -> Ref:
        """An affine step on several values; the batch must stay the first dimension."""
        for count in TRIAL_BATCHES:
            if function(*(self.like.new_zeros(count, *value.shape) for value in inputs)).shape[:1] != (count,):
                refuse("the batch does not stay the first dimension")
        shapes = [value.shape for value in inputs]
        step = make_affine(
            name,
            function,
            shapes,
            self.like,
            absolute=absolute,
            transpose=transpose,
            mixes=mixes,
            windowed=windowed,
            entrywise=entrywise,
            matrix=matrix,
        )
        return self.add(step, *inputs)

    def reshape(self, x: Ref, meta: Tensor) -> Ref:
        """The same numbers in the shape of `meta`, whose batch must be the first dimension."""
        if meta.shape[:1] != (META_BATCH,) or meta.numel() != META_BATCH * math.prod(x.shape):
            refuse("the batch does not stay the first dimension")
        shape = tuple(meta.shape[1:])
        if shape == x.shape:
            return x
        return self.affine(
            "reshape",
            lambda t: t.reshape(len(t), *shape),
            x,
            transpose=lambda rows: rows.reshape(len(rows), *x.shape),
            entrywise=True,
        )

    def graph(self, logits: Ref) -> Graph:
        """The graph up to a value, which holds the logits: what comes after it does not count.

        Log-probabilities are left out, as their margins are those of what they were made from.
        """
        if isinstance(logits, LogProbabilities):
            logits = logits.logits
        return Graph(self.input.shape, tuple(self.steps[: logits.index]))
