"""Primal-dual proximal gradient descent (Matyasko and Chau 2021): the `l_1` distance by soft thresholding."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from clearance.attacks.goals import Goal, soft_margin
from clearance.attacks.linear_model import boundary_distance, tie_distance
from clearance.attacks.result import Witnesses
from clearance.attacks.schedule import as_steps, cosine
from clearance.attacks.steps import visit
from clearance.attacks.task import AttackRun, AttackTask
from clearance.geometry.norms import expand, soft_threshold, vector_norm
from clearance.model.classifier import Classifier
from clearance.model.gradients import free

FIRST_WEIGHT = 0.5
"""The distance's weight to begin with: below 1, its value at the solution, so that the first steps lower the loss."""
PDPGD_STEPS = 1.0, 0.01
"""First and last primal step, in units of the linear estimate of the distance (or of the width of the bounds, if that
is less): the first may reach the linearised boundary."""
PDPGD_RATES = 0.3, 0.01
"""First and last dual step: how fast the logarithm of the distance's weight moves. A hundred steps can change it
by several orders of magnitude, the last ones by a hundredth."""


def pdpgd(
    model: Classifier,
    x: Tensor,
    goal: Goal,
    *,
    steps: int = 200,
    aim: Goal | None = None,
    start: Tensor | None = None,
) -> Witnesses:
    """Saddle point of `w ||d||_1 + J(x + d)`: proximal descent in `d`, multiplicative ascent in the weight `w`.

    Primal: `d <- prox(d - a_k ∇J / ||∇J||_inf, a_k w)`; `prox(v, c)` minimises `c ||d||_1 + ½ ||d - v||_2^2`; then
    clipped (clipping after soft thresholding is the proximal step of both together). Dual: `log w` rises by `b_k` on a
    witness and falls by `b_k` otherwise (Matyasko and Chau 2021, "PDPGD", section 3, with the ratio of their two
    multipliers as the one unknown). The dual norm makes `w` about 1 at the solution, whatever the scale of inputs and
    logits. Cost: `steps` forward and backward passes per input.

    Args:
        model: The classifier.
        x: `(batch, *input)`, within the bounds.
        goal: Where each input has to go.
        steps: Iterations.
        aim: The goal whose cross-entropy is lowered; default: `goal`.
        start: Points to start from; default: `x`.

    Returns:
        The nearest witnesses in `l_1` over all iterates.

    Raises:
        InputError: If `steps` is below 1.
    """
    found = Witnesses(x, 1.0)
    points = x if start is None else model.clip(start)
    weight, scale = torch.full_like(found.distance, FIRST_WEIGHT), torch.zeros_like(found.distance)
    on_tie = tie_distance(model, x, 1.0)
    for step in range(as_steps(steps)):
        seen = visit(model, points, goal, found, loss=soft_margin, aim=aim)
        scale = torch.where(scale > 0, scale, _within_width(model, boundary_distance(seen, 1.0, on_tie)))
        rate = cosine(*PDPGD_RATES, step, steps)
        weight = torch.where(seen.reached, math.exp(rate) * weight, math.exp(-rate) * weight)
        length = cosine(*PDPGD_STEPS, step, steps) * scale
        largest = vector_norm(seen.gradient, math.inf)
        downhill = free(model, points, seen.gradient) / expand(torch.where(largest > 0, largest, 1.0), x)
        moved = model.clip(points - expand(length, x) * downhill)
        points = model.clip(x + soft_threshold(moved - x, length * weight))
    return found


def _within_width(model: Classifier, linear: Tensor) -> Tensor:
    """The linear estimate, at most the narrowest width of the bounds (of coordinates that can move)."""
    if model.bounds is None:
        return linear
    widths = model.bounds[1] - model.bounds[0]
    return linear.clamp_max(float(widths[widths > 0].min()))


def carry_out(task: AttackTask, run: AttackRun, _: Witnesses) -> Witnesses:
    """`pdpgd` as one run of `attacks.table`: `(batch, *input)` of the task, from the run's start towards its aim."""
    return pdpgd(task.model, task.x, task.goal, steps=run.steps, aim=task.aim, start=task.start)
