"""What a method is given, and what it gives back."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from clearance.certificates.certificate import CertificateStatus
from clearance.certificates.graph import Graph
from clearance.model.margins import margins

RESERVE = 1e-9
"""Share of a radius that is given away for rounding in float64."""
ROUNDING = 1e-11
"""A margin counts as proved positive when its lower bound exceeds this share of the largest logit."""


@dataclass(frozen=True)
class VerificationProblem:
    """Some inputs of one network and the margins that have to stay positive.

    Attributes:
        graph: The network.
        x: The inputs, `(batch, *input)`, float64.
        source: Predicted classes, `(batch,)`.
        targets: The classes that must stay behind, `(batch, targets)`.
        norm: The norm `p` of the ball.
        bounds: `(low, high)`, each of the shape of `x`, or `None`.
        only: Whether there is one target and it alone counts as adversarial; else any other class does.
        deadline: When to stop, on the clock of `time.perf_counter`.
    """

    graph: Graph
    x: Tensor
    source: Tensor
    targets: Tensor
    norm: float
    bounds: tuple[Tensor, Tensor] | None
    only: bool
    deadline: float

    @property
    def rows(self) -> Tensor:
        """`e_c - e_t` for each input and target, `(batch, targets, classes)`."""
        one = torch.eye(self.graph.shape[0], dtype=self.x.dtype, device=self.x.device)
        return one[self.source][:, None] - one[self.targets]

    def gaps(self) -> Tensor:
        """Margins at the inputs themselves, `(batch, targets)`."""
        return margins(self.graph(self.x), self.source, self.targets)

    def slack(self) -> Tensor:
        """What a lower bound of a margin must exceed to be proved positive, `(batch, 1)`."""
        return ROUNDING * self.graph(self.x).abs().amax(1, keepdim=True)

    def parts(self) -> Iterator[VerificationProblem]:
        """As many inputs at a time as fit with all their targets, in order."""
        size = self.graph.fitting(self.targets.shape[1])
        return (self.part(slice(start, start + size)) for start in range(0, len(self.x), size))

    def part(self, rows: slice) -> VerificationProblem:
        """Some of the inputs."""
        bounds = None if self.bounds is None else (self.bounds[0][rows], self.bounds[1][rows])
        return VerificationProblem(
            self.graph,
            self.x[rows],
            self.source[rows],
            self.targets[rows],
            self.norm,
            bounds,
            self.only,
            self.deadline,
        )

    def late(self) -> bool:
        """Whether the time is up."""
        return time.perf_counter() > self.deadline


@dataclass(frozen=True)
class Proof:
    """What a method proved about one input: a radius, the class that limits it, and how it ended."""

    radius: float
    target: int
    status: CertificateStatus = CertificateStatus.CERTIFIED
    reason: str = ""
    gap: float = math.nan


def as_proofs(radii: Tensor, problem: VerificationProblem, *, late: Tensor | None = None) -> list[Proof]:
    """The proofs from radii for each input and target, `(batch, targets)`: the smallest counts.

    Args:
        radii: The radii.
        problem: What they are about.
        late: Which of the radii the time cut short, `(batch, targets)`; `None`: none.

    Returns:
        One proof per input.
    """
    smallest, place = radii.clamp_min(0.0).min(1)
    limiting = problem.targets.gather(1, place[:, None])[:, 0]
    cut = [False] * len(radii) if late is None else late.gather(1, place[:, None])[:, 0].tolist()
    return [make_proof(r, t, late=c) for r, t, c in zip(smallest.tolist(), limiting.tolist(), cut, strict=True)]


def make_proof(radius: float, target: int, *, late: bool = False) -> Proof:
    """A proof from a radius before the share for rounding is taken off it; none where the radius is zero."""
    status = CertificateStatus.TIME_LIMIT if late else CertificateStatus.CERTIFIED
    if radius <= 0 and not late:
        status = CertificateStatus.UNPROVEN
    reason = "no input within the bounds reaches another class" if math.isinf(radius) else ""
    return Proof(radius * (1 - RESERVE), target, status, reason)
