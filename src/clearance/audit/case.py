"""One input under audit, and the ledger that its checks write to."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from clearance.attacks.goals import Goal
from clearance.audit.effort import FULL, Effort
from clearance.audit.flags import CHECKS
from clearance.audit.path_integral import PathIntegral
from clearance.audit.record import Flag, Severity
from clearance.geometry.balls import sample_shifts
from clearance.model.classifier import Classifier
from clearance.model.seeds import make_generator


@dataclass(frozen=True)
class Case:
    """One input, the margin `g = f_c - f_t` that is followed, and the ball that is looked into. Source: this project.

    Attributes:
        model: The classifier; for gradients of a random one, its average with fixed draws.
        x0: The input, `(*input)`.
        key: Its content key.
        logits: `(classes)`.
        predicted: The predicted class `c`.
        target: The class `t` whose margin is followed: the witness's class, else the nearest in logits.
        goal: What counts as a witness.
        norm: The norm `p`.
        reach: Radius of the ball: the nearest witness's distance, but no less than a share of `width`.
        width: Distance to the farthest valid point.
        witness: The nearest witness that attacks along gradients found, `(*input)`.
        nearest: The nearest witness of all, where that is another one, `(*input)`.
        references: Some valid inputs of other classes, `(count, *input)`.
        rounding: What one unit of rounding, of the input or of its logits, moves the margin by.
        seed: The user's seed.
        effort: How much the checks spend.
    """

    model: Classifier
    x0: Tensor
    key: str
    logits: Tensor
    predicted: int
    target: int
    goal: Goal
    norm: float
    reach: float
    width: float
    witness: Tensor | None
    nearest: Tensor | None
    references: Tensor
    rounding: float
    seed: int
    effort: Effort = FULL

    @property
    def margin(self) -> float:
        """`g(x0)`."""
        return float(self.logits[self.predicted] - self.logits[self.target])

    @property
    def scale(self) -> float:
        """The larger of the margin's two logits, by size: what it is rounded by."""
        return float(self.logits[[self.predicted, self.target]].abs().max())

    def generator(self, purpose: str) -> torch.Generator:
        """A random stream of this input's own."""
        return make_generator(self.x0.device, self.seed, "audit", purpose, self.key)

    def shifts(self, purpose: str, count: int, radius: float) -> Tensor:
        """Uniform points of a ball around 0, from the stream of this purpose: `(count, *input)`."""
        return sample_shifts(self.x0, count, norm=self.norm, radius=radius, generator=self.generator(purpose))


@dataclass
class Ledger:
    """What the checks of one input found: flags, and every number that was held against a threshold.

    Source: this project.

    Attributes:
        stand_in: Whether the classifier declares a stand-in for some gradient (`transforms.stand_ins`).
        small_steps: Whether that stand-in describes the function but for steps that are small in the ball.
        flags: Raised flags, in no order.
        measured: Code → the number that was held against the threshold.
        integrals: The path integrals, with the kind of each segment.
    """

    stand_in: bool = False
    small_steps: bool = False
    flags: list[Flag] = field(default_factory=list[Flag])
    measured: dict[str, float] = field(default_factory=dict[str, float])
    integrals: list[tuple[str, PathIntegral]] = field(default_factory=list[tuple[str, PathIntegral]])

    def raise_flag(self, code: str, severity: Severity, **evidence: float | str) -> None:
        """Put down a flag with its evidence; the remedy comes from the table."""
        self.flags.append(Flag(code, severity, evidence, CHECKS[code].remedy))

    def severity(self, code: str) -> Severity | None:
        """How severe the flag with this code is; `None` if it was not raised."""
        return next((flag.severity for flag in self.flags if flag.code == code), None)


def ratio(over: float, under: float) -> float:
    """`over / under` of two distances, each perhaps 0 or infinite: 1 where both are the same, infinite over 0.

    Source: this project. A network that draws at random may take back its prediction of the input itself: distance 0.

    >>> ratio(3.0, 2.0), ratio(0.0, 0.0), ratio(math.inf, math.inf), ratio(1.0, 0.0), ratio(1.0, math.inf)
    (1.5, 1.0, 1.0, inf, 0.0)
    """
    if over == under:
        return 1.0
    return math.inf if under == 0 else over / under


def threshold(code: str) -> float:
    """The threshold of a check that has one, in the unit that its line of `audit.flags.CHECKS` says."""
    value = CHECKS[code].threshold
    assert value is not None, f"{code} has no threshold"
    return value
