"""Which attacks are tried for a norm and a budget: a sequence of runs, each budget starting with the one below it."""

from __future__ import annotations

import math
from dataclasses import replace

from clearance.attacks.result import Witnesses
from clearance.attacks.table import ATTACKS, ENSEMBLE, check_method
from clearance.attacks.task import AttackRun, AttackTask
from clearance.errors import InputError
from clearance.model.budgets import BUDGETS


def runs_of(method: str, norm: float, budget: str) -> tuple[AttackRun, ...]:
    """The runs of one choice of `attack`: an ensemble, or one method alone.

    Source: this project.

    Args:
        method: `"best"`, or a name of `attacks.table.ATTACKS`.
        norm: The norm `p`.
        budget: A name of `model.budgets.BUDGETS`.

    Returns:
        The runs, in order.

    Raises:
        InputError: If there is no such method or budget, or the method is not for the norm.
    """
    check_method(method, norm)
    return ensemble(norm, budget) if method == ENSEMBLE else alone(method, budget)


def alone(method: str, budget: str) -> tuple[AttackRun, ...]:
    """One method by itself, from the input: `steps = passes / (rounds * forwards)`, at least 1.

    Source: this project.

    `passes` is what the budget gives, `rounds` and `forwards` are those of the method's line in the table. A method
    that needs a witness starts from that of `fgsm`.

    Args:
        method: A name of `attacks.table.ATTACKS`.
        budget: A name of `model.budgets.BUDGETS`.

    Returns:
        The run, or the two.

    Raises:
        InputError: If there is no such budget.

    >>> alone("ddn", "quick")
    (AttackRun(method='ddn', steps=150, rounds=1, rank=None, restart=0),)
    """
    line, passes = ATTACKS[method], _passes(budget)
    run = AttackRun(method, max(1, passes // (line.rounds * line.forwards)), rounds=line.rounds)
    return (*alone("fgsm", budget), run) if line.needs_witness else (run,)


def ensemble(norm: float, budget: str) -> tuple[AttackRun, ...]:
    """The runs for a norm and a budget, in order.

    Source: this project (measured: docs/attacks.md).

    Forward and backward passes per input, of each kind: about `BUDGETS[budget].passes`.

    Args:
        norm: The norm `p`.
        budget: A name of `model.budgets.BUDGETS`.

    Returns:
        The runs; those of a smaller budget come first, so that a larger one never finds less.

    Raises:
        InputError: If there is no such budget.
    """
    _passes(budget)
    quick = _QUICK.get(norm, _QUICK[math.inf])
    standard = quick + _STANDARD.get(norm, _STANDARD[math.inf])
    levels = (quick, standard, standard + _thorough(norm, standard))
    return dict(zip(BUDGETS, levels, strict=True))[budget]


def carry_out(task: AttackTask, run: AttackRun, known: Witnesses) -> Witnesses:
    """What one run finds, given the nearest witnesses so far (which only the boundary walk looks at).

    Args:
        task: What is attacked.
        run: The run.
        known: The nearest witnesses of the runs before.

    Returns:
        The run's own witnesses, not yet confirmed.
    """
    return ATTACKS[run.method].load()(task, run, known)


def _passes(budget: str) -> int:
    if budget not in BUDGETS:
        raise InputError(f"budget: expected one of {', '.join(BUDGETS)}, got {budget!r}")
    return BUDGETS[budget].passes


_QUICK = {
    0.0: (AttackRun("sigma_zero", 70), AttackRun("sigma_zero", 40, restart=1)),
    1.0: (AttackRun("pdpgd", 60), AttackRun("pdpgd", 40, rank=0), AttackRun("boundary_walk", 4)),
    2.0: (AttackRun("ddn", 60), AttackRun("ddn", 40, rank=0), AttackRun("boundary_walk", 4)),
    math.inf: (
        AttackRun("fast_minimum_norm", 60),
        AttackRun("fast_minimum_norm", 40, rank=0),
        AttackRun("boundary_walk", 4),
    ),
}
"""The smallest ensemble of each norm (that of infinity serves every other `p`): a minimum-distance method for the norm,
the same towards the class that is nearest in the linearised model, and a walk along the boundary."""
_STANDARD = {
    0.0: (
        AttackRun("sigma_zero", 150),
        AttackRun("sigma_zero", 100, rank=0, restart=1),
        AttackRun("sigma_zero", 100, restart=2),
        AttackRun("sigma_zero", 100, rank=1, restart=2),
        AttackRun("sigma_zero", 100, restart=3),
        AttackRun("sigma_zero", 100, rank=0, restart=4),
    ),
    1.0: (
        AttackRun("pdpgd", 200),
        AttackRun("pdpgd", 100, rank=1),
        AttackRun("fast_minimum_norm", 200),
        AttackRun("fast_minimum_norm", 100, rank=1),
        AttackRun("elastic_net", 25, rounds=6),
        AttackRun("boundary_walk", 10),
    ),
    2.0: (
        AttackRun("fast_minimum_norm", 150),
        AttackRun("apgd", 30, rounds=8),
        AttackRun("ddn", 100, rank=0),
        AttackRun("ddn", 100, rank=1),
        AttackRun("ddn", 100, rank=2),
        AttackRun("ddn", 150, restart=1),
        AttackRun("boundary_walk", 10),
    ),
    math.inf: (
        AttackRun("apgd", 30, rounds=9),
        AttackRun("fast_minimum_norm", 200, restart=1),
        AttackRun("apgd", 20, rounds=7, rank=0),
        AttackRun("apgd", 20, rounds=7, rank=1),
        AttackRun("apgd", 20, rounds=7, rank=2),
        AttackRun("boundary_walk", 10),
    ),
}
"""What the standard budget adds: longer runs, a second method, more target classes and a random start."""


def _thorough(norm: float, standard: tuple[AttackRun, ...]) -> tuple[AttackRun, ...]:
    """Every run again, longer and from other starts, more target classes, and one attack without gradients."""
    if norm == 0:
        return tuple(AttackRun("sigma_zero", 200, rank=(None, 0, 1, 2)[k % 4], restart=k + 5) for k in range(18))
    again = tuple(replace(run, steps=2 * run.steps, restart=run.restart + 2) for run in standard)
    more = tuple(AttackRun("fast_minimum_norm", 150, rank=rank) for rank in range(8))
    more += (AttackRun("carlini_wagner", 100, rounds=8),) if norm == 2 else ()
    blind = (AttackRun("square", 100, rounds=8),) if norm in {2.0, math.inf} else ()
    return again + more + blind + (AttackRun("boundary_walk", 20),)
