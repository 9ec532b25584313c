"""An affine network: the distance to each hyperplane `f_c = f_t`, exact.

Without bounds it is `g_t / ||grad g_t||_q` (Hölder's inequality, which a direction attains). With bounds it is the
smallest radius at which the ball, cut by the bounds, reaches the hyperplane: exact for `p = 1, inf`; for other `p` from
below, to a relative 1e-6. Source: this project.
"""

from __future__ import annotations

import torch
from torch import Tensor

from clearance.certificates.bisection import largest_proven
from clearance.certificates.graph import Graph
from clearance.certificates.operations import NotSupportedError
from clearance.certificates.problem import Proof, VerificationProblem, as_proofs
from clearance.certificates.region import Region
from clearance.certificates.relaxation import relax
from clearance.certificates.rows import Rows
from clearance.geometry.norms import dual_norm, last_norm

LINEAR_TOLERANCE = 1e-10
"""Relative width of the bisection's last bracket: below the share that every radius gives away, as the radius is
exact."""
LINEAR_SPLITS = 60
"""Splits tried by `Region.lowest` for `1 < p < inf` with bounds: until the bound is exact to a relative 1e-6."""


def linear(problem: VerificationProblem) -> list[Proof]:
    """Certify an affine network: `min_t g_t / ||grad g_t||_q`, within bounds the distance within them.

    When the time is up, the distances without bounds stand for those within them. Source: this project.

    Args:
        problem: What to prove, with inputs `(batch, *input)`.

    Returns:
        One proof per input.

    Raises:
        NotSupportedError: If the network is not affine.
    """
    check_affine(problem.graph)
    return [proof for part in problem.parts() for proof in _linear(part)]


def check_affine(graph: Graph) -> None:
    """See whether a network has no nonlinear step.

    Args:
        graph: The network.

    Raises:
        NotSupportedError: If it has.
    """
    if graph.nonlinear:
        raise NotSupportedError(f"linear: expected an affine network, found {', '.join(graph.nonlinear_names)}")


def _linear(problem: VerificationProblem) -> list[Proof]:
    graph, rows, gaps = problem.graph, problem.rows, problem.gaps()
    at_input = relax(graph, Region(problem.x, torch.zeros_like(gaps[:, 0]), problem.norm, None))
    radii, timed_out = torch.empty_like(gaps), torch.zeros_like(gaps, dtype=torch.bool)
    for some in torch.arange(gaps.shape[1], device=gaps.device).split(max(1, graph.fitting() // len(gaps))):
        gradients = at_input.bound_backward(graph.last, Rows(rows[:, some]))[0].values
        length = last_norm(gradients.flatten(2), dual_norm(problem.norm))
        constant = torch.where(gaps[:, some] > 0, torch.inf, 0.0)
        radii[:, some] = torch.where(length > 0, gaps[:, some] / length, constant)
        for place, t in enumerate(some.tolist() if problem.bounds is not None else ()):
            radii[:, t], timed_out[:, t] = _within(problem, gradients[:, [place]], gaps[:, t], radii[:, t])
    return as_proofs(radii, problem, timed_out=timed_out)


def _within(problem: VerificationProblem, gradient: Tensor, gaps: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
    """The distances to one hyperplane within the bounds, and which were cut short; `start` are those without bounds."""
    if problem.time_is_up():
        return start, torch.ones_like(start, dtype=torch.bool)
    at_input = (gradient.flatten(2) @ problem.x.flatten(1)[:, :, None])[..., 0]

    def lowest(radius: Tensor) -> Tensor:
        region = Region(problem.x, radius, problem.norm, problem.bounds)
        return region.lowest(Rows(gradient), splits=LINEAR_SPLITS) - at_input + gaps[:, None]

    limit = Region(problem.x, start, problem.norm, problem.bounds).covered()
    first = start.nan_to_num(1.0, posinf=1.0).clamp(1e-9, 1e9)
    found = largest_proven(lowest, first, limit, at_proven=gaps, tolerance=LINEAR_TOLERANCE, stop=problem.time_is_up)
    return torch.maximum(found.proven, start), found.timed_out
