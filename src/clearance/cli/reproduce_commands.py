"""The command that carries out the papers' experiments: flags only; it imports what it needs when it runs."""

from __future__ import annotations

from typing import Any

import click

from clearance.cli.completion import complete_experiment
from clearance.cli.options import CONTEXT, commands, with_quiet, with_seed
from clearance.experiments.table import Scale

SCALES_IN_WORDS = "; ".join(f"{scale.value}: {scale.meaning}" for scale in Scale)
"""What `--scale` may be, for `--help`."""


@commands.command(context_settings=CONTEXT, short_help="Repeat an experiment of a paper; without NAME, list them.")
@click.argument("name", required=False, shell_complete=complete_experiment)
@click.option("--all", "every", is_flag=True, help="All of them, one after the other.")
@click.option(
    "--scale",
    type=click.Choice([scale.value for scale in Scale]),
    default=Scale.SMALL.value,
    show_default=True,
    help=f"How large. {SCALES_IN_WORDS}.",
)
@click.option(
    "--out",
    default="reproduction",
    show_default=True,
    metavar="FOLDER",
    help="The tables, the page and the measurements go to FOLDER/NAME.",
)
@with_seed
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, mps; auto: the first of cuda, mps, cpu.")
@with_quiet
@click.option("--force", is_flag=True, help="Begin again where FOLDER/NAME holds an earlier experiment.")
def reproduce(*, name: str | None, every: bool, out: str, device: str, **flags: Any) -> None:
    """Repeat an experiment of a paper, and print its tables with the paper's numbers beside what is measured here.

    Every finished measurement is kept in FOLDER/NAME at once: after an interruption the same command goes on. Tables,
    figures and one HTML page are written there. Without NAME: the list of experiments.
    See `clearance docs reproduction`.
    """
    from clearance.cli.checks import check_device, check_reproduce

    check_reproduce(name, every=every, out=out)
    check_device(device)
    from clearance.cli.reproduce import run_reproduce

    run_reproduce(name, every=every, out=out, device=device, **flags)
