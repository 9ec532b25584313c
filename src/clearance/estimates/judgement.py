"""What an estimation amounts to: the numbers of one target, the status that they deserve, and the record."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from torch import Tensor

from clearance.estimates.evidence import Evidence
from clearance.estimates.extremes import FitStatus, ReverseWeibullFit, fit_reverse_weibull
from clearance.estimates.fixed_point import Ball
from clearance.estimates.profile.score import ProfileScore
from clearance.estimates.scores import CleverScore, Score
from clearance.estimates.second_order import SecondOrderScore, second_order_radius
from clearance.estimates.settings import Settings
from clearance.estimates.status import Status
from clearance.model.cost import Cost
from clearance.model.curvature import Kind

REFUTATION_MARGIN = 1e-3
"""Share by which what was met must exceed an estimate to contradict it: above the rounding of float32 gradients."""


@dataclass(frozen=True)
class TargetEstimate:
    """One target's block maxima, fit and evidence, and the numbers that follow from them.

    Source: Weng, Zhang, Chen, Yi, Su, Gao, Hsieh and Daniel 2018, algorithm 1, lines 9 and 10; at second order Weng,
    Zhang, Chen, Lozano, Hsieh and Daniel 2018, theorem 3.1.

    Attributes:
        predicted: Predicted class `c`.
        target: Class `t`.
        margin: `g(x0)`.
        ball: The ball.
        maxima: The block maxima, finite ones only.
        fit: The fit to them; `None` where there are none.
        evidence: What was met in the ball.
        gradient_norm: At second order `b = ||∇g(x0)||_q`; `None` at first order.
        kind: At second order, which curvature was measured.
    """

    predicted: int
    target: int
    margin: float
    ball: Ball
    maxima: tuple[float, ...]
    fit: ReverseWeibullFit | None
    evidence: Evidence
    gradient_norm: float | None = None
    kind: Kind = "norm"

    @property
    def constant(self) -> float:
        """The Lipschitz constant `L`, or the curvature `a`: the endpoint, or a larger one that was met."""
        return max(0.0, self.evidence.derivative.value, -math.inf if self.fit is None else float(self.fit.location))

    @property
    def radius(self) -> float:
        """`min(g / L, R)`; at second order `min(2 g / (b + sqrt(b² + 2 a g)), R)`."""
        return self._radius_for(self.constant)

    @property
    def radius_left(self) -> float:
        """The radius that everything met leaves: the estimate, or less where a secant contradicts it."""
        return self._radius_for(max(self.constant, self.evidence.secant.value))

    @property
    def surpassed(self) -> bool:
        """Whether something larger was met than the fit's own interval allows: then the fit knows no upper end."""
        if self.fit is None:
            return False
        return self.evidence.derivative.value > float(self.fit.interval[1]) * (1 + REFUTATION_MARGIN)

    @property
    def interval(self) -> tuple[float, float]:
        """The radius for the upper end of the endpoint's interval, and for the largest derivative met."""
        high = math.inf if self.fit is None or self.surpassed else float(self.fit.interval[1])
        return self._radius_for(max(high, self.constant)), self._radius_for(self.evidence.derivative.value)

    @property
    def width(self) -> float:
        """Width of the interval as a share of its upper end."""
        low, high = self.interval
        return 1 - low / high if high > 0 else 0.0

    def _radius_for(self, constant: float) -> float:
        if self.gradient_norm is not None:
            return min(second_order_radius(self.margin, self.gradient_norm, max(0.0, constant)), self.ball.radius)
        return self.ball.radius if constant <= 0 else min(self.margin / constant, self.ball.radius)


def judge(settings: Settings, estimate: TargetEstimate, probabilities: bool, cost: Cost) -> Score:
    """The score of an estimate, with the status that takes away the most.

    Source: this project. The radius is that of `TargetEstimate`; a status says what was met that contradicts it.

    Args:
        settings: What was asked for.
        estimate: The nearest target's.
        probabilities: Whether the outputs look like probabilities.
        cost: What it cost.

    Returns:
        The record, of the settings' order.
    """
    evidence, nothing = estimate.evidence, math.nan
    status = max(_standing(settings, estimate, probabilities), key=lambda status: status.severity)
    number = status is not Status.NON_FINITE
    common = Score(
        radius=estimate.radius if number else nothing,
        interval=estimate.interval if number else (nothing, nothing),
        margin=estimate.margin,
        fit=_with_bootstrap(settings, estimate),
        predicted=estimate.predicted,
        target=estimate.target,
        norm=settings.norm,
        sampler=settings.sampler,
        ball_radius=estimate.ball.radius,
        status=status,
        cost=cost,
        maxima=estimate.maxima,
        witness_distance=-evidence.witness.value,
        clip=settings.clip,
        largest_point=evidence.derivative.point,
        witness=evidence.witness.point,
    )
    constant, largest = estimate.constant if number else nothing, max(0.0, evidence.derivative.value)
    if estimate.gradient_norm is None:
        return CleverScore(
            **vars(common), lipschitz=constant, largest_seen=largest, largest_slope=evidence.secant.value
        )
    return SecondOrderScore(
        **vars(common),
        curvature_kind=estimate.kind,
        gradient_norm=estimate.gradient_norm,
        curvature=constant,
        largest_curvature=largest,
        largest_secant_curvature=evidence.secant.value,
    )


def _with_bootstrap(settings: Settings, estimate: TargetEstimate) -> ReverseWeibullFit | None:
    """The fit, with a bootstrap p-value where that was asked for."""
    if not settings.bootstrap or estimate.fit is None:
        return estimate.fit
    return fit_reverse_weibull(
        estimate.maxima,
        level=settings.level,
        bootstrap=settings.bootstrap,
        seed=settings.seed,
        tail_rate=settings.tail_rate,
    )


def _standing(settings: Settings, estimate: TargetEstimate, probabilities: bool) -> set[Status]:
    """Every status that applies."""
    evidence, fit, found = estimate.evidence, estimate.fit, {Status.OK}
    if not evidence.finite or fit is None:
        found.add(Status.NON_FINITE)
    if evidence.derivative.value <= 0 and not estimate.gradient_norm:
        found.add(Status.MASKED if evidence.secant.value > 0 else Status.NO_GRADIENT)
    elif evidence.secant.value > estimate.constant * (1 + REFUTATION_MARGIN):
        found.add(Status.REFUTED)
    if -evidence.witness.value < estimate.radius * (1 - REFUTATION_MARGIN):
        found.add(Status.REFUTED)
    if probabilities:
        found.add(Status.PROBABILITIES)
    if (estimate.ball.limited or not estimate.ball.searched) and estimate.radius >= estimate.ball.radius:
        found.add(Status.AT_RADIUS)
    if fit is not None and fit.status is FitStatus.NO_ENDPOINT:
        found.add(Status.NO_ENDPOINT)
    if fit is not None and (fit.status is FitStatus.POOR_FIT or estimate.surpassed):
        found.add(Status.POOR_FIT)
    if estimate.width > settings.tolerance:
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
) -> Score:
    """The row of an input that has no estimate, such as one whose prediction differs from its label.

    Source: this project.

    Args:
        settings: What was asked for.
        status: Why there is no number.
        predicted: The predicted class.
        target: The class that it would have been moved to.
        margin: `g(x0)`, where it is known.
        cost: What was spent.

    Returns:
        A record of the settings' order, without numbers.
    """
    nothing = math.nan
    common = Score(
        radius=nothing,
        interval=(nothing, nothing),
        margin=margin,
        fit=None,
        predicted=predicted,
        target=target,
        norm=settings.norm,
        sampler="profile" if settings.bound == "profile" else settings.sampler,
        ball_radius=nothing,
        status=status,
        cost=cost or Cost(),
        clip=settings.clip,
    )
    if settings.bound == "profile":
        return ProfileScore(
            **vars(common),
            slope=settings.slope,
            levels=(),
            by_norm=None,
            by_radial=None,
            rise=nothing,
            excess=nothing,
            feasible=settings.feasible,
        )
    if settings.order == 1:
        return CleverScore(**vars(common), lipschitz=nothing, largest_seen=nothing, largest_slope=0.0)
    return SecondOrderScore(
        **vars(common),
        curvature_kind=settings.curvature,
        gradient_norm=nothing,
        curvature=nothing,
        largest_curvature=nothing,
        largest_secant_curvature=nothing,
    )


def on_boundary(settings: Settings, x0: Tensor, *, predicted: int, target: int) -> Score:
    """The row of an input whose two largest logits are equal: it lies on the boundary, at distance 0.

    Source: an input with `g(x0) = 0` is its own witness.

    Args:
        settings: What was asked for.
        x0: The input, `(*input)`, its own witness.
        predicted: The predicted class.
        target: The class that is level with it.

    Returns:
        A record with radius 0.
    """
    nothing = without_number(settings, Status.OK, predicted=predicted, target=target, margin=0.0)
    return replace(nothing, radius=0.0, interval=(0.0, 0.0), witness_distance=0.0, witness=x0)
