"""The curvature of a margin at given points: at the input itself, and at those that a sampler draws.

`||H||_{p→q}`, or `max(0, -λ_min(H))`, from Hessian-vector products (`model.curvature`).
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from clearance.estimates.evidence import Evidence, MarginProblem
from clearance.estimates.second_order import Taylor
from clearance.geometry.norms import vector_norm
from clearance.model.curvature import Kind, margin_curvature
from clearance.model.gradients import margin_gradients
from clearance.model.seeds import make_generator

SAMPLE_TOLERANCE = 3e-3
"""Relative error of the curvature of a point that was sampled: well below the spread of block maxima."""
MOST_PRODUCTS = 32
"""Products at most for one point, or one start of it: three times what Lanczos takes on tanh networks on average."""
POWER_METHOD_STARTS = 3
"""First directions at each point for norms other than 2, where the power method can end in a local maximum."""
INPUT_STREAM = "centre"
"""Names the random stream of the curvature at the input. The word is hashed into its seed: changing it changes bits."""


def with_taylor(problem: MarginProblem, kind: Kind) -> MarginProblem:
    """The problem at second order: with the gradients of its margins at the input.

    The linear term `<∇g(x0), δ>` of Weng, Zhang, Chen, Lozano, Hsieh and Daniel 2018, "On Extensions of CLEVER",
    equation 4, and its dual norm `b = ||∇g(x0)||_q`.

    Args:
        problem: The input and its targets, `(k,)`.
        kind: Which curvature.

    Returns:
        The same problem with `taylor` set: gradients `(k, *input)`, their norms `(k,)`.
    """
    points = problem.x0.expand(len(problem.targets), *problem.x0.shape)
    _, gradients = margin_gradients(problem.model, points, problem.predicted, problem.targets)
    norms = vector_norm(gradients, problem.dual)
    return replace(problem, taylor=Taylor(kind, gradients, norms))


def curvature_kind(problem: MarginProblem) -> Kind:
    """Which curvature a problem at second order asks for: `"norm"` or `"one-sided"`."""
    assert problem.taylor is not None, "curvature is asked for at second order only"
    return problem.taylor.kind


def input_curvatures(problem: MarginProblem) -> list[Evidence]:
    """What the curvature at the input itself says about each target.

    Source: Weng, Zhang, Chen, Lozano, Hsieh and Daniel 2018, theorem 3.1, which needs the curvature of the whole ball.

    Args:
        problem: The input and its targets, with `taylor`.

    Returns:
        Evidence for each target: the curvature at `x0`, at distance 0.
    """
    found = [Evidence() for _ in problem.targets]
    generator = make_generator(problem.x0.device, problem.seed, INPUT_STREAM, problem.key)
    for index, evidence in enumerate(found):
        measure_curvature(problem, index, problem.x0[None], generator, evidence)
    return found


def measure_curvature(
    problem: MarginProblem, index: int, points: Tensor, generator: torch.Generator, evidence: Evidence
) -> Tensor:
    """The largest curvature of some points, each solved from random directions of its own.

    For `p = 2` by the Lanczos process, for other norms by the nonlinear power method (Boyd 1974; Higham 1992): see
    `model.curvature.margin_curvature`.

    Args:
        problem: The input and its targets, with `taylor`.
        index: Which of the targets.
        points: `(batch, *input)`.
        generator: Where first directions are drawn from.
        evidence: Takes in what is met.

    Returns:
        The largest, a scalar; points that are not finite do not count.
    """
    starts = 1 if problem.norm == 2 else POWER_METHOD_STARTS
    draw = torch.randn(starts, *points.shape, generator=generator, device=points.device, dtype=points.dtype)
    found = margin_curvature(
        problem.model,
        points,
        problem.predicted,
        int(problem.targets[index]),
        draw,
        norm=problem.norm,
        kind=curvature_kind(problem),
        tolerance=SAMPLE_TOLERANCE,
        most=MOST_PRODUCTS,
    )
    evidence.add(problem, index, points, found.margins, found.values)
    return found.values.nan_to_num(-torch.inf, -torch.inf).amax()
