"""Block maxima of single inputs, with the distribution that was fitted to them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clearance.report.charts import Chart, Panel, Row, data_of
from clearance.report.figures.figure import of_run
from clearance.report.marks import MARKS, NO_ESTIMATE, name_norm, write_number
from clearance.report.records import Entry, RunRecords

PROBABILITY_GRID = "sequence(0.002, 0.999, 0.007)"
"""An expression of Vega: probabilities `u` at whose quantiles the fitted density is drawn."""

QUANTILE = "datum.location - datum.scale * pow(-log(datum.u), 1 / datum.shape)"
"""An expression of Vega: the quantile of `u`, the inverse of `exp(-((a - y) / b)^c)`."""

DENSITY = (
    "datum.shape / datum.scale * pow((datum.location - datum.value) / datum.scale, datum.shape - 1)"
    " * exp(-pow((datum.location - datum.value) / datum.scale, datum.shape))"
)
"""An expression of Vega: the fitted density at `value`, the derivative of `exp(-((a - y) / b)^c)`."""


def bin_row(entry: Entry) -> tuple[float, float, list[int]] | None:
    """Histogram of an input's block maxima: first edge, width, counts; `None` where they are all equal."""
    values = entry.maxima[np.isfinite(entry.maxima)]
    if len(values) < 2 or np.ptp(values) <= 1e-9 * np.abs(values).max():
        return None
    counts, edges = np.histogram(values, bins=int(np.clip(np.ceil(np.sqrt(len(values))), 4, 24)))
    return float(edges[0]), float(edges[1] - edges[0]), counts.tolist()


def bin_rows(entry: Entry) -> list[Row]:
    """The same histogram as rows `start`, `end`, `density`, of area 1."""
    found = bin_row(entry)
    if found is None:
        return []
    low, width, counts = found
    area = sum(counts) * width
    starts = [low + place * width for place in range(len(counts))]
    return [{"start": s, "end": s + width, "density": n / area} for s, n in zip(starts, counts, strict=True)]


def maxima_chart(bins: Sequence[Row] | None, fits: Sequence[Row] | None) -> Chart:
    """Block maxima of one input as a histogram, with the fitted density (figure 2 of Weng et al. 2018).

    Args:
        bins: `start`, `end`, `density`.
        fits: `location`, `scale`, `shape` of the reverse Weibull distribution: one row, or none.

    Returns:
        The chart; without rows, its data are called `bins` and `fits`.
    """
    import altair as alt

    start = alt.X("start:Q", title="block maximum", scale=alt.Scale(zero=False, nice=False, padding=6))
    bars = alt.Chart(data_of(bins, "bins")).mark_bar(color=NO_ESTIMATE.colour, opacity=0.55)
    fitted = alt.Chart(data_of(fits, "fits"))
    curve = fitted.transform_calculate(u=PROBABILITY_GRID).transform_flatten(["u"])
    return alt.layer(
        bars.encode(x=start, x2="end:Q", y=alt.Y("density:Q", title="density"), y2=alt.datum(0)),
        curve.transform_calculate(value=QUANTILE)
        .transform_calculate(density=DENSITY)
        .mark_line(color=MARKS["estimated"].colour)
        .encode(x="value:Q", y="density:Q", order="value:Q"),
        fitted.mark_rule(color=MARKS["attacked"].colour, strokeDash=[4, 3]).encode(x="location:Q"),
    )


def panels(runs: Sequence[RunRecords]) -> list[Panel]:
    """Of each run the inputs with the smallest, the middle and the largest p-value."""
    made: list[Panel] = []
    for run in runs:
        fitted = [(entry, entry.fit) for entry in run.judged if entry.fit is not None and bin_rows(entry)]
        ranked = sorted(fitted, key=lambda pair: pair[1].p_value)
        chosen = dict.fromkeys((0, len(ranked) // 2, len(ranked) - 1)) if ranked else {}
        for entry, fit in (ranked[place] for place in chosen):
            row = {"location": fit.location, "scale": fit.scale, "shape": fit.shape}
            said = f"D = {write_number(fit.ks)}, p = {write_number(fit.p_value)}"
            title = f"input {entry.index}, {name_norm(entry.norm)}: {said}"
            chart = maxima_chart(bin_rows(entry), [row] if fit.scale > 0 else [])
            made.append(Panel(of_run(runs, run, title), chart))
    return made
