"""The main job, and the demonstration of it: flags only; each imports what it needs when it runs."""

from __future__ import annotations

import time
from typing import Any

import click

from clearance.certificates.table import best_in_words, method_names
from clearance.cli.completion import complete_folder, complete_norm, complete_target
from clearance.cli.flag_values import EngineFlags, InputFlags, RunFlags, pick
from clearance.cli.options import (
    CONTEXT,
    commands,
    given_flags,
    takes_inputs,
    with_bound,
    with_budget,
    with_input_options,
    with_json,
    with_model_and_data,
    with_order,
    with_quiet,
    with_seed,
)
from clearance.model.budgets import LEAST_BRACKET, describe_budgets
from clearance.model.targets import describe_targets


@commands.command(context_settings=CONTEXT, short_help="Bracket real digits with both bundled classifiers.")
@click.option(
    "--count", default=8, show_default=True, metavar="N", type=click.IntRange(1, 360), help="How many digits."
)
@with_quiet
def demo(count: int) -> None:
    """Bracket real handwritten digits with the two bundled classifiers, side by side (about a minute).

    In the end it says where the time went. Repeated, it keeps the brackets that are there.
    """
    started = time.perf_counter()
    from clearance.cli.demo import run_demo

    run_demo(count, started=started)


@commands.command(context_settings=CONTEXT, short_help="The main job: all of it, in a run that can be resumed.")
@with_model_and_data
@click.option(
    "--out",
    required=True,
    metavar="RUN",
    shell_complete=complete_folder,
    help="Folder of the run; made where it is not there.",
)
@click.option(
    "--target",
    default="untargeted",
    show_default=True,
    metavar="T[,T...]",
    shell_complete=complete_target,
    help=f"Classes to move to, with commas: {describe_targets()}, or class indices.",
)
@click.option(
    "--norm",
    default="2",
    show_default=True,
    metavar="P[,P...]",
    shell_complete=complete_norm,
    help="Norms of distances, with commas: P >= 1 or inf.",
)
@with_order
@with_bound
@with_budget(
    f"How hard attack and estimate try: {describe_budgets('whole')} passes per input with the audit, or a number, "
    f"at least {LEAST_BRACKET:,}."
)
@click.option(
    "--certificate",
    type=click.Choice((*method_names(), "none")),
    default="best",
    show_default=True,
    help=f"How a radius is proved, as for `certify`. best: {best_in_words()}.",
)
@click.option(
    "--time-limit",
    type=float,
    metavar="S",
    help=f"Seconds for the certificate of each input.  [default: {describe_budgets('seconds')}, by --budget]",
)
@with_seed
@with_input_options
@click.option("--resume", is_flag=True, help="Go on with the run in the folder, add to it, or start it.")
@click.option("--retry-failed", is_flag=True, help="Compute failed tasks again.")
@click.option(
    "--engine", type=click.Choice(["local", "ray"]), default="local", show_default=True, help="This process, or Ray."
)
@click.option("--address", metavar="A", help="Ray: address of a cluster.  [default: one on this machine]")
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Ray: how many workers.  [default: all cores]")
@click.option("--gpus-per-task", default=0.0, show_default=True, metavar="N", help="Ray: GPUs of each worker.")
@with_json
@with_quiet
@click.pass_context
@takes_inputs
def bracket(context: click.Context, inputs: InputFlags, *, as_json: bool, **flags: Any) -> int:
    """Bracket each input of DATA: certified radius, estimated radius, attack distance, and an audit.

    Every finished task is on the disk at once: after Ctrl-C, a crash or a power cut, the same command with --resume
    computes exactly what is missing. With more inputs, norms or targets than the run has they are added to it, and what
    is finished stays. Failed tasks are counted on stderr; if all of them failed the exit code is 2.
    MODEL and DATA are as for `score`.
    """
    from clearance.cli.checks import check_inputs
    from clearance.cli.run_checks import check_bracket

    run, engine = pick(RunFlags, flags), pick(EngineFlags, flags | {"given": frozenset(given_flags(context))})
    check_bracket(run, engine)
    check_inputs(inputs)
    from clearance.cli.bracket import run_bracket

    return run_bracket(inputs, run=run, engine=engine, as_json=as_json)
