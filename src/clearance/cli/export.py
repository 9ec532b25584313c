"""`clearance export`: the results of a run as one file."""

from __future__ import annotations

import click

from clearance.cli.checks import check_out_file
from clearance.errors import InputError
from clearance.runs.execute import read_run
from clearance.runs.export import EXPORT_FORMATS, export_run


def run_export(run: str, *, kind: str | None, out: str, arrays: bool, force: bool) -> None:
    """Write the finished tasks of a run to a file and say how many there are.

    Args:
        run: The run's folder.
        kind: Format of the file; `None`: the one that its name ends in.
        out: The file.
        arrays: The arrays as well.
        force: Replace a file that is there.

    Raises:
        InputError: If no format is named and the file's name ends in none.
    """
    file = check_out_file("--out", out)
    kind = kind or file.suffix.lower().removeprefix(".")
    if kind not in EXPORT_FORMATS:
        raise InputError(f"--out: expected a name that ends in .{', .'.join(EXPORT_FORMATS)}, or --format, got {out}")
    with read_run(run) as opened:
        count = export_run(opened, file, kind=kind, arrays=arrays, force=force)
        total = len(opened.plan.tasks())
    missing = f"; {total - count} of {total} tasks are not finished" if count < total else ""
    click.echo(f"{count} records written to {file}{missing}")
