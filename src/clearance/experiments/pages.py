"""An experiment's results as files: `tables.md`, one HTML page that loads nothing, and each figure as SVG."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearance.experiments.outcome import PaperFigure, Reproduction
from clearance.experiments.table import EXPERIMENTS
from clearance.report.figures.files import render_figure
from clearance.report.render import read_asset
from clearance.runs.files import replacing

TABLES_FILE, PAGE_FILE = "tables.md", "page.html"
"""What is written into the folder of an experiment, beside the figures."""


@dataclass(frozen=True)
class Heading:
    """What a page says first.

    Attributes:
        name: The experiment's name in the table.
        command: The command that repeats it.
    """

    name: str
    command: str

    @property
    def paper(self) -> str:
        """What is repeated."""
        return EXPERIMENTS[self.name].paper

    @property
    def meaning(self) -> str:
        """What it does."""
        return EXPERIMENTS[self.name].meaning


def write_pages(folder: Path, heading: Heading, found: Reproduction) -> list[Path]:
    """Write everything, each file all at once; older ones are replaced.

    Args:
        folder: The experiment's folder.
        heading: What the pages say first.
        found: What came out.

    Returns:
        The files: tables, page, figures.
    """
    drawn = {figure.name: render_figure(figure.specification, "svg") for figure in found.figures}
    texts = {TABLES_FILE: as_markdown(heading, found).encode(), PAGE_FILE: as_page(heading, found, drawn).encode()}
    files = {**texts, **{f"{name}.svg": data for name, data in drawn.items()}}
    for name, data in files.items():
        with replacing(folder / name, force=True) as stream:
            stream.write(data)
    return [folder / name for name in files]


def as_markdown(heading: Heading, found: Reproduction) -> str:
    """The tables and findings as Markdown, without a first heading: a section of a document.

    Args:
        heading: What it says first.
        found: What came out.

    Returns:
        Markdown.
    """
    parts = [f"{heading.paper}: {heading.meaning}.", f"```text\n{heading.command}\n```"]
    parts += [" ".join(found.settings)] if found.settings else []
    for table in found.tables:
        parts += [
            f"**{table.title}**",
            table.as_table().as_markdown().rstrip("\n"),
            *([table.note] if table.note else []),
        ]
    if found.findings:
        lines = [f"- {one.sentence}: **{one.verdict}**. {one.evidence}" for one in found.findings]
        parts += ["**Findings**", "\n".join(lines)]
    parts += [f"**{figure.title}** (`{figure.name}.svg`). {figure.note}".rstrip() for figure in found.figures]
    return "\n\n".join(parts) + "\n"


def as_page(heading: Heading, found: Reproduction, drawn: dict[str, bytes]) -> str:
    """One HTML page with everything in it, the figures as pictures.

    Args:
        heading: What it says first.
        found: What came out.
        drawn: Each figure as SVG, by name.

    Returns:
        HTML.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("clearance.experiments")
    environment: Any = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("page.html").render(
        heading=heading,
        found=found,
        tables=[table.as_table() for table in found.tables],
        figures=[(figure, _as_address(figure, drawn)) for figure in found.figures],
        style=read_asset("page.css"),
    )


def _as_address(figure: PaperFigure, drawn: dict[str, bytes]) -> str:
    """A picture as an address that holds it."""
    return f"data:image/svg+xml;base64,{base64.b64encode(drawn[figure.name]).decode()}"
