"""Primal-dual proximal gradient descent (Matyasko and Chau 2021): the `l_1` distance by soft thresholding."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from clearance.attacks.geometry import as_steps, cosine, free, ratio, slight
from clearance.attacks.goals import Goal, soft_margin
from clearance.attacks.passes import evaluate
from clearance.attacks.result import Witnesses
from clearance.geometry.norms import expand, project, vector_norm
from clearance.model.classifier import Classifier

FIRST_STEP, LAST_STEP = 1.0, 0.01
"""Primal step, in units of the linear estimate of the distance (or of the width of the bounds, if that is less)."""
FIRST_RATE, LAST_RATE = 0.3, 0.01
"""Dual step: how fast the logarithm of the distance's weight moves."""


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
    weight, scale = torch.full_like(found.distance, 0.5), torch.zeros_like(found.distance)
    least = slight(model, x, 1.0)
    for step in range(as_steps(steps)):
        seen = evaluate(model, points, goal, loss=soft_margin, aim=aim)
        found.offer(points, seen.reached)
        slope = vector_norm(seen.gradient, math.inf)
        linear = ratio(seen.margin, slope)
        scale = torch.where(scale > 0, scale, _width(model, torch.where(linear > 0, linear, least)))
        rate = cosine(FIRST_RATE, LAST_RATE, step, steps)
        weight = weight * torch.where(seen.reached, math.exp(rate), math.exp(-rate))
        length = cosine(FIRST_STEP, LAST_STEP, step, steps) * scale
        downhill = free(model, points, seen.gradient) / expand(torch.where(slope > 0, slope, 1.0), x)
        moved = model.clip(points - expand(length, x) * downhill)
        points = model.clip(x + soft_threshold(moved - x, length * weight))
    return found


def soft_threshold(delta: Tensor, weight: Tensor) -> Tensor:
    """`argmin_d w ||d||_1 + ½ ||d - v||_2^2`: every coordinate brought nearer to 0 by `w`, as far as 0.

    >>> soft_threshold(torch.tensor([[3.0, -0.5]]), torch.tensor([1.0]))
    tensor([[2., 0.]])
    """
    return delta - project(delta, math.inf, weight)


def _width(model: Classifier, linear: Tensor) -> Tensor:
    """The linear estimate, at most the narrowest width of the bounds (of coordinates that can move)."""
    if model.bounds is None:
        return linear
    widths = model.bounds[1] - model.bounds[0]
    return linear.clamp_max(float(widths[widths > 0].min()))
