"""The staircase of Goodfellow (2018): figure 1, and how often a sample of its ramps has no gradient."""

from __future__ import annotations

import torch

from clearance.model.transforms import Ramp, Staircase
from clearance.report.charts import Panel, Spec, data_of, for_file

STAIRS_PER_UNIT = 255
"""Stairs in a unit, as in the paper's figure 1."""


def expected_zero(width: float, coordinates: int) -> float:
    """Probability that none of `d` uniform coordinates lies on a ramp: `(1 - w)^d`; 0 without a front.

    Source: Goodfellow (2018), section 3, for one coordinate; the coordinates are independent up to the ball's shape.

    >>> expected_zero(0.5, 3), expected_zero(0.0, 3), expected_zero(1.0, 3)
    (0.125, 1.0, 0.0)
    """
    return (1 - width) ** coordinates


def staircase_figure() -> Spec:
    """Figure 1 of Goodfellow (2018): staircase and ramps (a fifth of a step wide), from afar and from near."""
    import altair as alt

    panels: list[Panel] = []
    for title, end, points in (
        ("from afar", 1.0, 256),
        (f"from near: five of the {STAIRS_PER_UNIT} steps", 5 / STAIRS_PER_UNIT, 1001),
    ):
        x = torch.linspace(0, end, points, dtype=torch.float64)
        curves = {"staircase": Staircase(STAIRS_PER_UNIT)(x), "ramps, 1/5 of a step": Ramp(STAIRS_PER_UNIT, 1 / 5)(x)}
        rows = [
            {"x": at, "h(x)": value, "function": name}
            for name, values in curves.items()
            for at, value in zip(x.tolist(), values.tolist(), strict=True)
        ]
        chart = alt.Chart(data_of(rows)).mark_line(strokeWidth=1.5)
        chart = chart.encode(
            alt.X("x:Q").scale(domain=[0, end]),
            alt.Y("h(x):Q").scale(domain=[0, end]),
            alt.Color("function:N").legend(orient="top", title=None).scale(range=["#d95f02", "#1b6ca8"]),
            alt.StrokeDash("function:N").legend(None).scale(range=[[4, 2], [1, 0]]),
        )
        panels.append(Panel(title, chart))
    return for_file(panels)
