"""The command group, and the flags that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import wraps

import click
from click.core import ParameterSource

from clearance import __version__
from clearance.cli.completion import (
    complete_data,
    complete_device,
    complete_file,
    complete_model,
    complete_norm,
    complete_target,
)
from clearance.cli.flag_values import InputFlags, pick
from clearance.cli.values import BudgetType, ModelArguments, NumberOr, Numbers, OnceEach, PictureSize
from clearance.data.presets import PRESETS
from clearance.data.scale_names import SCALE_MEANING
from clearance.data.table import describe_data
from clearance.model.targets import describe_targets
from clearance.zoo.table import specs_in_words

AUTO_NUMBER, AUTO_COUNT, ALL_COUNT = NumberOr(float, "auto"), NumberOr(int, "auto"), NumberOr(int, "all")
"""Kinds of values: a number or the word that stands for a choice of the program."""
QUIET = "clearance.quiet"
"""Where `--quiet` is kept in click's context."""
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
"""Settings of every command: `-h` as well, and lines of help that fit a screen."""


PRECISIONS = ("float32", "float64")
"""Precisions that a network may be computed in."""

MODEL_OPTIONS = (
    click.option(
        "--weights",
        metavar="FILE",
        shell_complete=complete_file,
        help="Values for the network of a factory or an architecture: .safetensors, or tensors as .pt, .pth, .th.",
    ),
    click.option(
        "--model-args",
        type=ModelArguments(),
        multiple=True,
        metavar="NAME=VALUE",
        help="An argument for the factory; may be repeated. Numbers, True, False and None are read as such.",
    ),
    click.option(
        "--trust-pickle", is_flag=True, help="Load a model from a file that can run code. Only if you trust it."
    ),
)
"""What is evaluated."""
MODEL_AND_DATA = (
    click.argument("model", shell_complete=complete_model),
    click.argument("data", shell_complete=complete_data),
    *MODEL_OPTIONS,
)
"""What is evaluated, and on what."""
MODEL_WITH_OR_WITHOUT_DATA = (
    click.argument("model", shell_complete=complete_model),
    click.argument("data", required=False, default="", shell_complete=complete_data),
    *MODEL_OPTIONS,
)
"""What is looked at; the data may be left out, and are the empty text then."""
INPUT_OPTIONS = (
    click.option(
        "--count",
        type=ALL_COUNT,
        default=10,
        metavar="all|N",
        help="How many inputs.  [default: 10; 100 for inspect]",
    ),
    click.option("--offset", default=0, show_default=True, metavar="N", help="How many inputs to pass over."),
    click.option("--indices", metavar="N[,N-N...]", help="Places of inputs in the whole set, such as 3,17,40-44."),
    click.option("--per-class", type=click.IntRange(min=1), metavar="N", help="The first N inputs of each class."),
    click.option("--classes", metavar="NAME|K[,...]", help="Only inputs of these classes; --count counts them."),
    click.option("--skip-misclassified", is_flag=True, help="Take inputs that the model classifies correctly only."),
    click.option("--train", is_flag=True, help="The training part of the data instead of the test part."),
    click.option("--resize", type=PictureSize(), metavar="N|HxW", help="Pictures: shorter side to N, or to this."),
    click.option("--crop", type=PictureSize(), metavar="N|HxW", help="Pictures: keep the centre, after --resize."),
    click.option("--channels", type=click.Choice(["1", "3"]), help="Pictures: grey, or grey ones as three equal ones."),
    click.option("--label", metavar="NAME", help="Tables: the column of labels. One picture: its class."),
    click.option("--class-names", metavar="NAME,...", help="Classes in the order of the model's outputs."),
    click.option("--fixed", metavar="NAME[,...]", help="Tables: columns that cannot move.  [default: of two values]"),
    click.option("--movable", metavar="NAME[,...]", help="Tables: columns that can move, or all."),
    click.option(
        "--bounds-file",
        metavar="FILE",
        shell_complete=complete_file,
        help="Tables: CSV file of valid ranges: feature, low, high.",
    ),
    click.option("--bounds", type=float, nargs=2, metavar="LOW HIGH", help="Valid range; 0 255: pixels as stored."),
    click.option("--no-bounds", is_flag=True, help="Inputs have no valid range."),
    click.option("--mean", type=Numbers(), metavar="X[,X...]", help="Subtracted per channel before the network."),
    click.option("--std", type=Numbers(), metavar="X[,X...]", help="Divided by per channel, after --mean."),
    click.option("--preset", type=click.Choice(list(PRESETS)), help="A known pair of --mean and --std."),
    click.option("--scale", metavar="std|range|FILE", help=f"Unit of distances, feature by feature: {SCALE_MEANING}."),
    click.option(
        "--device",
        shell_complete=complete_device,
        help="cpu, cuda, mps; auto: the first of cuda, mps, cpu.  [default: the network's]",
    ),
    click.option(
        "--dtype",
        type=click.Choice(list(PRECISIONS)),
        help="Precision to compute in; a network in half precision needs one.  [default: the network's]",
    ),
    click.option(
        "--micro-batch",
        type=click.IntRange(min=1),
        metavar="N",
        help="Inputs per pass; 1 for a network that takes no more.  [default: as many as fit]",
    ),
    click.option(
        "--compile", "compiled", is_flag=True, help="Compute with torch.compile; slow to start. Proofs: without it."
    ),
    click.option("--channels-last", is_flag=True, help="Keep the channels of images last in memory."),
)
"""Which inputs, and how the network sees them."""
TARGET = click.option(
    "--target",
    default="untargeted",
    show_default=True,
    shell_complete=complete_target,
    help=f"Class to move to: {describe_targets()}, or a class index.",
)
"""One target."""
ONE_THREAT = (
    TARGET,
    click.option(
        "--norm",
        default="2",
        show_default=True,
        metavar="P|inf",
        shell_complete=complete_norm,
        help="The norm of distances, P >= 1.",
    ),
)
"""One target and one norm."""
ORDER = click.option(
    "--order",
    default=1,
    show_default=True,
    type=click.IntRange(1, 2),
    metavar="1|2",
    help="First or second order of the estimate.",
)
"""First or second order."""
BOUND = click.option(
    "--bound",
    type=click.Choice(["profile", "ball"]),
    help="How the estimate bounds the distance: for every radius at once, or in one ball, as the papers do.  "
    "[default: profile; ball for --order 2]",
)
"""How the estimate bounds the distance."""
SEED = click.option(
    "--seed", default=0, show_default=True, metavar="N", help="With an input, fixes all of its random numbers."
)
"""The seed."""
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of the table.")
"""JSON instead of a table."""


def _keep_quiet(context: click.Context, _option: click.Parameter, quiet: bool) -> None:
    context.meta[QUIET] = quiet


QUIETLY = click.option(
    "-q",
    "--quiet",
    is_flag=True,
    expose_value=False,
    callback=_keep_quiet,
    help="Say nothing on stderr of cost and progress; warnings and errors stay.",
)
"""No progress. `cli.progress.is_quiet` reads it."""

Command = Callable[..., object]


def with_model_and_data(command: Command) -> Command:
    """MODEL, DATA and the model's weights: the same for every command that evaluates a model.

    Where the command's help has `{models}`, it says what MODEL may be, from the table of model specs.
    """
    command.__doc__ = (command.__doc__ or "").replace("{models}", specs_in_words())
    return _with(MODEL_AND_DATA, command)


def with_or_without_data(command: Command) -> Command:
    """As `with_model_and_data`, for a command that has something to say about a model alone."""
    command.__doc__ = (command.__doc__ or "").replace("{models}", specs_in_words())
    return _with(MODEL_WITH_OR_WITHOUT_DATA, command)


def with_input_options(command: Command) -> Command:
    """Flags that choose the inputs and how the network sees them: the same for every command that evaluates a model.

    Where the command's help has `{data}`, it says what DATA may be, from the table of kinds of data.
    """
    command.__doc__ = (command.__doc__ or "").replace("{data}", describe_data())
    return _with(INPUT_OPTIONS, command)


def with_target(command: Command) -> Command:
    """One target."""
    return TARGET(command)


def with_one_threat(command: Command) -> Command:
    """One target and one norm."""
    return _with(ONE_THREAT, command)


def with_order(command: Command) -> Command:
    """First or second order."""
    return ORDER(command)


def with_bound(command: Command) -> Command:
    """How the estimate bounds the distance."""
    return BOUND(command)


def with_budget(meaning: str) -> Callable[[Command], Command]:
    """How many passes an input may cost.

    Args:
        meaning: What they are spent on, for `--help`.

    Returns:
        The decorator.
    """
    metavar = f"[{BudgetType.name}]"
    return click.option(
        "--budget", type=BudgetType(), metavar=metavar, default="standard", show_default=True, help=meaning
    )


def with_seed(command: Command) -> Command:
    """The seed."""
    return SEED(command)


def with_json(command: Command) -> Command:
    """Print JSON."""
    return AS_JSON(command)


def with_quiet(command: Command) -> Command:
    """Say nothing of how far the command is."""
    return QUIETLY(command)


def takes_inputs(command: Command) -> Command:
    """Hand MODEL, DATA and the flags that choose the inputs over as one `InputFlags`, the argument `inputs`."""

    @wraps(command)
    def gathered(*arguments: object, **flags: object) -> object:
        inputs = pick(InputFlags, flags | {"given": frozenset(given_flags(click.get_current_context()))})
        own = {name: value for name, value in flags.items() if name not in _INPUT_NAMES}
        return command(*arguments, inputs=inputs, **own)

    return gathered


def with_options(options: Sequence[Callable[[Command], Command]]) -> Callable[[Command], Command]:
    """A group of flags of one command, in their order."""
    return lambda command: _with(options, command)


_INPUT_NAMES = {field.name for field in fields(InputFlags)}


def _with(options: Sequence[Callable[[Command], Command]], command: Command) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


def given_flags(context: click.Context) -> set[str]:
    """Names of the flags that the user spelled out."""
    return {name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}


class OnceEachGroup(click.Group):
    """A group of such commands."""

    command_class = OnceEach


@click.group(name="clearance", cls=OnceEachGroup, invoke_without_command=True, context_settings=CONTEXT)
@click.version_option(__version__, prog_name="clearance")
@click.pass_context
def commands(context: click.Context) -> None:
    """How far can an input move before a neural network changes its mind?"""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
