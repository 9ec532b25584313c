"""`clearance report` and `clearance figure`: what a person looks at."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from clearance import __version__
from clearance.cli.grid import Grid, GridColumn
from clearance.cli.run_values import out_file
from clearance.cli.tables import make_console, print_heading
from clearance.cli.values import printable
from clearance.report.figures import write_figure
from clearance.report.notices import notices
from clearance.report.page import auditor_file, page_file, write_pages
from clearance.report.paired import INTERVAL_LEVEL
from clearance.report.read import read_records
from clearance.report.records import RunRecords
from clearance.report.security import missing_curve, security_curves
from clearance.report.security_tables import at_zero, remarks, round_radii, shares_table


def run_report(run: str, *, out: str | None, radii: Sequence[float] | None, as_json: bool) -> None:
    """Write the pages of a run and say where they are; with radii or as JSON, print its robust accuracy.

    Args:
        run: The run's folder.
        out: The page; by default `report.html` in the run's folder, and none with JSON. The auditor's lies beside it.
        radii: At which robust accuracy is written down; `None` for round ones.
        as_json: Print JSON.
    """
    file, chosen = out_file("--out", out, runs=[run]), sorted(set(radii or []))
    written = file is not None or not as_json
    records = read_records(run, pictures=written)
    if chosen or as_json:
        if as_json:
            click.echo(json.dumps(as_document(records, chosen), indent=2, allow_nan=False))
        else:
            print_robust_accuracy(make_console(), records, chosen)
    if not written:
        return
    page = write_pages(records, page_file(run, file), radii=chosen)
    if not as_json:
        size = page.stat().st_size / 1e6
        click.echo(f"{page} written ({size:.1f} MB); it opens in any browser, without a network")
        click.echo(f"{auditor_file(page)} written: the same run for an auditor, to be printed")
        for sentence in notices(records):
            click.echo(f"clearance: {printable(sentence)}", err=True)


def print_robust_accuracy(console: Console, run: RunRecords, radii: Sequence[float]) -> None:
    """Robust accuracy at some radii, from both ends, and how to read it."""
    print_heading(console, f"{run.plan.model.name} on {run.plan.data.name}", f"robust accuracy, run {run.name}")
    console.print()
    if missing := missing_curve(run):
        console.print(Text(f"{printable(missing)}\n", "yellow"))
        return
    for sentence in remarks(run, radii):  # above the table, which may be copied without them
        console.print(Text(f"{printable(sentence)}\n", "yellow"))
    found = shares_table([run], radii)
    grid = Grid([GridColumn(name, right=name != "norm") for name in found.columns])
    for row in found.rows:
        grid.add_row(*row)
    grid.print_in_parts(console, keys=found.columns.index("radius") + 1 if "radius" in found.columns else 1)
    console.print(f"\n{printable(found.note)}\n")


def as_document(run: RunRecords, radii: Sequence[float]) -> dict[str, Any]:
    """The robust accuracy of a run as plain values for JSON: at some radii, and the steps that give every other."""
    threat = run.plan.threat
    return {
        "clearance": __version__,
        "run": run.name,
        "plan": run.plan.id,
        "model": run.plan.model.name,
        "data": run.plan.data.name,
        "passed_over": run.plan.data.passed_over,
        "targets": list(threat.targets),
        "units": threat.units,
        "range": threat.range,
        "level": INTERVAL_LEVEL,
        "missing": missing_curve(run) or None,
        "notes": remarks(run, radii),
        "robust_accuracy": [
            curve.as_record([*at_zero(run), *(radii or round_radii(curve))]) for curve in security_curves(run)
        ],
    }


def run_figure(run: str, name: str, *, out: str, force: bool) -> None:
    """Write one figure of a run.

    Args:
        run: The run's folder.
        name: The figure's name.
        out: The file.
        force: Replace a file that is there.
    """
    file = out_file("--out", out, runs=[run])
    assert file is not None, "click asks for it"
    write_figure([read_records(run)], name, file, force=force)
    click.echo(f"{out} written")
