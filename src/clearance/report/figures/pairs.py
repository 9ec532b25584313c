"""Two runs against each other, input by input."""

from __future__ import annotations

import math
from collections.abc import Sequence

from clearance.report.charts import Chart, Panel, Row, data_of
from clearance.report.marks import MARKS, NO_ESTIMATE, write_number
from clearance.report.paired import by_input, readable, threat_name
from clearance.report.records import RunRecords
from clearance.report.statistics import Group, grouped


def pair_rows(group: Group, first: RunRecords, other: RunRecords) -> list[Row]:
    """What `pair_chart` draws: inputs of a group whose attack distance may be read in both runs, and is finite."""
    ones, others = (by_input(grouped(run.entries).get(group, [])) for run in (first, other))
    rows = [
        {"input": one.index, "first": readable(one, "attacked"), "other": readable(others[key], "attacked")}
        for key, one in ones.items()
        if key in others
    ]
    return [row for row in rows if _drawable(row["first"]) and _drawable(row["other"])]


def _drawable(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def pair_chart(rows: Sequence[Row], first: str, other: str) -> Chart:
    """Points of two distances, with the line on which they are equal.

    Args:
        rows: `input`, `first`, `other`.
        first: Name of the run across.
        other: Name of the run upwards.

    Returns:
        The chart.
    """
    import altair as alt

    both = {"first": first, "other": other}
    most = max(max(row["first"], row["other"]) for row in rows)
    scale = alt.Scale(domain=[0, 1.05 * most])
    x, y = (
        alt.X("first:Q", title=first, scale=scale, axis=alt.Axis(titleLimit=240)),
        alt.Y("other:Q", title=other, scale=scale, axis=alt.Axis(titleLimit=240)),
    )
    beside = [alt.Tooltip("input:Q"), *(alt.Tooltip(f"tips.{of}:N", title=name) for of, name in both.items())]
    drawn = [{**row, "tips": {of: write_number(row[of], "attacked") for of in both}} for row in rows]
    line = alt.Chart(data_of([{"first": end, "other": end} for end in (0, 1.05 * most)]))
    return alt.layer(
        line.mark_line(color=NO_ESTIMATE.colour, strokeDash=[4, 3]).encode(x=x, y=y),
        alt.Chart(data_of(drawn))
        .mark_point(color=MARKS["attacked"].colour, filled=True, size=45, opacity=0.8)
        .encode(x=x, y=y, tooltip=beside),
    )


def panels(runs: Sequence[RunRecords]) -> list[Panel]:
    """Every other run against the first, a panel for each norm, target and order."""
    first, *others = runs
    return [
        Panel(
            f"{threat_name(group, first)}: {other.name} against {first.name}",
            pair_chart(rows, first.name, other.name),
            square=True,
        )
        for group in grouped(first.entries)
        for other in others
        if (rows := pair_rows(group, first, other))
    ]
