"""A walk along the decision boundary towards the input: the last digits of a witness, for every norm."""

from __future__ import annotations

import torch
from torch import Tensor

from clearance.attacks.goals import Goal
from clearance.attacks.known import brought_nearer
from clearance.attacks.passes import LossEvaluation, evaluate, look
from clearance.attacks.result import Witnesses
from clearance.attacks.schedule import as_steps
from clearance.attacks.segments import bisect_segments
from clearance.attacks.steps import room
from clearance.attacks.task import AttackRun, AttackTask
from clearance.geometry.half_space import nearest_in_half_space
from clearance.geometry.norms import expand, vector_norm
from clearance.model.classifier import Classifier

WALK_HALVINGS = 4
"""Halvings after each step that led to a nearer witness: the next step moves on, so that few are enough."""
LOWEST_SHARE = 0.98
"""They begin at this share of the linearised distance: little below it, since the boundary is nearly linear there."""
OVERSHOOT = 1e-3
"""Steps aim this share beyond the linearised boundary, so that rounding and a slight curvature leave a witness."""


def boundary_walk(model: Classifier, goal: Goal, witnesses: Witnesses, *, steps: int = 20) -> Witnesses:
    """From each witness towards the point where the linearised boundary is nearest to the input.

    At a witness `z` the margin is replaced by `g(z) + <∇g(z), y - z>`; the nearest point `t` to `x` where that vanishes
    is known in closed form within the bounds (`nearest_in_half_space`, as in Croce and Hein 2020, "Minimally distorted
    adversarial examples", equation 9). The walk tries the direction `(1 - s)(z - x) + s (t - x)`, as far out as `z`; if
    that is a witness it is pulled back towards `x` by bisection and `s` doubles, otherwise `s` is halved. Distances
    only fall, and on a linear classifier the first step has the direction of the exact minimum. Cost: `steps` backward
    passes and at most `steps * (2 + WALK_HALVINGS)` forward passes per input.

    Args:
        model: The classifier.
        goal: Where each input has to go.
        witnesses: Where to start; left unchanged. Inputs without a witness stay without.
        steps: Steps along the boundary.

    Returns:
        Witnesses at most as far as the given ones.

    Raises:
        InputError: If `steps` is below 1.
    """
    as_steps(steps)
    return brought_nearer(witnesses, goal, lambda own, aims: _walk(model, aims, own, steps))


def _walk(model: Classifier, goal: Goal, witnesses: Witnesses, steps: int) -> Witnesses:
    """The walk of inputs that all have a witness."""
    x, found = witnesses.x, Witnesses(witnesses.x, witnesses.norm)
    found.absorb(witnesses)
    share = torch.ones_like(found.distance)
    for _ in range(steps):
        seen = evaluate(model, found.adversarial, goal)
        ideal = _linear_minimum(model, found, seen)
        mixed = expand(1 - share, x) * (found.adversarial - x) + expand(share, x) * ideal
        length = vector_norm(mixed, found.norm)
        scale = torch.where(length > 0, found.distance / length, 0.0).nan_to_num(0.0, 0.0, 0.0)
        tried = Witnesses(x, found.norm)
        points = model.clip(x + expand(scale, x) * mixed)
        tried.offer(points, goal.reached(look(model, points, goal)))
        low = torch.where(tried.success, LOWEST_SHARE * vector_norm(ideal, found.norm) / tried.distance, 0.0)
        low = low.clamp(0.0, LOWEST_SHARE)
        pulled = bisect_segments(model, goal, tried, steps=WALK_HALVINGS, low=low)
        better = pulled.distance < found.distance
        found.absorb(pulled)
        share = torch.where(better, (2 * share).clamp_max(1.0), share / 2)
    return found


def _linear_minimum(model: Classifier, found: Witnesses, seen: LossEvaluation) -> Tensor:
    """The shortest step from the inputs to the boundary linearised at their witnesses, `(batch, *input)`."""
    at_input = seen.loss + (seen.gradient * (found.x - found.adversarial)).flatten(1).sum(1)
    down, up = room(model, found.x)
    return nearest_in_half_space(seen.gradient, at_input * (1 + OVERSHOOT), down, up, found.norm)


def carry_out(task: AttackTask, run: AttackRun, known: Witnesses) -> Witnesses:
    """`boundary_walk` as one run of `attacks.table`, from the witnesses that are known."""
    return boundary_walk(task.model, task.goal, known, steps=run.steps)
