"""What a method is given, `VerificationProblem`, and what it gives back, `Proof`."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from clearance.certificates.certificate import CertificateStatus
from clearance.certificates.graph import Graph
from clearance.model.classifier import Classifier
from clearance.model.margins import margins

RESERVE = 1e-9
"""Share of a radius that is given away for rounding in float64: far above what sums of thousands of terms lose there,
far below anything that matters."""
MARGIN_SLACK = 1e-11
"""A margin counts as proved positive when its lower bound exceeds this share of its two logits: about 1e5 units of
rounding of float64, as the bounds are sums of very many rounded terms."""


@dataclass(frozen=True)
class VerificationProblem:
    """Some inputs of one network and the margins that have to stay positive.

    To prove for each input: the largest `r` with `f_c(x + d) > f_t(x + d)` for all targets `t`, all `‖d‖_p < r` and
    `x + d` within the bounds.

    Attributes:
        model: The classifier, for methods that read the network themselves.
        graph: Its network, preprocessing included, as steps in float64.
        x: The inputs, `(batch, *input)`, float64.
        source: Predicted classes `c`, `(batch,)`.
        targets: The classes `t` that must stay behind, `(batch, targets)`.
        norm: The norm `p` of the ball.
        bounds: `(low, high)`, each of the shape of `x`, or `None`.
        targeted: Whether there is one target and it alone counts as adversarial; else any other class does.
        deadline: When to stop, on the clock of `time.perf_counter`: one time limit for all inputs.
        seconds: Time limit of each input, for methods that take one input after the other.
    """

    model: Classifier
    graph: Graph
    x: Tensor
    source: Tensor
    targets: Tensor
    norm: float
    bounds: tuple[Tensor, Tensor] | None
    targeted: bool = False
    deadline: float = math.inf
    seconds: float = math.inf

    @property
    def rows(self) -> Tensor:
        """The margins' coefficients of the logits, `e_c - e_t`: `(batch, targets, classes)`."""
        rows = self.x.new_zeros(*self.targets.shape, self.graph.shape[0])
        rows.scatter_(2, self.source[:, None, None].expand(*self.targets.shape, 1), 1.0)
        return rows.scatter_(2, self.targets[:, :, None], -1.0)

    def gaps(self) -> Tensor:
        """Margins `f_c(x) - f_t(x)` at the inputs themselves, `(batch, targets)`."""
        return margins(self.graph(self.x), self.source, self.targets)

    def slack(self) -> Tensor:
        """What a lower bound of each margin must exceed to be proved positive, `(batch, targets)`.

        From the two logits of the margin alone: a network may mask classes that it does not use with -1e9 or less.
        """
        logits = self.graph(self.x).abs()
        return MARGIN_SLACK * (logits.gather(1, self.source[:, None]) + logits.gather(1, self.targets))

    def parts(self) -> Iterator[VerificationProblem]:
        """As many inputs at a time as fit with all their targets, in order."""
        size = self.graph.fitting(self.targets.shape[1])
        return (self.part(slice(start, start + size)) for start in range(0, len(self.x), size))

    def each(self) -> Iterator[VerificationProblem]:
        """One input at a time, in order."""
        return (self.part(slice(place, place + 1)) for place in range(len(self.x)))

    def part(self, rows: slice | Tensor) -> VerificationProblem:
        """Some of the inputs, by their places."""
        bounds = None if self.bounds is None else (self.bounds[0][rows], self.bounds[1][rows])
        x, source, targets = self.x[rows], self.source[rows], self.targets[rows]
        return replace(self, x=x, source=source, targets=targets, bounds=bounds)

    def single(self, graph: Graph) -> VerificationProblem:
        """The same in float32, with the network made in it."""
        bounds = None if self.bounds is None else (self.bounds[0].float(), self.bounds[1].float())
        return replace(self, graph=graph, x=self.x.float(), bounds=bounds)

    def time_is_up(self) -> bool:
        """Whether the deadline has passed."""
        return time.perf_counter() > self.deadline


@dataclass(frozen=True)
class Proof:
    """What a method proved about one input.

    Source: this project.

    Attributes:
        radius: The certified radius; NaN where the status has none.
        target: The class that limits it; -1 where there is none.
        status: How it ended.
        reason: In words what the status does not say.
        gap: How far beyond the radius a point of another class is known, where the method says so; else NaN.
    """

    radius: float
    target: int
    status: CertificateStatus = CertificateStatus.CERTIFIED
    reason: str = ""
    gap: float = math.nan


def as_proofs(radii: Tensor, problem: VerificationProblem, *, timed_out: Tensor | None = None) -> list[Proof]:
    """The proofs from radii for each input and target: the smallest counts.

    Source: no other class is reached before the nearest one: the minimum over targets.

    Args:
        radii: The radii, `(batch, targets)`.
        problem: What they are about.
        timed_out: Which of the radii the time limit cut short, `(batch, targets)`; `None`: none.

    Returns:
        One proof per input.
    """
    smallest, place = radii.clamp_min(0.0).min(1)
    limiting = problem.targets.gather(1, place[:, None])[:, 0]
    cut = [False] * len(radii) if timed_out is None else timed_out.gather(1, place[:, None])[:, 0].tolist()
    return [make_proof(r, t, timed_out=c) for r, t, c in zip(smallest.tolist(), limiting.tolist(), cut, strict=True)]


def make_proof(radius: float, target: int, *, timed_out: bool = False) -> Proof:
    """A proof from a radius before the share for rounding is taken off it; none where the radius is zero.

    Source: this project.

    Args:
        radius: The radius.
        target: The class that limits it.
        timed_out: Whether the time limit cut it short.

    Returns:
        The proof, of `radius (1 - RESERVE)`.
    """
    status = CertificateStatus.TIME_LIMIT if timed_out else CertificateStatus.CERTIFIED
    if radius <= 0 and not timed_out:
        status = CertificateStatus.UNPROVEN
    reason = "no input within the bounds reaches another class" if math.isinf(radius) else ""
    return Proof(radius * (1 - RESERVE), target, status, reason)


def smallest_step(dtype: torch.dtype) -> float:
    """The smallest difference of two numbers of a precision: its smallest subnormal number.

    Source: the definition of the format (IEEE 754).

    Args:
        dtype: A floating type.

    Returns:
        The step.

    >>> smallest_step(torch.float32) == 2.0**-149
    True
    """
    return torch.finfo(dtype).tiny * torch.finfo(dtype).eps
