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
"""Forward passes on the segment from each run's witness back to its input."""

FIRST_GAP, GAP_GROWTH = 1 / 64, 8.0
"""Share of the segment that is tried first where the boundary is thought to be near its far end; by how much the share
grows while that succeeds."""


def bisect_segments(
    model: Classifier, goal: Goal, witnesses: Witnesses, *, steps: int, low: Tensor | float = 0.0, near: bool = False
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
        near: The boundary is thought to be near the far end, as on the segment of an attack's iterate: the first step
            takes `FIRST_GAP` of it, later ones more, until one fails. With 8 steps a boundary beyond the first share is
            met to 1e-4, and one anywhere to 2 %, where plain halving has 4e-3.

    Returns:
        The nearest witness on each segment; inputs without a witness stay without.
    """
    nearest = Witnesses(witnesses.x, witnesses.norm)
    nearest.absorb(witnesses)
    way = witnesses.adversarial - witnesses.x
    high = torch.ones_like(witnesses.distance)
    floor = torch.as_tensor(low, dtype=high.dtype, device=high.device).expand_as(high)
    rows = witnesses.success.nonzero().flatten()
    bracketed, gap = floor > 0 if near else torch.ones_like(floor, dtype=torch.bool), FIRST_GAP
    for _ in range(steps if len(rows) else 0):
        middle = torch.where(bracketed, (floor + high) / 2, high * max(0.5, 1 - gap))
        points = model.clip(witnesses.x + expand(middle, way) * way)
        reached = rows_reached(model, goal, points, rows)
        nearest.offer(points, reached)
        floor, high = torch.where(reached, floor, middle), torch.where(reached, middle, high)
        bracketed, gap = bracketed | ~reached, gap * GAP_GROWTH
    return nearest
