"""A start far beyond the decision boundary: where attacks begin that would be trapped near the input."""

from __future__ import annotations

import torch
from torch import Tensor

from clearance.attacks.goals import Goal, soft_margin
from clearance.attacks.passes import evaluate
from clearance.attacks.schedule import as_steps
from clearance.attacks.steps import ends
from clearance.geometry.norms import vector_norm
from clearance.model.classifier import Classifier

DEEP_STEPS = 5
"""Steps outwards: with `DEEP_SHARE`, enough to cross the whole range of an input."""
DEEP_SHARE = 0.2
"""Length of one step in each coordinate, as a share of the width of its bounds."""
DEEP_REACH = 2.0
"""The same without bounds, in units of the linear estimate of the distance in the maximum norm."""


def deep_start(
    model: Classifier,
    x: Tensor,
    goal: Goal,
    *,
    steps: int = DEEP_STEPS,
    aim: Goal | None = None,
    start: Tensor | None = None,
) -> Tensor:
    """Points far beyond the boundary, by a few long sign steps down the loss, each clipped to the bounds.

    `y <- clip(y - s sign(∇J(y)))` with `s` a fifth of the width of the bounds, coordinate by coordinate. Adversarially
    trained networks are flat near the input, and what is nearest there lies in a narrow valley: a search that starts at
    the input stays in it. From far beyond the boundary the way back leads through other valleys. Source: this project,
    with the step of Goodfellow, Shlens and Szegedy 2015 (fast gradient sign method). Cost: `steps` forward and backward
    passes per input.

    Args:
        model: The classifier.
        x: `(batch, *input)`, within the bounds.
        goal: Where each input has to go.
        steps: Steps.
        aim: The goal whose cross-entropy is lowered; default: `goal`.
        start: Points to start from; default: `x`.

    Returns:
        `(batch, *input)`, within the bounds, whether or not they reach the goal.

    Raises:
        InputError: If `steps` is below 1.

    >>> model = Classifier(lambda x: torch.stack([1 - x[:, 0], x[:, 0] - 1], 1), bounds=(0, 4))
    >>> from clearance.attacks.goals import make_goal
    >>> deep_start(model, torch.zeros(1, 1), make_goal(torch.tensor([0]), [[1]], 2))
    tensor([[4.]])
    """
    points, length = x if start is None else model.clip(start), None
    for _ in range(as_steps(steps)):
        seen = evaluate(model, points, goal, loss=soft_margin, aim=aim)
        length = _length(model, x, seen.margin, seen.gradient) if length is None else length
        points = model.clip(points - length * seen.gradient.sign())
    return points


def _length(model: Classifier, x: Tensor, margin: Tensor, gradient: Tensor) -> Tensor:
    """The length of a step in each coordinate: a share of the width of its bounds, or of `|g| / ||∇g||_1` without."""
    linear = margin.abs() / vector_norm(gradient, 1.0)
    fallback = DEEP_REACH * torch.where(linear.isfinite() & (linear > 0), linear, 1.0)
    wide = fallback.reshape(-1, *[1] * (x.ndim - 1)).expand_as(x)
    low, high = ends(model, x)
    width = high - low
    return torch.where(width.isfinite(), DEEP_SHARE * width, wide)
