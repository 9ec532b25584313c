"""Every input as an interval: certified radius, estimate with its interval, attack distance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from clearance.report.charts import Chart, Panel, Row, data_of, mapped, rounded_tips, tips
from clearance.report.figures.figure import of_run
from clearance.report.marks import MARKS, NO_ESTIMATE, name_norm
from clearance.report.records import Entry, RunRecords
from clearance.report.row_words import write_bracket
from clearance.report.statistics import Group, grouped

MOST_TICKS = 10
"""Most ranks that the axis of ranks names."""

RANK_STEPS = tuple(digit * 10**power for power in range(12) for digit in (1, 2, 5))
"""Every so many ranks the axis may name one: round numbers, the smallest first."""

LARGEST_DOT, SMALLEST_DOT = 55.0, 8.0
"""Area of a mark in square pixels: with few inputs, and at least."""

SHARED_AREA = 12_000.0
"""Area in square pixels that the marks of one kind share where their inputs are many."""


def rank_step(count: int) -> int:
    """Every so many ranks the axis names one, where `count` inputs share a chart.

    >>> rank_step(2), rank_step(25), rank_step(3000)
    (1, 5, 500)
    """
    return next(step for step in RANK_STEPS if count <= MOST_TICKS * step)


def rank_ticks(count: int) -> list[int]:
    """The ranks from 1 to `count` that the axis names: at most `MOST_TICKS`.

    >>> rank_ticks(2), rank_ticks(25)
    ([1, 2], [5, 10, 15, 20, 25])
    """
    step = rank_step(count)
    return list(range(step, count + 1, step))


def dot_size(count: int) -> float:
    """Area of a mark, in square pixels, where `count` inputs share a chart.

    >>> dot_size(10), dot_size(1000)
    (55.0, 12.0)
    """
    return min(LARGEST_DOT, max(SMALLEST_DOT, SHARED_AREA / max(count, 1)))


def page_rules() -> dict[str, float | tuple[int, ...]]:
    """The numbers of `rank_step` and `dot_size`: the page's script computes both for the inputs that it shows."""
    return {
        "mostTicks": MOST_TICKS,
        "rankSteps": RANK_STEPS,
        "largestDot": LARGEST_DOT,
        "smallestDot": SMALLEST_DOT,
        "sharedArea": SHARED_AREA,
    }


def bracket_rows(entries: Iterable[Entry]) -> list[Row]:
    """What `bracket_chart` draws, ranked by attack distance; misclassified inputs are left out: they have no number."""
    shown = [entry for entry in entries if entry.judged]
    ranked = sorted(shown, key=lambda entry: (entry.attacked is None, entry.attacked or 0.0, entry.index))
    return [_bracket_row(rank, entry) for rank, entry in enumerate(ranked, start=1)]


def _bracket_row(rank: int, entry: Entry) -> Row:
    low, high = entry.own_interval or (None, None)
    return {
        "rank": rank,
        "name": f"input {entry.index}",
        "status": entry.status.value,
        "certified": entry.certified if entry.certified is not None and np.isfinite(entry.certified) else None,
        "estimated": entry.own_estimate,
        "low": low,
        "high": high,
        "attacked": entry.attacked,
        "unread": 0 if entry.estimated is None else None,
        "tips": write_bracket(entry),
    }


def bracket_chart(rows: Sequence[Row] | None) -> Chart:
    """Every input as an interval (figure 6 of Weng et al. 2018, with proofs, intervals and refusals).

    Args:
        rows: `rank`, `name`, `status`, `certified`, `estimated`, `low`, `high`, `attacked`, and `unread`: 0 where an
            estimate was made and must not be read; `tips`: the text of each number.

    Returns:
        The chart; without rows, its data are called `rows`, and the page's script sets its parameters: `dot`, the area
        of a mark, `ticks`, the ranks that the axis names, and `names`, what they are called.
    """
    import altair as alt

    title = "input, in the order of the table" if rows is None else "rank of the input, by attack distance"
    ticks = rank_ticks(0 if rows is None else len(rows))
    x = alt.X(
        "rank:Q",
        title=title,
        scale=alt.Scale(zero=False, nice=False, padding=24),
        axis=alt.Axis(values=alt.ExprRef("ticks"), labelExpr="names[indexof(ticks, datum.value)]", grid=False),
    )
    base = alt.Chart().encode(x=x, tooltip=[*tips("name:N", "status:N"), *rounded_tips(*MARKS)])
    span = base.transform_filter("isValid(datum.certified) && isValid(datum.attacked)")
    interval = base.transform_filter("isValid(datum.low) && isValid(datum.high)")
    return alt.layer(
        span.mark_rule(color=NO_ESTIMATE.colour, opacity=0.6).encode(
            y=alt.Y("certified:Q", title="distance"), y2="attacked:Q"
        ),
        interval.mark_rule(color=MARKS["estimated"].colour, strokeWidth=alt.ExprRef("sqrt(dot) / 2")).encode(
            y="low:Q", y2="high:Q"
        ),
        _marks(base),
        data=data_of(rows, "rows"),
    ).add_params(
        alt.param(name="dot", value=LARGEST_DOT if rows is None else dot_size(len(rows))),
        alt.param(name="ticks", value=ticks),
        alt.param(name="names", value=[str(tick) for tick in ticks]),
    )


def _marks(base: Chart) -> Chart:
    """A symbol for each number of an input, told by colour and shape."""
    import altair as alt

    marks = [*MARKS.values(), NO_ESTIMATE]
    kinds, colours, shapes = zip(*((mark.kind, mark.colour, mark.shape) for mark in marks), strict=True)
    folded = base.transform_calculate(**{NO_ESTIMATE.kind: "datum.unread"}).transform_fold(
        list(kinds), as_=["kind", "value"]
    )
    drawn = folded.encode(
        y=alt.Y("value:Q", title="distance"),
        color=alt.Color("kind:N", title=None, scale=mapped(kinds, colours), legend=alt.Legend(orient="top", columns=0)),
        shape=alt.Shape("kind:N", title=None, scale=mapped(kinds, shapes)),
    )
    return number_marks(drawn, alt.ExprRef("dot"), alt.ExprRef("-1.2 * sqrt(dot)"))


def number_marks(drawn: Chart, size: Any, above: Any) -> Chart:
    """The numbers as points; the sign that there is no estimate stands above a number at the same place.

    Args:
        drawn: One row for each `kind` and `value`, with its position, colour and shape.
        size: Area of a mark.
        above: How far down that sign is moved, in pixels: a negative number moves it up.

    Returns:
        The layers.
    """
    import altair as alt

    absent = f"datum.kind === '{NO_ESTIMATE.kind}'"
    known = drawn.transform_filter("isValid(datum.value)")
    return alt.layer(
        known.transform_filter(f"!({absent})").mark_point(filled=True, size=size, opacity=1),
        known.transform_filter(absent).mark_point(filled=True, size=size, opacity=1, yOffset=above),
    )


def panels(runs: Sequence[RunRecords]) -> list[Panel]:
    """A panel for each run, norm, target and order."""
    return [
        Panel(of_run(runs, run, _title(group, run)), bracket_chart(rows))
        for run in runs
        for group, members in grouped(run.entries).items()
        if (rows := bracket_rows(members))
    ]


def _title(group: Group, run: RunRecords) -> str:
    order = f", order {group.order}" if len(run.plan.orders) > 1 else ""
    return f"{name_norm(group.norm)}, {group.target}{order}"
