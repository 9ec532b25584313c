"""Passes through the network as attacks need them: one evaluation is a forward and, if asked for, a backward pass."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass

import torch
from torch import Tensor

from clearance.attacks.goals import Goal, Loss, margin
from clearance.geometry.norms import expand
from clearance.model.classifier import Classifier
from clearance.model.gradients import finite_rows
from clearance.model.seeds import content_key, make_generator


@dataclass(frozen=True)
class LossEvaluation:
    """What one pass says about a batch of points.

    Source: this project.

    Attributes:
        logits: `(batch, classes)`.
        loss: The loss that was asked for, `(batch,)`; infinite where it is not finite.
        margin: The margin of what the loss leads to, `(batch,)`.
        gradient: Its gradient, `(batch, *input)`; zero in rows where any part of it is not finite.
        reached: Whether each point reaches its goal, `(batch,)`.
    """

    logits: Tensor
    loss: Tensor
    margin: Tensor
    gradient: Tensor
    reached: Tensor


def evaluate(
    model: Classifier, points: Tensor, goal: Goal, *, loss: Loss = margin, aim: Goal | None = None
) -> LossEvaluation:
    """Loss, gradient and success of each point: one forward and one backward pass per point.

    Source: the chain rule, by one reverse pass. The gradient is 0 in coordinates that the bounds fix, and in rows in
    which it is not finite: a distance `g / ||∇g||` from a slope along which nothing moves would be too small.

    Args:
        model: The classifier.
        points: `(batch, *input)`.
        goal: What counts as success.
        loss: What to lower.
        aim: The goal that the loss leads to; default: `goal`.

    Returns:
        The evaluation.
    """
    aim, start = aim or goal, 0

    def part(piece: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        nonlocal start
        own = aim.rows(slice(start, start + len(piece)))
        logits, values, pull = model.vjp(piece, lambda output: loss(output, own)[:, None])
        gradient = pull(0)
        start += len(piece)
        return logits, values[:, 0], gradient

    with counted(model, goal):
        logits, values, gradient = model.in_micro_batches(part, points)
    values = torch.where(values.isfinite(), values, torch.inf)
    gradient = torch.where(expand(finite_rows(gradient), gradient), gradient, 0.0)
    if model.bounds is not None and model.bounds[0].numel() > 1:
        gradient = torch.where(model.bounds[0] < model.bounds[1], gradient, 0.0)
    return LossEvaluation(logits, values, margin(logits, aim), gradient, goal.reached(logits))


def look(model: Classifier, points: Tensor, goal: Goal | None = None) -> Tensor:
    """Logits `(batch, classes)` of points, finite or not: one forward pass per point.

    Source: this project.

    `Classifier.logits` raises where a logit is not finite; for an attack such a point is no witness, and it goes on.

    Args:
        model: The classifier.
        points: `(batch, *input)`.
        goal: The goals of these rows, where their passes are counted.

    Returns:
        `(batch, classes)`.
    """

    def part(piece: Tensor) -> tuple[Tensor]:
        return (model.vjp(piece, lambda output: output)[0],)

    with counted(model, goal):
        return model.in_micro_batches(part, points)[0]


@contextmanager
def counted(model: Classifier, goal: Goal | None) -> Generator[None]:
    """The passes inside, as many for each row of the goal, go to its tally.

    Source: this project.

    Args:
        model: The classifier.
        goal: The goals of the rows that go through it; `None`: nothing is counted.

    Yields:
        Nothing.
    """
    before = model.meter.read()
    yield
    if goal is not None and goal.tally is not None and len(goal.source):
        goal.tally.add(model.meter.since(before))


def rows_reached(model: Classifier, goal: Goal, points: Tensor, rows: Tensor) -> Tensor:
    """Whether the points of some rows reach their goals: one forward pass for each of these rows.

    Source: the definition of an adversarial example.

    Args:
        model: The classifier.
        goal: The goals of all rows.
        points: `(batch, *input)`.
        rows: Places of the rows to look at, `(rows,)`.

    Returns:
        `(batch,)`; false for the other rows.
    """
    reached = torch.zeros(len(points), dtype=torch.bool, device=points.device)
    own = goal.rows(rows)
    reached[rows] = own.reached(look(model, points[rows], own))
    return reached


class Streams:
    """One random stream per input, fixed by the seed, the purpose and the input's content: not by its neighbours.

    Source: this project.

    Args:
        x: The inputs, `(batch, *input)`.
        seed: The user's seed.
        *purpose: What the numbers are for.
        keys: Content keys of the inputs, where the caller knows them.

    Attributes:
        generators: The streams, one per input.
    """

    def __init__(self, x: Tensor, seed: int, *purpose: object, keys: Sequence[str] = ()) -> None:
        known = keys or [content_key(row) for row in x]
        self.generators = [make_generator(x.device, seed, "attack", *purpose, key) for key in known]
        self._dtype = x.dtype

    def rows(self, places: Tensor) -> Streams:
        """The streams of some of the inputs, `(kept,)` of their places, each where it stands."""
        kept = copy(self)
        kept.generators = [self.generators[place] for place in places.tolist()]
        return kept

    def gaussian(self, *shape: int) -> Tensor:
        """Standard normal numbers, `(batch, *shape)`."""
        return torch.stack(
            [
                torch.randn(shape, generator=generator, device=generator.device, dtype=self._dtype)
                for generator in self.generators
            ]
        )

    def uniform(self, *shape: int) -> Tensor:
        """Uniform numbers in [0, 1), `(batch, *shape)`."""
        return torch.stack(
            [
                torch.rand(shape, generator=generator, device=generator.device, dtype=self._dtype)
                for generator in self.generators
            ]
        )
