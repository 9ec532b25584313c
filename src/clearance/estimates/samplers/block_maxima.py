"""How blocks are run, whatever they measure: uniform points drawn in parts, or searches that go side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from clearance.estimates.evidence import Evidence, MarginProblem
from clearance.geometry.balls import parts, sample_shifts
from clearance.model.seeds import make_generator

BlockMaxima = tuple[Tensor, list[Evidence]]
Measure = Callable[[Tensor, torch.Generator, list[Evidence]], Tensor]
Search = Callable[[MarginProblem, Sequence[int]], tuple[Tensor, Evidence]]

LOCKSTEP = 24
"""Searches that run side by side; fixed, so that a block gives the same bits however many follow it."""


def run_uniform(
    problem: MarginProblem, radius: float, blocks: Sequence[int], block_size: int, purpose: str, measure: Measure
) -> BlockMaxima:
    """The largest of what is measured at `block_size` uniform points of the ball, fresh ones for each block.

    Args:
        problem: The input and its targets.
        radius: Radius of the ball; the same block draws the same points in every ball, scaled.
        blocks: Numbers of the blocks; each names its own random stream.
        block_size: Points per block.
        purpose: Names the family of random streams.
        measure: Given points, the block's stream and a place for what is met, the maximum for each target.

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

    Args:
        problem: The input and its targets; each target has searches of its own.
        blocks: Numbers of the blocks; each names its own random streams.
        search: Given the problem of one target and some blocks, their maxima and what they met.

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
