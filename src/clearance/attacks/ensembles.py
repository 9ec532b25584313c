"""Which attacks are tried for a norm and a budget: a sequence of runs, each budget starting with the one below it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from torch import Tensor

from clearance.attacks.apgd import apgd
from clearance.attacks.bisect_radius import bisect_radius
from clearance.attacks.boundary_walk import boundary_walk
from clearance.attacks.carlini_wagner import carlini_wagner
from clearance.attacks.ddn import ddn
from clearance.attacks.elastic_net import elastic_net
from clearance.attacks.fast_minimum_norm import fast_minimum_norm
from clearance.attacks.geometry import linear_distance, rank_classes
from clearance.attacks.goals import Goal, dlr, make_goal, soft_margin
from clearance.attacks.passes import Streams
from clearance.attacks.pdpgd import pdpgd
from clearance.attacks.pgd import random_points
from clearance.attacks.result import Witnesses
from clearance.attacks.square import square
from clearance.errors import InputError
from clearance.model.budgets import BUDGETS
from clearance.model.classifier import Classifier
from clearance.model.inputs import CheckedInputs
from clearance.model.seeds import derive_seed

NEAR = 9
"""How many wanted classes, nearest in logits, are ranked by their linearised distance."""


@dataclass(frozen=True)
class AttackTask:
    """Inputs to attack.

    Attributes:
        model: The classifier.
        x: `(batch, *input)`.
        goal: Where each input has to go.
        near: Wanted classes of each input, nearest in the linearised model first, `(batch, k)`.
        scale: Linear estimate of each input's distance, `(batch,)`.
        norm: The norm `p`.
        seed: The user's seed.
        keys: Content key of each input.
    """

    model: Classifier
    x: Tensor
    goal: Goal
    near: Tensor
    scale: Tensor
    norm: float
    seed: int
    keys: tuple[str, ...]


def make_task(inputs: CheckedInputs) -> AttackTask:
    """Look at the linearised model once: which wanted classes are near, and how near.

    Args:
        inputs: The inputs, none of them misclassified.

    Returns:
        The task. Cost: 2 forward passes and, per input, 1 backward pass and one for each class that is looked at
        (`NEAR` at most).
    """
    model, x, logits, norm = inputs.model, inputs.x, inputs.logits, inputs.norm
    goal = make_goal(logits.argmax(1), inputs.targets, logits.shape[1])
    near = rank_classes(model, x, goal, logits, norm=norm, most=NEAR)
    scale = linear_distance(model, x, goal, norm)
    return AttackTask(model, x, goal, near, scale, norm, inputs.seed, inputs.keys)


@dataclass(frozen=True)
class AttackRun:
    """One attack of an ensemble.

    Attributes:
        method: A key of `METHODS`.
        steps: Iterations; of each round where there are several.
        rounds: Rounds of `bisect_radius`, or constants that are searched.
        rank: Lead the loss to the wanted class of this rank in `AttackTask.near` instead of to any of them.
        restart: 0 starts at the input (or as the method does); others start at a random point, one for each number.
    """

    method: str
    steps: int
    rounds: int = 1
    rank: int | None = None
    restart: int = 0

    def aim(self, task: AttackTask) -> Goal:
        """The goal that the loss leads to."""
        if self.rank is None:
            return task.goal
        return task.goal.to_class(task.near[:, min(self.rank, task.near.shape[1] - 1)])

    def start(self, task: AttackTask) -> Tensor | None:
        """Uniform points of balls as wide as the linear estimate of the distance; `None` for the input itself."""
        if self.restart == 0:
            return None
        streams = Streams(task.x, task.seed, "start", self.method, self.restart, keys=task.keys)
        return task.model.clip(task.x + random_points(task.x, streams, task.norm, task.scale))


def ensemble(norm: float, budget: str) -> tuple[AttackRun, ...]:
    """The runs for a norm and a budget, in order.

    Forward and backward passes per input, of each kind: quick about 150, standard about 1,000, thorough about 5,000.

    Args:
        norm: The norm `p`.
        budget: `"quick"`, `"standard"` or `"thorough"`.

    Returns:
        The runs; those of a smaller budget come first, so that a larger one never finds less.

    Raises:
        InputError: If there is no such budget.
    """
    if budget not in BUDGETS:
        raise InputError(f"budget: expected one of {', '.join(BUDGETS)}, got {budget!r}")
    quick = _QUICK.get(norm, _QUICK[math.inf])
    standard = quick + _STANDARD.get(norm, _STANDARD[math.inf])
    return {"quick": quick, "standard": standard, "thorough": standard + _thorough(norm, standard)}[budget]


def carry_out(task: AttackTask, run: AttackRun, best: Witnesses) -> Witnesses:
    """What one run finds, given the best witnesses so far (which only the boundary walk looks at)."""
    return METHODS[run.method](task, run, best)


def _ddn(task: AttackTask, run: AttackRun, _: Witnesses) -> Witnesses:
    return ddn(task.model, task.x, task.goal, steps=run.steps, aim=run.aim(task), start=run.start(task))


def _fast_minimum_norm(task: AttackTask, run: AttackRun, _: Witnesses) -> Witnesses:
    aim, start = run.aim(task), run.start(task)
    return fast_minimum_norm(task.model, task.x, task.goal, norm=task.norm, steps=run.steps, aim=aim, start=start)


def _pdpgd(task: AttackTask, run: AttackRun, _: Witnesses) -> Witnesses:
    aim, start = run.aim(task), run.start(task)
    return pdpgd(task.model, task.x, task.goal, steps=run.steps, aim=aim, start=start)


def _apgd(task: AttackTask, run: AttackRun, _: Witnesses) -> Witnesses:
    aim, loss = run.aim(task), soft_margin if run.rank is None else dlr

    def attack(epsilon: Tensor, start: Tensor) -> Witnesses:
        return apgd(
            task.model,
            task.x,
            task.goal,
            norm=task.norm,
            epsilon=epsilon,
            steps=run.steps,
            loss=loss,
            aim=aim,
            start=start if run.restart == 0 else None,
            seed=derive_seed(task.seed, run.restart),
            keys=task.keys,
        )

    return bisect_radius(attack, task.x, norm=task.norm, first=2 * task.scale, rounds=run.rounds)


def _elastic_net(task: AttackTask, run: AttackRun, _: Witnesses) -> Witnesses:
    return elastic_net(task.model, task.x, task.goal, searches=run.rounds, steps=run.steps)


def _carlini_wagner(task: AttackTask, run: AttackRun, _: Witnesses) -> Witnesses:
    return carlini_wagner(task.model, task.x, task.goal, norm=task.norm, searches=run.rounds, steps=run.steps)


def _square(task: AttackTask, run: AttackRun, _: Witnesses) -> Witnesses:

    def attack(epsilon: Tensor, _: Tensor) -> Witnesses:
        seed = derive_seed(task.seed, run.restart)
        return square(
            task.model,
            task.x,
            task.goal,
            norm=task.norm,
            epsilon=epsilon,
            steps=run.steps,
            seed=seed,
            keys=task.keys,
        )

    return bisect_radius(attack, task.x, norm=task.norm, first=2 * task.scale, rounds=run.rounds)


def _boundary_walk(task: AttackTask, run: AttackRun, best: Witnesses) -> Witnesses:
    return boundary_walk(task.model, task.goal, best, steps=run.steps)


METHODS: dict[str, Callable[[AttackTask, AttackRun, Witnesses], Witnesses]] = {
    "ddn": _ddn,
    "fast_minimum_norm": _fast_minimum_norm,
    "pdpgd": _pdpgd,
    "apgd": _apgd,
    "elastic_net": _elastic_net,
    "carlini_wagner": _carlini_wagner,
    "square": _square,
    "boundary_walk": _boundary_walk,
}
"""How each method is carried out."""

_QUICK = {
    1.0: (AttackRun("pdpgd", 60), AttackRun("pdpgd", 40, rank=0), AttackRun("boundary_walk", 4)),
    2.0: (AttackRun("ddn", 60), AttackRun("ddn", 40, rank=0), AttackRun("boundary_walk", 4)),
    math.inf: (
        AttackRun("fast_minimum_norm", 60),
        AttackRun("fast_minimum_norm", 40, rank=0),
        AttackRun("boundary_walk", 4),
    ),
}
_STANDARD = {
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


def _thorough(norm: float, standard: tuple[AttackRun, ...]) -> tuple[AttackRun, ...]:
    """Every run again, longer and from other starts, more target classes, and one attack without gradients."""
    again = tuple(replace(run, steps=2 * run.steps, restart=run.restart + 2) for run in standard)
    more = tuple(AttackRun("fast_minimum_norm", 150, rank=rank) for rank in range(8))
    more += (AttackRun("carlini_wagner", 100, rounds=8),) if norm == 2 else ()
    blind = (AttackRun("square", 100, rounds=8),) if norm in {2.0, math.inf} else ()
    return again + more + blind + (AttackRun("boundary_walk", 20),)
