"""What a command will cost, from passes and a measured speed: for `inspect`, and in one line before a long run."""

from __future__ import annotations

import torch
from torch import Tensor

from clearance.cli.inspection_record import BracketCost
from clearance.cli.inspection_table import duration
from clearance.cli.progress import SECONDS_BETWEEN_LINES, is_quiet, tell
from clearance.errors import ClearanceError
from clearance.model.budgets import certificate_seconds, whole_passes
from clearance.model.classifier import Classifier
from clearance.model.speed import Speed, measure_speed
from clearance.report.marks import count

BRACKET_BATCH = 8
"""Inputs per pass at which the seconds of a search are told: it takes from 1 to some hundred points at a time, and with
8 the bundled classifiers and large networks come within a factor of 3 of a bracket's own time on a CPU."""
LEAST_SECONDS = 1e-3
"""For a measurement that does not count: one or two passes."""
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


def bracket_cost(budget: str, speed: Speed) -> BracketCost:
    """What a bracket of one input costs at a budget.

    Args:
        budget: The budget's name.
        speed: As `typical_speed` measures it.

    Returns:
        Passes and seconds.
    """
    passes = whole_passes(budget)
    return BracketCost(budget, passes, speed.seconds(passes), certificate_seconds(budget))


AUDITED = "about {passes:,} passes each, several times as many where gradients are masked: about"
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
    searches = f"{tasks}, {wording.format(passes=passes)} {duration(seconds)} {where}"
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
    """
    if is_quiet() or not tasks:
        return
    seconds, endless = 0.0, proof == float("inf")
    if passes:
        try:
            seconds = (typical_speed(model, x).seconds(passes) or 0.0) * tasks
        except ClearanceError:  # the run itself says what is wrong with the network
            return
    proofs = 0.0 if endless else proof * tasks
    if seconds + proofs >= SECONDS_BETWEEN_LINES:
        each = 0.0 if endless else proof
        tasks_in_words = count(tasks, noun)
        tell(in_one_line(tasks_in_words, passes, seconds, proofs=proofs, each=each, where=workers, wording=wording))
