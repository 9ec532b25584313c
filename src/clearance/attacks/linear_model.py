"""The model linearised at a point: how far its decision boundary is, and which classes are near."""

from __future__ import annotations

import torch
from torch import Tensor

from clearance.attacks.goals import Goal
from clearance.attacks.passes import LossEvaluation, counted, evaluate
from clearance.attacks.steps import room
from clearance.geometry.half_space import nearest_in_half_space
from clearance.geometry.norms import dual_norm, vector_norm
from clearance.model.bounds import enclose
from clearance.model.classifier import Classifier
from clearance.model.margins import margins

FIRST_DISTANCE = 1e-4
"""A first distance where the linearised model says 0, as a share of the scale of the input space: small beside every
distance of interest, large beside rounding in float32."""
REACHABLE = 1e-3
"""A step within the bounds reaches the linearised boundary if it leaves at most this share of the margin: the sums of
the closed form round at far less."""


def zero_crossing(value: Tensor, rate: Tensor) -> Tensor:
    """`g / r`, the distance at which a value that falls at a rate is zero: one step of Newton's method on a line.

    Source: one step of Newton's method in one dimension.

    Args:
        value: `g`, `(batch,)`.
        rate: `r`, how much it falls per unit of distance, `(batch,)`.

    Returns:
        `(batch,)`; 0 where the quotient is negative or not finite.

    >>> zero_crossing(torch.tensor([3.0, 1.0]), torch.tensor([2.0, 0.0]))
    tensor([1.5000, 0.0000])
    """
    distance = value / rate
    return torch.where(distance.isfinite() & (distance > 0), distance, 0.0)


def boundary_distance(seen: LossEvaluation, norm: float, otherwise: Tensor) -> Tensor:
    """Distance from visited points to their linearised boundary: `g / ||∇J||_q` with `1/p + 1/q = 1`.

    Hölder's inequality: no shorter step lowers a linear margin of this gradient to 0. The gradient is that of
    the loss `J` which the attack lowers: with two classes the soft margin is the margin, with more its smooth form.

    Args:
        seen: What a pass says about the points.
        norm: The norm `p`.
        otherwise: What stands where the quotient is 0 or not finite, `(batch,)`.

    Returns:
        `(batch,)`.
    """
    linear = zero_crossing(seen.margin, vector_norm(seen.gradient, dual_norm(norm)))
    return torch.where(linear > 0, linear, otherwise)


def tie_distance(model: Classifier, x: Tensor, norm: float) -> Tensor:
    """A first distance where the linearised model says 0: on a tie the boundary is at the input itself.

    A step has to lead past the boundary: the distance is `FIRST_DISTANCE` times half the diameter of the bounds, or
    `FIRST_DISTANCE` without bounds. Source: this project.

    Args:
        model: The classifier.
        x: `(batch, *input)`.
        norm: The norm `p`.

    Returns:
        `(batch,)`, positive.
    """
    return FIRST_DISTANCE * _scale(model, x, norm)


def linear_distance(model: Classifier, x: Tensor, goal: Goal, norm: float) -> Tensor:
    """Distance to the boundary of the model linearised at `x`: `g(x) / ||∇g(x)||_q`, a scale for everything else.

    The first step of DeepFool (Moosavi-Dezfooli, Fawzi and Frossard 2016), and CLEVER with the Lipschitz constant at
    the input alone. Where the gradient is zero or not finite it is half the diameter of the bounds, or 1 without
    bounds on both sides; with them it is never above that half diameter. Cost: one forward and one backward pass per
    input.

    Args:
        model: The classifier.
        x: `(batch, *input)`.
        goal: Where each input has to go.
        norm: The norm `p`.

    Returns:
        `(batch,)`, positive.
    """
    return distance_scale(model, x, evaluate(model, x, goal), norm)


def distance_scale(model: Classifier, x: Tensor, seen: LossEvaluation, norm: float) -> Tensor:
    """As `linear_distance`, of what a pass says about the inputs already.

    Source: as `linear_distance`.

    Args:
        model: The classifier.
        x: `(batch, *input)`.
        seen: Of the inputs, with the margin as loss.
        norm: The norm `p`.

    Returns:
        `(batch,)`, positive.
    """
    linear = zero_crossing(seen.loss, vector_norm(seen.gradient, dual_norm(norm)))
    scale = _scale(model, x, norm)
    return torch.where(linear > 0, torch.minimum(linear, scale) if enclose(model.bounds) else linear, scale)


def zero_gradient(gradient: Tensor) -> Tensor:
    """Where a gradient leads nowhere: all of its entries are zero.

    Source: Athalye, Carlini and Wagner (2018), shattered gradients. A network is not robust at an input for that
    reason: whatever follows gradients has nothing to follow.

    Args:
        gradient: As `attacks.passes.evaluate` gives it, zero where it is not finite: `(batch, *input)`.

    Returns:
        `(batch,)`.

    >>> zero_gradient(torch.tensor([[0.0, 0.0], [0.0, 1.0]]))
    tensor([ True, False])
    """
    return (gradient == 0).flatten(1).all(1)


def rank_classes(model: Classifier, x: Tensor, goal: Goal, logits: Tensor, *, norm: float, most: int) -> Tensor:
    """Wanted classes by the distance to their boundary in the linearised model within the bounds, nearest first.

    `||d||_p` of the shortest `d` within the bounds with `<∇g_t(x), d> <= -g_t(x)`; DeepFool (Moosavi-Dezfooli, Fawzi
    and Frossard 2016, equation 8) chooses its class so, without bounds. Only the wanted
    classes with the largest logits are looked at; rows with fewer wanted classes repeat their last one.

    Args:
        model: The classifier.
        x: `(batch, *input)`.
        goal: Where each input has to go.
        logits: Of the inputs, `(batch, classes)`.
        norm: The norm `p`.
        most: How many classes to look at.

    Returns:
        `(batch, k)` with `k <= most`. Cost: one forward pass and `k` backward passes per input.
    """
    counts = goal.wanted.sum(1)
    width = min(most, int(counts.max()))
    ranked = logits.masked_fill(~goal.wanted, -torch.inf).sort(dim=1, descending=True, stable=True).indices
    places = torch.arange(width, device=x.device).minimum(counts[:, None] - 1)
    classes, start = ranked.gather(1, places), 0

    def part(piece: Tensor) -> tuple[Tensor]:
        nonlocal start
        rows = slice(start, start + len(piece))
        source, targets = goal.source[rows], classes[rows]
        _, gaps, pull = model.vjp(piece, lambda output: margins(output, source, targets))
        distances = [_bounded_distance(model, piece, pull(column), gaps[:, column], norm) for column in range(width)]
        start += len(piece)
        return (torch.stack(distances, 1),)

    with counted(model, goal):
        (distances,) = model.in_micro_batches(part, x)
    return classes.gather(1, distances.sort(dim=1, stable=True).indices)


def _bounded_distance(model: Classifier, x: Tensor, gradient: Tensor, gap: Tensor, norm: float) -> Tensor:
    """Length of the shortest step within the bounds that lowers a linear margin to 0; infinite if none does."""
    step = nearest_in_half_space(gradient, gap, *room(model, x), norm)
    fall = -(gradient * step).flatten(1).sum(1)
    return torch.where(fall >= gap * (1 - REACHABLE), vector_norm(step, norm), torch.inf)


def _scale(model: Classifier, x: Tensor, norm: float) -> Tensor:
    """Half the diameter of the bounds, or 1 where they enclose no box: `(batch,)`."""
    if model.bounds is None or not enclose(model.bounds):
        return x.new_ones(len(x))
    return vector_norm((model.bounds[1] - model.bounds[0]).expand_as(x) / 2, norm)
