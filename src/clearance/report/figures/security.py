"""Security curves: the share of inputs that is proved and the share that is not broken, at every radius."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clearance.report.charts import Chart, Panel, Row, data_of, mapped, series_colour
from clearance.report.marks import MARKS, NO_ESTIMATE, SERIES_COLOURS, count, name_norm, write_number
from clearance.report.records import RunRecords
from clearance.report.security import SecurityCurve, security_curves

CURVES = {"not_broken": ("not broken", "attacked", [1, 0]), "proved": ("proved", "certified", [5, 3])}
"""Field of a row → what its curve is called, the mark whose colour it has, and its dashes beside other runs."""

ROOM = 1.04
"""The axis ends at so many times the largest radius at which a curve has a step."""

BEYOND_AXIS = 2.0
"""Steps at more than so many times the extent of all curves lie beyond the axis; the panel says how many they are."""


def curve_rows(curve: SecurityCurve, series: str, end: float) -> list[Row]:
    """The steps of both curves of a run, exactly: the shares at 0, then those just above each radius with a step.

    From a row's radius up to the next row's both shares are the row's.

    Args:
        curve: The curve.
        series: Its name.
        end: Where the axis ends; steps beyond it are left out.

    Returns:
        `radius`, `proved` (`None` without certificates), `not_broken`, `text` of both, and `series`.
    """
    at_zero = curve.at(0.0)
    rows = [_row(curve, series, 0.0, at_zero.proved.count, at_zero.not_broken.count, "at 0")]
    proofs = set(curve.proved_radii)
    for radius in (one for one in curve.breakpoints if one <= end):
        proved = sum(one > radius for one in curve.proved_radii)
        kind = "certified" if radius in proofs else "attacked"  # so that what is said still holds
        above = f"just above {write_number(radius, kind)}"
        rows.append(_row(curve, series, radius, proved, curve.at(radius).not_broken.count, above))
    return [*rows, {**rows[-1], "radius": end}]


def _row(curve: SecurityCurve, series: str, radius: float, proved: int, not_broken: int, where: str) -> dict[str, Any]:
    of, asked = len(curve.inputs), curve.with_certificates
    counts = [*([f"{proved} proved"] if asked else []), f"{not_broken} not broken"]
    return {
        "radius": radius,
        "proved": proved / of if asked else None,
        "not_broken": not_broken / of,
        "text": f"{where}: {', '.join(counts)} of {of}",
        "series": series,
    }


def curve_chart(rows: Sequence[Row], units: str, *, several: bool = False) -> Chart:
    """Two step functions and what lies between them (a security evaluation curve, Biggio and Roli 2018).

    Args:
        rows: As `curve_rows` makes them.
        units: What the radius is measured in.
        several: A colour for each series, and dashes for the proved curve, in place of a colour for each curve.

    Returns:
        The chart.
    """
    import altair as alt

    end = max(row["radius"] for row in rows)
    x = alt.X("radius:Q", title=f"radius, in {units}", scale=alt.Scale(domain=[0, end], nice=False))
    base = alt.Chart(data_of(rows)).encode(x=x, detail="series:N")
    between = base.transform_filter("datum.proved !== null").mark_area(
        interpolate="step-after", opacity=0.15, color=NO_ESTIMATE.colour
    )
    filled: dict[str, Any] = {}
    if several:
        filled["fill"] = alt.Fill("series:N", sort=None, scale=alt.Scale(range=list(SERIES_COLOURS)), legend=None)
    layers = [between.encode(y=_share("proved"), y2="not_broken:Q", **filled)]
    return alt.layer(*layers, *(layer for field in CURVES for layer in _line(base, field, several=several)))


def _line(base: Chart, field: str, *, several: bool) -> tuple[Chart, Chart]:
    """One curve of each series, and at its steps points that are not drawn, which have what stands beside them."""
    import altair as alt

    words, marks, dashes = zip(*CURVES.values(), strict=True)
    drawn = base.transform_filter(f"datum.{field} !== null").encode(y=_share(field))
    line = drawn.transform_calculate(curve=f"'{CURVES[field][0]}'").mark_line(interpolate="step-after", strokeWidth=2)
    beside = [*([alt.Tooltip("series:N")] if several else []), alt.Tooltip("text:N", title="inputs")]
    points = drawn.mark_point(size=80, opacity=0).encode(tooltip=beside)
    legend = alt.Legend(orient="top", symbolType="stroke", symbolStrokeColor=NO_ESTIMATE.colour, symbolSize=200)
    if several:
        dashed = alt.StrokeDash("curve:N", title=None, sort=None, legend=legend, scale=mapped(words, dashes))
        return line.encode(color=series_colour("series"), strokeDash=dashed), points
    scale = mapped(words, [MARKS[mark].colour for mark in marks])
    return line.encode(color=alt.Color("curve:N", title=None, legend=alt.Legend(orient="top"), scale=scale)), points


def _share(field: str) -> Any:
    import altair as alt

    scale, axis = alt.Scale(domain=[0, 1]), alt.Axis(format="%")
    return alt.Y(f"{field}:Q", title="robust accuracy", scale=scale, axis=axis)


def panels(runs: Sequence[RunRecords]) -> list[Panel]:
    """A panel for each norm; with several runs each is a series of its own."""
    found: dict[float, list[tuple[str, SecurityCurve]]] = {}
    for run in runs:
        for curve in security_curves(run):
            found.setdefault(curve.norm, []).append((run.name, curve))
    made: list[Panel] = []
    for norm, curves in found.items():
        steps = [radius for _, curve in curves for radius in curve.breakpoints]
        extent = max(curve.extent for _, curve in curves)
        near = [radius for radius in steps if radius <= BEYOND_AXIS * extent]
        end, beyond = ROOM * max(near) or 1.0, len(steps) - len(near)
        rows = [row for name, curve in curves for row in curve_rows(curve, name, end)]
        note = f" ({count(beyond, 'step')} beyond the axis)" if beyond else ""
        made.append(
            Panel(f"{name_norm(norm)}{note}", curve_chart(rows, runs[0].plan.threat.units, several=len(runs) > 1))
        )
    return made
