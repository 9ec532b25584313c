"""Runs of one method side by side: the same iterations from several starts, towards several classes, in one batch.

One input with eight starts is a batch of eight, which costs little more time than a batch of one. And because nothing
but the plan decides what is in a batch, the bits of an input's result do not depend on its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby

import torch
from torch import Tensor

from clearance.attacks.ddn import ddn
from clearance.attacks.deep_start import deep_start
from clearance.attacks.goals import Goal
from clearance.attacks.passes import Streams
from clearance.attacks.steps import random_points
from clearance.attacks.table import ATTACKS
from clearance.attacks.task import AttackRun, AttackTask
from clearance.geometry.norms import expand


def groups(runs: Sequence[AttackRun]) -> Iterator[tuple[AttackRun, ...]]:
    """Consecutive runs that can be carried out side by side, in order.

    Source: this project.

    Args:
        runs: The runs.

    Yields:
        Runs of one method with the same iterations: from any starts and towards any classes, where the method takes
        both from the task; of a method that bisects a radius those to one class, or those to all.

    >>> runs = (AttackRun("ddn", 9), AttackRun("ddn", 9, deep=True), AttackRun("ddn", 7))
    >>> [len(group) for group in groups(runs)]
    [2, 1]
    """
    for _, group in groupby(enumerate(runs), _kind):
        yield tuple(run for _, run in group)


def _kind(placed: tuple[int, AttackRun]) -> tuple[object, ...]:
    """What runs of one batch have in common; the place in the sequence where a run has to be alone."""
    place, run = placed
    line = ATTACKS[run.method]
    if not (line.any_start or line.needs_witness):
        return (place,)
    same = run.method, run.steps, run.rounds, run.walk
    return (*same, run.rank is None, run.restart == 0) if run.rounds > 1 else same


def side_by_side(task: AttackTask, runs: Sequence[AttackRun]) -> AttackTask:
    """The task with its rows once for each run, each with the run's aim, start and random stream.

    Source: this project.

    Args:
        task: What is attacked, `batch` inputs.
        runs: The runs of one group.

    Returns:
        The task of `len(runs) * batch` rows, those of the first run first.
    """
    places = torch.arange(len(task.x), device=task.x.device).repeat(len(runs))
    keys = (key if run.restart == 0 else f"{key} {run.restart}" for run in runs for key in task.keys)
    rows = replace(task.rows(places), keys=tuple(keys), aim=_joined([run.aim(task) for run in runs]))
    return replace(rows, start=starts_of(rows, runs)) if ATTACKS[runs[0].method].any_start else rows


def starts_of(rows: AttackTask, runs: Sequence[AttackRun]) -> Tensor | None:
    """Where the rows start: at the input, at a random point, and deep from either.

    A random start is uniform in the ball as wide as the linear estimate. A deep one (`attacks.deep_start`) may be
    brought back by a few iterations of `ddn`, whatever the norm. Source: this project.

    Args:
        rows: The rows of the runs, `(len(runs) * batch, *input)`.
        runs: The runs.

    Returns:
        A point for each row; `None` if all of them start at the inputs.
    """
    each = len(rows.x) // len(runs)
    starts = rows.x.clone()
    _scatter(rows, starts, _rows_of([run.restart > 0 for run in runs], each), _random_starts)
    _scatter(rows, starts, _rows_of([run.deep for run in runs], each), _deep_starts)
    for inward in sorted({run.inward for run in runs if run.deep and run.inward}):
        chosen = _rows_of([run.deep and run.inward == inward for run in runs], each)
        _scatter(rows, starts, chosen, partial(_inward, steps=inward))
    return starts if any(run.restart or run.deep for run in runs) else None


def _rows_of(chosen: Sequence[bool], each: int) -> list[int]:
    """The rows of some of the runs."""
    return [run * each + row for run, kept in enumerate(chosen) if kept for row in range(each)]


def _scatter(rows: AttackTask, starts: Tensor, chosen: list[int], move: Callable[[AttackTask, Tensor], Tensor]) -> None:
    """Move the starts of some rows, all of them in one batch."""
    if chosen:
        index = torch.tensor(chosen, device=starts.device)
        starts[index] = move(rows.rows(index), starts[index])


def _random_starts(task: AttackTask, _: Tensor) -> Tensor:
    """Uniform points of the balls as wide as the linear estimate."""
    streams = Streams(task.x, task.seed, "start", keys=task.keys)
    return task.model.clip(task.x + random_points(task.x, streams, task.norm, task.scale))


def _deep_starts(task: AttackTask, starts: Tensor) -> Tensor:
    """From there far beyond the boundary."""
    return deep_start(task.model, task.x, task.goal, aim=task.aim, start=starts)


def _inward(task: AttackTask, starts: Tensor, *, steps: int) -> Tensor:
    """From there back to a witness, where `ddn` finds one."""
    found = ddn(task.model, task.x, task.goal, steps=steps, aim=task.aim, start=starts)
    return torch.where(expand(found.success, starts), found.adversarial, starts)


def _joined(goals: Sequence[Goal]) -> Goal:
    """Goals one below the other."""
    parts = zip(*((goal.source, goal.wanted, goal.unwanted) for goal in goals), strict=True)
    tally, count = goals[0].tally, len(goals[0].source)
    places = torch.arange(count, device="cpu").repeat(len(goals))
    source, wanted, unwanted = (torch.cat(part) for part in parts)
    return Goal(source, wanted, unwanted, None if tally is None else tally.rows(places))
