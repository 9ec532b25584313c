"""What a figure is: titled panels made from runs, with the text that says how to read them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from clearance.report.charts import Chart, Panel, Row
from clearance.report.marks import name_norm
from clearance.report.records import Entry, RunRecords
from clearance.report.statistics import Group

Maker = Callable[[Sequence[RunRecords]], list[Panel]]
"""Runs → the panels of a figure; none where there is nothing to show."""


class Section(Enum):
    """Where a figure stands on a page."""

    ANSWER = "answer"
    """Under the answer, on the page of several runs."""
    BRACKETS = "brackets"
    """Above the table of brackets: the page's script draws what the table shows."""
    ROBUST_ACCURACY = "robust_accuracy"
    """Between the results and the brackets of every page."""
    DISTRIBUTIONS = "distributions"
    """At the end of every page."""
    DIFFERENCES = "differences"
    """On the page of several runs, beside their differences; there is nothing to show of one run."""


OF_SEVERAL = (Section.ANSWER, Section.DIFFERENCES)
"""Sections whose figures need several runs."""


@dataclass(frozen=True)
class Figure:
    """One figure.

    Attributes:
        title: What it shows.
        note: How to read it.
        panels: Makes its panels.
        columns: How many panels stand beside each other in a file.
        section: Where it stands on a page.
        missing: Says why there is nothing to show of a run; `None`: no input has its numbers.
    """

    title: str
    note: str
    panels: Maker
    columns: int = 2
    section: Section = Section.DISTRIBUTIONS
    missing: Callable[[RunRecords], str] | None = None


def by_norm(
    chart: Callable[[Sequence[Row], str], Chart], rows: Callable[[Iterable[Entry]], list[tuple[Group, Row]]]
) -> Maker:
    """A maker of one panel for each norm and order: distances in different norms share no scale.

    Args:
        chart: Makes a chart from rows and the name of the field by which they are coloured: `target`, or `run` where
            there are several.
        rows: The rows of a run's entries, each with its group; the series is added here.

    Returns:
        The maker.
    """

    def panels(runs: Sequence[RunRecords]) -> list[Panel]:
        series = "run" if len(runs) > 1 else "target"
        found: dict[tuple[float, int], list[Row]] = {}
        for run in runs:
            for group, row in rows(run.entries):
                name = f"{run.name}, {group.target}" if series == "run" else group.target
                found.setdefault((group.norm, group.order), []).append({**row, series: name})
        several = len({order for _, order in found}) > 1
        return [
            Panel(f"{name_norm(norm)}{f', order {order}' if several else ''}", chart(members, series))
            for (norm, order), members in found.items()
        ]

    return panels


def of_run(runs: Sequence[RunRecords], run: RunRecords, title: str) -> str:
    """A panel's title, with the run's name before it where there are several."""
    return f"{run.name}: {title}" if len(runs) > 1 else title
