"""The page of several runs: the leaderboard, the differences, and all that the page of one run shows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clearance.report import charts, statistics
from clearance.report.contest import Comparison, Contest
from clearance.report.contest_tables import comparison_tables, unranked
from clearance.report.marks import COLOURS, write_number
from clearance.report.page import render
from clearance.report.paired import by_input, readable
from clearance.report.records import RunRecords
from clearance.runs.files import replacing

PAGE_FILE = "compare.html"
"""The page's name where none is given."""


def write_comparison(comparison: Comparison, file: Path) -> None:
    """Write the page, all at once; an older page is replaced.

    Args:
        comparison: What the runs have in common.
        file: The page.
    """
    text = render_comparison(comparison)
    with replacing(file, force=True) as stream:
        stream.write(text.encode())


def render_comparison(comparison: Comparison) -> str:
    """The page of several runs.

    Args:
        comparison: What the runs have in common.

    Returns:
        HTML.
    """
    flags = [(run, statistics.flag_groups(run.entries)) for run in comparison.runs]
    return render(
        "compare.html",
        comparison.runs,
        own_tables=comparison_tables(comparison),
        own_figures=[pair_figure(comparison)],
        comparison=comparison,
        notes=[f"{note}." for note in comparison.notes],
        unranked=[sentence for contest in comparison.contests for sentence in unranked(contest)],
        doubts=[(run, [group for group in groups if group.severity != "info"]) for run, groups in flags],
    )


def pair_figure(comparison: Comparison) -> dict[str, Any]:
    """Every other run against the first: a point for each input whose attack distance may be read in both.

    Args:
        comparison: What the runs have in common.

    Returns:
        `name`, `title`, `note` and `panels`, as `page.make_panels` gives them.
    """
    first, *others = comparison.runs
    panels: list[dict[str, Any]] = []
    for contest in comparison.contests:
        for other in others:
            rows = pair_rows(contest, first, other)
            if rows:
                chart = charts.for_page(pair_chart(rows, first.name, other.name), height=320)
                title = f"{contest.threat}: {other.name} against {first.name}"
                panels.append({"id": f"pairs-{len(panels)}", "title": title, "spec": chart})
    note = "Attack distance of each input in both runs. Above the line: the witness is farther in the other run."
    return {"name": "pairs", "title": "Input by input", "note": note, "panels": panels}


def pair_rows(contest: Contest, first: RunRecords, other: RunRecords) -> list[dict[str, Any]]:
    """What `pair_chart` draws: inputs whose attack distance may be read in both runs, and is finite."""
    entries = [by_input(statistics.grouped(run.entries)[contest.group]) for run in (first, other)]
    rows = [
        {"input": place, "first": readable(entries[0][key], "attacked"), "other": readable(entries[1][key], "attacked")}
        for key, place in contest.inputs
    ]
    return [row for row in rows if _drawable(row["first"]) and _drawable(row["other"])]


def pair_chart(rows: Sequence[dict[str, Any]], first: str, other: str) -> charts.Chart:
    """Points of two distances, with the line on which they are equal.

    Args:
        rows: `input`, `first`, `other`.
        first: Name of the run across.
        other: Name of the run upwards.

    Returns:
        The chart.
    """
    import altair as alt

    both = {"first": first, "other": other}
    most = max(max(row["first"], row["other"]) for row in rows)
    scale = alt.Scale(domain=[0, 1.05 * most])
    x, y = (
        alt.X("first:Q", title=first, scale=scale, axis=alt.Axis(titleLimit=240)),
        alt.Y("other:Q", title=other, scale=scale, axis=alt.Axis(titleLimit=240)),
    )
    tip = [alt.Tooltip("input:Q"), *(alt.Tooltip(f"tips.{of}:N", title=name) for of, name in both.items())]
    drawn = [{**row, "tips": {of: write_number(row[of], "attacked") for of in both}} for row in rows]
    line = alt.Chart(alt.Data(values=[{"first": end, "other": end} for end in (0, 1.05 * most)]))
    return alt.layer(
        line.mark_line(color=COLOURS[3], strokeDash=[4, 3]).encode(x=x, y=y),
        alt.Chart(alt.Data(values=drawn))
        .mark_point(color=COLOURS[2], filled=True, size=45, opacity=0.8)
        .encode(x=x, y=y, tooltip=tip),
    )


def _drawable(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
