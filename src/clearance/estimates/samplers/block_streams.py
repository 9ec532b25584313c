"""What searches that run side by side share: a random stream for each block, and steps that shrink."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from clearance.estimates.evidence import MarginProblem
from clearance.geometry.balls import sample_shifts
from clearance.model.seeds import make_generator

FINAL_STEP = 0.02
"""Steps shrink along a cosine from 1 to this share of their first length: fine, yet not standing still."""


def block_stream(problem: MarginProblem, purpose: str, block_size: int, block: int) -> torch.Generator:
    """The random stream of one block: the same whatever other blocks there are.

    Source: this project.

    Args:
        problem: One input with exactly one target.
        purpose: Names the family of random streams.
        block_size: What the block may spend.
        block: The block's number.

    Returns:
        A generator on the input's device.
    """
    keys = (purpose, problem.key, int(problem.targets[0]), block_size, block)
    return make_generator(problem.x0.device, problem.seed, *keys)


@dataclass(frozen=True)
class BlockStreams:
    """Random numbers for blocks that run side by side, each from its own stream.

    Source: this project.

    Attributes:
        problem: The input.
        radius: Radius of the ball.
        generators: One for each block.
    """

    problem: MarginProblem
    radius: float
    generators: list[torch.Generator]

    def uniform(self) -> Tensor:
        """One number in [0, 1) per block, `(blocks,)`."""
        dtype = self.problem.x0.dtype
        return torch.cat([torch.rand(1, generator=g, device=g.device, dtype=dtype) for g in self.generators])

    def between(self, low: float, high: float) -> Tensor:
        """One log-uniform number between `low` and `high` per block, `(blocks,)`."""
        return (math.log(low) + self.uniform() * math.log(high / low)).exp()

    def shift(self, chosen: Tensor | None = None) -> Tensor:
        """One uniform point of the ball around 0 for each (chosen) block, else 0; `(blocks, *input)`."""
        x0 = self.problem.x0
        points = torch.zeros(len(self.generators), *x0.shape, device=x0.device, dtype=x0.dtype)
        rows = range(len(points)) if chosen is None else chosen.nonzero().flatten().tolist()
        for row in rows:
            generator = self.generators[row]
            points[row] = sample_shifts(x0, 1, norm=self.problem.norm, radius=self.radius, generator=generator)[0]
        return points


def shrinking(step: int, steps: int) -> float:
    """The factor of a step's length: `f + (1 - f) (1 + cos(π step / steps)) / 2`, from 1 towards `f = FINAL_STEP`.

    Source: this project.

    >>> shrinking(0, 8)
    1.0
    """
    return FINAL_STEP + (1 - FINAL_STEP) * 0.5 * (1 + math.cos(math.pi * step / steps))
