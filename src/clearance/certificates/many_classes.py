"""Untargeted proofs of networks with very many classes: the nearest classes one by one, all others at once.

A margin's coefficients of the logits are as many as there are classes, so the margins of all `K` classes take `K^2`
numbers: 3.8 GB for 21,841. So a method proves a radius `r` against the classes that are nearest at the input. On that
ball, with the bounds of CROWN (Zhang et al. 2018) for the hidden units, every other class has to stay behind: by the
intervals of the logits, `low f_c - high f_t > 0`, or by the bound of its own margin where those overlap. Where one does
not, the radius is made smaller until all do. Each check is a proof of its own. Source: this project.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from torch import Tensor

from clearance.certificates.certificate import CertificateStatus
from clearance.certificates.problem import RESERVE, Proof, VerificationProblem
from clearance.certificates.region import Region
from clearance.certificates.relaxation import Relaxation, relax
from clearance.certificates.rows import in_parts
from clearance.geometry.norms import vector_norm

MANY_TARGETS = 256
"""Targets from which they are not all proved one by one."""
NEAR_CLASSES = 32
"""Classes that are: those with the smallest margins at the input."""
MARGINS_AT_A_TIME, MOST_MARGINS = 128, 8192
"""How many margins of others are bounded at a time, and at most on one ball."""
SHRINKINGS, SHRUNK = 12, 0.7
"""How often the radius is made smaller, and by which factor."""
LARGEST_BALL = 10.0
"""Without bounds the balls reach at most so many times the input's own length, where a method proves more."""
NO_OTHER = "the other classes are not proved to stay behind at any radius that was tried"
"""The reason where nothing is proved."""

NamedProof = tuple[str, Proof]
"""The name of a method, and what it proved."""


def prove_many(
    problem: VerificationProblem, prove: Callable[[VerificationProblem], list[NamedProof]]
) -> list[NamedProof]:
    """The proofs of a method, with the far classes checked at once where there are many.

    Source: see the module.

    Args:
        problem: What to prove, with inputs `(batch, *input)`.
        prove: The method: its name, and one proof per input.

    Returns:
        The name of the method and its proof for each input.
    """
    if problem.targets.shape[1] < MANY_TARGETS:
        return prove(problem)
    return [_prove_one(one, prove) for one in problem.each()]


def _prove_one(problem: VerificationProblem, prove: Callable[[VerificationProblem], list[NamedProof]]) -> NamedProof:
    order = problem.gaps()[0].argsort()
    near, far = (problem.targets[:, part] for part in (order[:NEAR_CLASSES], order[NEAR_CLASSES:]))
    ((name, proof),) = prove(replace(problem, targets=near))
    if not proof.status.has_radius or proof.radius <= 0:
        return name, proof
    return name, _kept(replace(problem, targets=far), proof)


def _kept(problem: VerificationProblem, proof: Proof) -> Proof:
    """The proof, at a smaller radius where other classes would come within it."""
    others = _Others(problem)
    first = radius = min(proof.radius, others.farthest)
    whole = radius == proof.radius or problem.bounds is not None  # a ball that holds the bounds holds all there is
    target = proof.target
    for _ in range(SHRINKINGS):
        reached = others.reached(radius)
        if reached is None and radius == first and whole:
            return proof
        if reached is None:
            return replace(proof, radius=radius * (1 - RESERVE), target=target, **_LESS)
        target, radius = reached, SHRUNK * radius
    return replace(proof, radius=0.0, target=target, status=CertificateStatus.UNPROVEN, **_LESS | {"reason": NO_OTHER})


_LESS: dict[str, Any] = {"reason": "limited by the far classes", "gap": math.nan}
"""What a proof says whose radius was made smaller, or is that of the largest ball that was looked at."""


class _Others:
    """The far classes of one input."""

    def __init__(self, problem: VerificationProblem) -> None:
        self.problem, self._slack = problem, problem.slack()[0]
        covered, length = float(self._ball(0.0).covered()), float(vector_norm(problem.x, problem.norm))
        self.farthest = covered if math.isfinite(covered) else LARGEST_BALL * (1 + length)

    def reached(self, radius: float) -> int | None:
        """A class that is not proved to stay behind on the ball; `None` where all are."""
        problem = self.problem
        relaxed = relax(problem.graph, self._ball(radius), stop=problem.time_is_up)
        low, high = _logits(relaxed)
        own, targets = int(problem.source[0]), problem.targets[0]
        open_places = (~(low[own] - high[targets] > self._slack)).nonzero().flatten()
        if len(open_places) > MOST_MARGINS:
            return int(targets[(low[own] - high[targets]).argmin()])
        for places in in_parts(open_places, MARGINS_AT_A_TIME):
            some = replace(problem, targets=problem.targets[:, places])
            found = relaxed.lowest(problem.graph.last, some.rows)[0]
            wrong = ~(found > self._slack[places])
            if bool(wrong.any()):
                return int(targets[places[wrong.nonzero()[0, 0]]])
        return None

    def _ball(self, radius: float) -> Region:
        problem = self.problem
        return Region(problem.x, problem.x.new_full((1,), radius), problem.norm, problem.bounds)


def _logits(relaxed: Relaxation) -> tuple[Tensor, Tensor]:
    """Intervals of the logits of one input, `(classes,)`: those of the values before them carried on."""
    lows, highs = list(relaxed.low), list(relaxed.high)
    for step in relaxed.graph.steps[len(lows) - 1 :]:
        low, high = step.operation.interval([lows[i] for i in step.inputs], [highs[i] for i in step.inputs])
        lows.append(low)
        highs.append(high)
    return lows[-1][0], highs[-1][0]
