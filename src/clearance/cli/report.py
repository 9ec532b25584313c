"""`clearance report` and `clearance figure`: what a person looks at."""

from __future__ import annotations

import click

from clearance.cli.run_values import out_file
from clearance.report.figures import write_figure
from clearance.report.page import write_report
from clearance.report.read import read_records


def run_report(run: str, *, out: str | None) -> None:
    """Write the page of a run and say where it is.

    Args:
        run: The run's folder.
        out: The page; by default `report.html` in the run's folder.
    """
    page = write_report(run, out_file("--out", out, runs=[run]))
    click.echo(f"{page} written ({page.stat().st_size / 1e6:.1f} MB); it opens in any browser, without a network")


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
