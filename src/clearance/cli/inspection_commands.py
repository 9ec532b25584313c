"""The command that looks at a model: flags only; it imports what it needs when it runs."""

from __future__ import annotations

import click

from clearance.cli.flag_values import InputFlags
from clearance.cli.options import (
    CONTEXT,
    commands,
    takes_inputs,
    with_input_options,
    with_json,
    with_or_without_data,
)
from clearance.cli.values import InputShape


@commands.command(context_settings=CONTEXT, short_help="Look at a model: what it is, what will work, what it costs.")
@with_or_without_data
@click.option(
    "--input-shape",
    type=InputShape(),
    metavar="N[,N...]",
    help="Shape of one input, such as 3,224,224, where there are no DATA and the model's file does not say it.",
)
@with_input_options
@with_json
@takes_inputs
def inspect(inputs: InputFlags, *, input_shape: tuple[int, ...] | None, as_json: bool) -> None:
    """Show what MODEL is and what will work with it, and with DATA its accuracy.

    Shape, classes, parameters, layers, bounds, preprocessing; passes per second; whether --order 2 has anything to
    measure; which certificates take the network, and which layer is in the way; whether it can be written for other
    provers; what a bracket of one input costs at each budget. Takes a few seconds. Without DATA it looks at random
    inputs within the bounds. MODEL and DATA are as for `score`.
    """
    from clearance.cli.checks import check_inspect

    check_inspect(inputs, input_shape)
    from clearance.cli.inspection import run_inspect

    run_inspect(inputs, input_shape=input_shape, as_json=as_json)
