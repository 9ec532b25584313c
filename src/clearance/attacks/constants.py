"""What the attacks that weigh a penalty share: a penalty on the margin, and the binary search over its weight."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from clearance.attacks.goals import Goal, margin
from clearance.attacks.linear_model import linear_distance
from clearance.attacks.passes import evaluate, look
from clearance.errors import InputError
from clearance.geometry.norms import expand
from clearance.model.classifier import Classifier


@dataclass(frozen=True)
class Penalty:
    """`max((g(y) + k) / (g(x) + k), 0)`: 1 at the input, 0 where the goal is reached with confidence `k`.

    Source: Carlini and Wagner (2017), section 5, with the margin in units of the distance (this project).

    Attributes:
        model: The classifier.
        goal: Where each input has to go.
        confidence: `k`, in logits.
        scale: `g(x) + k`, `(batch,)`.
        distance: The linear estimate of the distance: the unit of length, `(batch,)`.
    """

    model: Classifier
    goal: Goal
    confidence: float
    scale: Tensor
    distance: Tensor

    def at(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """The penalty's gradient in units of length, `(batch, *input)`, and whether each point is a witness."""
        seen = evaluate(self.model, points, self.goal)
        reached = seen.reached & (seen.loss <= -self.confidence)
        rate = torch.where(reached, 0.0, self.distance / self.scale)
        return seen.gradient * expand(rate, points), reached


def make_penalty(model: Classifier, x: Tensor, goal: Goal, *, norm: float, confidence: float) -> Penalty:
    """The penalty of a batch of inputs, scaled by the margin there: two forward passes and one backward pass per input.

    Source: Carlini and Wagner (2017), section 5.

    Args:
        model: The classifier.
        x: `(batch, *input)`.
        goal: Where each input has to go.
        norm: The norm that lengths are measured in.
        confidence: By how many logits the goal has to be ahead, >= 0.

    Returns:
        The penalty.

    Raises:
        InputError: If the confidence is negative or not finite.
    """
    if not 0 <= confidence < torch.inf:
        raise InputError(f"confidence: expected a finite number >= 0, got {confidence}")
    start = (margin(look(model, x, goal), goal) + confidence).clamp_min(torch.finfo(x.dtype).tiny)
    return Penalty(model, goal, confidence, start, linear_distance(model, x, goal, norm))


class ConstantSearch:
    """Binary search over the weight `c` of the penalty, for each input (Carlini and Wagner 2017, section VI.A).

    The next `c` is the middle of the largest that gave no witness and the smallest that gave one, or tenfold the last
    until one did.

    Args:
        first: The first constant, `(batch,)`.

    Attributes:
        constant: `c`, `(batch,)`.

    >>> search = ConstantSearch(torch.tensor([1.0]))
    >>> search.learn(torch.tensor([False]))
    >>> search.learn(torch.tensor([True]))
    >>> search.constant
    tensor([5.5000])
    """

    def __init__(self, first: Tensor) -> None:
        self.constant, self._low = first, torch.zeros_like(first)
        self._high = torch.full_like(first, torch.inf)

    def learn(self, worked: Tensor) -> None:
        """Choose the next constants from whether the last ones gave a witness, `(batch,)`."""
        self._high = torch.where(worked, torch.minimum(self._high, self.constant), self._high)
        self._low = torch.where(worked, self._low, torch.maximum(self._low, self.constant))
        middle = (self._low + self._high) / 2
        self.constant = torch.where(self._high.isfinite(), middle, 10 * self._low)
