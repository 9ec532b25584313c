"""Rows → charts, by Altair. One function for each kind of chart; the page and the files of figures use the same.

A chart is of one panel, and has no size: `for_page` and `for_file` give it one. Charts of brackets and of one fit may
leave out their rows and name them instead: the page's script supplies them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clearance.report.marks import COLOURS, KINDS, SERIES, SHAPES

Spec = dict[str, Any]
Rows = Sequence[Mapping[str, Any]]
Chart = Any
"""An Altair chart: Altair is imported where it is used."""

HEIGHT, FILE_WIDTH = 260, 300

_GRID = "sequence(0.002, 0.999, 0.007)"
_VALUE = "datum.location - datum.scale * pow(-log(datum.u), 1 / datum.shape)"
_DENSITY = (
    "datum.shape / datum.scale * pow((datum.location - datum.value) / datum.scale, datum.shape - 1)"
    " * exp(-pow((datum.location - datum.value) / datum.scale, datum.shape))"
)


def for_page(chart: Chart, *, height: int = HEIGHT) -> Spec:
    """The specification of a chart that is as wide as its place on the page."""
    return (
        chart.properties(width="container", height=height).configure(background="transparent").to_dict(validate=False)
    )


def for_file(panels: Sequence[tuple[str, Chart]], *, columns: int = 2) -> Spec:
    """The specification of panels beside and below each other, each with its title."""
    import altair as alt

    sized = [chart.properties(width=FILE_WIDTH, height=HEIGHT, title=title) for title, chart in panels]
    whole = alt.concat(*sized, columns=columns).resolve_scale(color="shared") if len(sized) > 1 else sized[0]
    return whole.configure(background="white").to_dict(validate=False)


def brackets(rows: Rows | None) -> Chart:
    """Every input as an interval (figure 6 of paper 001, with proofs, intervals and refusals).

    Args:
        rows: `rank`, `name`, `status`, `certified`, `estimated`, `low`, `high`, `attacked`, and `unread`: 0 where an
            estimate was made and must not be read; `tips`: for the first three of `KINDS`, its text.

    Returns:
        The chart; without rows, its data are called `rows`, and the page's script sets its parameters: `dot`, the area
        of a mark, `ticks`, the ranks that the axis names, and `names`, what they are called.
    """
    import altair as alt

    title = (
        "number of the input, in the order of the table" if rows is None else "rank of the input, by attack distance"
    )
    ticks = rank_ticks(0 if rows is None else len(rows))
    x = alt.X(
        "rank:Q",
        title=title,
        scale=alt.Scale(zero=False, nice=False, padding=8),
        axis=alt.Axis(values=alt.ExprRef("ticks"), labelExpr="names[indexof(ticks, datum.value)]", grid=False),
    )
    tip = [*_tips(alt, "name:N", "status:N"), *_texts(alt, *KINDS[:3])]
    base = alt.Chart().encode(x=x, tooltip=tip)
    span = base.transform_filter("isValid(datum.certified) && isValid(datum.attacked)")
    interval = base.transform_filter("isValid(datum.low) && isValid(datum.high)")
    marks = base.transform_calculate(**{KINDS[3]: "datum.unread"}).transform_fold(list(KINDS), as_=["kind", "value"])
    legend = alt.Legend(orient="top", columns=0)
    return alt.layer(
        span.mark_rule(color=COLOURS[3], opacity=0.6).encode(y=alt.Y("certified:Q", title="distance"), y2="attacked:Q"),
        interval.mark_rule(color=COLOURS[1], strokeWidth=6, opacity=0.3).encode(y="low:Q", y2="high:Q"),
        marks.transform_filter("isValid(datum.value)")
        .mark_point(filled=True, size=alt.ExprRef("dot"), opacity=1)
        .encode(
            y=alt.Y("value:Q", title="distance"),
            color=alt.Color("kind:N", title=None, scale=_scale(alt, KINDS, COLOURS), legend=legend),
            shape=alt.Shape("kind:N", title=None, scale=_scale(alt, KINDS, SHAPES)),
        ),
        data=_data(alt, rows, "rows"),
    ).add_params(
        alt.param(name="dot", value=55 if rows is None else dot_size(len(rows))),
        alt.param(name="ticks", value=ticks),
        alt.param(name="names", value=[str(tick) for tick in ticks]),
    )


def rank_ticks(count: int) -> list[int]:
    """Whole numbers from 1 to `count`, at most ten of them, that an axis of ranks names.

    >>> rank_ticks(2), rank_ticks(25)
    ([1, 2], [5, 10, 15, 20, 25])
    """
    steps = (digit * 10**power for power in range(12) for digit in (1, 2, 5))
    step = next(step for step in steps if count <= 10 * step)
    return list(range(step, count + 1, step))


def dot_size(count: int) -> float:
    """Area of a mark, in square pixels, where `count` inputs share a chart; the page's script does the same.

    >>> dot_size(10), dot_size(1000)
    (55.0, 12.0)
    """
    return min(55.0, max(8.0, 12_000 / max(count, 1)))


def gaps(rows: Rows, *, series: str = "target") -> Chart:
    """Empirical distribution of attack distance less estimate (figure 5 of paper 001).

    Args:
        rows: `gap`, `share`, and the series' name.
        series: What has a curve of its own: `target`, or `run`.

    Returns:
        The chart.
    """
    import altair as alt

    points = alt.OverlayMarkDef(size=14)
    return (
        alt.Chart(_data(alt, rows))
        .mark_line(interpolate="step-after", point=points)
        .encode(
            x=alt.X("gap:Q", title="attack distance - estimated radius"),
            y=_share(alt, "share of inputs"),
            color=_series(alt, series),
            tooltip=[*_tips(alt, f"{series}:N", "gap:Q"), alt.Tooltip("share:Q", format=".0%")],
        )
    )


def maxima(bins: Rows | None, fits: Rows | None) -> Chart:
    """Block maxima of one input as a histogram, with the fitted reverse Weibull density (figure 2 of paper 001).

    Args:
        bins: `start`, `end`, `density`.
        fits: `location`, `scale`, `shape`: one row, or none.

    Returns:
        The chart; without rows, its data are called `bins` and `fits`.
    """
    import altair as alt

    start = alt.X("start:Q", title="block maximum", scale=alt.Scale(zero=False, nice=False, padding=6))
    bars = alt.Chart(_data(alt, bins, "bins")).mark_bar(color=COLOURS[3], opacity=0.55)
    fitted = alt.Chart(_data(alt, fits, "fits"))
    curve = fitted.transform_calculate(u=_GRID).transform_flatten(["u"])
    return alt.layer(
        bars.encode(x=start, x2="end:Q", y=alt.Y("density:Q", title="density"), y2=alt.datum(0)),
        curve.transform_calculate(value=_VALUE)
        .transform_calculate(density=_DENSITY)
        .mark_line(color=COLOURS[1])
        .encode(x="value:Q", y="density:Q", order="value:Q"),
        fitted.mark_rule(color=COLOURS[2], strokeDash=[4, 3]).encode(x="location:Q"),
    )


def shares(rows: Rows, *, series: str = "target") -> Chart:
    """Share of Kolmogorov-Smirnov p-values above 0.05 (figure 3 of paper 001).

    Args:
        rows: `share`, `fits`, and the series' name.
        series: `target`, or `run`.

    Returns:
        The chart.
    """
    import altair as alt

    return (
        alt.Chart(_data(alt, rows))
        .mark_bar(size=26)
        .encode(
            x=_names(alt, series),
            y=_share(alt, "fits with p > 0.05"),
            color=_series(alt, series, legend=False),
            tooltip=[
                *_tips(alt, f"{series}:N"),
                alt.Tooltip("fits:Q", format="d"),
                alt.Tooltip("share:Q", format=".0%"),
            ],
        )
    )


def blocks(rows: Rows, *, series: str = "target") -> Chart:
    """Average estimate against the number of blocks, and the average attack distance dashed (001, figures 7 and 9).

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
    tip = [*_tips(alt, f"{series}:N"), count, *_texts(alt, *KINDS[1:3])]
    base = alt.Chart(_data(alt, rows)).encode(x=x, color=_series(alt, series), tooltip=tip)
    return alt.layer(
        base.mark_line(point=True).encode(y=alt.Y("estimated:Q", title="average distance", scale=alt.Scale(zero=True))),
        base.mark_line(strokeDash=[3, 3]).encode(y="attacked:Q"),
    )


def averages(rows: Rows, *, series: str = "target") -> Chart:
    """Average certified radius, estimate and attack distance (figure 4 of paper 001, with proofs in SLOPE's place).

    Args:
        rows: `kind`, `value`, `text` (of the value), `inputs`, and the series' name.
        series: `target`, or `run`.

    Returns:
        The chart.
    """
    import altair as alt

    scale, legend = _scale(alt, KINDS[:3], COLOURS[:3]), alt.Legend(orient="top")
    return (
        alt.Chart(_data(alt, rows))
        .mark_bar()
        .encode(
            x=_names(alt, series),
            xOffset=alt.XOffset("kind:N", sort=list(KINDS[:3])),
            y=alt.Y("value:Q", title="average distance"),
            color=alt.Color("kind:N", title=None, scale=scale, legend=legend),
            tooltip=[
                *_tips(alt, f"{series}:N", "kind:N"),
                alt.Tooltip("text:N", title="value"),
                alt.Tooltip("inputs:Q", format="d"),
            ],
        )
    )


def _tips(alt: Any, *fields: str) -> list[Any]:
    return [alt.Tooltip(field, format=".3g") if field.endswith(":Q") else alt.Tooltip(field) for field in fields]


def _texts(alt: Any, *kinds: str) -> list[Any]:
    """Numbers that are rounded the safe way: a chart's own format would round a proof up."""
    return [alt.Tooltip(f"tips.{kind}:N", title=kind) for kind in kinds]


def _names(alt: Any, series: str) -> Any:
    return alt.X(f"{series}:N", title=None, sort=None, axis=alt.Axis(labelAngle=0, labelLimit=110))


def _share(alt: Any, title: str) -> Any:
    return alt.Y("share:Q", title=title, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%"))


def _scale(alt: Any, names: Sequence[str], values: Sequence[str]) -> Any:
    return alt.Scale(domain=list(names), range=list(values))


def _series(alt: Any, name: str, *, legend: bool = True) -> Any:
    place = alt.Legend(orient="top", columns=0, labelLimit=200) if legend else None
    return alt.Color(f"{name}:N", title=None, sort=None, scale=alt.Scale(range=list(SERIES)), legend=place)


def _data(alt: Any, rows: Rows | None, name: str = "") -> Any:
    return alt.NamedData(name) if rows is None else alt.Data(values=[dict(row) for row in rows])
