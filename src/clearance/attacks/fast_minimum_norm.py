"""The fast minimum-norm attack (Pintor, Roli, Brendel and Biggio 2021)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from clearance.attacks.geometry import as_steps, cosine, free, into_ball, ratio, slight, unit
from clearance.attacks.goals import Goal, Loss, soft_margin
from clearance.attacks.passes import evaluate
from clearance.attacks.result import Witnesses
from clearance.geometry.norms import as_norm, dual_norm, expand, vector_norm
from clearance.model.classifier import Classifier

FIRST_STEP, LAST_STEP = 1.0, 0.001
"""Length of the gradient step, in units of the longest `l_2` vector of the ball."""
WIDER = 3.0
"""Factor of both for `p = inf`, where a step that leaves the ball on most coordinates moves along its sign."""
FIRST_CHANGE, LAST_CHANGE = 0.05, 0.0001
"""Share by which the radius grows or shrinks."""


def fast_minimum_norm(
    model: Classifier,
    x: Tensor,
    goal: Goal,
    *,
    norm: float,
    steps: int = 200,
    loss: Loss = soft_margin,
    aim: Goal | None = None,
    start: Tensor | None = None,
) -> Witnesses:
    """Minimum `l_p` distance by projected gradient steps on a ball whose radius follows the boundary.

    While no witness is known the radius is the linear estimate `||d||_p + g / ||∇g||_q`; on a witness it becomes
    `min((1 - gamma_k) r, ||d*||_p)`, otherwise `(1 + gamma_k) r`; then `d <- P_r(d - a_k ∇g / ||∇g||_2)`, clipped
    (Pintor et al. 2021, algorithm 1; step and radius shrink along a cosine). The step is measured in units of the ball,
    so that the scale of the inputs does not matter. Cost: `steps` forward and backward passes per input.

    Args:
        model: The classifier.
        x: `(batch, *input)`, within the bounds.
        goal: Where each input has to go.
        norm: `p`, from 1 to infinity.
        steps: Iterations.
        loss: What to lower. The paper has the margin; its smooth form found smaller distances for each norm.
        aim: The goal whose loss is lowered; default: `goal`.
        start: Points to start from; default: `x`.

    Returns:
        The nearest witnesses in `l_p` over all iterates.

    Raises:
        InputError: If `norm < 1` or `steps` is below 1.
    """
    norm = as_norm(norm)
    reach = max(1.0, x[0].numel() ** (0.5 - 1 / norm)) * (WIDER if math.isinf(norm) else 1.0)
    found = Witnesses(x, norm)
    points = x if start is None else model.clip(start)
    radius, least = torch.zeros_like(found.distance), slight(model, x, norm)
    for step in range(as_steps(steps)):
        seen = evaluate(model, points, goal, loss=loss, aim=aim)
        found.offer(points, seen.reached)
        change = cosine(FIRST_CHANGE, LAST_CHANGE, step, steps)
        linear = vector_norm(points - x, norm) + ratio(seen.margin, vector_norm(seen.gradient, dual_norm(norm)))
        linear = torch.where(linear > 0, linear, least)
        wider = radius * (1 + change)
        wider = torch.where(found.success, wider, torch.maximum(wider, linear))
        radius = torch.where(seen.reached, torch.minimum(radius * (1 - change), found.distance), wider)
        length = cosine(FIRST_STEP, LAST_STEP, step, steps) * reach * radius
        downhill = unit(free(model, points, seen.gradient))
        points = into_ball(model, x, model.clip(points - expand(length, x) * downhill), norm, radius)
    return found
