"""Figures of experiments: lines of one number over another, with points where a number was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clearance.report.charts import Spec

WIDTH, HEIGHT = 420, 260
"""Size of a figure in pixels: that of the reports' charts, wide enough for a legend of four names."""


def lines(
    rows: Sequence[Mapping[str, Any]],
    x: str,
    y: str,
    series: str,
    *,
    points: str | None = None,
    logarithmic: bool = False,
) -> Spec:
    """A Vega-Lite specification: one line for each series, and points beside it.

    Args:
        rows: What is drawn, field to value.
        x: The field across.
        y: The field upwards, as a line.
        series: The field that names the lines.
        points: Another field upwards, drawn as points; `None` for no points.
        logarithmic: Whether the axis across is logarithmic.

    Returns:
        The specification, data included.

    >>> lines([{"n": 1, "share": 0.5, "name": "a"}], "n", "share", "name")["layer"][0]["mark"]
    {'type': 'line'}
    """
    scale = {"type": "log"} if logarithmic else {"zero": False}
    shared = {
        "x": {"field": x, "type": "quantitative", "scale": scale},
        "color": {"field": series, "type": "nominal", "sort": None, "legend": {"orient": "top", "title": None}},
    }
    marks = [("line", y), *([("point", points)] if points else [])]
    layers = [
        {"mark": {"type": kind}, "encoding": {"y": {"field": field, "type": "quantitative", "title": y}}}
        for kind, field in marks
    ]
    return {
        "data": {"values": [dict(row) for row in rows]},
        "width": WIDTH,
        "height": HEIGHT,
        "encoding": shared,
        "layer": layers,
    }
