"""Templates filled with runs: what the page of one run and the page of several have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from clearance.report import marks
from clearance.report.charts import PANEL_HEIGHT, Spec, for_page
from clearance.report.figures.brackets import bracket_chart, page_rules
from clearance.report.figures.figure import Section
from clearance.report.figures.files import vega_lite_version
from clearance.report.figures.maxima import maxima_chart
from clearance.report.figures.profile import profile_chart
from clearance.report.figures.table import FIGURES, figures_of
from clearance.report.payload import as_script, pack
from clearance.report.prepared import prepared
from clearance.report.records import RunRecords
from clearance.report.row_words import BELOW, NONE_EXISTS
from clearance.report.security import missing_curve
from clearance.report.security_tables import radii_table, remarks, shares_table
from clearance.report.tables import Table, make_tables
from clearance.runs.files import replacing

SCRIPTS = ("common.js", "charts.js", "table.js", "input.js", "start.js")
"""The page's own scripts, in the order in which they run."""

TALL = 320
"""Height in pixels of a chart of brackets."""

PLACEHOLDERS = (BELOW, NONE_EXISTS)
"""What stands in the place of a number, for the page's script."""

LOW = 220
"""Height in pixels of the chart in the view of one input."""


@dataclass(frozen=True)
class PagePanel:
    """One chart on a page.

    Attributes:
        id: Of its specification in the page's data.
        title: What it is of.
        spec: The specification.
    """

    id: str
    title: str
    spec: Spec


@dataclass(frozen=True)
class PageFigure:
    """One figure on a page.

    Attributes:
        name: Its name in `FIGURES`.
        title: What it shows.
        note: How to read it.
        panels: Its charts.
    """

    name: str
    title: str
    note: str
    panels: tuple[PagePanel, ...]


def write_page(text: str, file: Path) -> None:
    """Write a page, all at once; an older page is replaced.

    Args:
        text: HTML.
        file: The page.
    """
    with replacing(file, force=True) as stream:
        stream.write(text.encode())


def render(
    template: str,
    runs: Sequence[RunRecords],
    *,
    own_tables: Sequence[Table] = (),
    radii: Sequence[float] = (),
    **context: Any,
) -> str:
    """Fill a template with runs: it gets `runs`, `tables`, `figures`, `robust` and `data` besides what is given.

    Args:
        template: File name in `templates/`.
        runs: The runs.
        own_tables: Tables of this template alone.
        radii: At which robust accuracy is written down; empty for round ones.
        **context: What else the template needs.

    Returns:
        HTML.
    """
    tables = [table for table in make_tables(runs) if table.rows]
    figures = {section.value: page_figures(runs, section) for section in Section}
    specs = {panel.id: panel.spec for members in figures.values() for one in members for panel in one.panels}
    unit = runs[0].plan.threat.unit
    specs |= {"brackets": for_page(bracket_chart(None), height=TALL, unit=unit)}
    specs |= {"fit": for_page(maxima_chart(None, None), height=LOW)}
    specs |= {"profile": for_page(profile_chart(None, None), height=LOW, unit=unit)}
    robust = (shares_table(runs, radii), radii_table(runs))
    said = [(run, missing_curve(run), remarks(run, radii)) for run in runs]
    copies = {table.name: _copies(table) for table in (*own_tables, *robust, *tables)}
    data = {**pack(runs), "rules": page_rules(), "specs": specs, "copies": copies, "words": PLACEHOLDERS}
    assets = {"style": read_asset("page.css"), "script": read_scripts(), "bundle": vega_bundle()}
    known = {"runs": runs, "tables": tables, "own_tables": own_tables, "figures": figures}
    known |= {"robust": robust, "robust_remarks": said}
    return fill(template, **known, data=as_script(data), assets=assets, **context)


def fill(template: str, **context: Any) -> str:
    """Fill a template.

    Args:
        template: File name in `templates/`.
        **context: What it needs.

    Returns:
        HTML.
    """
    return _environment().get_template(template).render(**context)


def coded(text: str) -> Any:
    """A text for a page: its parts between backticks are code, and all of it is escaped.

    >>> str(coded("`clearance audit` says <why>")), str(coded("a ` alone"))
    ('<code>clearance audit</code> says &lt;why&gt;', 'a ` alone')
    """
    from markupsafe import Markup, escape

    pieces = text.split("`")
    if len(pieces) % 2 == 0:
        return escape(text)
    return Markup("").join(command_line(piece) if k % 2 else escape(piece) for k, piece in enumerate(pieces))


def command_line(text: str) -> Any:
    """A command for a page, escaped: a line may end between its words, and within no flag.

    >>> str(command_line("clearance gate run --at 8/255"))
    '<code>clearance gate run <span class="unbroken">--at</span> 8/255</code>'
    """
    from markupsafe import Markup, escape

    whole = Markup('<span class="unbroken">{}</span>')
    words = (whole.format(word) if word.startswith("--") else escape(word) for word in text.split(" "))
    return Markup("<code>{}</code>").format(Markup(" ").join(words))


def page_figures(runs: Sequence[RunRecords], section: Section) -> list[PageFigure]:
    """The figures of a section, each with the specifications of its panels.

    Args:
        runs: The runs.
        section: The section; the page's script draws that of the brackets.

    Returns:
        The figures that have something to show.
    """
    names = [name for name in figures_of(len(runs)) if FIGURES[name].section is section]
    found = [] if section is Section.BRACKETS else [_page_figure(runs, name) for name in names]
    return [figure for figure in found if figure.panels]


def _page_figure(runs: Sequence[RunRecords], name: str) -> PageFigure:
    figure = FIGURES[name]
    height, unit = TALL if figure.section is Section.ANSWER else PANEL_HEIGHT, runs[0].plan.threat.unit
    panels = (
        PagePanel(f"{name}-{place}", panel.title, for_page(panel.chart, height=height, square=panel.square, unit=unit))
        for place, panel in enumerate(figure.panels(runs))
    )
    return PageFigure(name, figure.title, figure.note, tuple(panels))


@cache
def vega_bundle() -> str:
    """The scripts of Vega, Vega-Lite and Vega-Embed, as vl-convert ships them, safe inside a `<script>` element."""
    import vl_convert

    options = {"vl_version": vega_lite_version()}
    bundle = vl_convert.javascript_bundle(**options)
    return bundle.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def read_scripts() -> str:
    """The page's own scripts as one."""
    return "\n".join(read_asset(name) for name in SCRIPTS)


def read_asset(name: str) -> str:
    """A file of `assets/`."""
    return (files("clearance.report") / "assets" / name).read_text(encoding="utf-8")


def _copies(table: Table) -> dict[str, str]:
    return {"Markdown": table.as_markdown(), "CSV": table.as_csv(), "LaTeX": table.as_latex()}


@cache
def _environment() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("clearance.report")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    names = ("write_number", "write_given", "write_evidence", "write_share", "name_norm", "name_weights", "count")
    known: dict[str, Any] = {name: getattr(marks, name) for name in names} | {"prepared": prepared}
    environment.globals |= known
    environment.filters["coded"] = coded
    environment.filters["command_line"] = command_line
    return environment
