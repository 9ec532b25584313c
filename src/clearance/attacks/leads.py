"""Runs of one method side by side: the same iterations from several starts, towards several classes, in one batch.

One input with eight starts is a batch of eight, which costs little more time than a batch of one. And because nothing
but the plan decides what is in a batch, the bits of an input's result do not depend on its neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
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
    same = run.method, run.steps, run.rounds
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
    count = len(runs)
    aims = [run.aim(task) for run in runs]
    starts = [start_of(task, run) if ATTACKS[run.method].any_start else None for run in runs]
    whole = replace(
        task,
        x=task.x.repeat(count, *[1] * (task.x.ndim - 1)),
        goal=_joined([task.goal] * count),
        aim=_joined(aims),
        near=task.near.repeat(count, 1),
        scale=task.scale.repeat(count),
        keys=tuple(key if run.restart == 0 else f"{key} {run.restart}" for run in runs for key in task.keys),
    )
    if any(start is not None for start in starts):
        whole = replace(whole, start=torch.cat([task.x if start is None else start for start in starts]))
    return whole


def start_of(task: AttackTask, run: AttackRun) -> Tensor | None:
    """Where a run starts: at the input, at a random point, and deep from either.

    A random start is uniform in the ball as wide as the linear estimate. A deep one (`attacks.deep_start`) may be
    brought back by a few iterations of `ddn`, whatever the norm. Source: this project.

    Args:
        task: What is attacked.
        run: The run.

    Returns:
        `(batch, *input)`; `None` for the input itself.
    """
    start = None
    if run.restart:
        streams = Streams(task.x, task.seed, "start", run.method, run.restart, keys=task.keys)
        start = task.model.clip(task.x + random_points(task.x, streams, task.norm, task.scale))
    if not run.deep:
        return start
    aim = run.aim(task)
    far = deep_start(task.model, task.x, task.goal, aim=aim, start=start)
    if run.inward == 0:
        return far
    found = ddn(task.model, task.x, task.goal, steps=run.inward, aim=aim, start=far)
    return torch.where(expand(found.success, far), found.adversarial, far)


def _joined(goals: Sequence[Goal]) -> Goal:
    """Goals one below the other."""
    parts = zip(*((goal.source, goal.wanted, goal.unwanted) for goal in goals), strict=True)
    return Goal(*(torch.cat(part) for part in parts))
