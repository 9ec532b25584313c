"""What a command will cost, from passes and a measured speed: for `inspect`, and in one line before a long run."""

from __future__ import annotations

import torch
from torch import Tensor

from clearance.cli.inspection_record import BracketCost
from clearance.cli.inspection_table import duration
from clearance.cli.progress import is_quiet, tell
from clearance.errors import ClearanceError
from clearance.model.budgets import certificate_seconds, passes_of, share_of_audit, share_of_bracket, whole_passes
from clearance.model.classifier import Classifier
from clearance.model.progress_count import SECONDS_BETWEEN_LINES
from clearance.model.speed import Speed, measure_speed
from clearance.report.marks import count

BRACKET_BATCH = 8
"""Inputs per pass at which the seconds of a search are told: it takes from 1 to some hundred points at a time."""
ESTIMATE_STEPS, AUDIT_STEPS, SHORT_AUDIT_STEPS, STEPS_PER_PASS = 1000, 2600, 700, 1.5
"""What an estimate, an audit and each pass of an attack take beside their passes, in gradients of a network that
computes next to nothing (`own_step`): projections, choices, fits. Measured on a table's perceptron, whose passes are
nearly free. Brackets of the bundled digits, of perceptrons and of a small CNN, at 2000 passes, quick and standard, take
0.5 to 1.4 times what is told, in l2 and linf; a misclassified input is told in full."""
LEAST_SECONDS = 1e-3
"""For a measurement that does not count: one or two passes."""
SECONDS_FOR_A_STEP = 0.05
"""How long a step of its own is measured."""
SECONDS_TO_MEASURE = 0.3
"""How long the speed is measured before a run: long enough for a first digit."""


def typical_speed(model: Classifier, x: Tensor, *, seconds: float = SECONDS_TO_MEASURE) -> Speed:
    """The speed of a search: passes in batches of `BRACKET_BATCH`, or as many as the network takes.

    Args:
        model: The classifier.
        x: Some inputs, `(any, *input)`.
        seconds: How long to measure.

    Returns:
        The speed.
    """
    with torch.random.fork_rng(devices=[]):  # a network that draws numbers draws those that it would have drawn
        measure_speed(model, x, batch=BRACKET_BATCH, seconds=LEAST_SECONDS)  # the first passes take longer
        return measure_speed(model, x, batch=BRACKET_BATCH, seconds=seconds)


def own_step(model: Classifier) -> float:
    """Seconds of a gradient of a network that computes next to nothing: what one step of a search takes by itself here.

    Args:
        model: The classifier, for its device.

    Returns:
        The seconds.
    """
    square, one = Classifier(torch.square, device=str(model.device)), torch.ones(1, 2)
    measure_speed(square, one, batch=1, seconds=LEAST_SECONDS)
    return 1 / (measure_speed(square, one, batch=1, seconds=SECONDS_FOR_A_STEP).gradients or 1.0)


def bracket_steps(budget: str | int) -> float:
    """What a bracket takes beside its passes, in steps of `own_step`.

    >>> round(bracket_steps("quick")), round(bracket_steps(2000))
    (4020, 2120)
    """
    attack, _, short = share_of_bracket(budget)
    return STEPS_PER_PASS * passes_of(attack) + ESTIMATE_STEPS + (SHORT_AUDIT_STEPS if short else AUDIT_STEPS)


def audit_steps(budget: str | int) -> float:
    """What an audit takes beside its passes, with the attack and the estimate that it asks for, in steps of `own_step`.

    >>> round(audit_steps("quick")), round(audit_steps("standard"))
    (2120, 6600)
    """
    attack, _, short = share_of_audit(budget)
    return STEPS_PER_PASS * passes_of(attack) + ESTIMATE_STEPS + (SHORT_AUDIT_STEPS if short else AUDIT_STEPS)


def bracket_cost(budget: str, speed: Speed, step: float) -> BracketCost:
    """What a bracket of one input costs at a budget.

    Args:
        budget: The budget's name.
        speed: As `typical_speed` measures it.
        step: As `own_step` measures it.

    Returns:
        Passes and seconds.
    """
    passes = whole_passes(budget)
    network = speed.seconds(passes)
    seconds = None if network is None else network + bracket_steps(budget) * step
    return BracketCost(budget, passes, seconds, certificate_seconds(budget))


AUDITED = "about {passes:,} passes each, {masked} where gradients are masked: about"
"""Where an audit is part of a task: it tries harder where it has found a sign."""
STOPS_EARLY = "up to {passes:,} passes each: at most"
"""Where a task ends at its first find."""
SEARCHES = "up to {passes:,} passes each: about"
"""Any other search."""


def in_one_line(
    tasks: str,
    passes: int,
    seconds: float,
    *,
    proofs: float = 0.0,
    each: float = 0.0,
    where: str,
    wording: str = SEARCHES,
    masked: int = 0,
    at_worst: float = 0.0,
) -> str:
    """What a run will cost, in words.

    Args:
        tasks: How many tasks, in words.
        passes: Passes of one task, at most; 0 for none.
        seconds: Seconds of all passes together.
        proofs: The most seconds of all proofs together; 0 for none.
        each: The most seconds of one proof.
        where: Such as "on this machine".
        wording: `SEARCHES`, `AUDITED` or `STOPS_EARLY`.
        masked: Passes of a task whose gradients are masked.
        at_worst: Seconds of all passes together where all are; 0 for nothing to say.

    Returns:
        The words.

    >>> in_one_line("200 tasks", 2000, 720.0, where="on this machine")
    '200 tasks, up to 2,000 passes each: about 12 min on this machine'
    >>> in_one_line("10 tasks", 2000, 30.0, proofs=50.0, each=5.0, where="on this machine", wording=STOPS_EARLY)
    '10 tasks, up to 2,000 passes each: at most 30 s on this machine, and at most 50 s of proofs (5 s each)'
    >>> in_one_line("10 inputs", 0, 0.0, proofs=600.0, each=60.0, where="on this machine")
    '10 inputs: at most 10 min of proofs on this machine (60 s each)'
    """
    limit = f" ({duration(each)} each)"
    if not passes:
        return f"{tasks}: at most {duration(proofs)} of proofs {where}{limit}"
    worst = f" ({duration(at_worst)} where all are)" if at_worst else ""
    searches = f"{tasks}, {wording.format(passes=passes, masked=f'{masked:,}')} {duration(seconds)}{worst} {where}"
    return f"{searches}, and at most {duration(proofs)} of proofs{limit}" if proofs else searches


def tell_cost(
    model: Classifier,
    x: Tensor,
    tasks: int,
    *,
    passes: int,
    noun: str = "input",
    proof: float = 0.0,
    workers: str = "on this machine",
    wording: str = SEARCHES,
    steps: float = 0.0,
    masked: int = 0,
) -> None:
    """Say on stderr what a run will cost, where it will take long enough to wait for.

    Args:
        model: The classifier.
        x: Some of the inputs, `(any, *input)`.
        tasks: How many tasks are to be computed.
        passes: The most passes of each, forward and backward together; 0 for none.
        noun: What a task is called.
        proof: The most seconds of each proof.
        workers: Where it is computed, in words.
        wording: As in `in_one_line`.
        steps: What each task takes beside its passes, in steps of `own_step`.
        masked: Passes of a task whose gradients are masked; 0 for nothing to say.
    """
    if is_quiet() or not tasks:
        return
    seconds, at_worst, endless = 0.0, 0.0, proof == float("inf")
    if passes:
        try:
            speed, own = typical_speed(model, x), steps * own_step(model) if steps else 0.0
        except ClearanceError:  # the run itself says what is wrong with the network
            return
        seconds = ((speed.seconds(passes) or 0.0) + own) * tasks
        at_worst = ((speed.seconds(masked) or 0.0) + own) * tasks if masked else 0.0
    proofs = 0.0 if endless else proof * tasks
    if seconds + proofs >= SECONDS_BETWEEN_LINES:
        each = 0.0 if endless else proof
        tasks_in_words = count(tasks, noun)
        line = in_one_line(
            tasks_in_words,
            passes,
            seconds,
            proofs=proofs,
            each=each,
            where=workers,
            wording=wording,
            masked=masked,
            at_worst=at_worst,
        )
        tell(line)
