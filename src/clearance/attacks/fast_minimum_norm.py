"""The fast minimum-norm attack (Pintor, Roli, Brendel and Biggio 2021)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from clearance.attacks.goals import Goal, Loss, soft_margin
from clearance.attacks.linear_model import tie_distance, zero_crossing
from clearance.attacks.result import Witnesses
from clearance.attacks.schedule import as_steps, cosine
from clearance.attacks.steps import into_ball, visit
from clearance.attacks.task import AttackRun, AttackTask
from clearance.geometry.exponents import as_norm
from clearance.geometry.norms import dual_norm, expand, unit, vector_norm
from clearance.model.classifier import Classifier
from clearance.model.gradients import free

FMN_STEPS = 1.0, 0.001
"""First and last length of the gradient step, in units of the longest `l_2` vector of the ball: from across the ball to
the last digits."""
LINF_FACTOR = 3.0
"""Factor of both for `p = inf`, where a step that leaves the ball on most coordinates moves along its sign."""
FMN_CHANGES = 0.05, 0.0001
"""First and last share by which the radius grows or shrinks (`gamma` of the paper, which starts at 0.05 as well)."""


def fast_minimum_norm(
    model: Classifier,
    x: Tensor,
    goal: Goal,
    *,
    norm: float,
    steps: int = 200,
    first_step: float = FMN_STEPS[0],
    loss: Loss = soft_margin,
    aim: Goal | None = None,
    start: Tensor | None = None,
) -> Witnesses:
    """Minimum `l_p` distance by projected gradient steps on a ball whose radius follows the boundary.

    The first radius is the distance of the start, so that a start which is a witness already keeps its ball. While no
    witness is known the radius is at least the linear estimate `||d||_p + g / ||∇g||_q`; on a witness it becomes
    `min((1 - gamma_k) r, ||d*||_p)`, otherwise `(1 + gamma_k) r`; then `d <- P_r(d - a_k ∇g / ||∇g||_2)`, clipped
    (Pintor et al. 2021, algorithm 1; step and radius shrink along a cosine). Where the gradient is zero, as on a tie of
    two logits that are cut off there, the step goes the way of the last one. The step is measured in units of the ball,
    so that the scale of the inputs does not matter. Cost: `steps` forward and backward passes per input.

    Args:
        model: The classifier.
        x: `(batch, *input)`, within the bounds.
        goal: Where each input has to go.
        norm: `p`, from 1 to infinity.
        steps: Iterations.
        first_step: Length of the first gradient step, in units of the longest `l_2` vector of the ball.
        loss: What to lower. The paper has the margin; its smooth form found smaller distances for each norm.
        aim: The goal whose loss is lowered; default: `goal`.
        start: Points to start from; default: `x`.

    Returns:
        The nearest witnesses in `l_p` over all iterates.

    Raises:
        InputError: If `norm < 1` or `steps` is below 1.
    """
    norm = as_norm(norm)
    reach = max(1.0, x[0].numel() ** (0.5 - 1 / norm)) * (LINF_FACTOR if math.isinf(norm) else 1.0)
    found = Witnesses(x, norm)
    points = x if start is None else model.clip(start)
    radius, on_tie = vector_norm(points - x, norm), tie_distance(model, x, norm)
    downhill = torch.zeros_like(x)
    for step in range(as_steps(steps)):
        seen = visit(model, points, goal, found, loss=loss, aim=aim)
        change = cosine(*FMN_CHANGES, step, steps)
        linear = vector_norm(points - x, norm) + zero_crossing(seen.margin, vector_norm(seen.gradient, dual_norm(norm)))
        linear = torch.where(linear > 0, linear, on_tie)
        wider = radius * (1 + change)
        wider = torch.where(found.success, wider, torch.maximum(wider, linear))
        radius = torch.where(seen.reached, torch.minimum(radius * (1 - change), found.distance), wider)
        length = cosine(first_step, FMN_STEPS[1], step, steps) * reach * radius
        way = unit(free(model, points, seen.gradient))
        downhill = torch.where(expand(way.flatten(1).any(1), way), way, downhill)
        points = into_ball(model, x, model.clip(points - expand(length, x) * downhill), norm, radius)
    return found


def carry_out(task: AttackTask, run: AttackRun, _: Witnesses) -> Witnesses:
    """`fast_minimum_norm` as one run of `attacks.table`: `(batch, *input)` of the task, from the run's start."""
    aim, start = task.aim, task.start
    return fast_minimum_norm(task.model, task.x, task.goal, norm=task.norm, steps=run.steps, aim=aim, start=start)
