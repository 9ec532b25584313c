"""The page of a run for an auditor: a document to be printed, without a script; its charts are drawn in advance."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from clearance.report.answer import accuracy_sentence, answers, cautions, gradients
from clearance.report.auditor import (
    article_accounts,
    method_accounts,
    outcome_table,
    status_table,
)
from clearance.report.auditor_limits import feature_limits, feature_table, limits
from clearance.report.charts import for_file
from clearance.report.figures.files import render_figure
from clearance.report.figures.table import FIGURES
from clearance.report.flags import flag_groups
from clearance.report.grey_levels import grey_levels
from clearance.report.median_table import median_table
from clearance.report.notices import notices
from clearance.report.records import RunRecords
from clearance.report.render import fill, read_asset
from clearance.report.repeat import command_of, lacks
from clearance.report.security import missing_curve
from clearance.report.security_tables import remarks

AUDITOR_FILE = "auditor.html"
"""The page's name beside `report.html`."""

DRAWN = ("security", "brackets")
"""The figures of the page, by their names in `FIGURES`."""

MOST_PANELS = 4
"""Panels of a figure on paper; the report has all of them."""


@dataclass(frozen=True)
class Drawn:
    """A figure that is drawn already.

    Attributes:
        title: What it shows.
        note: How to read it.
        panels: Title and SVG of each panel.
        left: How many panels are left out.
    """

    title: str
    note: str
    panels: tuple[tuple[str, str], ...]
    left: int


def render_auditor(run: RunRecords, radii: Sequence[float] = (), *, report: str = "") -> str:
    """The auditor's page of one run.

    Args:
        run: What was read of it.
        radii: At which outcomes are written down; empty for round ones.
        report: Address of the run's report; empty for none.

    Returns:
        HTML.
    """
    groups = flag_groups(run.entries)
    return fill(
        "auditor.html",
        run=run,
        runs=[run],
        report=report,
        style=read_asset("page.css") + read_asset("auditor.css"),
        notices=notices(run),
        accuracy=accuracy_sentence(run),
        levels=grey_levels(run),
        answers=answers(run),
        gradients=gradients([run]),
        cautions=cautions(run),
        methods=method_accounts(run),
        articles=article_accounts(run),
        limits=limits(run),
        real_numbers=feature_limits(run),
        tables={
            "features": feature_table(run),
            "medians": median_table(run),
            "outcomes": outcome_table(run, radii),
            "statuses": status_table(run),
        },
        missing=missing_curve(run),
        remarks=remarks(run, radii),
        doubts=[group for group in groups if group.doubts],
        noted=[group for group in groups if not group.doubts],
        drawn=[draw_figure(run, name) for name in DRAWN],
        command=command_of(run.plan),
        lacking=lacks(run.plan),
    )


def draw_figure(run: RunRecords, name: str) -> Drawn:
    """A figure as SVG, one for each panel.

    Args:
        run: The run.
        name: A key of `FIGURES`.

    Returns:
        The figure; without panels where there is nothing to show.
    """
    figure = FIGURES[name]
    panels = figure.panels([run])
    drawn = tuple(
        (
            panel.title,
            _within_page(
                render_figure(for_file([panel], unit=run.plan.threat.unit), "svg").decode(), f"{name}-{place}"
            ),
        )
        for place, panel in enumerate(panels[:MOST_PANELS])
    )
    return Drawn(figure.title, figure.note, drawn, max(0, len(panels) - MOST_PANELS))


def _within_page(svg: str, name: str) -> str:
    """An SVG among others of a page: its ids are its own, its background is the page's, its label that of its frame."""
    plain = re.sub(r' (?:role|aria-[a-z]+)="[^"]*"', "", svg)
    renamed = re.sub(r'(\bid="|url\(#|xlink:href="#)', rf"\g<1>{name}-", plain)
    return re.sub(r'(<rect width="\d+" height="\d+" fill=")white"', r'\g<1>none"', renamed, count=1)
