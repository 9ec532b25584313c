"""CROWN: linear bounds of the margins, propagated backwards (Zhang, Weng, Chen, Hsieh, Daniel 2018).

`relaxation` has the bounds. The certified radius is the largest one at which all margins are positive: first with
intervals from interval arithmetic, which cost two passes; from there with bounds of every unit that may change sign, in
float32; and what that finds is proved in float64.
"""

from __future__ import annotations

import torch
from torch import Tensor

from clearance.certificates.bisection import ProvenRadius, confirmed
from clearance.certificates.crown_search import CrownSearch, worth_linearising
from clearance.certificates.graph import Graph
from clearance.certificates.linearisation import Linearisation
from clearance.certificates.problem import Proof, VerificationProblem, make_proof
from clearance.certificates.region import Region
from clearance.certificates.translate import translate
from clearance.geometry.norms import dual_norm, vector_norm

CROWN_TOLERANCE = 1e-4
"""Relative width of the search's last bracket; the radius is its proven end. Each trial costs one evaluation of all
bounds, and CROWN itself is farther than that from the minimum distortion."""
INTERVAL_TOLERANCE = 0.2
"""The same for the radius from interval arithmetic, where the search begins."""
FIRST_RADIUS = (1e-6, 1e6)
"""Where the first radius of a search may lie: a gradient that is nearly zero or huge says little."""
WORTH_SINGLE = 1000
"""Units from which on the search runs in float32: below, making the network again costs more than it saves."""
CONFIRMED_SHARES = (1.0, 1 - 1e-4, 1 - 1e-3, 1 - 1e-2)
"""Shares of a radius found in float32 at which float64 tries to prove it: near its end, rounding decides."""
LEAST_IN_SINGLE = 1e-5
"""Radius, as a share of the input's largest entry, below which float32 has too few digits for the search."""
EXPLODED = 1e-6
"""Share of the linear guess below which interval arithmetic has proved nothing worth beginning at."""
BEGIN_LINEAR = 1 / 30
"""Share of the linear guess at which the search by the linear part begins: it lies near there for deep networks."""
FARTHER_TRIALS = (1.001, 1.002, 1.003)
"""How far beyond the end of a small network's search balls are looked at."""
DOUBLE_COST = 4.0
"""How many times the longest trial in float32 one in float64 may take; so much time is kept for the proof."""


def crown(problem: VerificationProblem) -> list[Proof]:
    """Certify all inputs and targets together (Zhang et al. 2018).

    With `lower_t(r)` CROWN's lower bound of `f_c - f_t` on the ball of radius `r` cut by the bounds, the radius is the
    largest `r` with `lower_t(r) > 0` for every target.

    Cost: about eight evaluations of all bounds, each a backward pass for every unit that may change sign.

    Args:
        problem: What to prove, with inputs `(batch, *input)`.

    Returns:
        One proof per input.
    """
    if problem.graph.neurons < WORTH_SINGLE:
        return [proof for part in problem.parts() for proof in _crown(part, None)]
    single = translate(problem.model, problem.graph.input_shape, torch.float32)
    return [proof for one in problem.each() for proof in _crown(one, single)]


def _crown(problem: VerificationProblem, graph: Graph | None) -> list[Proof]:
    """The inputs together; with the network in float32, `graph`, the search runs in it."""
    guess = linear_guess(problem)
    quick, linear = _quickly(problem, guess)
    known = quick.proven.where(quick.proven.isfinite(), torch.zeros_like(guess))
    start = torch.where(known > 0, (known * torch.maximum(guess, known)).sqrt(), guess)
    found = None
    if problem.time_is_up():
        found = ProvenRadius(known, quick.limiting, torch.ones_like(quick.timed_out))
    elif graph is not None and bool((start > LEAST_IN_SINGLE * problem.x.abs().amax()).all()):
        found = _in_single(problem, graph, start, known, linear)
    if found is None and problem.time_is_up() and bool((known > 0).all()):
        found = ProvenRadius(known, quick.limiting, torch.ones_like(quick.timed_out))
    if found is None:
        search = CrownSearch(problem, True, problem.deadline, linear=linear)
        found = search.largest(start, proven=known, tolerance=CROWN_TOLERANCE)
        found = found if graph is not None else _beyond(problem, found)
    proven = torch.maximum(found.proven, quick.proven)
    limiting = problem.targets.gather(1, found.limiting[:, None])[:, 0].tolist()
    timed_out = found.timed_out & proven.isfinite()
    ended = zip(proven.tolist(), limiting, timed_out.tolist(), strict=True)
    return [make_proof(radius, target, timed_out=cut) for radius, target, cut in ended]


def _quickly(problem: VerificationProblem, guess: Tensor) -> tuple[ProvenRadius, Linearisation | None]:
    """A radius without bounds of single units, and the network's linear part where that is what it rests on.

    First by interval arithmetic. Through many layers its intervals explode; then by the linear part and its remainder.
    """
    deadline = problem.deadline
    quick = CrownSearch(problem, False, deadline).largest(guess, tolerance=INTERVAL_TOLERANCE)
    if bool((quick.proven > EXPLODED * guess).all()) or not worth_linearising(problem):
        return quick, None
    search = CrownSearch(problem, False, deadline, share=1.0).linearise()
    if search.linear is None:
        return quick, None
    found = search.largest(BEGIN_LINEAR * guess, proven=quick.proven, tolerance=INTERVAL_TOLERANCE)
    return found, search.linear


def _in_single(
    problem: VerificationProblem, graph: Graph, start: Tensor, known: Tensor, linear: Linearisation | None
) -> ProvenRadius | None:
    """The search in float32, on `graph`, and its proof in float64; `None` where float64 proves none of it."""
    search = CrownSearch(problem.single(graph), True, problem.deadline, keep=DOUBLE_COST)
    search = search if linear is None else search.linearise()
    found = search.largest(start.float(), proven=known.float(), tolerance=CROWN_TOLERANCE)
    radius = found.proven.double()
    limit = Region(problem.x, start, problem.norm, problem.bounds).covered()
    if problem.time_is_up() and bool((known > 0).all()):
        return ProvenRadius(known, found.limiting, torch.ones_like(found.timed_out))
    double = CrownSearch(problem, True, problem.deadline, share=1.0, linear=linear)
    proven = confirmed(double.lowest, radius, known, limit, CONFIRMED_SHARES)
    if bool(((radius > known) & (proven == known)).any()):
        return None
    return ProvenRadius(proven, found.limiting, found.timed_out)


def _beyond(problem: VerificationProblem, found: ProvenRadius) -> ProvenRadius:
    """Search on beyond a short gap of the bounds.

    They are not monotone in the radius: the line below a unit jumps where the longer side of its interval changes, as
    it does from one ball to the next, and where a larger ball has narrowed it. With few units one jump is worth some
    hundredths of the radius, and a little farther the bounds may hold again. A radius counts where they do, whatever
    they are on smaller balls.
    """
    proven, cut, shares = found.proven.clone(), found.timed_out.clone(), found.proven.new_tensor(FARTHER_TRIALS)
    for place in (proven.isfinite() & (proven > 0) & ~cut).nonzero().flatten().tolist():
        copies = problem.part(torch.full_like(shares, place, dtype=torch.long))
        holds = CrownSearch(copies, True, problem.deadline).lowest(shares * proven[place]).amin(1) > 0
        if problem.time_is_up() or not bool(holds.any()):
            continue
        known = (shares * proven[place])[holds].max()[None]
        search = CrownSearch(problem.part(slice(place, place + 1)), True, problem.deadline)
        farther = search.largest(known * FARTHER_TRIALS[0], proven=known, tolerance=CROWN_TOLERANCE)
        proven[place], cut[place] = farther.proven[0], farther.timed_out[0]
    return ProvenRadius(proven, found.limiting, cut)


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
