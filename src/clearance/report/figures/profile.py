"""The Lipschitz profile of one input: how fast its margin can fall at each distance."""

from __future__ import annotations

from collections.abc import Sequence

from clearance.report.charts import Chart, Row, data_of, tips
from clearance.report.marks import MARKS

READINGS = ("gradient norm", "along rays")
"""What the two step functions are called."""


def profile_chart(steps: Sequence[Row] | None, ends: Sequence[Row] | None) -> Chart:
    """Both readings of a profile as step functions, and the radius where each has spent the margin.

    Args:
        steps: `distance`, where a step begins, `until`, where it ends, `value` and `reading`.
        ends: `radius` and `reading`: where the integral of a reading reaches the margin.

    Returns:
        The chart; without rows, its data are called `steps` and `ends`.
    """
    import altair as alt

    colours = alt.Scale(domain=list(READINGS), range=[MARKS["estimated"].colour, MARKS["attacked"].colour])
    colour = alt.Color("reading:N", title=None, scale=colours, legend=alt.Legend(orient="top"))
    return alt.layer(
        alt.Chart(data_of(steps, "steps"))
        .mark_rule(strokeWidth=2)
        .encode(
            x=alt.X("distance:Q", title="distance from the input"),
            x2="until:Q",
            y=alt.Y("value:Q", title="largest fall per distance", scale=alt.Scale(domainMin=0)),
            color=colour,
            tooltip=tips("reading:N", "until:Q", "value:Q"),
        ),
        alt.Chart(data_of(ends, "ends")).mark_rule(strokeDash=[4, 3]).encode(x="radius:Q", color=colour),
    )
