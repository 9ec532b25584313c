"""The gap between attack distance and estimate, as an empirical distribution."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from clearance.report.charts import Chart, Row, data_of, series_colour, shares_upwards, tips
from clearance.report.records import Entry
from clearance.report.statistics import Group, gaps


def gap_rows(entries: Iterable[Entry]) -> list[tuple[Group, Row]]:
    """What `gap_chart` draws: the steps of each group's distribution."""
    return [(step.group, {"gap": step.gap, "share": step.share}) for step in gaps(entries)]


def gap_chart(rows: Sequence[Row], series: str) -> Chart:
    """Empirical distribution of attack distance less estimate (figure 5 of Weng et al. 2018).

    Args:
        rows: `gap`, `share`, and the series' name.
        series: What has a curve of its own: `target`, or `run`.

    Returns:
        The chart.
    """
    import altair as alt

    points = alt.OverlayMarkDef(size=14)
    return (
        alt.Chart(data_of(rows))
        .mark_line(interpolate="step-after", point=points)
        .encode(
            x=alt.X("gap:Q", title="attack distance - estimated radius"),
            y=shares_upwards("share of inputs"),
            color=series_colour(series),
            tooltip=[*tips(f"{series}:N", "gap:Q"), alt.Tooltip("share:Q", format=".0%")],
        )
    )
