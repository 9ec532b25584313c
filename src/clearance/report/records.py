"""The records that a report is made of: a run, its finished brackets, its failures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from clearance.estimates.status import Status
from clearance.report.pictures import Change, Drawing
from clearance.runs.own_estimates import BELOW_PROOF
from clearance.runs.plan import Plan
from clearance.runs.summary import SummaryRow

UNSUPPORTED = "unsupported"
"""Status of a certificate where no method knows the network (`clearance.certificates.CertificateStatus`)."""


@dataclass(frozen=True)
class Raised:
    """A flag of one input.

    Attributes:
        code: Its name.
        severity: `info`, `warning` or `error`.
        meaning: What it says.
        evidence: The numbers that raised it; `None` where one is not finite.
        remedy: What to try.
    """

    code: str
    severity: str
    meaning: str
    evidence: Mapping[str, float | str | None]
    remedy: str

    @property
    def doubts(self) -> bool:
        """Whether it casts doubt on a number, and is more than worth knowing."""
        return self.severity != "info"


@dataclass(frozen=True)
class Fit:
    """The reverse Weibull distribution that was fitted to the block maxima.

    Attributes:
        location: Its endpoint.
        scale: 0 for maxima that are all equal.
        shape: At least 1.
        ks: Kolmogorov-Smirnov distance.
        p_value: Of that distance, as Weng et al. 2018 compute it: too large, because it was fitted to the same maxima.
        status: What the fit may be trusted for.
    """

    location: float
    scale: float
    shape: float
    ks: float
    p_value: float
    status: str


@dataclass(frozen=True)
class ProfileCurve:
    """One reading of a Lipschitz profile.

    Attributes:
        values: The largest fall of the margin per unit of distance, up to each level.
        radius: Where their integral reaches the margin; `None` where it must not be read.
        interval: Of the radius; `None` likewise.
    """

    values: tuple[float, ...]
    radius: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class ProfileCurves:
    """A Lipschitz profile.

    Attributes:
        levels: The distances up to which falls were searched for.
        norm: The reading by gradient norms.
        radial: The reading along rays.
        rise: The last value of the first reading over its first; `None` where that is not finite.
    """

    levels: tuple[float, ...]
    norm: ProfileCurve
    radial: ProfileCurve
    rise: float | None


@dataclass(frozen=True)
class Spent:
    """What one part of a bracket cost.

    Attributes:
        part: `certified`, `estimated`, `attacked` or `audit`; or `all`.
        forward: Forward passes.
        backward: Backward passes.
        hessian_vector: Hessian-vector products.
        seconds: Seconds.
    """

    part: str
    forward: int
    backward: int
    hessian_vector: int
    seconds: float


@dataclass(frozen=True)
class Logit:
    """One class, before and after.

    Attributes:
        index: The class.
        before: Its logit for the input.
        after: Its logit for the witness; `None` without one.
    """

    index: int
    before: float
    after: float | None


@dataclass(frozen=True)
class Entry:
    """The bracket of one task. A radius that must not be read is not here.

    Attributes:
        key: The task's key.
        input_key: Digest of the input's content.
        index: Index of the input in its set.
        label: The true class.
        predicted: The predicted class.
        norm: The norm of distances.
        target: Class to move to: a name, or a class index as text.
        order: Order of the estimate.
        status: Its standing.
        certified: Proved radius, 0 where nothing is proved, infinite where the bounds hold no adversarial example;
            `None` where no certificate was asked for or the input is misclassified.
        proof: Method, status and reason of the certificate; empty texts without one.
        estimated: Estimated radius, or the proof in its place where that is larger; `None` where it must not be read.
        interval: Of the estimate.
        attacked: Distance of the nearest witness; `None` without one.
        method: The attack that found it.
        witness_class: What the network takes the witness for.
        aim: The class that the estimate is for; untargeted: the nearest.
        margin: `f_c - f_t` at the input.
        lipschitz: Estimated Lipschitz constant; `None` at second order.
        gradient_norm: At second order, dual norm of the margin's gradient at the input.
        ball_radius: Radius of the ball.
        sampler: The rule that found the block maxima.
        fit: The fit to them.
        maxima: The block maxima, `(blocks,)`.
        profile: The Lipschitz profile; `None` for an estimate in one ball.
        flags: The audit's flags, the worst first.
        logits: The largest ones, before and after.
        costs: Of each part, and of all.
        drawing: Pictures, where the input is an image.
        changes: The most changed features, where it is none.
    """

    key: str
    input_key: str
    index: int
    label: int
    predicted: int
    norm: float
    target: str
    order: int
    status: Status
    certified: float | None
    proof: tuple[str, str, str]
    estimated: float | None
    interval: tuple[float, float] | None
    attacked: float | None
    method: str
    witness_class: int | None
    aim: int | None
    margin: float | None
    lipschitz: float | None
    gradient_norm: float | None
    ball_radius: float | None
    sampler: str
    fit: Fit | None
    maxima: NDArray[np.float64]
    flags: tuple[Raised, ...]
    logits: tuple[Logit, ...]
    costs: tuple[Spent, ...]
    profile: ProfileCurves | None = None
    drawing: Drawing | None = None
    changes: tuple[Change, ...] = ()

    @property
    def judged(self) -> bool:
        """Whether there is anything to measure: the prediction is the label."""
        return self.status is not Status.MISCLASSIFIED

    @property
    def beyond_proofs(self) -> bool:
        """Whether no method of proof knows the network, so that a certified radius of 0 says nothing of it."""
        return self.proof[1] == UNSUPPORTED

    @property
    def below_proof(self) -> bool:
        """Whether more is proved than was estimated: the proof then stands in the estimate's place."""
        return self.estimated is not None and any(flag.code == BELOW_PROOF for flag in self.flags)

    @property
    def own_estimate(self) -> float | None:
        """The estimated radius, where it may be read and is the estimate's own."""
        return None if self.below_proof else self.estimated

    @property
    def own_interval(self) -> tuple[float, float] | None:
        """Of that estimate."""
        return None if self.below_proof else self.interval

    @property
    def absent(self) -> bool:
        """Whether it is proved that there is no adversarial example, and no witness contradicts it."""
        return self.certified == math.inf and self.attacked is None

    @property
    def doubted(self) -> bool:
        """Whether a flag casts doubt on its numbers, or the estimate is refuted."""
        return self.status is Status.REFUTED or any(flag.doubts for flag in self.flags)

    @property
    def exceeded(self) -> bool:
        """Whether the estimate was larger than the distance of a witness."""
        return any(flag.code == "refuted" and "witness_distance" in flag.evidence for flag in self.flags)


@dataclass(frozen=True)
class FailedTask:
    """A task that failed.

    Attributes:
        index: Index of the input in its set.
        input_key: Digest of the input's content.
        label: The true class.
        norm: The norm of distances.
        target: Class to move to.
        order: Order of the estimate.
        error: Why, on one line.
        attempts: How often it was tried.
    """

    index: int
    input_key: str
    label: int
    norm: float
    target: str
    order: int
    error: str
    attempts: int


@dataclass(frozen=True)
class RunRecords:
    """Everything that is read of a run.

    Attributes:
        name: The folder's name.
        plan: What was asked.
        entries: The finished brackets, in the order of the plan.
        failures: The tasks that failed.
        rows: Medians and shares of each norm, target and order.
        finished: How many different tasks are finished, failed ones as well.
        total: How many there are.
        target_is_predicted: How many tasks are no entries because the input has the target class already.
        classes: How many classes the network tells apart; 0 where no task has succeeded.
        attacks: Name of an attack, or of another search that met a witness → in how many brackets it was carried out.
        checks: Code of a check of the audit → in how many brackets it measured a number.
    """

    name: str
    plan: Plan
    entries: tuple[Entry, ...]
    failures: tuple[FailedTask, ...]
    rows: tuple[SummaryRow, ...]
    finished: int
    total: int
    target_is_predicted: int = 0
    classes: int = 0
    attacks: Mapping[str, int] = field(default_factory=dict[str, int])
    checks: Mapping[str, int] = field(default_factory=dict[str, int])

    @property
    def judged(self) -> list[Entry]:
        """The entries with something to measure."""
        return [entry for entry in self.entries if entry.judged]

    def class_name(self, index: int) -> str:
        """What a class is called; its index where it has no name."""
        names = self.plan.data.class_names
        return names[index] if 0 <= index < len(names) else str(index)
