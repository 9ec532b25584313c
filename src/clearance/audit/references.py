"""Witnesses on the way to inputs of other classes: an attack that no mask can hide from, since it follows no gradient.

On the segment from an input to one that the network predicts as another class the prediction changes somewhere, and
bisection finds where. It is a weak attack: along gradients a witness is usually found at a half to a tenth of that
distance. Where it is nearer than attacks along gradients, those were misled.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from clearance.attacks.goals import Goal, goal_of
from clearance.attacks.passes import look
from clearance.attacks.result import Witnesses
from clearance.attacks.segments import bisect_segments
from clearance.audit.effort import FULL, Effort
from clearance.geometry.norms import expand, vector_norm
from clearance.model.classifier import Classifier
from clearance.model.inputs import CheckedInputs
from clearance.model.seeds import make_generator

LOOKED_AT = 512
"""How many references are predicted at most to find those of other classes."""
HALVINGS = 12
"""Halvings of each line: to a four-thousandth of its length."""
PULLED, LEFT = 4, (0.0, 0.5)
"""How many of the nearest witnesses are pulled back group by group, and what share of a group's shift is left in each
trial."""
COARSE = 32
"""Only the nearer half of them is taken apart into more groups than this: each group costs two passes a witness."""
SIGN_RADII = 12
"""How many radii are tried along the signs of the way to a reference."""
CONFIRMATIONS = 4
"""Forward passes of a witness alone that must all predict a wanted class: some networks are random."""

HANDICAP, SPARSE_BELOW = 1.5, 2.0
"""A witness that was pulled back counts as this many times as far when it is held against attacks along gradients, and
not at all in norms below 2: on 42 inputs of honest robust networks it was met at .76 of their distance at the least in
`l_2`, and at .4 in `l_1`, where a few large coordinates are enough; on the lines themselves at 1.04."""

Path = Callable[[Tensor, Tensor], Tensor]
"""Maps ways `(lines, *input)` and shares `(lines,)` in [0, 1] to shifts of the input; the whole way at share 1."""


def repeat(goal: Goal, count: int) -> Goal:
    """The goal of one input, for several copies of it: `(1, classes) -> (count, classes)`. Source: this project."""
    source, wanted, unwanted = (
        part.expand(count, *part.shape[1:]) for part in (goal.source, goal.wanted, goal.unwanted)
    )
    return Goal(source, wanted, unwanted)


def straight(way: Tensor, share: Tensor) -> Tensor:
    """`s d`: the segment, shortest for every norm in proportion."""
    return expand(share, way) * way


def clipped(way: Tensor, share: Tensor) -> Tensor:
    """`clip(d, -s m, s m)`, `m = max |d_i|`: as far towards the reference as the `l_inf` ball of radius `s m` lets."""
    limit = expand(share * way.flatten(1).abs().amax(1), way)
    return torch.maximum(torch.minimum(way, limit), -limit)


def sparse(way: Tensor, share: Tensor) -> Tensor:
    """The share `s` of the coordinates of `d` that are largest, the others zero: the way of the `l_1` ball."""
    sizes = way.flatten(1).abs()
    ranks = sizes.argsort(1, descending=True).argsort(1)
    kept = ranks < (share * sizes.shape[1]).ceil()[:, None]
    return torch.where(kept.reshape(way.shape), way, 0.0)


@dataclass(frozen=True)
class LineSearch:
    """What was met on the way to inputs of other classes. Source: this project.

    Attributes:
        witness: The nearest witness, a batch of one.
        compared: The distance that is held against attacks along gradients: that on the lines themselves, or
            `HANDICAP` times that of `witness`, whichever is smaller; infinite without a witness.
        ends: The references that were walked to, `(count, *input)`.
    """

    witness: Witnesses
    compared: float
    ends: Tensor


def nearest_on_lines(inputs: CheckedInputs, references: Tensor, effort: Effort = FULL) -> LineSearch:
    """The nearest witness on the way to the nearest references that the network predicts as a wanted class.

    Source: this project. Bisection along a segment is the first stage of decision-based attacks (Brendel, Rauber and
    Bethge 2018, "Decision-based adversarial attacks"), and resetting coordinates that are not needed is that of the
    pointwise attack (Schott, Rauber, Bethge and Brendel 2019, section 5). Three paths lead to each reference: the
    segment, the same limited by a growing `l_inf` ball, and the largest coordinates first; for `p = inf` also equal
    steps along the signs. For other norms the nearest witnesses then give back what they do not need, a group of
    coordinates at a time.

    Args:
        inputs: The input, a batch of one, `(1, *input)`.
        references: Inputs to walk to, `(count, *input)`; none is fine.
        effort: How many of them, and how finely a witness is taken apart.

    Returns:
        What was met; nothing where no reference is predicted as a wanted class. Cost: at most about 2,000 forward
        passes, no gradient.
    """
    model, x, found = inputs.model, inputs.x, Witnesses(inputs.x, inputs.norm)
    ends = _ends(inputs, references, effort)
    if len(ends) == 0:
        return LineSearch(found, math.inf, ends)
    goal = repeat(goal_of(inputs), len(ends))
    plain = (straight, clipped) if inputs.norm >= SPARSE_BELOW else (straight,)
    lines = [_walk(model, goal, x, ends, inputs.norm, path) for path in plain]
    if math.isinf(inputs.norm):
        lines.append(_along_signs(model, goal, x, ends))
    on_lines = min(float(_confirmed(inputs, line).distance[0]) for line in lines)
    if not math.isinf(inputs.norm):
        lines.append(_walk(model, goal, x, ends, inputs.norm, sparse))
    points = torch.cat([line.adversarial for line in lines])
    distance = torch.cat([line.distance for line in lines])
    best = distance.argsort()[:PULLED]
    nearest = Witnesses(x.expand(len(best), *x.shape[1:]), inputs.norm)
    nearest.offer(points[best], distance[best].isfinite())
    if not math.isinf(inputs.norm):
        nearest = _pull_back(inputs, repeat(goal_of(inputs), len(best)), nearest, effort.groups)
    found = _confirmed(inputs, nearest)
    pulled = HANDICAP * float(found.distance[0]) if inputs.norm >= SPARSE_BELOW else math.inf
    return LineSearch(found, min(on_lines, pulled), ends)


def _ends(inputs: CheckedInputs, references: Tensor, effort: Effort) -> Tensor:
    """The nearest references of wanted classes."""
    if not len(references):  # not every network takes a batch of none
        return references
    goal, kept = goal_of(inputs), list[Tensor]()
    distance = vector_norm(references - inputs.x, inputs.norm)
    for rows in distance.argsort()[:LOOKED_AT].split(effort.at_once):
        near = references[rows]
        kept += near[repeat(goal, len(near)).reached(look(inputs.model, near))].split(1)
        if len(kept) >= effort.lines:
            break
    return torch.cat(kept[: effort.lines]) if kept else references[:0]


def _walk(model: Classifier, goal: Goal, x: Tensor, ends: Tensor, norm: float, path: Path) -> Witnesses:
    """The nearest witness of each line that bisection along a path meets."""
    way, found = ends - x, Witnesses(x.expand_as(ends), norm)
    found.offer(ends, torch.ones(len(ends), dtype=torch.bool, device=x.device))
    low, high = torch.zeros_like(found.distance), torch.ones_like(found.distance)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        points = model.clip(x + path(way, middle))
        reached = goal.reached(look(model, points))
        found.offer(points, reached)
        low, high = torch.where(reached, low, middle), torch.where(reached, middle, high)
    return found


def _along_signs(model: Classifier, goal: Goal, x: Tensor, ends: Tensor) -> Witnesses:
    """The nearest witness of each line among steps of equal size along the signs of the way."""
    way, found = ends - x, Witnesses(x.expand_as(ends), math.inf)
    largest = way.flatten(1).abs().amax(1)
    for step in range(SIGN_RADII):
        points = model.clip(x + expand(largest * (step + 1) / SIGN_RADII, way) * way.sign())
        found.offer(points, goal.reached(look(model, points)))
    return bisect_segments(model, goal, found, steps=HALVINGS)


def _pull_back(inputs: CheckedInputs, goal: Goal, found: Witnesses, groups: Sequence[int]) -> Witnesses:
    """Give back, a random group of coordinates at a time, all or half of what a witness does not need."""
    model, x = inputs.model, inputs.x
    generator = make_generator(x.device, inputs.seed, "audit", "references", inputs.keys[0])
    for count in groups:
        found, goal = _nearer_half(found, goal) if count > COARSE else (found, goal)
        order = torch.randperm(x[0].numel(), generator=generator, device=x.device)
        for group in order.chunk(count):
            mask = torch.zeros_like(order, dtype=torch.bool).scatter(0, group, True).reshape(x[0].shape)
            for share in LEFT:
                points = torch.where(mask, x + share * (found.adversarial - x), found.adversarial)
                found.offer(points, goal.reached(look(model, points)) & found.success)
    return bisect_segments(model, goal, found, steps=HALVINGS)


def _nearer_half(found: Witnesses, goal: Goal) -> tuple[Witnesses, Goal]:
    """Those of one input's witnesses that are nearer than the others."""
    kept = found.distance.argsort(stable=True)[: (len(found.distance) + 1) // 2]
    nearer = Witnesses(found.x[kept], found.norm)
    nearer.offer(found.adversarial[kept], found.success[kept])
    return nearer, goal.rows(kept)


def _confirmed(inputs: CheckedInputs, found: Witnesses) -> Witnesses:
    """The nearest of some witnesses of one input that several fresh forward passes, each of it alone, confirm."""
    goal, nearest = goal_of(inputs), Witnesses(inputs.x, inputs.norm)
    for row in found.distance.argsort().tolist():
        point = found.adversarial[row : row + 1]
        if bool(found.success[row]) and all(
            bool(goal.reached(look(inputs.model, point))) for _ in range(CONFIRMATIONS)
        ):
            nearest.offer(point, found.success[row : row + 1])
            break
    return nearest
