"""How blocks are run, whatever they measure: uniform points drawn in parts, or searches that go side by side.

Algorithm 1 of Weng, Zhang, Chen, Yi, Su, Gao, Hsieh and Daniel 2018 (lines 2 to 8) takes the largest of `N_s` gradient
norms as the maximum of a block. Its extreme-value step asks of these maxima only that they are independent and
identically distributed, so that any randomised rule may find them that is run anew, with a random stream of its own,
for each block.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from clearance.estimates.evidence import Evidence, MarginProblem
from clearance.geometry.balls import parts, sample_shifts
from clearance.model.seeds import make_generator

BlockMaxima = tuple[Tensor, list[Evidence]]
"""The maxima `(targets, blocks)` and, for each target, what was met."""
Measure = Callable[[Tensor, torch.Generator, list[Evidence]], Tensor]
"""Points `(batch, *input)`, the block's stream, a place for what is met -> the largest for each target `(targets,)`."""
Search = Callable[[MarginProblem, Sequence[int]], tuple[Tensor, Evidence]]
"""The problem of one target and some blocks -> their maxima `(blocks,)`, and what they met."""

LOCKSTEP = 24
"""Searches that run side by side; fixed, so that a block gives the same bits however many follow it."""


class BlockRule(Protocol):
    """A sampler's rule of one order: what a line of `samplers.table` names."""

    def __call__(
        self,
        problem: MarginProblem,
        radius: float,
        blocks: Sequence[int],
        block_size: int,
        purpose: str,
        refute: float | None = None,
    ) -> BlockMaxima:
        """Block maxima of gradient norms, or of curvatures where the problem has `taylor`.

        Args:
            problem: The input and its targets.
            radius: Radius of the ball.
            blocks: Numbers of the blocks; each names its own random streams, so that a block is the same in any call.
            block_size: What a block may spend.
            purpose: Names the family of random streams.
            refute: A radius that searches should try to refute; rules that look for nothing ignore it.

        Returns:
            The maxima `(targets, len(blocks))` and, for each target, what was met.
        """
        ...


def run_uniform(
    problem: MarginProblem, radius: float, blocks: Sequence[int], block_size: int, purpose: str, measure: Measure
) -> BlockMaxima:
    """The largest of what is measured at `block_size` uniform points of the ball, fresh ones for each block.

    Source: Weng, Zhang, Chen, Yi, Su, Gao, Hsieh and Daniel 2018, algorithm 1, lines 2 to 8.

    Args:
        problem: The input and its targets.
        radius: Radius of the ball; the same block draws the same points in every ball, scaled.
        blocks: Numbers of the blocks; each names its own random stream.
        block_size: Points per block.
        purpose: Names the family of random streams.
        measure: Given points `(batch, *input)`, the block's stream and a place for what is met, the maximum for each
            target, `(targets,)`.

    Returns:
        The maxima `(targets, len(blocks))` and, for each target, what was met.
    """
    evidence = [Evidence() for _ in problem.targets]
    nothing = torch.full((len(problem.targets),), -torch.inf, dtype=problem.x0.dtype, device=problem.x0.device)
    maxima: list[Tensor] = []
    for block in blocks:
        generator, largest = make_generator(problem.x0.device, problem.seed, purpose, problem.key, block), nothing
        for count in parts(block_size, problem.x0.numel()):
            shift = sample_shifts(problem.x0, count, norm=problem.norm, radius=radius, generator=generator)
            found = measure(problem.admit(problem.x0 + shift), generator, evidence)
            largest = torch.maximum(largest, found)
        maxima.append(largest)
    return torch.stack(maxima, 1), evidence


def run_searches(problem: MarginProblem, blocks: Sequence[int], search: Search) -> BlockMaxima:
    """Independent searches for each target, `LOCKSTEP` blocks side by side.

    Source: this project; the blocks of Weng et al. 2018, algorithm 1, with a search in place of each block's samples.

    Args:
        problem: The input and its targets; each target has searches of its own.
        blocks: Numbers of the blocks; each names its own random streams.
        search: Given the problem of one target and some blocks, their maxima `(blocks,)` and what they met.

    Returns:
        The maxima `(targets, len(blocks))` and, for each target, what was met.
    """
    rows: list[Tensor] = []
    evidence: list[Evidence] = []
    for index in range(len(problem.targets)):
        found, columns = Evidence(), []
        for start in range(0, len(blocks), LOCKSTEP):
            best, met = search(problem.only([index]), blocks[start : start + LOCKSTEP])
            columns.append(best)
            found = found.merged(met)
        rows.append(torch.cat(columns))
        evidence.append(found)
    return torch.stack(rows), evidence
