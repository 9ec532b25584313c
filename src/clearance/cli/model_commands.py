"""Commands that evaluate a model: flags only; each imports what it needs when it runs."""

from __future__ import annotations

from typing import Any

import click

from clearance.attacks.table import ATTACKS, ENSEMBLE, choices
from clearance.certificates.table import best_in_words, method_names, methods_in_words
from clearance.cli.flag_values import AttackFlags, CertifyFlags, EngineFlags, InputFlags, RunFlags, pick
from clearance.cli.options import (
    AUTO_COUNT,
    AUTO_NUMBER,
    CONTEXT,
    commands,
    given_flags,
    takes_inputs,
    with_bound,
    with_input_options,
    with_json,
    with_model_and_data,
    with_one_threat,
    with_order,
    with_seed,
)
from clearance.cli.values import BudgetType, Radius
from clearance.estimates.samplers.table import SAMPLERS, default_text
from clearance.model.budgets import describe_budgets
from clearance.model.targets import describe_targets


@commands.command(context_settings=CONTEXT, short_help="Bracket real digits with both bundled classifiers.")
@click.option(
    "--count", default=8, show_default=True, metavar="N", type=click.IntRange(1, 360), help="How many digits."
)
def demo(count: int) -> None:
    """Bracket real handwritten digits with the two bundled classifiers, side by side (about a minute)."""
    from clearance.cli.demo import run_demo

    run_demo(count)


@commands.command(context_settings=CONTEXT, short_help="Estimate the radius of each input.")
@with_model_and_data
@with_one_threat
@with_order
@click.option(
    "--curvature",
    type=click.Choice(["norm", "one-sided"]),
    default="norm",
    show_default=True,
    help="For --order 2: the norm of the Hessian, or its negative end only (norm 2).",
)
@with_bound
@click.option(
    "--slope",
    type=click.Choice(["norm", "radial"]),
    default="norm",
    show_default=True,
    help="For --bound profile: the reading that is shown, by the gradient norm or along rays; --json has both.",
)
@click.option(
    "--budget",
    type=BudgetType(),
    metavar="[quick|standard|thorough|N]",
    default="standard",
    show_default=True,
    help=f"For --bound profile: {describe_budgets('estimate')} passes per input, or a number of them.",
)
@click.option("--feasible/--no-feasible", default=True, help="Count only directions in which a valid input can move.")
@click.option(
    "--sampler",
    type=click.Choice(list(SAMPLERS)),
    default="directed",
    show_default=True,
    help="For --bound ball: how a block finds its maximum. "
    + f"{'; '.join(f'{name}: {it.meaning}' for name, it in SAMPLERS.items())}.",
)
@click.option(
    "--radius",
    type=AUTO_NUMBER,
    default="auto",
    metavar="auto|R",
    help="For --bound ball: its radius.  [default: auto]",
)
@click.option("--blocks", type=AUTO_COUNT, default="auto", metavar="auto|N", help="Block maxima.  [default: auto]")
@click.option(
    "--block-size",
    type=int,
    metavar="N",
    help=f"Gradients per block.  [default: {default_text('block_size')}]",
)
@click.option(
    "--tolerance", default=0.05, show_default=True, help="For --blocks auto: relative width that is narrow enough."
)
@click.option(
    "--max-blocks",
    type=int,
    metavar="N",
    help=f"For --blocks auto: where to stop.  [default: {default_text('most_blocks')}]",
)
@click.option("--racing/--no-racing", default=True, help="Untargeted: drop classes that cannot be the nearest.")
@click.option(
    "--clip",
    type=click.Choice(["project", "none"]),
    default="project",
    show_default=True,
    help="Keep the samples within the bounds; none: the paper's scheme.",
)
@click.option("--level", default=0.95, show_default=True, help="Confidence level of the intervals.")
@click.option("--bootstrap", default=0, show_default=True, metavar="N", help="Resamples for the p-value of the fit.")
@with_seed
@click.option("--paper", is_flag=True, help="All choices of the CLEVER paper: uniform, radius 5, 500 blocks of 1,024.")
@with_input_options
@with_json
@takes_inputs
def score(inputs: InputFlags, **flags: Any) -> None:
    """Estimate for each input of DATA how far it can move before MODEL changes its mind (CLEVER).

    {models} DATA is {data}
    """
    from clearance.cli.score import run_score

    run_score(inputs, **flags)


@commands.command(context_settings=CONTEXT, short_help="Find the nearest adversarial example of each input.")
@with_model_and_data
@with_one_threat
@click.option(
    "--method",
    type=click.Choice(choices()),
    default=ENSEMBLE,
    show_default=True,
    metavar="NAME",
    help=f"{ENSEMBLE}: the ensemble of the budget. Or one attack alone (`clearance docs attacks` says what each does): "
    + ", ".join(f"{name} ({line.norm_names})" for name, line in ATTACKS.items())
    + ".",
)
@click.option(
    "--budget",
    type=BudgetType(),
    metavar="[quick|standard|thorough|N]",
    default="standard",
    show_default=True,
    help=f"About {describe_budgets('attack')} passes per input, forward and backward together; or a number of passes.",
)
@click.option(
    "--radius",
    type=Radius(),
    metavar="R|A/B",
    help="Look for any witness within this radius, such as 8/255; print robust accuracy.  [default: the nearest]",
)
@with_seed
@with_input_options
@click.option("--save", metavar="FILE", help="Write inputs, witnesses, distances and predictions to FILE.npz.")
@with_json
@takes_inputs
def attack(inputs: InputFlags, *, save: str | None, as_json: bool, **flags: Any) -> None:
    """Find for each input of DATA the nearest adversarial example of MODEL that attacks can find.

    The distance of such a witness is an upper bound of the minimum distortion. --norm 0 counts the coordinates that
    differ. With --radius any witness within that distance will do: an input is done at its first one, and what is left
    of the budget goes to the others. MODEL and DATA are as for `score`.
    """
    from clearance.cli.attack import run_attack

    run_attack(inputs, pick(AttackFlags, flags), save=save, as_json=as_json)


@commands.command(context_settings=CONTEXT, short_help="Prove a radius for each input.")
@with_model_and_data
@with_one_threat
@click.option(
    "--method",
    type=click.Choice(method_names()),
    default="best",
    show_default=True,
    help=f"How to prove it. {methods_in_words()}",
)
@click.option("--time-limit", default=60.0, show_default=True, metavar="S", help="Seconds for each input.")
@with_seed
@with_input_options
@with_json
@takes_inputs
def certify(inputs: InputFlags, *, as_json: bool, **flags: Any) -> None:
    """Prove for each input of DATA a radius within which MODEL has no adversarial example.

    It is a lower bound of the minimum distortion, sound up to floating-point rounding. MODEL and DATA are as for
    `score`.
    """
    from clearance.cli.certify import run_certify

    run_certify(inputs, pick(CertifyFlags, flags), as_json=as_json)


@commands.command(context_settings=CONTEXT, short_help="Look for signs of gradient masking around each input.")
@with_model_and_data
@with_one_threat
@with_seed
@with_input_options
@click.option(
    "--fail-on",
    type=click.Choice(["info", "warning", "error"]),
    help="Exit with code 1 if an input has a flag at least that severe.",
)
@with_json
@takes_inputs
def audit(inputs: InputFlags, **flags: Any) -> int:
    """Look around each input of DATA for signs that MODEL hides its gradients, so that scores and attacks mislead.

    Prints the flags that are raised, with what was measured and what to do about it. Each flag has a page of its own,
    `clearance docs CODE`. MODEL and DATA are as for `score`.
    """
    from clearance.cli.audit import run_audit

    return run_audit(inputs, **flags)


@commands.command(context_settings=CONTEXT, short_help="The main job: all of it, in a run that can be resumed.")
@with_model_and_data
@click.option("--out", required=True, metavar="RUN", help="Folder of the run; made where it is not there.")
@click.option(
    "--target",
    default="untargeted",
    show_default=True,
    metavar="T[,T...]",
    help=f"Classes to move to, with commas: {describe_targets()}, or class indices.",
)
@click.option(
    "--norm", default="2", show_default=True, metavar="P[,P...]", help="Norms of distances, with commas: P >= 1 or inf."
)
@with_order
@with_bound
@click.option(
    "--budget",
    type=BudgetType(),
    metavar="[quick|standard|thorough|N]",
    default="standard",
    show_default=True,
    help=f"How hard attack and estimate try: {describe_budgets('whole')} passes per input with the audit, or a number.",
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
@click.pass_context
@takes_inputs
def bracket(context: click.Context, inputs: InputFlags, *, as_json: bool, **flags: Any) -> int:
    """Bracket each input of DATA: certified radius, estimated radius, attack distance, and an audit.

    Every finished task is on the disk at once: after Ctrl-C, a crash or a power cut, the same command with --resume
    computes exactly what is missing. With more inputs, norms or targets than the run has they are added to it, and what
    is finished stays. Failed tasks are counted on stderr; if all of them failed the exit code is 2.
    MODEL and DATA are as for `score`.
    """
    from clearance.cli.bracket import run_bracket

    run, given = pick(RunFlags, flags), frozenset(given_flags(context))
    return run_bracket(inputs, run=run, engine=pick(EngineFlags, flags | {"given": given}), as_json=as_json)
