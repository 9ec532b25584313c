"""Robust accuracy in tables: at chosen radii, and the radii at which it falls below chosen shares."""

from __future__ import annotations

import math
from collections.abc import Sequence

from clearance.data.files import PIXEL_LEVELS
from clearance.model.robustness import Proportion, RobustShares
from clearance.report.marks import MISSING, count, name_norm, write_ends, write_given, write_number, write_share
from clearance.report.paired import INTERVAL_LEVEL
from clearance.report.records import RunRecords
from clearance.report.security import SecurityCurve, security_curves
from clearance.report.tables import Table

PERCENTS = (90, 75, 50, 25, 10)
"""Shares of the inputs, in per cent, whose radii are listed: from most of the inputs to few of them."""

MOST_ROUND_RADII = 6
"""Most radii that a table chooses by itself: a table to be read at a glance."""

LEVEL = f"{100 * INTERVAL_LEVEL:g} %"
"""The confidence level of the intervals in words."""

INTERVAL_NOTE = (
    "The interval is for all inputs that these were drawn from, if they were drawn at random. Its ends are exact "
    "(Clopper and Pearson 1934): the lower one of the proved share, the upper one of the not broken share."
)
"""How the interval of robust accuracy is to be read."""


def write_radius(radius: float) -> str:
    """A radius that was chosen: short as it is, or as a fraction of 255, the largest 8-bit pixel, where it is one.

    >>> write_radius(0.3), write_radius(8 / 255), write_radius(1 / 7)
    ('0.3', '8/255', '0.142857')
    """
    levels = round(radius * PIXEL_LEVELS)
    if float(f"{radius:.4g}") != radius and 0 < levels < PIXEL_LEVELS and levels / PIXEL_LEVELS == radius:
        return f"{levels}/{PIXEL_LEVELS:g}"
    return write_given(radius)


def round_radii(curve: SecurityCurve) -> list[float]:
    """Round radii, at most `MOST_ROUND_RADII`, up to where nearly all steps lie (`SecurityCurve.extent`).

    >>> round_radii(SecurityCurve(2.0, (), True, 0))
    []
    """
    last = curve.extent
    if last <= 0:
        return []
    power = math.floor(math.log10(last / MOST_ROUND_RADII))
    step = next(factor for factor in (1, 2, 5, 10) if last <= MOST_ROUND_RADII * factor * 10.0**power * (1 + 1e-9))
    times = math.floor(last / (step * 10.0**power) * (1 + 1e-9))
    return [float(f"{place * step}e{power}") for place in range(1, times + 1)]


def write_count(found: Proportion) -> str:
    """A share as a count, with its per cent.

    >>> write_count(Proportion(3, 8))
    '3 of 8 (37.5 %)'
    """
    return f"{found.count} of {found.of} ({write_share(found.share)})"


def write_interval(found: RobustShares) -> str:
    """The interval of robust accuracy in per cent, rounded outwards."""
    low, high = write_ends(found.interval)
    return f"{low.removesuffix(' %')}–{high}"


def at_zero(run: RunRecords) -> tuple[float, ...]:
    """Radius 0, where robust accuracy is accuracy; none where correctly classified inputs alone were taken."""
    return (0.0,) if run.plan.data.passed_over is None else ()


def passed_over_note(run: RunRecords) -> str:
    """What it means that misclassified inputs were passed over; empty where none were to be."""
    data = run.plan.data
    if data.passed_over is None:
        return ""
    return f"{data.choice}: every share is one of correctly classified inputs, and accuracy was not measured."


def shares_table(runs: Sequence[RunRecords], radii: Sequence[float] = ()) -> Table:
    """Robust accuracy at radius 0, which is accuracy, and at some radii.

    Args:
        runs: The runs.
        radii: The radii; empty for round ones.

    Returns:
        The table, one row for each run, norm and radius.
    """
    found = [(run, curve) for run in runs for curve in security_curves(run)]
    widest = {curve.norm: curve for _, curve in sorted(found, key=lambda pair: pair[1].extent)}
    rows = [
        (*_first(run, curve, runs), write_radius(radius), *_cells(curve.at(radius)))
        for run, curve in found
        for radius in (*at_zero(run), *(radii or round_radii(widest[curve.norm])))
    ]
    units = runs[0].plan.threat
    return Table(
        "robust-accuracy",
        "Robust accuracy at a radius",
        f"Radii are in {units.units}, {units.range}. Proved: a certified radius of at least that much. Not broken: "
        f"correct, and no witness at that distance or nearer. Robust accuracy lies between the two. {INTERVAL_NOTE}",
        (*_head(runs), "radius", "proved", "not broken", f"{LEVEL} interval"),
        tuple(rows),
        len(_head(runs)),
    )


def radii_table(runs: Sequence[RunRecords]) -> Table:
    """The exact radii up to which shares of the inputs are proved, and from which they are known to be lost.

    Args:
        runs: The runs.

    Returns:
        The table, one row for each run, norm and share.
    """
    rows = [
        (*_first(run, curve, runs), f"{percent} %", *_ends(curve, percent))
        for run in runs
        for curve in security_curves(run)
        for percent in PERCENTS
    ]
    return Table(
        "robust-radii",
        "How far robust accuracy reaches",
        "Exact, at any radius: at least this share of the inputs is robust up to the first radius (proved), and less "
        f"than this share from the second on (witnesses). {MISSING}: no proofs, or no witnesses, for as many inputs.",
        (*_head(runs), "share of inputs", "proved up to", "less from"),
        tuple(rows),
        len(_head(runs)),
    )


def _ends(curve: SecurityCurve, percent: int) -> tuple[str, str]:
    needed = -(-percent * len(curve.inputs) // 100)
    proved, broken = curve.proved_for(needed), curve.broken_from(needed)
    return write_number(proved, "certified"), write_number(broken, "attacked")


def _head(runs: Sequence[RunRecords]) -> tuple[str, ...]:
    return ("run", "norm") if len(runs) > 1 else ("norm",)


def _first(run: RunRecords, curve: SecurityCurve, runs: Sequence[RunRecords]) -> tuple[str, ...]:
    return (run.name, name_norm(curve.norm)) if len(runs) > 1 else (name_norm(curve.norm),)


def _cells(found: RobustShares) -> tuple[str, str, str]:
    proved = write_count(found.proved) if found.with_certificates else MISSING
    return proved, write_count(found.not_broken), write_interval(found)


def remarks(run: RunRecords, radii: Sequence[float] = ()) -> list[str]:
    """What a reader of a run's robust accuracy must know besides: why there is none, what is missing, what is in doubt.

    Args:
        run: The run.
        radii: Radii that were chosen.

    Returns:
        Sentences.
    """
    found: dict[str, list[str]] = {}
    for curve in (curves := security_curves(run)):
        for sentence in _about(curve, radii or round_radii(curve) or [0.0]):
            found.setdefault(sentence, []).append(name_norm(curve.norm))
        for sentence in _beyond_bounds(run, curve, radii):
            found.setdefault(sentence, []).append(name_norm(curve.norm))
    several = len(curves) > 1
    said = [f"{', '.join(norms)}: {sentence}" if several else sentence for sentence, norms in found.items()]
    if curves and (chosen := passed_over_note(run)):
        said.insert(0, chosen)
    if curves and not curves[0].with_certificates:
        said.append("No certificates were asked for: nothing is proved, and there is no lower end.")
    return said


def _beyond_bounds(run: RunRecords, curve: SecurityCurve, radii: Sequence[float]) -> list[str]:
    """What a radius in the maximum norm says that is wider than the bounds: nothing, and it may be meant in levels."""
    threat = run.plan.threat
    if curve.norm != math.inf or threat.bounds is None or threat.space is not None:
        return []
    width = float(threat.bounds[1]) - float(threat.bounds[0])
    wide = [write_radius(radius) for radius in radii if radius > width]
    levels = "; grey levels are written as 8/255" if width == 1 else ""
    return (
        [f"No two valid inputs are farther apart than {width:g}, got radius {', '.join(wide)}{levels}."] if wide else []
    )


def _about(curve: SecurityCurve, radii: Sequence[float]) -> list[str]:
    """What is missing of one curve, and how many of the attacks behind its upper end are in doubt."""
    said: list[str] = []
    if left := curve.not_measured:
        failed = f", {curve.failed} of them because a task failed" if curve.failed else ""
        counts = "it counts" if left == 1 else "they count"
        said.append(
            f"{count(left, 'input is', 'inputs are')} not measured{failed}: {counts} as neither proved nor broken."
        )
    doubted, nearest = max((curve.doubted_at(radius), -radius) for radius in radii)
    if doubted:
        which = f"{count(doubted, 'input')} that {'is' if doubted == 1 else 'are'} counted as not broken"
        said.append(
            f"The audit doubts the attacks on {which} at radius {write_radius(-nearest)}: the upper end may be far too "
            "high."
        )
    return said
