"""What a method of the table is given: the inputs to attack, and one run with its number of iterations."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from clearance.attacks.goals import Goal, Tally, goal_of
from clearance.attacks.linear_model import distance_scale, rank_classes, zero_gradient
from clearance.attacks.passes import evaluate
from clearance.model.classifier import Classifier
from clearance.model.inputs import CheckedInputs

RANKED_CLASSES = 9
"""How many wanted classes, those with the largest logits, are ranked by their linearised distance: all of a data set
with ten classes."""


@dataclass(frozen=True)
class AttackTask:
    """Inputs to attack.

    Source: this project.

    Attributes:
        model: The classifier.
        x: `(batch, *input)`.
        goal: Where each input has to go.
        near: Wanted classes of each input, nearest in the linearised model first, `(batch, k)`.
        scale: Linear estimate of each input's distance, `(batch,)`.
        norm: The norm `p`; or 0, where `near` and `scale` are those of `l_1`, the largest convex function that is never
            above the number of coordinates on the box `[-1, 1]`.
        seed: The user's seed.
        keys: Content key of each input.
        zero_gradient: Whether the margin's gradient at each input is zero or not finite, `(batch,)`.
        aim: The goal that the loss leads to: `goal`, or one wanted class of each row.
        start: Where runs start, `(batch, *input)`; `None`: at the inputs.
    """

    model: Classifier
    x: Tensor
    goal: Goal
    near: Tensor
    scale: Tensor
    norm: float
    seed: int
    keys: tuple[str, ...]
    zero_gradient: Tensor
    aim: Goal
    start: Tensor | None = None

    def rows(self, index: Tensor) -> AttackTask:
        """Some of the inputs, `(rows,)` of their places, or several times the same."""
        return replace(
            self,
            x=self.x[index],
            goal=self.goal.rows(index),
            near=self.near[index],
            scale=self.scale[index],
            keys=tuple(self.keys[place] for place in index.tolist()),
            zero_gradient=self.zero_gradient[index],
            aim=self.aim.rows(index),
            start=None if self.start is None else self.start[index],
        )


def make_task(inputs: CheckedInputs) -> AttackTask:
    """Look at the linearised model once: which wanted classes are near, and how near.

    Source: ranking the classes as DeepFool does (Moosavi-Dezfooli, Fawzi and Frossard 2016, equation 8).

    Args:
        inputs: The inputs, none of them misclassified.

    Returns:
        The task. Cost: 2 forward passes and, per input, 1 backward pass and one for each class that is looked at
        (`RANKED_CLASSES` at most).
    """
    model, x, logits, norm = inputs.model, inputs.x, inputs.logits, max(inputs.norm, 1.0)
    goal = replace(goal_of(inputs), tally=Tally(len(inputs)))
    near = rank_classes(model, x, goal, logits, norm=norm, most=RANKED_CLASSES)
    seen = evaluate(model, x, goal)
    scale, flat = distance_scale(model, x, seen, norm), zero_gradient(seen.gradient)
    return AttackTask(model, x, goal, near, scale, inputs.norm, inputs.seed, inputs.keys, flat, goal)


@dataclass(frozen=True)
class AttackRun:
    """One run of one method.

    Source: this project.

    Attributes:
        method: A name of `attacks.table.ATTACKS`.
        steps: Iterations; of each round where there are several.
        rounds: Rounds of `bisect_radius`, or weights of a penalty that are searched; of `box_points`, one more than the
            gradient steps from each point; of `cutting_planes`, walks.
        rank: Lead the loss to the wanted class of this rank in `AttackTask.near` instead of to any of them.
        restart: 0 starts at the input (or as the method does); others start at a random point, one for each number.
        deep: Start from there far beyond the boundary (`attacks.deep_start`).
        inward: Iterations of `ddn` that bring a deep start back before the run begins.
        walk: Steps along the boundary (`attacks.boundary_walk`) from the run's own witness, at its end.
    """

    method: str
    steps: int
    rounds: int = 1
    rank: int | None = None
    restart: int = 0
    deep: bool = False
    inward: int = 0
    walk: int = 0

    @property
    def name(self) -> str:
        """What its witnesses are counted under: the method, or `deep_` and the method for a start beyond the boundary.

        >>> AttackRun("ddn", 9).name, AttackRun("ddn", 9, deep=True).name
        ('ddn', 'deep_ddn')
        """
        return f"deep_{self.method}" if self.deep else self.method

    def aim(self, task: AttackTask) -> Goal:
        """The goal that the loss leads to."""
        if self.rank is None:
            return task.goal
        return task.goal.to_class(task.near[:, min(self.rank, task.near.shape[1] - 1)])
