"""The minimum distortion of a tiny ReLU network, proved (p = 1, 2, inf).

The distance is looked for in a ball first, on which most units keep their sign (bounds by `crown`): if no target can be
reached there, the ball's radius is proved and the next ball is twice as large. Within a ball it is a mixed-integer
program (`integer_program`) or a search over regions (`region_search`), for each target in turn, nearest in logits
first; a later target is only looked for within the distance of the nearest so far. CROWN's radius counts as proved
before, so that a time limit leaves at least that.

Targeted, a point counts where the target has the largest logit of all, as it does for attacks; that is farther than
where it overtakes the predicted class.
"""

from __future__ import annotations

import math
import time

import numpy as np
import torch

from clearance.certificates.certificate import CertificateStatus
from clearance.certificates.crown import crown, linear_guess
from clearance.certificates.encoding import Array, Encoding, count_relu_units, encode
from clearance.certificates.graph import Graph
from clearance.certificates.integer_program import Answer, nearest_by_integer_program
from clearance.certificates.operations import NotSupportedError
from clearance.certificates.problem import RESERVE, Proof, VerificationProblem
from clearance.certificates.region import Region
from clearance.certificates.region_search import nearest_by_regions
from clearance.certificates.relaxation import relax

MOST_UNITS = 128
"""Hidden units altogether in the largest network that is taken: the work may double with each of them."""
MOST_ENTRIES = 256
"""Entries of an input in the largest network that is taken."""
MOST_DOUBLINGS = 10
"""How often the ball is doubled: nothing within a thousand times the first radius is taken for out of reach."""
CONFIRMATION = 1e-5
"""A solver's point counts where every margin that should be nonnegative is so up to this share of its two logits."""


def exact(problem: VerificationProblem) -> list[Proof]:
    """Certify each input of a tiny ReLU network by its minimum distortion, `min {||d||_p : x + d is adversarial}`.

    Source: Tjeng, Xiao and Tedrake (2019) for `p = 1, inf`; Jordan, Lewis and Dimakis (2019) for `p = 2`.

    Args:
        problem: What to prove, with inputs `(batch, *input)`; each may take `problem.seconds`.

    Returns:
        One proof per input, with the gap between the bound and the solver's own point.

    Raises:
        NotSupportedError: If the network has other activations than ReLU, or `p` is not 1, 2 or infinity.
    """
    if problem.norm not in {1.0, 2.0, math.inf}:
        raise NotSupportedError(f"exact: expected the norm 1, 2 or inf, got {problem.norm:g}")
    if said := _too_large(problem.graph):
        return [Proof(math.nan, -1, CertificateStatus.TOO_LARGE, said) for _ in problem.x]
    starts, before = (1.5 * linear_guess(problem)).tolist(), [proof.radius for proof in crown(problem)]
    return [_nearest(*given) for given in zip(problem.each(), starts, before, strict=True)]


def check_tiny(graph: Graph) -> None:
    """See whether a network is a ReLU network that is small enough.

    Args:
        graph: The network.

    Raises:
        NotSupportedError: If it has other activations, or is too large.
    """
    if said := _too_large(graph):
        raise NotSupportedError(f"exact: too large, {said}")


def _too_large(graph: Graph) -> str:
    """Units and entries, and how many there may be; empty where there are not more."""
    units, entries = count_relu_units(graph), math.prod(graph.input_shape)
    if units <= MOST_UNITS and entries <= MOST_ENTRIES:
        return ""
    return f"{units} hidden units and {entries} input entries, at most {MOST_UNITS} and {MOST_ENTRIES}"


def _nearest(problem: VerificationProblem, radius: float, proved: float) -> Proof:
    """One input: ball after ball, until a target is reached or nothing is left; `proved` is a radius known before."""
    deadline, targets = time.perf_counter() + problem.seconds, problem.targets[0].tolist()
    if math.isinf(proved):
        return Proof(proved, targets[0], reason="no input within the bounds reaches the target")
    covered = float(_region(problem, radius).covered())
    for _ in range(MOST_DOUBLINGS):
        radius = min(radius, covered)
        lower, upper, target, finished = _in_ball(problem, radius, targets, deadline)
        if lower < radius or not finished:
            return _proof(max(lower * (1 - RESERVE), proved), upper, target, finished)
        if radius >= covered:
            return Proof(math.inf, targets[0], reason="no input within the bounds reaches the target")
        proved, radius = max(proved, radius * (1 - RESERVE)), 2 * radius
    return Proof(proved, targets[0], reason="nothing reaches the target much farther out either")


def _in_ball(
    problem: VerificationProblem, radius: float, targets: list[int], deadline: float
) -> tuple[float, float, int, bool]:
    """Lower and upper bound of the distance to the nearest target, that target, and whether the search was finished."""
    network = encode(relax(problem.graph, _region(problem, radius)))
    lower, upper, nearest, finished = radius, math.inf, targets[0], True
    for target in targets:
        ahead = _ahead(problem, len(network.biases), target)
        answer = _to(problem, network, ahead, radius=min(radius, upper), seconds=deadline - time.perf_counter())
        finished = finished and answer.finished
        if answer.lower < lower:
            lower, nearest = answer.lower, target
        if _confirmed(problem, ahead, answer):
            upper = min(upper, answer.upper)
    return lower, upper, nearest, finished


def _ahead(problem: VerificationProblem, classes: int, target: int) -> Array:
    """Rows of the logits that are nonnegative where the target is reached."""
    one, source = np.eye(classes), int(problem.source)
    others = [k for k in range(classes) if k != target] if problem.targeted else [source]
    return one[target] - one[others]


def _confirmed(problem: VerificationProblem, ahead: Array, answer: Answer) -> bool:
    """Whether the network itself agrees that the solver's point reaches the target."""
    if answer.point is None:
        return False
    step = torch.as_tensor(answer.point, dtype=problem.x.dtype, device=problem.x.device)
    logits = problem.graph(problem.x + step.reshape(problem.x.shape))[0].cpu().numpy()
    return bool((ahead @ logits >= -CONFIRMATION * (np.abs(ahead) @ np.abs(logits))).all())


def _to(problem: VerificationProblem, network: Encoding, ahead: Array, *, radius: float, seconds: float) -> Answer:
    box = _displacements(problem)
    if problem.norm == 2:
        return nearest_by_regions(network, ahead, radius=radius, box=box, seconds=seconds)
    whole = np.full(network.size, math.inf)
    return nearest_by_integer_program(
        network, ahead, radius=radius, norm=problem.norm, box=box or (-whole, whole), seconds=seconds
    )


def _displacements(problem: VerificationProblem) -> tuple[Array, Array] | None:
    if problem.bounds is None:
        return None
    low, high = ((bound - problem.x).flatten().cpu().numpy() for bound in problem.bounds)
    return low, high


def _region(problem: VerificationProblem, radius: float) -> Region:
    return Region(problem.x, torch.full_like(problem.x.flatten(1)[:, 0], radius), problem.norm, problem.bounds)


def _proof(lower: float, upper: float, target: int, finished: bool) -> Proof:
    status = CertificateStatus.CERTIFIED if finished else CertificateStatus.TIME_LIMIT
    said = f"a point at {upper:.6g} reaches class {target}" if math.isfinite(upper) else "no point was confirmed"
    return Proof(lower, target, status, said, upper - lower)
