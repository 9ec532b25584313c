"""Checks on the estimate: what was met that contradicts it, and how well it rests on its block maxima."""

from __future__ import annotations

import math

import torch

from clearance.audit.case import Case, Ledger, ratio, threshold
from clearance.audit.record import Severity
from clearance.audit.slope import slopes_from
from clearance.estimates.extremes import FitStatus
from clearance.estimates.profile.score import ProfileScore
from clearance.estimates.scores import CleverScore, Score
from clearance.estimates.second_order import SecondOrderScore
from clearance.estimates.status import Status
from clearance.geometry.feasible import feasible_directions
from clearance.geometry.norms import dual_norm, vector_norm
from clearance.model.gradients import margin_gradients, nearest_margin_gradients

ON_SEGMENT = 48
"""Points of the segment to the witness whose gradient norms and slopes are held against the estimate."""
UNITS_TO_REFUTE = 8.0
"""Times the rounding of `precision` by which a radius must exceed a witness's distance: 64 units in all, as everywhere.
Below, both distances are rounding."""


def check_estimate(case: Case, ledger: Ledger, score: Score, nearest: float) -> None:
    """Raise `refuted`, `lipschitz_exceeded`, `cliff`, `poor_fit` and `at_radius`.

    An estimate is refuted where it exceeds the distance of a witness: `radius > d`, or where a slope in its ball
    exceeds what it allows: `|g(x) - g(x0)| / ||x - x0||_p > L` (mean value theorem; Wood and Zhang 1996). The fit is
    judged by its Kolmogorov-Smirnov p-value (Weng et al. 2018, section 5.2).

    Args:
        case: The input.
        ledger: Where flags go.
        score: The estimate.
        nearest: Distance of the nearest confirmed witness; infinite without one.
    """
    noise = UNITS_TO_REFUTE * ledger.measured.get("precision", 0.0)
    if math.isfinite(score.radius) and math.isfinite(nearest):
        ledger.measured["refuted"] = ratio(score.radius, nearest)
    if score.radius > threshold("refuted") * nearest * (1 + 1e-6 + noise):
        ledger.raise_flag("refuted", Severity.ERROR, radius=score.radius, witness_distance=nearest)
    elif score.status is Status.REFUTED:
        stairs = ledger.severity("locally_constant") is Severity.INFO
        severity = Severity.INFO if ledger.small_steps or stairs or ledger.severity("precision") else Severity.ERROR
        # across a step, slopes over short distances have no limit
        ledger.raise_flag("refuted", severity, radius=score.radius, **_largest_secant(score))
    _check_lipschitz(case, ledger, score)
    _check_fit(ledger, score)
    if score.radius >= score.ball_radius and score.status is Status.AT_RADIUS:
        ledger.raise_flag("at_radius", Severity.INFO, ball_radius=score.ball_radius)


def _largest_secant(score: Score) -> dict[str, float]:
    """What refuted a score when it was made: a slope, a fall, or at second order a secant curvature."""
    if isinstance(score, ProfileScore):
        return {"fall_over_profile": score.excess}
    if isinstance(score, SecondOrderScore):
        return {"largest_secant_curvature": score.largest_secant_curvature}
    return {"largest_slope": score.largest_slope} if isinstance(score, CleverScore) else {}


def _check_profile(case: Case, ledger: Ledger, score: ProfileScore) -> None:
    """Raise `lipschitz_exceeded` where gradients on the way to the witness exceed the profile, and `cliff`."""
    reading = score.by_norm
    if reading is None or not reading.values[0] > 0:
        return
    ledger.measured["cliff"] = score.rise
    if score.rise > threshold("cliff"):
        numbers = {"rise": score.rise, "first": reading.values[0], "last": reading.values[-1]}
        ledger.raise_flag("cliff", Severity.INFO, **numbers, distance=score.levels[-1])
    if case.witness is None:
        return
    shares = (torch.arange(ON_SEGMENT, dtype=case.x0.dtype, device=case.x0.device) + 1) / ON_SEGMENT
    points = case.x0 + shares.reshape(-1, *[1] * case.x0.ndim) * (case.witness - case.x0)
    distance = vector_norm(points - case.x0, case.norm)
    inside = distance <= score.levels[-1]
    if not bool(inside.any()):
        return
    targets = case.goal.wanted[0].nonzero().flatten()
    _, gradients = nearest_margin_gradients(case.model, points[inside], case.predicted, targets)
    directions = feasible_directions(case.x0, case.model.bounds, case.norm, score.feasible)
    falls = directions.support(gradients, score.radius)
    levels = torch.tensor(score.levels, dtype=falls.dtype, device=falls.device)
    values = torch.tensor(reading.values, dtype=falls.dtype, device=falls.device)
    allowed = values[torch.searchsorted(levels, distance[inside]).clamp_max(len(levels) - 1)]
    over = falls / allowed
    ledger.measured["lipschitz_exceeded"] = float(over.max())
    if float(over.max()) > threshold("lipschitz_exceeded"):
        at = int(over.argmax())
        numbers = {"estimate": float(allowed[at]), "gradient_norm": float(falls[at])}
        ledger.raise_flag("lipschitz_exceeded", Severity.INFO, **numbers, distance=float(distance[inside][at]))


def _check_lipschitz(case: Case, ledger: Ledger, score: Score) -> None:
    """Gradient norms and slopes between the input and the witness, within the estimate's ball."""
    if isinstance(score, ProfileScore):
        _check_profile(case, ledger, score)
        return
    if (
        not isinstance(score, CleverScore)
        or case.witness is None
        or score.target != case.target
        or not score.lipschitz > 0
    ):
        return
    way = case.witness - case.x0
    reach = float(vector_norm(way[None], case.norm))
    if reach == 0:  # a random network took back its prediction of the input itself
        return
    shares = torch.linspace(0, min(1.0, score.ball_radius / reach), ON_SEGMENT + 1, dtype=way.dtype, device=way.device)
    points = case.x0 + shares[1:].reshape(-1, *[1] * way.ndim) * way
    margins, gradients = margin_gradients(case.model, points, case.predicted, case.target)
    norms = vector_norm(gradients, dual_norm(case.norm))
    slopes = slopes_from(case.x0, case.margin, points, margins, norm=case.norm, scale=case.scale)
    largest = float(torch.maximum(norms.max(), slopes.max()))
    ledger.measured["lipschitz_exceeded"] = largest / score.lipschitz
    if largest > threshold("lipschitz_exceeded") * score.lipschitz:
        numbers = {"estimate": score.lipschitz, "gradient_norm": float(norms.max()), "slope": float(slopes.max())}
        at = float(shares[1 + int(torch.maximum(norms, slopes).argmax())]) * reach
        ledger.raise_flag("lipschitz_exceeded", Severity.INFO, **numbers, distance=at)


def _check_fit(ledger: Ledger, score: Score) -> None:
    """A p-value that is too small, or no endpoint."""
    if score.fit is None or isinstance(score, ProfileScore):  # a profile does not rest on a fit
        return
    p_value = float(score.fit.p_value)
    ledger.measured["poor_fit"] = p_value
    if p_value < threshold("poor_fit") or score.fit.status is FitStatus.NO_ENDPOINT:
        ledger.raise_flag("poor_fit", Severity.INFO, p_value=p_value, fit=str(score.fit.status))
