"""The inputs without a witness within a radius so far, and what has been spent on each of them."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from clearance.attacks.goals import Goal, dlr, goal_of, margin, soft_margin
from clearance.attacks.linear_model import zero_gradient
from clearance.attacks.passes import LossEvaluation, Streams, evaluate, look
from clearance.attacks.result import AttackResult
from clearance.errors import InputError
from clearance.geometry.norms import vector_norm
from clearance.model.bounds import enclose
from clearance.model.classifier import Classifier
from clearance.model.cost import Cost
from clearance.model.inputs import CheckedInputs
from clearance.model.robustness import is_radius

CANDIDATE = 1e-3
"""A point that reaches its goal is brought inside the radius and looked at again if it lies outside by this share at
most: well above the rounding of a distance in float32, and so little that the class seldom changes on the way."""
PULLS = 8
"""How often a point is brought nearer until its distance, rounded, is within the radius: the share grows each time."""
FAR_WITHIN_BOUNDS, FAR_WITHOUT_BOUNDS = 3.0, 10.0
"""What is far beyond the boundary, in radii at least: with bounds half their diameter counts, where it is more."""
ONE_EVALUATION, ONE_LOOK = 3, 2
"""Passes that an input must have left for an evaluation with its gradient, or for a look at the logits: those of the
evaluation itself, and one to confirm the witness that it may find."""

LOSSES = {"cross_entropy": soft_margin, "margin": margin, "dlr": dlr}
"""What Auto-PGD may lower. A network can hide the way from one of them, by logits that are equal, far apart or noisy
where this loss looks; the others then find it. `soft_margin` is the cross-entropy without its saturation."""


def check_radius(radius: float) -> float:
    """The radius itself, if distances can be held against it.

    Args:
        radius: In input units.

    Returns:
        The radius as a float.

    Raises:
        InputError: If it is no finite number of at least 0.
    """
    if not is_radius(radius):
        advice = " (without quotes: 8 / 255)" if isinstance(radius, str) else ""
        raise InputError(f"radius: expected a finite number >= 0, got {radius!r}{advice}")
    return float(radius)


class Survivors:
    """A batch of inputs under attack within a radius: those that are broken drop out, the others go on.

    Every pass is counted for the input that it was spent on, and no input gets more than the limit. Source: this
    project; that later attacks are for the survivors of earlier ones is AutoAttack's way (Croce and Hein 2020).

    Args:
        inputs: The inputs, `(batch, *input)`, none of them misclassified.
        radius: The radius `r`, in input units.
        passes: The most forward and backward passes together that one input may cost.

    Attributes:
        model: The classifier.
        x: The inputs, `(batch, *input)`.
        norm: The norm `p` of distances.
        goal: Where each input has to go.
        radius: `r`.
        broken: Whether each has a confirmed witness, `(batch,)`.
        forward: Forward passes of each, `(batch,)`.
        backward: Backward passes of each, `(batch,)`.
    """

    def __init__(self, inputs: CheckedInputs, radius: float, passes: int) -> None:
        self._inputs, self._limit, self.radius = inputs, passes, radius
        self.model, self.x, self.norm, self.goal = inputs.model, inputs.x, inputs.norm, goal_of(inputs)
        self.forward = torch.ones(len(inputs), dtype=torch.int64, device=self.x.device)
        self.backward, self.broken = torch.zeros_like(self.forward), torch.zeros_like(self.forward, dtype=torch.bool)
        self._found = [_Kept() for _ in range(len(inputs))]
        self._zero_gradient = torch.zeros_like(self.broken)
        self._gaps = torch.full_like(inputs.logits, torch.inf)
        self._lowest = inputs.logits.new_full((len(inputs), len(LOSSES)), torch.inf)
        self._meet(self._all, inputs.logits)
        self._ranked = self._gaps.argsort(dim=1, stable=True)

    @property
    def _all(self) -> Tensor:
        return torch.arange(len(self.x), device=self.x.device)

    @property
    def left(self) -> Tensor:
        """Passes that each input has left, `(batch,)`."""
        return self._limit - self.forward - self.backward

    def open(self, least: int) -> Tensor:
        """Places of the inputs that are not broken and have at least so many passes left, `(open,)`."""
        return (~self.broken & (self.left >= least)).nonzero().flatten()

    def still_open(self, rows: Tensor, least: int) -> Tensor:
        """Which of some inputs, `(rows,)` of their places, are still open, as places in `rows`."""
        return (~self.broken & (self.left >= least))[rows].nonzero().flatten()

    def radii(self, rows: Tensor) -> Tensor:
        """The radius for each of some inputs, `(rows,)`."""
        return self.x.new_full((len(rows),), self.radius)

    @property
    def far_radius(self) -> float:
        """A radius that leads far beyond the boundary: half the diameter of the bounds, where these enclose a box."""
        if self.model.bounds is None or not enclose(self.model.bounds):
            return FAR_WITHOUT_BOUNDS * self.radius
        low, high = self.model.bounds
        return max(
            FAR_WITHIN_BOUNDS * self.radius, float(vector_norm(((high - low) / 2).expand_as(self.x[:1]), self.norm))
        )

    def streams(self, rows: Tensor, *purpose: object) -> Streams:
        """Random streams of some inputs, each fixed by the seed, the purpose and its input."""
        keys = [self._inputs.keys[row] for row in rows.tolist()]
        return Streams(self.x[rows], self._inputs.seed, "radius", *purpose, keys=keys)

    def rank_classes(self) -> None:
        """Rank the wanted classes of each input by the smallest margin that any point so far had against them."""
        self._ranked = self._gaps.argsort(dim=1, stable=True)

    def aim(self, rows: Tensor, rank: int | None) -> Goal:
        """What the loss leads some inputs to: the wanted class of a rank (the last, where there are fewer), or any."""
        goal = self.goal.rows(rows)
        if rank is None:
            return goal
        places = (goal.wanted.sum(1) - 1).clamp_max(rank)
        return goal.to_class(self._ranked[rows].gather(1, places[:, None])[:, 0])

    def by_loss(self, rows: Tensor, loss: str | None) -> list[tuple[str, Tensor]]:
        """Some inputs by the loss of their run: the one given, or with which each met its smallest margin so far."""
        if loss is not None:
            return [(loss, rows)]
        best = self._lowest[rows].argmin(1)
        return [(name, rows[best == place]) for place, name in enumerate(LOSSES)]

    def evaluate(self, rows: Tensor, points: Tensor, loss: str, aim: Goal) -> LossEvaluation:
        """Loss and gradient at a point of each of some inputs, `(rows, *input)`; a witness is confirmed and kept."""
        goal = self.goal.rows(rows)
        seen = evaluate(self.model, points, goal, loss=LOSSES[loss], aim=aim)
        if bool((first := self.backward[rows] == 0).any()):  # at the input itself
            self._zero_gradient[rows[first]] = zero_gradient(seen.gradient[first])
        self.count(rows, 1, 1)
        left, place = margin(seen.logits, goal), list(LOSSES).index(loss)
        left = torch.where(self._inside(rows, points) & left.isfinite(), left, torch.inf)
        self._lowest[rows, place] = torch.minimum(self._lowest[rows, place], left)
        self._take(rows, points, seen.logits, "apgd")
        return seen

    def look(self, rows: Tensor, points: Tensor, method: str) -> Tensor:
        """Logits at a point of each of some inputs, `(rows, *input)`; a witness is confirmed and kept."""
        logits = look(self.model, points)
        self.count(rows, 1, 0)
        self._take(rows, points, logits, method)
        return logits

    def count(self, rows: Tensor, forward: int, backward: int) -> None:
        """Charge passes to each of some inputs."""
        self.forward[rows] += forward
        self.backward[rows] += backward

    def offer(self, rows: Tensor, points: Tensor, reached: Tensor, method: str) -> None:
        """Confirm, input by input, the points within the radius that reach their goals in a batch.

        Args:
            rows: Places of the inputs, `(rows,)`.
            points: A point for each, `(rows, *input)`.
            reached: Whether each point reached its goal, `(rows,)`.
            method: The attack that found them.
        """
        for row in rows.tolist():
            self._found[row].distances.setdefault(method, math.inf)
        for place in (reached & self._inside(rows, points)).nonzero().flatten().tolist():
            self._confirm(int(rows[place]), points[place : place + 1], method)

    def _inside(self, rows: Tensor, points: Tensor) -> Tensor:
        """Whether each point lies within the radius, up to `CANDIDATE`, `(rows,)`."""
        return vector_norm(points - self.x[rows], self.norm) <= self.radius * (1 + CANDIDATE)

    def _take(self, rows: Tensor, points: Tensor, logits: Tensor, method: str) -> None:
        """Learn from the logits at points within the radius."""
        inside = self._inside(rows, points)
        self._meet(rows[inside], logits[inside])
        self.offer(rows, points, self.goal.rows(rows).reached(logits), method)

    def _meet(self, rows: Tensor, logits: Tensor) -> None:
        """Keep the smallest margin against each class that any point within the radius had."""
        goal = self.goal.rows(rows)
        gaps = logits.masked_fill(~goal.unwanted, -torch.inf).amax(1, keepdim=True) - logits
        gaps = torch.where(goal.wanted & gaps.isfinite(), gaps, torch.inf)
        self._gaps[rows] = torch.minimum(self._gaps[rows], gaps)

    def _confirm(self, row: int, point: Tensor, method: str) -> None:
        """A forward pass of the point alone decides."""
        x = self.x[row : row + 1]
        point = pull_inside(self.model, x, point, self.norm, self.radius)
        logits = look(self.model, point)
        self.forward[row] += 1
        if bool(self.goal.rows(slice(row, row + 1)).reached(logits)):
            self.broken[row] = True
            self._found[row].keep(point[0], float(vector_norm(point - x, self.norm)), int(logits.argmax()), method)

    def result(self, row: int, seconds: float) -> AttackResult:
        """The public record of one input; `seconds` is its share."""
        cost = Cost(int(self.forward[row]), int(self.backward[row]), 0, seconds)
        found = self._found[row].result(int(self.goal.source[row]), cost)
        return replace(found, zero_gradient=bool(self._zero_gradient[row]))


class _Kept:
    """What is known of one input: its witness, and the distances by method."""

    def __init__(self) -> None:
        self.distances: dict[str, float] = {}
        self._witness: tuple[Tensor, float, int, str] | None = None

    def keep(self, point: Tensor, distance: float, predicted: int, method: str) -> None:
        self._witness = point.clone(), distance, predicted, method
        self.distances[method] = distance

    def result(self, source: int, cost: Cost) -> AttackResult:
        if self._witness is None:
            return AttackResult(None, math.inf, False, source, "none", cost, self.distances)
        point, distance, predicted, method = self._witness
        return AttackResult(point, distance, True, predicted, method, cost, self.distances)


def pull_inside(model: Classifier, x: Tensor, point: Tensor, norm: float, radius: float) -> Tensor:
    """A point a little nearer to its input, so that its distance, as it is rounded, does not exceed the radius.

    `x + s (y - x)`, within the bounds, which are convex; `s` falls until the distance is small enough in the precision
    of the inputs and in double precision, and the input itself is left where that never happens (a radius of a few
    units of rounding). Source: this project.

    Args:
        model: The classifier.
        x: The input, `(1, *input)`.
        point: `y`, `(1, *input)`, within the bounds.
        norm: The norm `p`.
        radius: The radius.

    Returns:
        The point, `(1, *input)`.
    """
    way, share, step, nearer = point - x, 1.0, 4 * torch.finfo(x.dtype).eps, point
    for _ in range(PULLS):
        distance = _rounded_up(x, nearer, norm)
        if distance <= radius:
            return nearer
        share, step = share * radius / distance * (1 - step), 2 * step
        nearer = model.clip(x + share * way)
    return x


def _rounded_up(x: Tensor, point: Tensor, norm: float) -> float:
    """The distance in the precision of the inputs or in double precision, whichever is larger."""
    return max(float(vector_norm(point - x, norm)), float(vector_norm(point.double() - x.double(), norm)))
