"""Block maxima: what the extreme-value step is fed with, whichever rule finds them.

A sampler is a function `(problem, radius, blocks, block_size, purpose, beat) -> (maxima (targets, blocks), evidence)`
whose blocks are independent runs of one randomised rule. `uniform` is the paper's rule (Weng et al. 2018, algorithm 1,
lines 2 to 8), with the forward pass shared by all targets; `directed` spends a block on a
search (`samplers.gradient_search`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from clearance.estimates.evidence import Evidence, MarginProblem
from clearance.estimates.samplers.block_maxima import BlockMaxima, run_searches, run_uniform
from clearance.estimates.samplers.curvature_search import directed_bends, uniform_bends
from clearance.estimates.samplers.gradient_search import search_blocks
from clearance.model.gradients import margin_gradient_norms

Sampler = Callable[..., BlockMaxima]


def uniform_blocks(
    problem: MarginProblem,
    radius: float,
    blocks: Sequence[int],
    block_size: int,
    purpose: str,
    beat: float | None = None,
) -> BlockMaxima:
    """Maxima of `||∇g||_q` over `block_size` uniform points of the ball, fresh ones for each block.

    Args:
        problem: The input and its targets.
        radius: Radius of the ball; the same block draws the same points in every ball, scaled.
        blocks: Numbers of the blocks; each names its own random stream.
        block_size: Points per block.
        purpose: Names the family of random streams.
        beat: Ignored: uniform points do not look for anything.

    Returns:
        The maxima `(targets, len(blocks))` and, for each target, what was met.
    """
    del beat

    def measure(points: Tensor, _: torch.Generator, evidence: list[Evidence]) -> Tensor:
        margins, norms = margin_gradient_norms(problem.model, points, problem.predicted, problem.targets, problem.dual)
        for index, found in enumerate(evidence):
            found.add(problem, index, points, margins[:, index], norms[:, index])
        return norms.nan_to_num(-torch.inf, -torch.inf).amax(0)

    return run_uniform(problem, radius, blocks, block_size, purpose, measure)


def directed_blocks(
    problem: MarginProblem,
    radius: float,
    blocks: Sequence[int],
    block_size: int,
    purpose: str,
    beat: float | None = None,
) -> BlockMaxima:
    """Maxima of `||∇g||_q` over independent directed searches of `block_size` gradients each.

    Args:
        problem: The input and its targets; each target has searches of its own.
        radius: Radius of the ball.
        blocks: Numbers of the blocks; each names its own random streams.
        block_size: Gradient evaluations per search.
        purpose: Names the family of random streams.
        beat: A radius that the searches should try to refute.

    Returns:
        The maxima `(targets, len(blocks))` and, for each target, what was met.
    """

    def search(single: MarginProblem, group: Sequence[int]) -> tuple[Tensor, Evidence]:
        return search_blocks(single, radius=radius, blocks=group, block_size=block_size, purpose=purpose, beat=beat)

    return run_searches(problem, blocks, search)


SAMPLERS: dict[str, Sampler] = {"uniform": uniform_blocks, "directed": directed_blocks}
CURVATURE_SAMPLERS: dict[str, Sampler] = {"uniform": uniform_bends, "directed": directed_bends}
"""The same at second order, where a block's maximum is one of curvatures (`samplers.curvature_search`)."""
