"""Witnesses that a fresh forward pass confirms, and witnesses brought nearer to their inputs."""

from __future__ import annotations

import torch
from torch import Tensor

from clearance.attacks.passes import counted
from clearance.attacks.restore_coordinates import restore_coordinates
from clearance.attacks.result import Witnesses
from clearance.attacks.segments import SEGMENT_HALVINGS, bisect_segments
from clearance.attacks.task import AttackTask

OUTWARD = (1 + 1e-6, 1 + 1e-4, 1.001, 1.01, 1.03, 1.1, 1.3)
"""How much farther out, as factors of its distance, a witness is looked for that a fresh forward pass takes back: the
first few are for rounding, which differs with the size of a batch; of the others the noise of a randomised network
decides which is enough."""


def confirmed(task: AttackTask, witnesses: Witnesses) -> tuple[Witnesses, Tensor]:
    """The witnesses that a fresh forward pass, of nothing but them, finds to reach their goals, and what it predicts.

    Source: this project.

    A randomised network may take back a witness `w` that lies right at the boundary; then `x + f (w - x)` is tried for
    the factors `f` of `OUTWARD`. Where no witness is left the prediction is that of the input.

    Args:
        task: What is attacked.
        witnesses: Of its inputs, `(batch, *input)`.

    Returns:
        What is left of them, and the predicted class of each, `(batch,)`.
    """
    kept, said = Witnesses(task.x, task.norm), task.goal.source.clone()
    for factor in (1.0, *OUTWARD):
        rows = (witnesses.success & ~kept.success).nonzero().flatten()
        if len(rows) == 0:
            break
        points = witnesses.adversarial
        if factor > 1:
            points = task.model.clip(task.x + factor * (points - task.x))
        own = task.goal.rows(rows)
        with counted(task.model, own):
            logits = task.model.logits(points[rows])
        reached = torch.zeros_like(kept.success)
        reached[rows] = own.reached(logits)
        said[rows] = torch.where(reached[rows], logits.argmax(1), said[rows])
        kept.offer(points, reached)
    return kept, said


def pulled_back(task: AttackTask, witnesses: Witnesses) -> Witnesses:
    """Witnesses nearer to their inputs: by bisected segments, or for norm 0 by coordinates that are put back.

    Source: this project; a segment back to the input has the same number of coordinates everywhere.

    Args:
        task: What is attacked.
        witnesses: Of its inputs, `(batch, *input)`.

    Returns:
        The nearest that are met, not yet confirmed.
    """
    if task.norm == 0:
        return restore_coordinates(task.model, task.goal, witnesses)
    return bisect_segments(task.model, task.goal, witnesses, steps=SEGMENT_HALVINGS, near=True)
