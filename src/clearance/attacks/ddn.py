"""Decoupled direction and norm (Rony, Hafemann, Oliveira, Ben Ayed, Sabourin, Granger 2019), without quantisation."""

from __future__ import annotations

import torch
from torch import Tensor

from clearance.attacks.goals import Goal, soft_margin
from clearance.attacks.linear_model import boundary_distance, tie_distance
from clearance.attacks.result import Witnesses
from clearance.attacks.schedule import as_steps, cosine
from clearance.attacks.steps import visit
from clearance.attacks.task import AttackRun, AttackTask
from clearance.geometry.norms import expand, unit, vector_norm
from clearance.model.classifier import Classifier
from clearance.model.gradients import free

DDN_STEPS = 1.0, 0.01
"""First and last length of the gradient step, in radii: the paper's step falls from 1 to 0.01 as well."""
DDN_CHANGES = 0.05, 0.001
"""First and last share by which the radius grows or shrinks: `gamma` of the paper, which keeps it at 0.05. It falls, so
that the last iterates are near the boundary; it begins to once a witness has been met."""


def ddn(
    model: Classifier,
    x: Tensor,
    goal: Goal,
    *,
    steps: int = 200,
    aim: Goal | None = None,
    start: Tensor | None = None,
) -> Witnesses:
    """Minimum `l_2` distance by gradient steps on a sphere whose radius shrinks on success and grows on failure.

    `d <- d - a_k r ∇J / ||∇J||_2`, then `r <- (1 -+ gamma_k) r`, then `x + r d / ||d||_2`, clipped (Rony et al. 2019,
    algorithm 1, in units of the radius, so that the scale of the inputs does not matter). The first radius is that of
    the linear model at `x`. Cost: `steps` forward and backward passes per input.

    Args:
        model: The classifier.
        x: `(batch, *input)`, within the bounds.
        goal: Where each input has to go.
        steps: Iterations.
        aim: The goal whose cross-entropy is lowered; default: `goal`.
        start: Points to start from; default: `x`.

    Returns:
        The nearest witnesses in `l_2` over all iterates.

    Raises:
        InputError: If `steps` is below 1.
    """
    found = Witnesses(x, 2.0)
    points = x if start is None else model.clip(start)
    radius, on_tie = vector_norm(points - x, 2.0), tie_distance(model, x, 2.0)
    for step in range(as_steps(steps)):
        seen = visit(model, points, goal, found, loss=soft_margin, aim=aim)
        change = torch.where(found.success, cosine(*DDN_CHANGES, step, steps), DDN_CHANGES[0])
        changed = torch.where(seen.reached, (1 - change) * radius, (1 + change) * radius)
        radius = torch.where(radius > 0, changed, boundary_distance(seen, 2.0, on_tie))
        length = expand(cosine(*DDN_STEPS, step, steps) * radius, x)
        moved = model.clip(points - length * unit(free(model, points, seen.gradient)))
        points = model.clip(x + expand(radius, x) * unit(moved - x))
    return found


def carry_out(task: AttackTask, run: AttackRun, _: Witnesses) -> Witnesses:
    """`ddn` as one run of `attacks.table`: `(batch, *input)` of the task, from the run's start towards its aim."""
    return ddn(task.model, task.x, task.goal, steps=run.steps, aim=task.aim, start=task.start)
