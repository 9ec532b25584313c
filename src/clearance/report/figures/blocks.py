"""The estimate against the number of blocks that it rests on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from clearance.report.charts import Chart, Row, data_of, rounded_tips, series_colour, tips
from clearance.report.marks import write_numbers
from clearance.report.records import Entry
from clearance.report.statistics import Group, Refit, refits


def refit_rows(entries: Iterable[Entry]) -> list[tuple[Group, Row]]:
    """What `block_chart` draws: a point for each group and number of blocks."""
    return [(found.group, _refit_row(found)) for found in refits(entries)]


def _refit_row(found: Refit) -> Row:
    values = {"estimated": found.estimated, "attacked": found.attacked}
    return {"blocks": found.blocks, **values, "tips": write_numbers(values)}


def block_chart(rows: Sequence[Row], series: str) -> Chart:
    """Average estimate against the number of blocks, attack distance dashed (Weng et al. 2018, figures 7 and 9).

    Args:
        rows: `blocks`, `estimated`, `attacked`, `tips` (the texts of the last two), and the series' name.
        series: `target`, or `run`.

    Returns:
        The chart.
    """
    import altair as alt

    axis = alt.Axis(values=sorted({row["blocks"] for row in rows}), format="d", grid=False)
    x = alt.X("blocks:Q", title="blocks", scale=alt.Scale(type="log", base=2, nice=False, padding=12), axis=axis)
    count = alt.Tooltip("blocks:Q", format="d")
    beside = [*tips(f"{series}:N"), count, *rounded_tips("estimated", "attacked")]
    base = alt.Chart(data_of(rows)).encode(x=x, color=series_colour(series), tooltip=beside)
    return alt.layer(
        base.mark_line(point=True).encode(y=alt.Y("estimated:Q", title="average distance", scale=alt.Scale(zero=True))),
        base.mark_line(strokeDash=[3, 3]).encode(y="attacked:Q"),
    )
