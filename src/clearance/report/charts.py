"""What the charts of all figures share, by Altair: sizes, scales, axes, the texts beside a mark, and the data.

A chart is of one panel, and has no size: `for_page` and `for_file` give it one. Charts of brackets and of one fit may
leave out their rows and name them instead: the page's script supplies them. Altair is imported where it is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from clearance.report.marks import SERIES_COLOURS

Spec = dict[str, Any]
"""A specification of Vega-Lite, as JSON holds it."""

Row = Mapping[str, Any]
"""What a chart draws once, as JSON holds it: field → value."""

Chart = Any
"""An Altair chart."""

PANEL_HEIGHT = 260
"""Height of a chart in pixels, on the page and in a file."""

PANEL_WIDTH = 300
"""Width of a chart in a file, in pixels; on the page it is as wide as its place."""

SQUARE = 280
"""Width and height of a square chart in pixels: with its axis it fits a screen of 390."""

DISTANCE_TITLES = ("distance", "average distance", "distance from the input", "attack distance - estimated radius")
"""Titles of axes along which a distance runs: the unit of a scale is added to them."""

MOST_LEVEL_NAMES, SLANT = 4, -40
"""Names on an axis that are written level, and the angle of more of them, in degrees."""


@dataclass(frozen=True)
class Panel:
    """One chart of a figure.

    Attributes:
        title: What it is of, in one line or several.
        chart: The chart, without a size.
        square: Whether both axes are one scale: then a step of it is as long upwards as across.
    """

    title: str
    chart: Chart
    square: bool = False


def for_page(chart: Chart, *, height: int = PANEL_HEIGHT, square: bool = False, unit: str | None = None) -> Spec:
    """The specification of a chart that is as wide as its place on the page, or a square that fits a phone."""
    size = {"width": SQUARE, "height": SQUARE} if square else {"width": "container", "height": height}
    return in_unit(chart.properties(**size).configure(background="transparent").to_dict(validate=False), unit)


def in_unit(spec: Any, unit: str | None) -> Any:
    """A specification whose axes name the unit of a distance, where that is not the unit of the inputs.

    >>> in_unit({"y": {"title": "distance"}, "x": {"title": "blocks"}}, "ranges")
    {'y': {'title': 'distance, in ranges'}, 'x': {'title': 'blocks'}}
    """
    if unit is None:
        return spec
    if isinstance(spec, list):
        return [in_unit(part, unit) for part in cast("list[Any]", spec)]
    if not isinstance(spec, dict):
        return spec
    return {
        name: f"{part}, in {unit}" if name == "title" and part in DISTANCE_TITLES else in_unit(part, unit)
        for name, part in cast("Spec", spec).items()
    }


def for_file(panels: Sequence[Panel], *, columns: int = 2, width: int = PANEL_WIDTH, unit: str | None = None) -> Spec:
    """The specification of panels beside and below each other, each with its title.

    Args:
        panels: The charts.
        columns: How many stand beside each other.
        width: Of a chart that is not square, in pixels.
        unit: What a distance is measured in, where that is not the unit of the inputs.

    Returns:
        The specification.
    """
    import altair as alt

    sized = [
        panel.chart.properties(
            width=SQUARE if panel.square else width,
            height=SQUARE if panel.square else PANEL_HEIGHT,
            title=panel.title.split("\n") if "\n" in panel.title else panel.title,
        )
        for panel in panels
    ]
    whole = alt.concat(*sized, columns=columns).resolve_scale(color="shared") if len(sized) > 1 else sized[0]
    return in_unit(whole.configure(background="white").to_dict(validate=False), unit)


def data_of(rows: Sequence[Row] | None, name: str = "") -> Any:
    """Rows as a chart's data; without rows, data of this name that the page's script supplies."""
    import altair as alt

    return alt.NamedData(name) if rows is None else alt.Data(values=[dict(row) for row in rows])


def tips(*fields: str) -> list[Any]:
    """What is shown beside a mark: numbers (`field:Q`) with three significant digits, names (`field:N`) as they are."""
    import altair as alt

    return [alt.Tooltip(field, format=".3g") if field.endswith(":Q") else alt.Tooltip(field) for field in fields]


def rounded_tips(*kinds: str) -> list[Any]:
    """Numbers that are rounded the safe way, from the row's `tips`: a chart's own format would round a proof up."""
    import altair as alt

    return [alt.Tooltip(f"tips.{kind}:N", title=kind) for kind in kinds]


def names_across(series: str, rows: Sequence[Row] | None = None) -> Any:
    """An axis of names; those of many rows are slanted, so that they do not run into each other. One name is left out.

    Args:
        series: The field of the names.
        rows: Where they are from; `None` where the page's script supplies them.
    """
    import altair as alt

    names = len({row[series] for row in rows or ()})
    axis = None if names == 1 else alt.Axis(labelAngle=SLANT if names > MOST_LEVEL_NAMES else 0, labelLimit=110)
    return alt.X(f"{series}:N", title=None, sort=None, axis=axis)


def shares_upwards(title: str) -> Any:
    """An axis of shares, from 0 to 100 %."""
    import altair as alt

    return alt.Y("share:Q", title=title, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%"))


def mapped(names: Sequence[str], values: Sequence[Any]) -> Any:
    """A scale that gives each name its colour, shape or dashes."""
    import altair as alt

    return alt.Scale(domain=list(names), range=list(values))


def series_colour(series: str, *, legend: bool = True) -> Any:
    """A colour for each target, or for each run."""
    import altair as alt

    place = alt.Legend(orient="top", columns=0, labelLimit=200) if legend else None
    return alt.Color(f"{series}:N", title=None, sort=None, scale=alt.Scale(range=list(SERIES_COLOURS)), legend=place)
