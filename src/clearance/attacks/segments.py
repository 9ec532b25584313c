"""Bisection of the segment from a witness back to its input: the boundary crossing, by forward passes only."""

from __future__ import annotations

import torch
from torch import Tensor

from clearance.attacks.goals import Goal
from clearance.attacks.passes import rows_reached
from clearance.attacks.result import Witnesses
from clearance.geometry.norms import expand
from clearance.model.classifier import Classifier

SEGMENT_HALVINGS = 8
"""Halvings of the segment from each run's witness back to its input: less than a hundredth of its length is left, and
iterates of the attacks seldom lie farther from the boundary."""


def bisect_segments(
    model: Classifier, goal: Goal, witnesses: Witnesses, *, steps: int, low: Tensor | float = 0.0
) -> Witnesses:
    """Halve the segments from inputs to their witnesses, keeping the half whose far end is a witness.

    Source: bisection; the margin changes its sign on the segment.

    With `x + s (w - x)` a witness at `s = high` and none known at `s = low`, the middle becomes one or the other. The
    distance falls with `s`, so every new witness is nearer. Cost: `steps` forward passes per witness.

    Args:
        model: The classifier.
        goal: Where each input has to go.
        witnesses: The witnesses, with their inputs; left unchanged.
        steps: Halvings.
        low: First lower end of the share `s`, in [0, 1), a number or `(batch,)`.

    Returns:
        The nearest witness on each segment; inputs without a witness stay without.
    """
    nearest = Witnesses(witnesses.x, witnesses.norm)
    nearest.absorb(witnesses)
    way = witnesses.adversarial - witnesses.x
    high = torch.ones_like(witnesses.distance)
    floor = torch.as_tensor(low, dtype=high.dtype, device=high.device).expand_as(high)
    rows = witnesses.success.nonzero().flatten()
    for _ in range(steps if len(rows) else 0):
        middle = (floor + high) / 2
        points = model.clip(witnesses.x + expand(middle, way) * way)
        reached = rows_reached(model, goal, points, rows)
        nearest.offer(points, reached)
        floor, high = torch.where(reached, floor, middle), torch.where(reached, middle, high)
    return nearest
