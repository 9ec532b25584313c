"""The brackets of several runs, input by input beside each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from clearance.report.charts import Chart, Panel, Row, data_of, mapped, series_colour, tips
from clearance.report.figures.brackets import dot_size, number_marks, rank_ticks
from clearance.report.marks import MARKS, NO_ESTIMATE
from clearance.report.paired import by_input, shown_distance, threat_name
from clearance.report.records import Entry, RunRecords
from clearance.report.row_words import write_bracket
from clearance.report.statistics import Group, grouped

SPREAD = 0.6
"""Share of the room of an input over which its brackets lie."""

DENSE = 40
"""Brackets in a chart from which their lines are thin."""


def side_rows(group: Group, runs: Sequence[RunRecords]) -> list[Row]:
    """What `side_chart` draws: the brackets of every input that all runs have, ranked by the first run's distance.

    An input that a run misclassifies has no bracket of that run; one that all misclassify is left out.

    Args:
        group: Norm, target and order.
        runs: The runs.

    Returns:
        One row for each bracket.
    """
    members = [by_input(grouped(run.entries).get(group, [])) for run in runs]
    shared = [key for key in members[0] if all(key in found for found in members)]
    shared = [key for key in shared if any(found[key].judged for found in members)]
    shared.sort(key=lambda key: (shown_distance(members[0][key]), members[0][key].index))
    rows: list[Row] = []
    for rank, key in enumerate(shared, start=1):
        for place, (run, found) in enumerate(zip(runs, members, strict=True)):
            if found[key].judged:
                shift = SPREAD * ((place + 0.5) / len(runs) - 0.5)
                rows.append(_row(rank, rank + shift, run.name, members[0][key].index, found[key]))
    return rows


def _row(rank: int, x: float, run: str, index: int, entry: Entry) -> Row:
    low, high = entry.own_interval or (None, None)
    numbers = {"certified": entry.certified, "estimated": entry.own_estimate, "attacked": entry.attacked}
    drawn = {name: _finite(value) for name, value in {**numbers, "low": low, "high": high}.items()}
    unread = 0.0 if entry.estimated is None else None
    status = entry.status.value
    tips = write_bracket(entry)
    return {"rank": rank, "x": x, "run": run, "input": index, "status": status, "tips": tips, "unread": unread, **drawn}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def side_chart(rows: Sequence[Row]) -> Chart:
    """Brackets of the same input beside each other, each run in its colour, each number in its shape.

    Args:
        rows: As `side_rows` makes them.

    Returns:
        The chart.
    """
    import altair as alt

    inputs = {row["rank"]: row["input"] for row in rows}
    last = max(inputs)
    ticks = [rank for rank in rank_ticks(last) if rank in inputs]
    names = [str(inputs[rank]) for rank in ticks]
    label = alt.Axis(values=ticks, labelExpr=f"{names}[indexof({ticks}, datum.value)]", grid=False)
    scale = alt.Scale(domain=[0.5, last + 0.5], nice=False)
    x = alt.X("x:Q", title="input, ranked by the first run's distance", scale=scale, axis=label)
    beside = [*tips("run:N", "input:N", "status:N"), *(alt.Tooltip(f"tips.{kind}:N", title=kind) for kind in MARKS)]
    base = alt.Chart(data_of(rows)).encode(x=x, color=series_colour("run"), tooltip=beside)
    width = 2.0 if len(rows) <= DENSE else 1.0
    span = base.transform_filter("isValid(datum.certified) && isValid(datum.attacked)")
    interval = base.transform_filter("isValid(datum.low) && isValid(datum.high)")
    return alt.layer(
        span.mark_rule(strokeWidth=width / 2, opacity=0.8).encode(
            y=alt.Y("certified:Q", title="distance", axis=alt.Axis(tickCount=6)), y2="attacked:Q"
        ),
        interval.mark_rule(strokeWidth=2 * width).encode(y="low:Q", y2="high:Q"),
        _symbols(base, dot_size(len(rows))),
    )


def _symbols(base: Chart, size: float) -> Chart:
    """A symbol for each number: its shape tells which, its colour the run."""
    import altair as alt

    marks: list[Any] = [*MARKS.values(), NO_ESTIMATE]
    kinds, shapes = [mark.kind for mark in marks], [mark.shape for mark in marks]
    folded = base.transform_calculate(**{NO_ESTIMATE.kind: "datum.unread"}).transform_fold(kinds, as_=["kind", "value"])
    legend = alt.Legend(
        orient="top", columns=0, symbolFillColor=NO_ESTIMATE.colour, symbolStrokeColor=NO_ESTIMATE.colour
    )
    drawn = folded.encode(
        y=alt.Y("value:Q", title="distance"),
        shape=alt.Shape("kind:N", title=None, sort=None, scale=mapped(kinds, shapes), legend=legend),
    )
    return number_marks(drawn, size, -1.2 * math.sqrt(size))


def panels(runs: Sequence[RunRecords]) -> list[Panel]:
    """A panel for each norm, target and order that all runs have."""
    return [
        Panel(threat_name(group, runs[0]), side_chart(rows))
        for group in grouped(runs[0].entries)
        if (rows := side_rows(group, runs))
    ]
