"""Commands that evaluate a model: flags only; each imports what it needs when it runs."""

from __future__ import annotations

from typing import Any

import click

from clearance.attacks.table import ATTACKS, ENSEMBLE, choices
from clearance.certificates.table import method_names, methods_in_words
from clearance.cli.flag_values import AttackFlags, CertifyFlags, InputFlags, pick
from clearance.cli.options import (
    AUTO_COUNT,
    AUTO_NUMBER,
    CONTEXT,
    commands,
    takes_inputs,
    with_bound,
    with_budget,
    with_input_options,
    with_json,
    with_model_and_data,
    with_one_threat,
    with_order,
    with_quiet,
    with_seed,
)
from clearance.cli.values import Radius
from clearance.estimates.samplers.table import SAMPLERS, default_text
from clearance.model.budgets import LEAST_AUDIT, WHOLE_AUDIT, describe_budgets, share_of_audit


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
@with_budget(f"For --bound profile: {describe_budgets('estimate')} passes per input, or a number of them.")
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
@with_quiet
@takes_inputs
def score(inputs: InputFlags, *, target: str, paper: bool, as_json: bool, **choices: Any) -> None:
    """Estimate for each input of DATA how far it can move before MODEL changes its mind (CLEVER).

    {models} DATA is {data}
    """
    from clearance.cli.checks import check_inputs, check_target
    from clearance.cli.score_settings import make_settings

    settings = make_settings(inputs.given, choices, paper=paper)
    check_target(target)
    check_inputs(inputs)
    from clearance.cli.score import run_score

    run_score(inputs, settings, target=target, as_json=as_json)


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
@with_budget(
    f"About {describe_budgets('attack')} passes per input, forward and backward together; or a number of passes."
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
@with_quiet
@takes_inputs
def attack(inputs: InputFlags, *, save: str | None, as_json: bool, **flags: Any) -> None:
    """Find for each input of DATA the nearest adversarial example of MODEL that attacks can find.

    The distance of such a witness is an upper bound of the minimum distortion. --norm 0 counts the coordinates that
    differ. With --radius any witness within that distance will do: an input is done at its first one, and what is left
    of the budget goes to the others. MODEL and DATA are as for `score`.
    """
    from clearance.cli.checks import check_attack, check_inputs

    chosen = pick(AttackFlags, flags)
    check_attack(chosen, save)
    check_inputs(inputs)
    from clearance.cli.attack import run_attack

    run_attack(inputs, chosen, save=save, as_json=as_json)


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
@with_quiet
@takes_inputs
def certify(inputs: InputFlags, *, as_json: bool, **flags: Any) -> None:
    """Prove for each input of DATA a radius within which MODEL has no adversarial example.

    It is a lower bound of the minimum distortion, sound up to floating-point rounding. MODEL and DATA are as for
    `score`.
    """
    from clearance.cli.checks import check_certify, check_inputs

    chosen = pick(CertifyFlags, flags)
    check_certify(chosen)
    check_inputs(inputs)
    from clearance.cli.certify import run_certify

    run_certify(inputs, chosen, as_json=as_json)


@commands.command(context_settings=CONTEXT, short_help="Look for signs of gradient masking around each input.")
@with_model_and_data
@with_one_threat
@with_budget(
    f"About {describe_budgets('audit')} passes per input, more where gradients are masked; or a number of passes, "
    f"at least {LEAST_AUDIT:,}. Below {WHOLE_AUDIT:,} the checks are short ones."
)
@with_seed
@with_input_options
@click.option(
    "--fail-on",
    type=click.Choice(["info", "warning", "error"]),
    help="Exit with code 1 if an input has a flag at least that severe.",
)
@with_json
@with_quiet
@takes_inputs
def audit(inputs: InputFlags, *, target: str, norm: str, budget: int | str, **flags: Any) -> int:
    """Look around each input of DATA for signs that MODEL hides its gradients, so that scores and attacks mislead.

    Prints the flags that are raised, with what was measured and what to do about it. Each flag has a page of its own,
    `clearance docs CODE`. MODEL and DATA are as for `score`.
    """
    from clearance.cli.checks import check_inputs, check_target
    from clearance.geometry.exponents import as_norm

    check_target(target)
    as_norm(norm)
    share_of_audit(budget)
    check_inputs(inputs)
    from clearance.cli.audit import run_audit

    return run_audit(inputs, target=target, norm=norm, budget=budget, **flags)
