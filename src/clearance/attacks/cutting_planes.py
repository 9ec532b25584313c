"""A cutting-plane walk between linear regions, from many starts: what a search along one boundary does not meet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

from clearance.attacks.box_points import box_point
from clearance.attacks.goals import Goal
from clearance.attacks.known import split
from clearance.attacks.passes import Streams, evaluate, look
from clearance.attacks.result import Witnesses
from clearance.attacks.schedule import as_steps
from clearance.attacks.steps import ends, random_points, room
from clearance.attacks.task import AttackRun, AttackTask
from clearance.geometry.half_spaces import excess, nearest_in_half_spaces
from clearance.geometry.norms import dual_norm, expand, vector_norm
from clearance.model.classifier import Classifier

BEYOND_PLANES = 1e-3
"""Steps aim this share beyond each plane: where planes meet in a corner, each step is then a witness after few of them,
and the segment back to the input is bisected afterwards."""
MISSED = 1e-3
"""A step that misses a plane by more than this share of its length meets no point of all of them."""
KEPT = (0, 1, 2), (0, 2), (0,)
"""Which half-spaces are tried together, until they leave a nearer point: all of them, the last two, the newest."""
AFTER_SPECIAL = 4
"""The first points of `box_point` that are drawn: a corner here, a uniform point next."""
LEAST_GAIN = 1e-6
"""The share of its distance by which a next point has to be nearer than the walk's own witness."""


def cutting_planes(
    model: Classifier,
    goal: Goal,
    known: Witnesses,
    *,
    scale: Tensor,
    streams: Streams,
    steps: int = 8,
    starts: int = 16,
) -> Witnesses:
    """Walks that step to the nearest point of several linearised boundaries at once, from points all over the bounds.

    At each point `y` of a walk the margin towards one class is linearised, which on a ReLU network is exact in the
    linear region of `y`. Written for the step `d` from the input it is a half-space,
    `g(y) + <∇g(y), x + d - y> <= 0`. The next point is `x + d` with the shortest `d` within the bounds that lies in
    this half-space, in the one before, and in one that combines all earlier ones with the weights that gave the last
    step (`geometry.half_spaces`). So a nearest point on the edge between linear regions is met, where walks along one
    plane at a time (`boundary_walk`) go back and forth. The boundary is not convex: at a witness, and where the
    half-spaces leave no point nearer than the walk's own witness, the older ones are dropped; a walk ends where the
    newest alone leaves none. The first walk begins at the known witness, the others by turns at a corner
    and at a uniform point of the bounds, and at one of the ball as wide as the known distance, where nearer witnesses
    must lie; each leads to the class that is ahead there, or to the next one in every second pair.

    Source: this project: the cutting planes of Kelley (1960) with one combined plane as in bundle methods, on the
    linearised steps of DeepFool (Moosavi-Dezfooli, Fawzi and Frossard 2016, equation 8). Cost: at most `starts * (1 +
    steps)` forward and `starts * steps` backward passes per input.

    Args:
        model: The classifier.
        goal: Where each input has to go.
        known: The witnesses that are known, with their inputs `(batch, *input)`; left unchanged.
        scale: How far starts lie where there are neither bounds nor a known witness, `(batch,)`.
        streams: The random stream of each input.
        steps: Points of each walk.
        starts: Walks from each input.

    Returns:
        The nearest points that reach their goals, those that were known among them.

    Raises:
        InputError: If `steps` or `starts` is below 1.
    """
    x, count = known.x, as_steps(starts)
    points = _starts(model, known, scale, streams, count)
    rows = torch.arange(len(x), device=x.device).repeat(count)
    walks = _Walks(model, goal.rows(rows), Witnesses(x[rows], known.norm), points, len(x))
    walks.go(as_steps(steps))
    found = Witnesses(x, known.norm)
    for run in (known, *split(walks.found, x)):
        found.absorb(run)
    return found


def _starts(model: Classifier, known: Witnesses, scale: Tensor, streams: Streams, count: int) -> Tensor:
    """The known witnesses, or the inputs where there is none, then points of the bounds and the ball."""
    x, (low, high) = known.x, ends(model, known.x)
    reach = torch.where(known.success, known.distance, scale)
    others = [
        x + random_points(x, streams, known.norm, reach)
        if step % 3 == 2
        else box_point(x, low, high, reach, AFTER_SPECIAL + step % 3, streams)
        for step in range(count - 1)
    ]
    return torch.cat([known.adversarial, *(model.clip(point) for point in others)])


@dataclass
class _Planes:
    """Half-spaces `<w, d> <= -b` that the next step of each walk has to lie in, newest first, `w` of `l_q` norm 1.

    Attributes:
        normals: `w`, `(3, rows, *input)`: the newest, all before the last one combined, the last one.
        gaps: `b`, `(3, rows)`. What is not needed is a copy of the newest.
    """

    normals: Tensor
    gaps: Tensor

    def add(self, normal: Tensor, gap: Tensor, alone: Tensor) -> None:
        """A new half-space of each row; in some rows the only one."""
        newest = normal[None], gap[None]
        normals, gaps = (
            torch.cat([new, old[1:2], old[:1]]) for new, old in zip(newest, (self.normals, self.gaps), strict=True)
        )
        self.normals = torch.where(expand(alone, normal), newest[0], normals)
        self.gaps = torch.where(alone, newest[1], gaps)

    def combined(self, weights: Tensor, norm: float) -> tuple[Tensor, Tensor]:
        """The half-space of their weighted sum, with weights `(3, rows)`."""
        parts = [expand(part, row) * row for part, row in zip(weights, self.normals, strict=True)]
        return _of_norm_1(torch.stack(parts).sum(0), (weights * self.gaps).sum(0), norm)

    def rows(self, rows: Tensor, kept: Sequence[int] = (0, 1, 2)) -> _Planes:
        """Some of the half-spaces of some of the walks."""
        places = torch.tensor(kept, device=rows.device)[:, None], rows
        return _Planes(self.normals[places], self.gaps[places])


class _Walks:
    """All walks side by side, one row for each; those that have ended leave the batch.

    Args:
        model: The classifier.
        goal: Where each row has to go.
        found: The witnesses of each walk: none.
        points: Where the walks begin, `(rows, *input)`: the first walk of every input, the second of every input, ...
        inputs: How many inputs there are.
    """

    def __init__(self, model: Classifier, goal: Goal, found: Witnesses, points: Tensor, inputs: int) -> None:
        self.model, self.goal, self.found = model, goal, found
        self.aim = _classes(model, goal, points, inputs)
        self.rows = torch.arange(len(points), device=points.device)
        self.points = points
        self.planes = _Planes(points.new_zeros((3, *points.shape)), points.new_zeros((3, len(points))))
        self.first = True
        self.room = room(model, found.x)

    def go(self, steps: int) -> None:
        """Look at the points, add what they say, step on; nothing is done with the step after the last look."""
        for step in range(steps):
            self._look()
            if step == steps - 1 or not self._step():
                return

    def _look(self) -> None:
        """Evaluate the present points: witnesses, and the half-spaces of their linearised margins."""
        x, rows, found = self.found.x[self.rows], self.rows, self.found
        seen = evaluate(self.model, self.points, self.goal.rows(rows), aim=self.aim.rows(rows))
        reached = torch.zeros_like(found.success).index_copy(0, rows, seen.reached)
        found.offer(found.x.index_copy(0, rows, self.points), reached)
        at_input = seen.margin + (seen.gradient * (x - self.points)).flatten(1).sum(1)
        normal, gap = _of_norm_1(seen.gradient, at_input, found.norm)
        alone = torch.full_like(seen.reached, True) if self.first else seen.reached
        self.planes.add(normal, gap + BEYOND_PLANES * gap.abs(), alone)
        self.first = False

    def _step(self) -> bool:
        """Move to the nearest points of the half-spaces; whether any walk goes on."""
        own, norm = self.found.distance[self.rows], self.found.norm
        down, up = (side[self.rows] for side in self.room)
        left, going = torch.arange(len(own), device=own.device), ~own.isfinite()
        step, combined = torch.zeros_like(self.points), self.planes.rows(left)
        for kept in KEPT:
            planes = self.planes.rows(left, kept)
            found, weights = nearest_in_half_spaces(planes.normals, planes.gaps, down[left], up[left], norm)
            step[left] = found
            combined.normals[1, left], combined.gaps[1, left] = planes.combined(weights, norm)
            fits = _leads_nearer(planes, found, own[left], norm)
            going[left] |= fits
            left = left[~fits]
            if len(left) == 0:
                break
        rows = going.nonzero().flatten()
        self.points = self.model.clip(self.found.x[self.rows] + step)[rows]
        self.rows, self.planes = self.rows[rows], combined.rows(rows)
        return len(rows) > 0


def _of_norm_1(normal: Tensor, gap: Tensor, norm: float) -> tuple[Tensor, Tensor]:
    """A half-space in units of length: `w` of dual norm 1, and `b` the distance of its plane."""
    info = torch.finfo(gap.dtype)
    size = vector_norm(normal, dual_norm(norm)).clamp_min(info.tiny)
    far = info.max / 4  # what no gradient leads to is out of reach, and a finite number
    return normal / expand(size, normal), (gap / size).nan_to_num(far, far, -far)


def _leads_nearer(planes: _Planes, step: Tensor, own: Tensor, norm: float) -> Tensor:
    """Whether steps lie in all half-spaces and are shorter than the distances of known witnesses, `(rows,)`."""
    length = vector_norm(step, norm)
    missed = [excess(*plane, step) for plane in zip(planes.normals, planes.gaps, strict=True)]
    return (reduce(torch.maximum, missed) <= MISSED * length) & (length < own * (1 - LEAST_GAIN))


def _classes(model: Classifier, goal: Goal, points: Tensor, inputs: int) -> Goal:
    """The wanted class that is ahead at each point; by turns the next one, where the point is no witness."""
    logits = look(model, points, goal)
    ranked = logits.masked_fill(~goal.wanted, -torch.inf).argsort(dim=1, descending=True, stable=True)
    walk = torch.arange(len(points), device=points.device) // inputs
    turn = walk // 2 % 2 * (goal.wanted.sum(1) > 1) * ~goal.reached(logits)
    return goal.to_class(ranked.gather(1, turn[:, None])[:, 0])


def carry_out(task: AttackTask, run: AttackRun, known: Witnesses) -> Witnesses:
    """`cutting_planes` as one run of `attacks.table`, `run.rounds` walks of `run.steps` points for each input."""
    streams = Streams(task.x, task.seed, run.method, run.restart, keys=task.keys)
    scale = torch.where(task.scale.isfinite() & (task.scale > 0), task.scale, 1.0)
    return cutting_planes(
        task.model, task.goal, known, scale=scale, streams=streams, steps=run.steps, starts=run.rounds
    )
