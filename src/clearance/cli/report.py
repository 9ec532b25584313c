"""`clearance report` and `clearance figure`: what a person looks at."""

from __future__ import annotations

from pathlib import Path

import click

from clearance.errors import FileError
from clearance.report.figures import write_figure
from clearance.report.page import write_report
from clearance.report.read import read_records


def run_report(run: str, *, out: str | None) -> None:
    """Write the page of a run and say where it is.

    Args:
        run: The run's folder.
        out: The page; by default `report.html` in the run's folder.
    """
    page = write_report(run, None if out is None else _file(out))
    click.echo(f"{page} written ({page.stat().st_size / 1e6:.1f} MB); it opens in any browser, without a network")


def run_figure(run: str, name: str, *, out: str, force: bool) -> None:
    """Write one figure of a run.

    Args:
        run: The run's folder.
        name: The figure's name.
        out: The file.
        force: Replace a file that is there.
    """
    write_figure([read_records(run)], name, _file(out), force=force)
    click.echo(f"{out} written")


def _file(out: str) -> Path:
    """The file that was asked for.

    Raises:
        FileError: If its folder is not there.
    """
    file = Path(out)
    if not file.parent.is_dir():
        raise FileError(f"--out: expected a folder that exists, got {file.parent}")
    return file
