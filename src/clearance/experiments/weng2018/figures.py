"""Figures 2, 3, 4 and 9 of Weng et al. 2018, and 5, 6 and 7, which are the same for ImageNet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from clearance.experiments.outcome import PaperFigure
from clearance.experiments.weng2018 import groups as by
from clearance.experiments.weng2018.groups import MeasuredGroup, pick
from clearance.experiments.weng2018.scores import PAPER_NORMS, FittedScore, Measurement
from clearance.experiments.weng2018.tables import LARGEST_DISTANCE, SHOWN_TARGETS
from clearance.report.charts import SLANT, Panel, Row, data_of, for_file, mapped, names_across, series_colour
from clearance.report.figures.fits import share_chart
from clearance.report.figures.maxima import maxima_chart
from clearance.report.marks import MARKS, SERIES_COLOURS, name_norm, write_number
from clearance.report.statistics import block_counts

METHOD_COLOURS = dict(zip(("CW", "I-FGSM", "CLEVER", "SLOPE"), (SERIES_COLOURS[k] for k in (1, 3, 0, 4)), strict=True))
"""Methods of figure 4 and their colours."""
FEWEST_BINS, MOST_BINS = 4, 24
"""Bins of a histogram of block maxima."""


def maxima_figure(measured: Sequence[Measurement]) -> PaperFigure:
    """Figure 2: block maxima and their fits, at the smallest, the middle and the largest p-value (l2).

    Args:
        measured: The measurements.

    Returns:
        The figure.
    """
    fitted = [
        (one, one.fit) for one in measured if one.fit is not None and one.norm == PAPER_NORMS[0] and one.fit.scale > 0
    ]
    ranked = sorted(fitted, key=lambda pair: pair[1].p_value)
    places = dict.fromkeys((0, len(ranked) // 2, len(ranked) - 1)) if ranked else {}
    panels = [_maxima_panel(*ranked[place]) for place in places]
    note = "Dashed: the fitted location. The fits with the smallest, the middle and the largest p-value are shown."
    title = "Figure 2. Largest gradient norms of blocks, and the reverse Weibull distribution fitted to them"
    return PaperFigure("figure-2", title, for_file(panels, columns=3), note)


def _maxima_panel(one: Measurement, fit: FittedScore) -> Panel:
    bins = int(np.clip(np.ceil(np.sqrt(len(fit.maxima))), FEWEST_BINS, MOST_BINS))
    density, edges = np.histogram(fit.maxima, bins=bins, density=True)
    rows = [
        {"start": low, "end": high, "density": value}
        for low, high, value in zip(edges.tolist(), edges.tolist()[1:], density.tolist(), strict=False)
    ]
    said = f"ks = {write_number(fit.ks)}, p = {write_number(fit.p_value)}"
    title = f"{one.network}, input {one.input}, {SHOWN_TARGETS[one.target]}\n{said}"
    return Panel(title, maxima_chart(rows, [{"location": fit.location, "scale": fit.scale, "shape": fit.shape}]))


def share_figure(groups: Sequence[MeasuredGroup]) -> PaperFigure:
    """Figure 3: the share of fits that the Kolmogorov-Smirnov test does not reject.

    Args:
        groups: The measurements.

    Returns:
        The figure.
    """
    panels: list[Panel] = []
    for norm in PAPER_NORMS:
        for target, shown in SHOWN_TARGETS.items():
            found = pick(groups, target=target, norm=norm)
            rows = [{"network": g.network, "share": g.fit_share, "fits": len(g.members)} for g in found]
            panels.append(Panel(f"{shown}, {name_norm(norm)}", share_chart(rows, "network")))
    title = "Figure 3. Share of fits with a Kolmogorov-Smirnov p-value above .05"
    return PaperFigure("figure-3", title, for_file(panels, columns=3), "As table 5.")


def distance_figure(groups: Sequence[MeasuredGroup]) -> PaperFigure:
    """Figure 4: average l_inf distances of both attacks, CLEVER and SLOPE.

    Args:
        groups: The measurements.

    Returns:
        The figure.
    """
    panels = [
        Panel(
            shown,
            distance_chart([row for g in pick(groups, target=target, norm=PAPER_NORMS[1]) for row in methods_of(g)]),
        )
        for target, shown in SHOWN_TARGETS.items()
    ]
    title = "Figure 4. Average linf distance of CW and I-FGSM, CLEVER and SLOPE"
    note = "The axis is logarithmic; SLOPE is cut to 1, the largest distance of two pictures."
    return PaperFigure("figure-4", title, for_file(panels, columns=3), note)


def methods_of(one: MeasuredGroup) -> list[Row]:
    """The averages that figure 4 shows of a group, none larger than the largest distance.

    Args:
        one: The group.

    Returns:
        `network`, `method`, `value`.
    """
    readings = zip(METHOD_COLOURS, (by.cw, by.ifgsm, by.clever_score, by.slope_score), strict=True)
    values = ((method, one.mean(reading)) for method, reading in readings)
    limit = LARGEST_DISTANCE[one.norm]
    return [{"network": one.network, "method": method, "value": min(value, limit)} for method, value in values if value]


def distance_chart(rows: Sequence[Row]) -> Any:
    """Average distances of several methods on several networks.

    Args:
        rows: `network`, `method`, `value`.

    Returns:
        The chart.
    """
    import altair as alt

    colours = mapped([*METHOD_COLOURS], [*METHOD_COLOURS.values()])
    return (
        alt.Chart(data_of(rows))
        .mark_point(filled=True, size=60)
        .encode(
            x=alt.X("network:N", title=None, sort=None, axis=alt.Axis(labelAngle=SLANT)),
            y=alt.Y("value:Q", title="average distance", scale=alt.Scale(type="log")),
            color=alt.Color("method:N", title=None, scale=colours),
            shape=alt.Shape("method:N", title=None, scale=alt.Scale(domain=[*METHOD_COLOURS])),
        )
    )


def blocks_figure(groups: Sequence[MeasuredGroup], name: str, title: str) -> PaperFigure:
    """Figures 7 and 9: the average l2 score with fewer blocks, and the average distance of Carlini and Wagner's attack.

    Args:
        groups: The measurements.
        name: Of the figure's file.
        title: Of the figure.

    Returns:
        The figure.
    """
    panels: list[Panel] = []
    for target, shown in SHOWN_TARGETS.items():
        found = pick(groups, target=target, norm=PAPER_NORMS[0])
        rows = [row for one in found for row in block_rows(one)]
        panels.append(Panel(shown, blocks_chart(rows)))
    note = "Lines: the score with the first blocks alone. Dashed: the average distance of CW, over the same inputs."
    return PaperFigure(name, title, for_file(panels, columns=3), note)


def block_rows(one: MeasuredGroup) -> list[Row]:
    """The average scores with the first blocks alone, for halvings of all blocks.

    Args:
        one: The group.

    Returns:
        `network`, `blocks`, `clever`, `cw`.
    """
    most = min((len(found.fit.maxima) for found in one.members if found.fit is not None), default=0)
    attacked = one.mean(by.cw)
    scores = ((blocks, one.refitted(blocks)) for blocks in block_counts(most))
    return [{"network": one.network, "blocks": blocks, "clever": score, "cw": attacked} for blocks, score in scores]


def blocks_chart(rows: Sequence[Row]) -> Any:
    """Average scores against the number of blocks.

    Args:
        rows: `network`, `blocks`, `clever`, `cw`.

    Returns:
        The chart.
    """
    import altair as alt

    counts = sorted({row["blocks"] for row in rows})
    axis = alt.Axis(values=counts, format="d", grid=False)
    across = alt.X("blocks:Q", title="N_b", scale=alt.Scale(type="log", base=2, nice=False, padding=12), axis=axis)
    base = alt.Chart(data_of(rows)).encode(x=across, color=series_colour("network"))
    upwards = alt.Y("clever:Q", title="average l2 distance", scale=alt.Scale(type="log"))
    return alt.layer(base.mark_line(point=True).encode(y=upwards), base.mark_line(strokeDash=[3, 3]).encode(y="cw:Q"))


def gap_figure(groups: Sequence[MeasuredGroup], target: str) -> PaperFigure:
    """Figure 5: the empirical distribution of the gap between CLEVER and the l2 distance of the CW attack.

    Args:
        groups: The measurements.
        target: The target; the paper's is random.

    Returns:
        The figure.
    """
    import altair as alt

    rows: list[Row] = []
    for one in pick(groups, target=target, norm=PAPER_NORMS[0]):
        found = sorted(each.cw - each.clever for each in one.members)
        rows += [{"network": one.network, "gap": gap, "share": n / len(found)} for n, gap in enumerate(found, start=1)]
    chart = (
        alt.Chart(data_of(rows))
        .mark_line(interpolate="step-after", point=True)
        .encode(
            x=alt.X("gap:Q", title="l2 distance of CW less CLEVER"),
            y=alt.Y("share:Q", title="share of inputs", scale=alt.Scale(domain=[0, 1])),
            color=series_colour("network"),
        )
    )
    title = "Figure 5. Empirical distribution of the gap between CLEVER and the CW attack's l2 distance, random targets"
    note = "A positive gap: the score is below the attack's distance."
    return PaperFigure("figure-5", title, for_file([Panel("Random target", chart)]), note)


def pairs_figure(groups: Sequence[MeasuredGroup], target: str) -> PaperFigure:
    """Figure 6: CLEVER and the l2 distance of the CW attack, input by input; with witness and proof of this project.

    Args:
        groups: The measurements.
        target: The target; the paper's is random.

    Returns:
        The figure.
    """
    import altair as alt

    kinds = {"CLEVER": by.clever_score, "CW": by.cw, "witness": by.witness, "proof": by.proof}
    rows: list[Row] = []
    for one in pick(groups, target=target, norm=PAPER_NORMS[0]):
        for each in one.members:
            values = ((kind, reading(each)) for kind, reading in kinds.items())
            rows += [{"input": str(each.input), "kind": kind, "value": value} for kind, value in values if value]
    colours = [MARKS[kind].colour for kind in ("estimated", "attacked")] + [
        SERIES_COLOURS[4],
        MARKS["certified"].colour,
    ]
    shapes = ["circle", "triangle-up", "triangle-down", "square"]
    chart = (
        alt.Chart(data_of(rows))
        .mark_point(filled=True, size=50)
        .encode(
            x=names_across("input"),
            y=alt.Y("value:Q", title="l2 distance"),
            color=alt.Color("kind:N", title=None, scale=mapped([*kinds], colours)),
            shape=alt.Shape("kind:N", title=None, scale=mapped([*kinds], shapes)),
        )
    )
    title = "Figure 6. CLEVER (circles) and l2 distance of the CW attack (triangles), random targets, input by input"
    return PaperFigure("figure-6", title, for_file([Panel("Random target", chart)]), "Across: the input's number.")
