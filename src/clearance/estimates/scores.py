"""The record that a CLEVER estimation returns, and the judgement of what it may be trusted for."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from torch import Tensor

from clearance.estimates.ball import Ball
from clearance.estimates.evidence import Evidence, second_order_radius
from clearance.estimates.extremes import FitStatus, ReverseWeibullFit, fit_reverse_weibull
from clearance.estimates.settings import Settings
from clearance.estimates.status import Status
from clearance.model.cost import Cost
from clearance.records import plain

REFUTATION_MARGIN = 1e-3
"""A slope must exceed the Lipschitz estimate by this share before it counts as a contradiction."""


@dataclass(frozen=True)
class CleverScore:
    """The estimate for one input. An estimate of a bound is not a bound.

    Attributes:
        radius: `min(margin / lipschitz, ball_radius)` in input units, to be read only where `status.has_number`: of a
            refuted or masked score it is what was refuted, evidence and no estimate; NaN where nothing was computed.
            At second order `2 margin / (b + sqrt(b² + 2 a margin))`, `b = gradient_norm` and `a = curvature`, in place
            of the quotient.
        interval: Confidence interval of the radius: from the upper end of the endpoint's profile-likelihood interval
            (0 where that is open, or where a gradient norm above it was met) to `margin / largest_seen`, both at most
            `ball_radius`; at second order the same ends through its formula, with `largest_curvature`.
        margin: `g(x0) = f_c - f_t`.
        lipschitz: Estimated `max ||∇g||_q` over the ball: the fitted endpoint, or `largest_seen` where that is larger.
            NaN at second order.
        largest_seen: Largest `||∇g||_q` met anywhere in the ball; NaN at second order.
        fit: The reverse Weibull fit to the block maxima; `None` where nothing finite was met.
        predicted: Predicted class `c`.
        target: Class `t` that the score is for; untargeted: the one with the smallest radius.
        norm: `p`.
        order: 1 or 2: first-order or second-order CLEVER.
        sampler: Which rule found the block maxima.
        ball_radius: `R`, given or found.
        status: What the estimate may be trusted for.
        cost: What it cost.
        maxima: The block maxima: of gradient norms, or of curvatures (equal to within the error they were computed
            with, they are set to the largest).
        largest_slope: Largest `|g(x) - g(x0)| / ||x - x0||_p` met in the ball, less its rounding error; NaN at second
            order.
        witness_distance: Distance of the nearest adversarial example met; infinite if none was.
        clip: `"project"` where samples were clipped into the bounds.
        largest_point: Where `largest_seen` (or `largest_curvature`) was met, `(*input)`.
        witness: The nearest adversarial example met, `(*input)`.
        curvature_kind: At second order, which curvature the numbers are of: `"norm"` or `"one-sided"` (of the two that
            `curvature="one-sided"` computes, the one with the larger radius); else `None`, and the four below are NaN.
        gradient_norm: `b = ||∇g(x0)||_q`, computed at the input itself.
        curvature: `a`, the estimated maximum of `||H||_{p→q}` (or of `max(0, -λ_min(H))`) over the ball: the fitted
            endpoint, or `largest_curvature` where that is larger.
        largest_curvature: Largest curvature met anywhere in the ball.
        largest_bend: Largest `2 |g(x) - g(x0) - <∇g(x0), x - x0>| / ||x - x0||_p²` met (one-sided: of falls only), less
            its rounding error: no curvature can be below it.
    """

    radius: float
    interval: tuple[float, float]
    margin: float
    lipschitz: float
    largest_seen: float
    fit: ReverseWeibullFit | None
    predicted: int
    target: int
    norm: float
    order: int
    sampler: str
    ball_radius: float
    status: Status
    cost: Cost
    maxima: tuple[float, ...] = field(default=(), repr=False)
    largest_slope: float = 0.0
    witness_distance: float = math.inf
    clip: str | None = None
    largest_point: Tensor | None = field(default=None, repr=False, compare=False)
    witness: Tensor | None = field(default=None, repr=False, compare=False)
    curvature_kind: str | None = None
    gradient_norm: float = math.nan
    curvature: float = math.nan
    largest_curvature: float = math.nan
    largest_bend: float = math.nan

    def as_record(self) -> dict[str, Any]:
        """The score as plain values for JSON: NaN and infinity become `None`, tensors are left out.

        A radius that must not be read (refuted, masked, …) is `None`, and so is its interval.
        """
        skipped = {"fit", "cost", "largest_point", "witness"}
        record: dict[str, Any] = {f.name: plain(getattr(self, f.name)) for f in fields(self) if f.name not in skipped}
        if not self.status.has_number:
            record |= {"radius": None, "interval": None}
        record["norm"] = "inf" if math.isinf(self.norm) else self.norm
        names = [f.name for f in fields(ReverseWeibullFit)]
        record["fit"] = None if self.fit is None else {name: plain(getattr(self.fit, name)) for name in names}
        record["cost"] = asdict(self.cost)
        return record


@dataclass(frozen=True)
class TargetEstimate:
    """One target's block maxima, fit and evidence, and the numbers that follow from them.

    `slope` is `b`, the dual norm of the margin's gradient at the input, at second order, and `None` at first order;
    `kind` says which curvature was measured.
    """

    predicted: int
    target: int
    margin: float
    ball: Ball
    maxima: tuple[float, ...]
    fit: ReverseWeibullFit | None
    evidence: Evidence
    slope: float | None = None
    kind: str = "norm"

    @property
    def strength(self) -> float:
        """The Lipschitz constant, or the curvature: the endpoint, or a larger one that was met."""
        return max(0.0, self.evidence.norm.value, -math.inf if self.fit is None else float(self.fit.location))

    @property
    def radius(self) -> float:
        """`min(g / L, R)`, or its second-order form."""
        return self._radius_for(self.strength)

    @property
    def reach(self) -> float:
        """The radius that is left by everything met: the estimate, or less where a slope (or bend) contradicts it."""
        return self._radius_for(max(self.strength, self.evidence.slope.value))

    @property
    def surpassed(self) -> bool:
        """Whether something larger was met than the fit's own interval allows: then the fit knows no upper end."""
        if self.fit is None:
            return False
        return self.evidence.norm.value > float(self.fit.interval[1]) * (1 + REFUTATION_MARGIN)

    @property
    def interval(self) -> tuple[float, float]:
        """The radius for the upper end of the endpoint's interval, and for the largest strength met."""
        high = math.inf if self.fit is None or self.surpassed else float(self.fit.interval[1])
        return self._radius_for(max(high, self.strength)), self._radius_for(self.evidence.norm.value)

    @property
    def width(self) -> float:
        """Width of the interval as a share of its upper end."""
        low, high = self.interval
        return 1 - low / high if high > 0 else 0.0

    def _radius_for(self, strength: float) -> float:
        if self.slope is not None:
            return min(second_order_radius(self.margin, self.slope, max(0.0, strength)), self.ball.radius)
        return self.ball.radius if strength <= 0 else min(self.margin / strength, self.ball.radius)


def judge(settings: Settings, outcome: TargetEstimate, probabilities: bool, cost: Cost) -> CleverScore:
    """The score of an outcome, with the status that takes away the most.

    Args:
        settings: What was asked for.
        outcome: The nearest target's outcome.
        probabilities: Whether the outputs look like probabilities.
        cost: What it cost.

    Returns:
        The record.
    """
    evidence = outcome.evidence
    status = max(_standing(settings, outcome, probabilities), key=lambda status: status.severity)
    number = status is not Status.NON_FINITE
    fit = outcome.fit
    if settings.bootstrap and fit is not None:
        fit = fit_reverse_weibull(
            outcome.maxima,
            level=settings.level,
            bootstrap=settings.bootstrap,
            seed=settings.seed,
            tail_rate=settings.tail_rate,
        )
    score = CleverScore(
        radius=outcome.radius if number else math.nan,
        interval=outcome.interval if number else (math.nan, math.nan),
        margin=outcome.margin,
        lipschitz=outcome.strength if number else math.nan,
        largest_seen=max(0.0, evidence.norm.value),
        fit=fit,
        predicted=outcome.predicted,
        target=outcome.target,
        norm=settings.norm,
        order=settings.order,
        sampler=settings.sampler,
        ball_radius=outcome.ball.radius,
        status=status,
        cost=cost,
        maxima=outcome.maxima,
        largest_slope=evidence.slope.value,
        witness_distance=-evidence.witness.value,
        clip=settings.clip,
        largest_point=evidence.norm.point,
        witness=evidence.witness.point,
    )
    return score if outcome.slope is None else _as_second_order(score, outcome.slope, outcome.kind)


def _as_second_order(score: CleverScore, slope: float, kind: str) -> CleverScore:
    """The same record with its curvatures where curvatures belong."""
    return replace(
        score,
        lipschitz=math.nan,
        largest_seen=math.nan,
        largest_slope=math.nan,
        curvature_kind=kind,
        gradient_norm=slope,
        curvature=score.lipschitz,
        largest_curvature=score.largest_seen,
        largest_bend=score.largest_slope,
    )


def _standing(settings: Settings, outcome: TargetEstimate, probabilities: bool) -> set[Status]:
    """Every status that applies."""
    evidence, fit, found = outcome.evidence, outcome.fit, {Status.OK}
    if not evidence.finite or fit is None:
        found.add(Status.NON_FINITE)
    if evidence.norm.value <= 0 and not outcome.slope:
        found.add(Status.MASKED if evidence.slope.value > 0 else Status.NO_GRADIENT)
    elif evidence.slope.value > outcome.strength * (1 + REFUTATION_MARGIN):
        found.add(Status.REFUTED)
    if -evidence.witness.value < outcome.radius * (1 - REFUTATION_MARGIN):
        found.add(Status.REFUTED)
    if probabilities:
        found.add(Status.PROBABILITIES)
    if (outcome.ball.limited or not outcome.ball.searched) and outcome.radius >= outcome.ball.radius:
        found.add(Status.AT_RADIUS)
    if fit is not None and fit.status is FitStatus.NO_ENDPOINT:
        found.add(Status.NO_ENDPOINT)
    if fit is not None and (fit.status is FitStatus.POOR_FIT or outcome.surpassed):
        found.add(Status.POOR_FIT)
    if outcome.width > settings.tolerance:
        found.add(Status.NOT_CONVERGED)
    return found


def without_number(
    settings: Settings,
    status: Status,
    *,
    predicted: int,
    target: int,
    margin: float = math.nan,
    cost: Cost | None = None,
) -> CleverScore:
    """The row of an input that has no estimate, such as one whose prediction differs from its label.

    Args:
        settings: What was asked for.
        status: Why there is no number.
        predicted: The predicted class.
        target: The class that it would have been moved to.
        margin: `g(x0)`, where it is known.
        cost: What was spent.

    Returns:
        A record without numbers.
    """
    nothing = math.nan
    return CleverScore(
        radius=nothing,
        interval=(nothing, nothing),
        margin=margin,
        lipschitz=nothing,
        largest_seen=nothing,
        fit=None,
        predicted=predicted,
        target=target,
        norm=settings.norm,
        order=settings.order,
        sampler=settings.sampler,
        ball_radius=nothing,
        status=status,
        cost=cost or Cost(),
        clip=settings.clip,
        curvature_kind=settings.curvature if settings.order == 2 else None,
    )


def on_boundary(settings: Settings, x0: Tensor, *, predicted: int, target: int) -> CleverScore:
    """The row of an input whose two largest logits are equal: it lies on the boundary, at distance 0.

    Args:
        settings: What was asked for.
        x0: The input, its own witness.
        predicted: The predicted class.
        target: The class that is level with it.

    Returns:
        A record with radius 0.
    """
    nothing = without_number(settings, Status.OK, predicted=predicted, target=target, margin=0.0)
    return replace(nothing, radius=0.0, interval=(0.0, 0.0), witness_distance=0.0, witness=x0)
