"""Average certified radius, estimate and attack distance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from clearance.report.charts import Chart, Row, data_of, mapped, names_across, tips
from clearance.report.marks import MARKS, write_number
from clearance.report.records import Entry
from clearance.report.statistics import Group, averages


def average_rows(entries: Iterable[Entry]) -> list[tuple[Group, Row]]:
    """What `average_chart` draws: each finite average of each group."""
    rows: list[tuple[Group, Row]] = []
    for found in averages(entries):
        values = zip(MARKS, (found.certified, found.estimated, found.attacked), strict=True)
        known = [(kind, value) for kind, value in values if value is not None and np.isfinite(value)]
        rows += [
            (found.group, {"kind": kind, "value": value, "text": write_number(value, kind), "inputs": found.paired})
            for kind, value in known
        ]
    return rows


def average_chart(rows: Sequence[Row], series: str) -> Chart:
    """Average certified radius, estimate and attack distance (figure 4 of Weng et al. 2018, proofs in SLOPE's place).

    Args:
        rows: `kind`, `value`, `text` (of the value), `inputs`, and the series' name.
        series: `target`, or `run`.

    Returns:
        The chart.
    """
    import altair as alt

    scale, legend = mapped([*MARKS], [mark.colour for mark in MARKS.values()]), alt.Legend(orient="top")
    return (
        alt.Chart(data_of(rows))
        .mark_bar()
        .encode(
            x=names_across(series, rows),
            xOffset=alt.XOffset("kind:N", sort=[*MARKS]),
            y=alt.Y("value:Q", title="average distance"),
            color=alt.Color("kind:N", title=None, scale=scale, legend=legend),
            tooltip=[
                *tips(f"{series}:N", "kind:N"),
                alt.Tooltip("text:N", title="value"),
                alt.Tooltip("inputs:Q", format="d"),
            ],
        )
    )
