"""The command line: flags in, tables or JSON out. The only package that prints or exits.

Exit codes: 0 fine; 2 bad usage or bad input, with one line on stderr; 130 interrupted; 141 the reader of a pipe left,
as shells have it. Only click is imported here:
torch, SciPy and rich come with the first command that needs them, so that `clearance --help` is quick.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import click
from click.core import ParameterSource

from clearance import __version__
from clearance.cli.values import NumberOr, Numbers, printable
from clearance.errors import ClearanceError

BAD_INPUT, INTERRUPTED, BROKEN_PIPE = 2, 130, 141

AUTO_NUMBER, AUTO_COUNT, ALL_COUNT = NumberOr(float, "auto"), NumberOr(int, "auto"), NumberOr(int, "all")
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


MODEL_AND_DATA = (
    click.argument("model"),
    click.argument("data"),
    click.option("--weights", metavar="FILE", help="Values for a factory's network, as .safetensors."),
)
INPUT_OPTIONS = (
    click.option("--count", type=ALL_COUNT, default=10, metavar="all|N", help="How many inputs.  [default: 10]"),
    click.option("--offset", default=0, show_default=True, metavar="N", help="Index of the first input."),
    click.option("--bounds", type=float, nargs=2, metavar="LOW HIGH", help="Valid range of an input."),
    click.option("--no-bounds", is_flag=True, help="Inputs have no valid range."),
    click.option("--mean", type=Numbers(), metavar="X[,X...]", help="Subtracted per channel before the network."),
    click.option("--std", type=Numbers(), metavar="X[,X...]", help="Divided by per channel, after --mean."),
    click.option("--device", help="Where to compute, such as cpu or cuda.  [default: where the network is]"),
)


Command = Callable[..., None]


def with_model_and_data(command: Command) -> Command:
    """MODEL, DATA and the model's weights: the same for every command that evaluates a model."""
    return _with(MODEL_AND_DATA, command)


def with_input_options(command: Command) -> Command:
    """Flags that choose the inputs and how the network sees them: the same for every command that evaluates a model."""
    return _with(INPUT_OPTIONS, command)


def _with(options: Sequence[Callable[[Command], Command]], command: Command) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


def given_flags(context: click.Context) -> set[str]:
    """Names of the flags that the user spelled out."""
    return {name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}


@click.group(name="clearance", invoke_without_command=True, context_settings=CONTEXT)
@click.version_option(__version__, prog_name="clearance")
@click.pass_context
def commands(context: click.Context) -> None:
    """How far can an input move before a neural network changes its mind?"""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@commands.command(context_settings=CONTEXT, short_help="Score real digits with both bundled classifiers.")
@click.option(
    "--count", default=8, show_default=True, metavar="N", type=click.IntRange(1, 360), help="How many digits."
)
def demo(count: int) -> None:
    """Score real handwritten digits with the two bundled classifiers, side by side (about a minute)."""
    from clearance.cli.demo import run_demo

    run_demo(count)


@commands.command(context_settings=CONTEXT, short_help="Estimate the radius of each input.")
@with_model_and_data
@click.option(
    "--target",
    default="untargeted",
    show_default=True,
    help="Class to move to: untargeted (the nearest), runner-up, random, least-likely, or a class index.",
)
@click.option("--norm", default="2", show_default=True, metavar="P|inf", help="The norm of distances, P >= 1.")
@click.option("--sampler", type=click.Choice(["directed", "uniform"]), default="directed", show_default=True)
@click.option(
    "--radius",
    type=AUTO_NUMBER,
    default="auto",
    metavar="auto|R",
    help="Radius of the ball.  [default: auto]",
)
@click.option("--blocks", type=AUTO_COUNT, default="auto", metavar="auto|N", help="Block maxima.  [default: auto]")
@click.option("--block-size", type=int, metavar="N", help="Gradients per block.  [default: directed 256, uniform 1024]")
@click.option(
    "--tolerance", default=0.05, show_default=True, help="For --blocks auto: relative width that is narrow enough."
)
@click.option("--max-blocks", type=int, metavar="N", help="For --blocks auto: where to stop.")
@click.option("--racing/--no-racing", default=True, help="Untargeted: drop classes that cannot be the nearest.")
@click.option("--clip", type=click.Choice(["project"]), help="Clip the samples into the bounds.")
@click.option("--level", default=0.95, show_default=True, help="Confidence level of the intervals.")
@click.option("--bootstrap", default=0, show_default=True, metavar="N", help="Resamples for the p-value of the fit.")
@click.option("--seed", default=0, show_default=True, metavar="N", help="With an input, fixes all of its samples.")
@click.option("--paper", is_flag=True, help="All choices of the CLEVER paper: uniform, radius 5, 500 blocks of 1,024.")
@with_input_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of the table.")
@click.pass_context
def score(context: click.Context, **flags: Any) -> None:
    """Estimate for each input of DATA how far it can move before MODEL changes its mind (CLEVER).

    MODEL is digits-standard, digits-robust, or package.module:factory, a function without arguments that returns an
    nn.Module. DATA is digits, mnist, a .npz file (images, labels), a folder of idx files, or IMAGES,LABELS.
    """
    from clearance.cli.score import run_score

    run_score(given=given_flags(context), **flags)


@commands.command(context_settings=CONTEXT, short_help="Find the nearest adversarial example of each input.")
@with_model_and_data
@click.option(
    "--target",
    default="untargeted",
    show_default=True,
    help="Class to move to: untargeted (any other), runner-up, random, least-likely, or a class index.",
)
@click.option("--norm", default="2", show_default=True, metavar="P|inf", help="The norm of distances, P >= 1.")
@click.option(
    "--budget",
    type=click.Choice(["quick", "standard", "thorough"]),
    default="standard",
    show_default=True,
    help="About 150, 1,000 or 5,000 passes of each kind per input.",
)
@click.option("--seed", default=0, show_default=True, metavar="N", help="With an input, fixes all random numbers.")
@with_input_options
@click.option("--save", metavar="FILE", help="Write inputs, witnesses, distances and predictions to FILE.npz.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of the table.")
@click.pass_context
def attack(context: click.Context, **flags: Any) -> None:
    """Find for each input of DATA the nearest adversarial example of MODEL that an ensemble of attacks can find.

    The distance of such a witness is an upper bound of the minimum distortion. MODEL and DATA are as for `score`.
    """
    from clearance.cli.attack import run_attack

    run_attack(given=given_flags(context), **flags)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code.

    Args:
        arguments: What follows the program's name; by default those of the process.
    """
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line: an error that a user can mend becomes one line on stderr, any other a traceback.

    Args:
        arguments: What follows the program's name; by default those of the process.

    Returns:
        The exit code.
    """
    try:
        result: object = commands.main(arguments, prog_name="clearance", standalone_mode=False)
    except (click.Abort, KeyboardInterrupt):
        return _complain("interrupted", INTERRUPTED)
    except SystemExit:  # click's own way out when the reader of a pipe has left
        return BROKEN_PIPE
    except click.ClickException as error:
        return _complain(error.format_message(), BAD_INPUT)
    except (ClearanceError, OSError) as error:
        return _complain(str(error), BAD_INPUT)
    return result if isinstance(result, int) else 0


def _complain(message: str, code: int) -> int:
    click.echo(f"clearance: {printable(' '.join(message.split()))}", err=True)
    return code
