"""What every command that evaluates a model is given, from flags to the options of `zoo.inputs`."""

from __future__ import annotations

import click

from clearance.cli.checks import check_choice, reader_options
from clearance.cli.flag_values import InputFlags
from clearance.cli.values import printable
from clearance.data.selection import read_indices
from clearance.model.inputs import CheckedInputs
from clearance.zoo.choice import DEFAULT_INPUTS, DataOptions
from clearance.zoo.classifiers import ModelOptions, read_network
from clearance.zoo.inputs import Inputs
from clearance.zoo.inputs import read_inputs as read_model_and_data
from clearance.zoo.loaded import LoadedNetwork


def load_inputs(flags: InputFlags) -> Inputs:
    """Load and check the model and the data that the flags name, and say on stderr what a person should know of them.

    Args:
        flags: The flags' values.

    Returns:
        The model and the inputs.
    """
    inputs = read_inputs(flags)
    for note in inputs.notes:
        click.echo(f"clearance: {printable(note)}", err=True)
    return inputs


def check_goal(inputs: Inputs, target: str | int, *, seed: int) -> tuple[CheckedInputs, tuple[bool, ...]]:
    """As `Inputs.check`, saying on stderr where the data name another number of classes than the model has outputs."""
    checked, reached = inputs.check(target, seed=seed)
    say_classes(inputs, checked.logits.shape[1])
    return checked, reached


def say_classes(inputs: Inputs, outputs: int) -> None:
    """Say on stderr where the data name another number of classes than the model has outputs."""
    if note := inputs.note_on_classes(outputs):
        click.echo(f"clearance: {printable(note)}", err=True)


def read_inputs(flags: InputFlags) -> Inputs:
    """As `load_inputs`, saying nothing.

    Args:
        flags: The flags' values.

    Returns:
        The model and the inputs.
    """
    return read_model_and_data(flags.model, flags.data, model_options(flags), data_options(flags))


def read_model(flags: InputFlags) -> LoadedNetwork:
    """Load the model that the flags name, once their bounds have been checked."""
    return read_network(flags.model, model_options(flags))


def model_options(flags: InputFlags) -> ModelOptions:
    """What the flags say of the model."""
    return ModelOptions(
        weights=flags.weights,
        model_args=dict(flags.model_args or ()),
        trust_pickle=flags.trust_pickle,
        bounds=flags.bounds,
        no_bounds=flags.no_bounds,
        mean=flags.mean,
        std=flags.std,
        preset=flags.preset,
        scale=flags.scale,
        device=flags.device,
        dtype=flags.dtype,
        micro_batch=flags.micro_batch,
        compiled=flags.compiled,
        channels_last=flags.channels_last,
    )


def data_options(flags: InputFlags) -> DataOptions:
    """Which inputs the flags ask for."""
    check_choice(flags)
    given = flags.count == "all" or "count" in flags.given
    return DataOptions(
        count="all" if flags.count == "all" else int(flags.count) if given else None,
        at_most=int(flags.count) if not given else DEFAULT_INPUTS,
        offset=flags.offset,
        indices=None if flags.indices is None else read_indices(flags.indices),
        per_class=flags.per_class,
        classes=flags.classes,
        skip_misclassified=flags.skip_misclassified,
        reader=reader_options(flags),
    )


def as_target(text: str) -> str | int:
    """The name of a target, or a class index."""
    return int(text) if text.removeprefix("-").isdecimal() else text
