"""The page of a run: one HTML file that opens from disk and needs nothing else, no network either.

`render` fills any template of this package, so that a page for several runs is another template with the same parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from clearance.report import charts, marks, statistics
from clearance.report.figures import FIGURES, vega_lite_version
from clearance.report.payload import as_script, pack
from clearance.report.read import read_records
from clearance.report.records import RunRecords
from clearance.report.tables import Table, make_tables
from clearance.report.verdict import notices, verdicts
from clearance.runs.execute import refuse_run_files
from clearance.runs.files import replacing

PAGE_FILE = "report.html"
"""The page's name in the folder of its run."""


def write_report(folder: str | Path, file: Path | None = None) -> Path:
    """Read a run, finished or not, and write its page, all at once; an older page is replaced.

    Args:
        folder: The run's folder.
        file: The page; by default `report.html` in that folder.

    Returns:
        The page's path.

    Raises:
        FileError: If there is no run, it is damaged, or the page cannot be written or would replace a part of the run.
    """
    page = Path(folder) / PAGE_FILE if file is None else file
    refuse_run_files(page, Path(folder), name="file")
    text = render_report(read_records(folder))
    with replacing(page, force=True) as stream:
        stream.write(text.encode())
    return page


def render_report(run: RunRecords) -> str:
    """The page of one run.

    Args:
        run: What was read of it.

    Returns:
        HTML.
    """
    groups = statistics.flag_groups(run.entries)
    return render(
        "report.html",
        [run],
        run=run,
        notices=notices(run),
        verdicts=verdicts(run),
        doubts=[group for group in groups if group.severity != "info"],
        remarks=[group for group in groups if group.severity == "info"],
    )


def render(
    template: str,
    runs: Sequence[RunRecords],
    *,
    own_tables: Sequence[Table] = (),
    own_figures: Sequence[dict[str, Any]] = (),
    **context: Any,
) -> str:
    """Fill a template with runs: it gets `runs`, `tables`, `figures` and `data` besides what is given.

    Args:
        template: File name in `templates/`.
        runs: The runs.
        own_tables: Tables of this template alone.
        own_figures: Figures of this template alone, as `make_panels` gives them.
        **context: What else the template needs.

    Returns:
        HTML.
    """
    tables, figures = make_tables(runs), make_panels(runs)
    specs = {panel["id"]: panel["spec"] for figure in (*own_figures, *figures) for panel in figure["panels"]}
    specs |= {"brackets": charts.for_page(charts.brackets(None), height=320)}
    specs |= {"fit": charts.for_page(charts.maxima(None, None), height=220)}
    data = {**pack(runs), "specs": specs, "copies": {table.name: _copies(table) for table in (*own_tables, *tables)}}
    assets = {"style": read_asset("page.css"), "script": read_scripts(), "bundle": vega_bundle()}
    context |= {"own_tables": own_tables, "own_figures": own_figures}
    known = {"runs": runs, "tables": tables, "figures": figures, "data": as_script(data), "assets": assets}
    return _environment().get_template(template).render(**known, **context)


def make_panels(runs: Sequence[RunRecords]) -> list[dict[str, Any]]:
    """The figures of the page except the brackets, each with the specifications of its panels.

    Args:
        runs: The runs.

    Returns:
        `name`, `title`, `note` and `panels` (`id`, `title`, `spec`) of each figure.
    """
    found: list[dict[str, Any]] = []
    for figure in FIGURES.values():
        if figure.name == "brackets":
            continue
        panels = [
            {"id": f"{figure.name}-{place}", "title": title, "spec": charts.for_page(chart)}
            for place, (title, chart) in enumerate(figure.panels(runs))
        ]
        found.append({"name": figure.name, "title": figure.title, "note": figure.note, "panels": panels})
    return found


@cache
def vega_bundle() -> str:
    """The scripts of Vega, Vega-Lite and Vega-Embed, as vl-convert ships them, safe inside a `<script>` element."""
    import vl_convert

    options: dict[str, Any] = {"vl_version": vega_lite_version()}
    bundle: str = vl_convert.javascript_bundle(**options)
    return bundle.replace("</script", "<\\/script").replace("<!--", "<\\!--")


SCRIPTS = ("common.js", "charts.js", "table.js", "input.js", "start.js")
"""The page's own scripts, in the order in which they run."""


def read_scripts() -> str:
    """The page's own scripts as one."""
    return "\n".join(read_asset(name) for name in SCRIPTS)


def read_asset(name: str) -> str:
    """A file of `assets/`."""
    return (files("clearance.report") / "assets" / name).read_text(encoding="utf-8")


def _copies(table: Table) -> dict[str, str]:
    return {"Markdown": table.as_markdown(), "CSV": table.as_csv(), "LaTeX": table.as_latex()}


def _environment() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("clearance.report")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    names = ("write_number", "write_given", "write_evidence", "write_share", "name_norm", "name_weights", "count")
    environment.globals |= {name: getattr(marks, name) for name in names}
    return environment
