"""Points far from the input, for inputs without a witness: looks, and gradient steps from where no look was enough."""

from __future__ import annotations

import torch
from torch import Tensor

from clearance.attacks.goals import Goal
from clearance.attacks.passes import Streams, evaluate, rows_reached
from clearance.attacks.result import Witnesses
from clearance.attacks.schedule import as_steps
from clearance.attacks.steps import ends
from clearance.attacks.task import AttackRun, AttackTask
from clearance.geometry.norms import expand, unit, vector_norm
from clearance.model.classifier import Classifier

REACH_WITHOUT_BOUNDS = 0.5, 1000.0
"""Without bounds: the first and the last distance in each coordinate, in units of the linear estimate of the distance;
those between grow by the same factor from point to point."""
DESCENT = 0.2
"""Length of the first gradient step from such a point, as a share of the diameter of the bounds: the last is 0."""


def box_points(
    model: Classifier,
    goal: Goal,
    known: Witnesses,
    *,
    scale: Tensor,
    streams: Streams,
    steps: int = 16,
    descents: int = 0,
) -> Witnesses:
    """Witnesses among points all over the bounds, for the inputs that have none.

    The input mirrored in the middle of the bounds, the two ends of the bounds and their middle come first; then corners
    and uniform points by turns. Where a coordinate has no bounds, points move away from the input, by a distance that
    grows from one to the next. The looks follow no gradient, so that nothing can hide from them: where a network has a
    second class at all in the bounds, one of the points often lies in it, and the segment back to the input crosses the
    boundary. For inputs that are still without a witness, `descents` gradient steps lead from every point to a class,
    by turns: what is nearer to another class than the input may be less flat. Source: this project. Cost for each input
    without a witness: `steps` forward passes, then at most `2 * steps * descents` forward and `steps * descents`
    backward passes.

    Args:
        model: The classifier.
        goal: Where each input has to go.
        known: The witnesses that are known, with their inputs `(batch, *input)`; left unchanged.
        scale: A distance to begin with where there are no bounds, `(batch,)`.
        streams: The random stream of each input.
        steps: Points.
        descents: Gradient steps from each of them.

    Returns:
        The nearest of the points that reach their goals; nothing for inputs with a known witness.

    Raises:
        InputError: If `steps` is below 1.
    """
    x, found = known.x, Witnesses(known.x, known.norm)
    missing = (~known.success).nonzero().flatten()
    if len(missing) == 0:
        return found
    low, high = ends(model, x)
    tried: list[Tensor] = []
    for step in range(as_steps(steps)):
        points = model.clip(box_point(x, low, high, scale * _reach(step, steps), step, streams))
        found.offer(points, rows_reached(model, goal, points, missing))
        tried.append(points)
    for step, points in enumerate(tried if descents else []):
        missing = (~known.success & ~found.success).nonzero().flatten()
        if len(missing) > 0:
            _descend(model, goal, points, missing, found, turn=step, descents=descents, scale=scale)
    return found


def _descend(
    model: Classifier,
    goal: Goal,
    points: Tensor,
    rows: Tensor,
    found: Witnesses,
    *,
    turn: int,
    descents: int,
    scale: Tensor,
) -> None:
    """Gradient steps of falling length from the points of some rows, towards one wanted class of each."""
    wanted = goal.wanted.long().argsort(dim=1, descending=True, stable=True)
    place = turn % goal.wanted.sum(1)
    aim = goal.to_class(wanted.gather(1, place[:, None])[:, 0])
    length = _diameter(model, points, scale)
    for step in range(descents):
        part, share = points[rows], DESCENT * (1 - step / descents)
        seen = evaluate(model, part, goal.rows(rows), aim=aim.rows(rows))
        part = model.clip(part - expand(share * length[rows], part) * unit(seen.gradient))
        points = points.index_copy(0, rows, part)
        found.offer(points, rows_reached(model, goal, points, rows))
        rows = rows[~found.success[rows]]
        if len(rows) == 0:
            return


def _diameter(model: Classifier, x: Tensor, scale: Tensor) -> Tensor:
    """The `l_2` diameter of the bounds, `(batch,)`; the linear estimate of the distance where there are none."""
    low, high = ends(model, x)
    widths = vector_norm(torch.where((high - low).isfinite(), high - low, 0.0), 2.0)
    return torch.where(widths > 0, widths, scale)


def _reach(step: int, steps: int) -> float:
    """How far the points of one step lie where there are no bounds."""
    first, last = REACH_WITHOUT_BOUNDS
    return first * (last / first) ** (step / max(1, steps - 1))


def box_point(x: Tensor, low: Tensor, high: Tensor, reach: Tensor, step: int, streams: Streams) -> Tensor:
    """The point of one step, `(batch, *input)`; `reach`, `(batch,)`, is for coordinates without bounds."""
    share = streams.uniform(*x.shape[1:])
    share = share.round() if step % 2 == 0 else share
    special = (low + high - x, low, high, (low + high) / 2)
    within = special[step] if step < len(special) else low + (high - low) * share
    return torch.where(low.isfinite() & high.isfinite(), within, x + expand(reach, x) * (2 * share - 1))


def carry_out(task: AttackTask, run: AttackRun, known: Witnesses) -> Witnesses:
    """`box_points` as one run of `attacks.table`, for the inputs without a witness."""
    streams = Streams(task.x, task.seed, run.method, run.restart, keys=task.keys)
    scale = torch.where(task.scale.isfinite() & (task.scale > 0), task.scale, 1.0)
    return box_points(
        task.model, task.goal, known, scale=scale, streams=streams, steps=run.steps, descents=run.rounds - 1
    )
