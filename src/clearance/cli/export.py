"""`clearance export`: the results of a run as one file."""

from __future__ import annotations

import click

from clearance.cli.checks import check_out_file
from clearance.runs.execute import read_run
from clearance.runs.export import export_run


def run_export(run: str, *, kind: str, out: str, arrays: bool, force: bool) -> None:
    """Write the finished tasks of a run to a file and say how many there are.

    Args:
        run: The run's folder.
        kind: Format of the file.
        out: The file.
        arrays: The arrays as well.
        force: Replace a file that is there.
    """
    file = check_out_file("--out", out)
    with read_run(run) as opened:
        count = export_run(opened, file, kind=kind, arrays=arrays, force=force)
        total = len(opened.plan.tasks())
    missing = f"; {total - count} of {total} tasks are not finished" if count < total else ""
    click.echo(f"{count} records written to {file}{missing}")
