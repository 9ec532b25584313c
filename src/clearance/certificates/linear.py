"""An affine network: the distance to each hyperplane `f_c = f_t`, exact.

Without bounds it is `g_t / ||grad g_t||_q`. With bounds it is the smallest radius at which the ball, cut by the bounds,
reaches the hyperplane: exact for `p = 1, inf`; for other `p` from below, to a relative 1e-6.
"""

from __future__ import annotations

import torch
from torch import Tensor

from clearance.certificates.bisection import largest_proven
from clearance.certificates.crown import Relaxation
from clearance.certificates.operations import NotSupportedError
from clearance.certificates.problem import Proof, VerificationProblem, as_proofs
from clearance.certificates.region import Region
from clearance.geometry.norms import dual_norm, last_norm

NARROW_ENOUGH = 1e-10
STEPS = 60


def linear(problem: VerificationProblem) -> list[Proof]:
    """Certify an affine network. When the time is up, the distances without bounds stand for those within them.

    Args:
        problem: What to prove.

    Returns:
        One proof per input.

    Raises:
        NotSupportedError: If the network is not affine.
    """
    graph = problem.graph
    if graph.bent:
        raise NotSupportedError(f"linear: expected an affine network, found {', '.join(graph.kinds)}")
    return [proof for part in problem.parts() for proof in _linear(part)]


def _linear(problem: VerificationProblem) -> list[Proof]:
    graph, rows, gaps = problem.graph, problem.rows, problem.gaps()
    at_input = Relaxation(graph, Region(problem.x, torch.zeros_like(gaps[:, 0]), problem.norm, None))
    radii, late = torch.empty_like(gaps), torch.zeros_like(gaps, dtype=torch.bool)
    for some in torch.arange(gaps.shape[1], device=gaps.device).split(max(1, graph.fitting() // len(gaps))):
        slopes, _ = at_input.pull(len(graph.nodes) - 1, rows[:, some])
        length = last_norm(slopes.flatten(2), dual_norm(problem.norm))
        free = torch.where(gaps[:, some] > 0, torch.inf, 0.0)
        radii[:, some] = torch.where(length > 0, gaps[:, some] / length, free)
        for place, t in enumerate(some.tolist() if problem.bounds is not None else ()):
            radii[:, t], late[:, t] = _within(problem, slopes[:, [place]], gaps[:, t], radii[:, t])
    return as_proofs(radii, problem, late=late)


def _within(problem: VerificationProblem, slopes: Tensor, gaps: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
    """The distances to one hyperplane within the bounds, and which the time cut short; `start` are those without."""
    if problem.late():
        return start, torch.ones_like(start, dtype=torch.bool)
    at_input = (slopes.flatten(2) @ problem.x.flatten(1)[:, :, None])[..., 0]

    def lowest(radius: Tensor) -> Tensor:
        region = Region(problem.x, radius, problem.norm, problem.bounds)
        return region.lowest(slopes, steps=STEPS) - at_input + gaps[:, None]

    limit = Region(problem.x, start, problem.norm, problem.bounds).covered()
    first = start.nan_to_num(1.0, posinf=1.0).clamp(1e-9, 1e9)
    found = largest_proven(lowest, first, limit, tolerance=NARROW_ENOUGH, late=problem.late)
    return torch.maximum(found.proven, start), found.late
