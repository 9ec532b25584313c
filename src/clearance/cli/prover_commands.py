"""Commands that hand a question on to other provers: flags only; each imports what it needs when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from clearance.cli.flag_values import InputFlags
from clearance.cli.options import (
    CONTEXT,
    commands,
    takes_inputs,
    with_input_options,
    with_model_and_data,
    with_seed,
    with_target,
)
from clearance.cli.values import Radii


@commands.command(
    name="export-vnnlib", context_settings=CONTEXT, short_help="Write network and radii for other provers."
)
@with_model_and_data
@click.option("--out", required=True, metavar="DIR", help="Folder to write: a new or an empty one.")
@click.option(
    "--radius",
    type=Radii(),
    required=True,
    metavar="R[,R...]",
    help="Radii to ask about, with commas: numbers or fractions such as 8/255.",
)
@click.option(
    "--norm", default="inf", show_default=True, metavar="inf", help="The norm of distances: no other is a box."
)
@with_target
@click.option("--timeout", default=300.0, show_default=True, metavar="S", help="Seconds for each property.")
@with_seed
@with_input_options
@takes_inputs
def export_vnnlib(inputs: InputFlags, **flags: Any) -> None:
    """Ask other provers, such as alpha,beta-CROWN or Marabou, for each input of DATA and each radius.

    Writes MODEL with its normalisation as onnx/network.onnx, each question as a VNN-LIB 1.0 file in vnnlib, and
    instances.csv with a line ONNX,VNNLIB,SECONDS for each, as the VNN-COMP has them. A prover's "unsat" proves the
    radius; "sat" means that another class is at least as high within it. Misclassified inputs are left out. Needs the
    extra "onnx". MODEL and DATA are as for `score`. See `clearance docs certificates`.
    """
    from clearance.certificates.vnnlib_request import check_questions, free_folder
    from clearance.cli.checks import check_inputs, check_target

    check_questions(flags["norm"], flags["radius"], flags["timeout"])
    free_folder(Path(flags["out"]))
    check_target(flags["target"])
    check_inputs(inputs)
    from clearance.cli.vnnlib import run_export_vnnlib

    run_export_vnnlib(inputs, **flags)
