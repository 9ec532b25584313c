"""Decoupled direction and norm (Rony, Hafemann, Oliveira, Ben Ayed, Sabourin, Granger 2019), without quantisation."""

from __future__ import annotations

import torch
from torch import Tensor

from clearance.attacks.geometry import as_steps, cosine, free, ratio, slight, unit
from clearance.attacks.goals import Goal, soft_margin
from clearance.attacks.passes import evaluate
from clearance.attacks.result import Witnesses
from clearance.geometry.norms import expand, vector_norm
from clearance.model.classifier import Classifier

FIRST_STEP, LAST_STEP = 1.0, 0.01
"""Length of the gradient step, in radii."""
FIRST_CHANGE, LAST_CHANGE = 0.05, 0.001
"""Share by which the radius grows or shrinks (`gamma` of the paper, which keeps it at 0.05)."""


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
    radius, least = vector_norm(points - x, 2.0), slight(model, x, 2.0)
    for step in range(as_steps(steps)):
        seen = evaluate(model, points, goal, loss=soft_margin, aim=aim)
        found.offer(points, seen.reached)
        change = cosine(FIRST_CHANGE, LAST_CHANGE, step, steps)
        linear = ratio(seen.margin, vector_norm(seen.gradient, 2.0))
        first = torch.where(linear > 0, linear, least)
        radius = torch.where(radius > 0, radius * torch.where(seen.reached, 1 - change, 1 + change), first)
        length = expand(cosine(FIRST_STEP, LAST_STEP, step, steps) * radius, x)
        moved = model.clip(points - length * unit(free(model, points, seen.gradient)))
        points = model.clip(x + expand(radius, x) * unit(moved - x))
    return found
