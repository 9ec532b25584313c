"""How many fits the Kolmogorov-Smirnov test does not reject."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from clearance.report.charts import Chart, Row, data_of, names_across, series_colour, shares_upwards, tips
from clearance.report.records import Entry
from clearance.report.statistics import Group, fit_shares


def share_rows(entries: Iterable[Entry]) -> list[tuple[Group, Row]]:
    """What `share_chart` draws: a bar for each group that has fits."""
    found = fit_shares(entries)
    return [(row.group, {"share": row.share, "fits": row.fits}) for row in found if row.share is not None]


def share_chart(rows: Sequence[Row], series: str) -> Chart:
    """Share of Kolmogorov-Smirnov p-values above 0.05 (figure 3 of Weng et al. 2018).

    Args:
        rows: `share`, `fits`, and the series' name.
        series: `target`, or `run`.

    Returns:
        The chart.
    """
    import altair as alt

    return (
        alt.Chart(data_of(rows))
        .mark_bar(size=26)
        .encode(
            x=names_across(series, rows),
            y=shares_upwards("fits with p > 0.05"),
            color=series_colour(series, legend=False),
            tooltip=[
                *tips(f"{series}:N"),
                alt.Tooltip("fits:Q", format="d"),
                alt.Tooltip("share:Q", format=".0%"),
            ],
        )
    )
