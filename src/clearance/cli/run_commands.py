"""Commands that read runs: flags only; each imports what it needs when it runs."""

from __future__ import annotations

from typing import Any

import click

from clearance.cli.options import CONTEXT, commands


@commands.command(context_settings=CONTEXT, short_help="Write the results of a run as Parquet, CSV or JSON.")
@click.argument("run")
@click.option("--format", "kind", type=click.Choice(["parquet", "csv", "json"]), required=True, help="Kind of file.")
@click.option("--out", required=True, metavar="FILE", help="The file.")
@click.option("--arrays", is_flag=True, help="With witnesses and block maxima (json and parquet).")
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
def export(**flags: Any) -> None:
    """Write one record for each finished task of the run in folder RUN, in the order of its plan.

    The run may be unfinished or going on. Fields that hold times have names that end in "seconds".
    """
    from clearance.cli.export import run_export

    run_export(**flags)
