"""The command that trains a network: flags only; what it needs is imported when it runs."""

from __future__ import annotations

from typing import Any

import click

from clearance.cli.completion import complete_data, complete_device, complete_model
from clearance.cli.options import ALL_COUNT, CONTEXT, commands, given_flags, with_json, with_options, with_quiet
from clearance.cli.train_flags import TrainFlags
from clearance.cli.values import ArchitectureArguments, NormOf, PictureSize, Radius
from clearance.training.defenses.table import DEFENSES
from clearance.zoo.table import ARCHITECTURES

THREAT_OPTIONS = (
    click.option("--norm", type=NormOf("inf", "2"), default="inf", show_default=True, help="Norm of a change."),
    click.option("--radius", type=Radius(), metavar="R", help="Largest change, in input units, such as 0.3 or 8/255."),
)
"""What a defence defends against; standard training is judged by it too."""
DEFENSE_OPTIONS = (
    click.option("--steps", type=click.IntRange(1), metavar="N", help="Ascent steps.  [default: 10]"),
    click.option("--step-size", type=Radius(), metavar="R", help="Length of one.  [default: 2.5 radius / steps]"),
    click.option(
        "--ramp",
        type=float,
        metavar="SHARE",
        help="Share of training over which the radius grows.  [default: 0; interval-bounds: 0.5]",
    ),
    click.option("--replays", type=click.IntRange(1), metavar="N", help="free: of each batch.  [default: 8]"),
    click.option("--beta", type=float, metavar="X", help="trades: weight of robustness.  [default: 6]"),
    click.option("--temperature", type=float, metavar="T", help="distillation: 100; standard: 1."),
    click.option("--deviation", type=float, metavar="X", help="bounded-relu: of the noise.  [default: 0.3]"),
    click.option("--kappa", type=float, metavar="SHARE", help="interval-bounds: the ordinary loss.  [default: 0.5]"),
    click.option("--crown", type=float, metavar="SHARE", help="interval-bounds: CROWN at the start.  [default: 1]"),
)
"""Settings of single defences: one that the chosen defence does not have is refused."""
LOOP_OPTIONS = (
    click.option(
        "--epochs", type=click.IntRange(1), default=10, show_default=True, metavar="N", help="Passes over the inputs."
    ),
    click.option(
        "--batch-size", type=click.IntRange(1), default=128, show_default=True, metavar="N", help="Inputs in one step."
    ),
    click.option("--learning-rate", type=float, default=1e-3, show_default=True, metavar="X", help="At the start."),
    click.option(
        "--optimiser", type=click.Choice(["adam", "sgd"]), default="adam", show_default=True, help="Of the values."
    ),
    click.option(
        "--weight-decay",
        type=float,
        default=0.0,
        show_default=True,
        metavar="X",
        help="Factor of half the squared values in the loss.",
    ),
    click.option(
        "--augmentation",
        type=click.Choice(["none", "crop-flip"]),
        default="none",
        show_default=True,
        help="Of pictures.",
    ),
    click.option("--holdout", type=click.IntRange(0), metavar="N", help="See above.  [default: 1000, at most a fifth]"),
    click.option("--patience", type=click.IntRange(1), metavar="N", help="Stop after N epochs without a better one."),
)
"""The loop, whatever the defence."""


@commands.command(context_settings=CONTEXT, short_help="Train a network, as usual or with a defence.")
@click.argument("data", shell_complete=complete_data)
@click.option(
    "--network",
    type=click.Choice(list(ARCHITECTURES)),
    required=True,
    help="Its architecture: see `clearance docs training`.",
)
@click.option(
    "--network-args",
    type=ArchitectureArguments(),
    multiple=True,
    metavar="NAME=VALUE",
    help="An argument of the architecture, such as activation=tanh or channels=64,128; may be repeated.",
)
@click.option(
    "--defense", type=click.Choice(list(DEFENSES)), default="standard", show_default=True, help="How to train."
)
@click.option("--out", required=True, metavar="FILE", help="The checkpoint, FILE.safetensors; its card is FILE.md.")
@click.option(
    "--start",
    metavar="MODEL",
    shell_complete=complete_model,
    help="Fine-tune: begin with the values of this checkpoint.",
)
@click.option(
    "--unlabelled",
    metavar="DATA",
    shell_complete=complete_data,
    help="More inputs for a defence; their labels are guessed.",
)
@click.option(
    "--labeller",
    metavar="MODEL",
    shell_complete=complete_model,
    help="Guesses them.  [default: trained as usual first]",
)
@with_options((*THREAT_OPTIONS, *DEFENSE_OPTIONS, *LOOP_OPTIONS))
@click.option("--count", type=ALL_COUNT, default="all", metavar="all|N", help="Training inputs.  [default: all]")
@click.option("--resize", type=PictureSize(), metavar="N|HxW", help="Pictures: shorter side to N, or to this.")
@click.option("--crop", type=PictureSize(), metavar="N|HxW", help="Pictures: keep the centre, after --resize.")
@click.option("--label", metavar="NAME", help="Tables: the column of labels.")
@click.option("--seed", default=0, show_default=True, help="Fixes everything that is drawn.")
@click.option(
    "--device",
    default="cpu",
    show_default=True,
    shell_complete=complete_device,
    help="cpu, cuda, mps; auto: the first of cuda, mps, cpu.",
)
@click.option("--half", is_flag=True, help="Store 16-bit values: half the size; accuracies are of those.")
@click.option("--force", is_flag=True, help="Replace FILE, and begin anew.")
@with_json
@with_quiet
@click.pass_context
def train(context: click.Context, *, as_json: bool, **flags: Any) -> None:
    """Train a network on DATA and write a checkpoint that every command takes as MODEL.

    The last --holdout training inputs are kept apart (evenly spread ones, where the last lack a class): after each
    epoch the network is judged on them, by robust accuracy where there is a --radius, and the best epoch's values are
    kept. The test part of DATA is only measured in the end, for the card; of DATA without one, such as FILE.npz, every
    fifth input is the test part. Training that was stopped goes on where it was when the same command is given again.
    """
    from clearance.cli.train_checks import check_train

    chosen = TrainFlags(**flags, given=frozenset(given_flags(context)))
    check_train(chosen)
    from clearance.cli.train import run_train

    run_train(chosen, as_json=as_json)
