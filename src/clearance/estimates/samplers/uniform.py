"""Uniform sampling of the ball, the rule of both papers: a block is fresh uniform points, its maximum the largest.

First order: gradient norms (Weng, Zhang, Chen, Yi, Su, Gao, Hsieh and Daniel 2018, algorithm 1, lines 2 to 8), with the
forward pass shared by all targets. Second order: curvatures, each from as many Hessian-vector products as it takes to
converge (Weng, Zhang, Chen, Lozano, Hsieh and Daniel 2018, "On Extensions of CLEVER", section 3.4).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from clearance.estimates.evidence import Evidence, MarginProblem
from clearance.estimates.samplers.block_maxima import BlockMaxima, run_uniform
from clearance.estimates.samplers.point_curvature import measure_curvature
from clearance.model.gradients import margin_gradient_norms


def uniform_gradients(
    problem: MarginProblem,
    radius: float,
    blocks: Sequence[int],
    block_size: int,
    purpose: str,
    refute: float | None = None,
) -> BlockMaxima:
    """Maxima of `||∇g||_q` over `block_size` uniform points of the ball, fresh ones for each block.

    Source: Weng, Zhang, Chen, Yi, Su, Gao, Hsieh and Daniel 2018, algorithm 1, lines 2 to 8.

    Args:
        problem: The input and its targets.
        radius: Radius of the ball; the same block draws the same points in every ball, scaled.
        blocks: Numbers of the blocks; each names its own random stream.
        block_size: Points per block.
        purpose: Names the family of random streams.
        refute: Ignored: uniform points do not look for anything.

    Returns:
        The maxima `(targets, len(blocks))` and, for each target, what was met.
    """
    del refute

    def measure(points: Tensor, _: torch.Generator, evidence: list[Evidence]) -> Tensor:
        margins, norms = margin_gradient_norms(
            problem.model, points, problem.predicted, problem.targets, problem.directions.support
        )
        for index, found in enumerate(evidence):
            found.add(problem, index, points, margins[:, index], norms[:, index])
        return norms.nan_to_num(-torch.inf, -torch.inf).amax(0)

    return run_uniform(problem, radius, blocks, block_size, purpose, measure)


def uniform_curvatures(
    problem: MarginProblem,
    radius: float,
    blocks: Sequence[int],
    block_size: int,
    purpose: str,
    refute: float | None = None,
) -> BlockMaxima:
    """Maxima of the curvature over `block_size` uniform points of the ball, fresh ones for each block.

    The curvature is `||H||_{p→q}`, or `max(0, -λ_min(H))`, as `problem.taylor` says. Source: Weng, Zhang, Chen, Lozano,
    Hsieh and Daniel 2018, "On Extensions of CLEVER", section 3.4.

    Args:
        problem: The input and its targets, with `taylor`.
        radius: Radius of the ball.
        blocks: Numbers of the blocks; each names its own random stream.
        block_size: Points per block.
        purpose: Names the family of random streams.
        refute: Ignored: uniform points do not look for anything.

    Returns:
        The maxima `(targets, len(blocks))` and, for each target, what was met.
    """
    del refute

    def measure(points: Tensor, generator: torch.Generator, evidence: list[Evidence]) -> Tensor:
        found = [measure_curvature(problem, index, points, generator, met) for index, met in enumerate(evidence)]
        return torch.stack(found)

    return run_uniform(problem, radius, blocks, block_size, purpose, measure)
