"""CROWN: linear bounds of the margins, propagated backwards (Zhang, Weng, Chen, Hsieh, Daniel 2018).

`relaxation` has the bounds. The certified radius is the largest one, by bisection, at which all margins are positive.
"""

from __future__ import annotations

import torch
from torch import Tensor

from clearance.certificates.bisection import largest_proven
from clearance.certificates.problem import Proof, VerificationProblem, make_proof
from clearance.certificates.region import Region
from clearance.certificates.relaxation import relax
from clearance.geometry.norms import dual_norm, vector_norm

CROWN_TOLERANCE = 1e-3
"""Relative width of the bisection's last bracket; the radius is its proven end. Each halving costs one evaluation of
all bounds, and CROWN itself is farther than that from the minimum distortion."""
FIRST_RADIUS = (1e-6, 1e6)
"""Where the first radius of a bisection may lie: a gradient that is nearly zero or huge says little."""


def crown(problem: VerificationProblem) -> list[Proof]:
    """Certify all inputs and targets together (Zhang et al. 2018).

    With `lower_t(r)` CROWN's lower bound of `f_c - f_t` on the ball of radius `r` cut by the bounds, the radius is the
    largest `r` with `lower_t(r) > 0` for every target.

    Cost: about ten to fifteen evaluations of all bounds, each a backward pass for every neuron before an activation.

    Args:
        problem: What to prove, with inputs `(batch, *input)`.

    Returns:
        One proof per input.
    """
    return [proof for part in problem.parts() for proof in _crown(part)]


def _crown(problem: VerificationProblem) -> list[Proof]:
    rows, slack = problem.rows, problem.slack()

    def lowest(radius: Tensor) -> Tensor:
        return margin_bounds(problem, radius, rows) - slack

    start = linear_guess(problem)
    limit = Region(problem.x, start, problem.norm, problem.bounds).covered()
    found = largest_proven(lowest, start, limit, tolerance=CROWN_TOLERANCE, stop=problem.time_is_up)
    limiting = problem.targets.gather(1, found.limiting[:, None])[:, 0].tolist()
    ended = zip(found.proven.tolist(), limiting, found.timed_out.tolist(), strict=True)
    return [make_proof(radius, target, timed_out=timed_out) for radius, target, timed_out in ended]


def margin_bounds(problem: VerificationProblem, radius: Tensor, rows: Tensor) -> Tensor:
    """Lower bounds of linear functions of the logits on balls of these radii (Zhang et al. 2018, theorem 3.2).

    Args:
        problem: The network and its inputs, `(batch, *input)`.
        radius: `(batch,)`.
        rows: Coefficients of the logits, `(batch, rows, classes)`.

    Returns:
        `(batch, rows)`.
    """
    region = Region(problem.x, radius, problem.norm, problem.bounds)
    return relax(problem.graph, region, stop=problem.time_is_up).lowest(problem.graph.last, rows)


def linear_guess(problem: VerificationProblem) -> Tensor:
    """Where the smallest margin would be zero if the network were linear: `g / ||grad g||_q`.

    Only where a bisection starts: nothing is proved by it. Source: this project (Hölder's inequality).

    Args:
        problem: The network and its inputs, `(batch, *input)`.

    Returns:
        `(batch,)`, within `FIRST_RADIUS`.
    """
    gaps, place = problem.gaps().min(1)
    row = problem.rows[torch.arange(len(place), device=place.device), place]
    leaf = problem.x.detach().requires_grad_(True)
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad((problem.graph(leaf) * row).sum(), leaf)
    guess = gaps / vector_norm(gradient, dual_norm(problem.norm))
    return guess.nan_to_num(1.0, posinf=1.0).clamp(*FIRST_RADIUS)
