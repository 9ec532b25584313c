"""Which attacks are tried for a norm and a budget: a sequence of runs, each budget starting with the one below it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from torch import Tensor

from clearance.attacks.boundary_walk import boundary_walk
from clearance.attacks.deep_start import DEEP_STEPS
from clearance.attacks.known import KnownWitnesses, stack
from clearance.attacks.leads import groups, side_by_side
from clearance.attacks.result import Witnesses
from clearance.attacks.segments import SEGMENT_HALVINGS
from clearance.attacks.sequences import levels
from clearance.attacks.table import ATTACKS, ENSEMBLE, check_method
from clearance.attacks.task import AttackRun, AttackTask
from clearance.errors import InputError
from clearance.model.budgets import BUDGETS, passes_of

CONFIRMING_PASSES = SEGMENT_HALVINGS + 3
"""Forward passes that confirm a run's witness, before and after the segment back to its input is bisected, and at last
(`attacks.best`)."""


def runs_of(method: str, norm: float, budget: str | int) -> tuple[AttackRun, ...]:
    """The runs of one choice of `attack`: an ensemble, or one method alone.

    Source: this project.

    Args:
        method: `"best"`, or a name of `attacks.table.ATTACKS`.
        norm: The norm `p`.
        budget: A name of `model.budgets.BUDGETS`, or a number of passes.

    Returns:
        The runs, in order.

    Raises:
        InputError: If there is no such method or budget, or the method is not for the norm.
    """
    check_method(method, norm)
    return ensemble(norm, budget) if method == ENSEMBLE else alone(method, budget)


def alone(method: str, budget: str | int) -> tuple[AttackRun, ...]:
    """One method by itself, from the input: one run for each named budget that the passes reach, and one for the rest.

    Source: this project.

    A run of `n` passes has `n / (rounds * (forwards + backwards))` steps, at least 1, with the numbers of the method's
    line in the table. That the runs of the smaller budgets come first is what makes a larger one never find less. A
    method that needs a witness starts from that of `fgsm`.

    Args:
        method: A name of `attacks.table.ATTACKS`.
        budget: A name of `model.budgets.BUDGETS`, or a number of passes.

    Returns:
        The runs.

    Raises:
        InputError: If there is no such budget.

    >>> [run.steps for run in alone("ddn", "quick")], [run.steps for run in alone("ddn", "standard")]
    ([140], [140, 860])
    """
    line, passes = ATTACKS[method], passes_of(budget)
    ends = [level.passes for level in BUDGETS.values() if level.passes < passes] + [passes]
    each = line.rounds * _passes_of_step(method)
    shares = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    runs = tuple(AttackRun(method, max(1, share // each), line.rounds) for share in shares)
    return (AttackRun("fgsm", 1, ATTACKS["fgsm"].rounds), *runs) if line.needs_witness else runs


def ensemble(norm: float, budget: str | int) -> tuple[AttackRun, ...]:
    """The runs for a norm and a budget, in order.

    Source: this project (measured: docs/attacks.md).

    A budget is a number of passes, by name or not. One that reaches that of a named budget has all of its runs, and of
    the next one as many groups of runs (`attacks.leads.groups`), from the first on, as the rest pays for.

    Args:
        norm: The norm `p`.
        budget: A name of `model.budgets.BUDGETS`, or a number of passes.

    Returns:
        The runs; those of a smaller budget come first, so that a larger one never finds less.

    Raises:
        InputError: If there is no such budget, or it does not pay for the first run.

    >>> [run.method for run in ensemble(2.0, 120)]
    ['linear_steps', 'fast_minimum_norm']
    """
    passes, chosen = passes_of(budget), levels(norm)
    reached = [level.passes for level in BUDGETS.values() if level.passes <= passes]
    runs, spent = list(chain.from_iterable(chosen[: len(reached)])), max(reached, default=0)
    for group in groups(tuple(chain.from_iterable(chosen[len(reached) :]))):
        spent += sum(map(passes_of_run, group))
        if spent > passes:
            break
        runs += group
    if not runs:
        raise InputError(f"budget: expected at least {spent} passes for l{norm:g}, got {passes}")
    return tuple(runs)


def passes_of_run(run: AttackRun) -> int:
    """About how many passes one run costs, forward and backward together; a run that is not needed costs none.

    Source: the numbers of the method's line in `attacks.table`.

    >>> passes_of_run(AttackRun("ddn", 80, deep=True))
    181
    """
    start = 2 * (run.inward + DEEP_STEPS) if run.deep else 0
    walk = run.walk * _passes_of_step("boundary_walk")
    return run.steps * run.rounds * _passes_of_step(run.method) + start + walk + CONFIRMING_PASSES


def _passes_of_step(method: str) -> int:
    """The passes of one step, forward and backward together."""
    return ATTACKS[method].forwards + ATTACKS[method].backwards


def carry_out(
    task: AttackTask, runs: Sequence[AttackRun], known: KnownWitnesses, places: Tensor
) -> tuple[AttackTask, Witnesses]:
    """What the runs of one group find, carried out side by side, their walks along the boundary included.

    Source: this project.

    Args:
        task: What is attacked, `batch` inputs.
        runs: Runs of one method with the same iterations, as `attacks.leads.groups` puts them together.
        known: The witnesses of the runs before, which a walk starts from and a bisection of the radius begins with.
        places: Which of the inputs of `known` are attacked, `(batch,)`.

    Returns:
        The task with a row for each run and input, those of the first run first, and the witness of each row, not yet
        confirmed.
    """
    method, rows = ATTACKS[runs[0].method], side_by_side(task, runs)
    ranks = [run.rank or 0 if method.needs_witness else 0 for run in runs]
    nearest = {rank: known.nearest(rank).rows(places) for rank in set(ranks)}
    found = method.load()(rows, runs[0], stack([nearest[rank] for rank in ranks]))
    return rows, boundary_walk(task.model, rows.goal, found, steps=runs[0].walk) if runs[0].walk else found
