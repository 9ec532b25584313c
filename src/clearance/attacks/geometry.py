"""Geometry that attacks share: radii, directions, and the nearest point of a half-space within the bounds."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from clearance.attacks.goals import Goal
from clearance.attacks.passes import evaluate
from clearance.errors import InputError
from clearance.geometry.norms import dual_norm, expand, project, steepest, vector_norm
from clearance.model.classifier import Classifier
from clearance.model.margins import margins

SPARSITY = 0.01
"""Share of the coordinates that one `l_1` step moves."""

SLIGHT = 1e-4
"""A first distance where the linearised model names none, as a share of the scale of the input space."""

CLOSED = 1e-3
"""A step closes a gap if what is left is at most this share of it."""


def as_radius(epsilon: float | Tensor, x: Tensor) -> Tensor:
    """A radius for each input.

    Args:
        epsilon: A number, or one per input.
        x: `(batch, *input)`.

    Returns:
        `(batch,)`, in the dtype and on the device of `x`.

    Raises:
        InputError: If it is negative or not finite, or there is neither one nor one per input.
    """
    radius = torch.as_tensor(epsilon, dtype=x.dtype, device=x.device)
    if radius.shape not in {(), (len(x),)}:
        raise InputError(f"epsilon: expected a number or one per input ({len(x)}), got shape {tuple(radius.shape)}")
    if not bool((radius.isfinite() & (radius >= 0)).all()):
        raise InputError(f"epsilon: expected finite numbers >= 0, got {epsilon}")
    return radius.expand(len(x))


def as_steps(steps: int) -> int:
    """Check a number of iterations.

    Args:
        steps: The number.

    Returns:
        The same number.

    Raises:
        InputError: If it is below 1.
    """
    if steps < 1:
        raise InputError(f"steps: expected at least 1, got {steps}")
    return steps


def into_ball(model: Classifier, x: Tensor, points: Tensor, norm: float, radius: Tensor) -> Tensor:
    """Bring points into the `l_p` ball around `x` and the bounds (clipping towards `x` keeps them in the ball)."""
    return model.clip(x + project(points - x, norm, radius))


def free(model: Classifier, points: Tensor, gradient: Tensor) -> Tensor:
    """The gradient without the coordinates in which a step against it would leave the bounds at once.

    A step that is normalised afterwards would otherwise be spent on coordinates that clipping puts back.
    """
    if model.bounds is None:
        return gradient
    low, high = model.bounds
    stuck = ((points <= low) & (gradient > 0)) | ((points >= high) & (gradient < 0))
    return torch.where(stuck, 0.0, gradient)


def descent(model: Classifier, points: Tensor, gradient: Tensor, norm: float) -> Tensor:
    """The direction of `l_p` norm 1 that a fixed-radius attack steps against: steepest among the free coordinates.

    For `p = 1` the steepest direction is a single coordinate; as in Tramèr and Boneh (2019), section 4, the step is
    shared equally by the largest few (`SPARSITY` of all).
    """
    usable = free(model, points, gradient)
    if norm != 1:
        return steepest(usable, norm)
    flat = usable.flatten(1)
    count = max(1, int(SPARSITY * flat.shape[1]))
    top = flat.abs().topk(count, dim=1).indices
    return (torch.zeros_like(flat).scatter(1, top, flat.gather(1, top).sign()) / count).reshape(gradient.shape)


def unit(vectors: Tensor) -> Tensor:
    """Each row scaled to `l_2` norm 1; a zero row stays zero."""
    largest = vectors.flatten(1).abs().amax(1)
    scaled = vectors / expand(torch.where(largest > 0, largest, 1.0), vectors)
    length = vector_norm(scaled, 2.0)
    return scaled / expand(torch.where(length > 0, length, 1.0), scaled)


def cosine(first: float, last: float, step: int, steps: int) -> float:
    """Cosine annealing from `first` at step 0 to `last` at the last of `steps`.

    >>> cosine(1.0, 0.0, 0, 5), cosine(1.0, 0.5, 4, 5)
    (1.0, 0.5)
    """
    return last + (first - last) * 0.5 * (1 + math.cos(math.pi * step / max(steps - 1, 1)))


def room(model: Classifier, x: Tensor) -> tuple[Tensor, Tensor]:
    """How far each coordinate may fall and rise within the bounds, each `(batch, *input)`; infinite without bounds."""
    if model.bounds is None:
        return torch.full_like(x, torch.inf), torch.full_like(x, torch.inf)
    return x - model.bounds[0], model.bounds[1] - x


def nearest_in_half_space(gradient: Tensor, gap: Tensor, down: Tensor, up: Tensor, norm: float) -> Tensor:
    """The `l_p`-shortest step `d` with `<w, d> <= -b` and `-down <= d <= up`, in closed form.

    Every coordinate moves against its `w_i`, by at most its room `u_i`. For `p > 1` the Karush-Kuhn-Tucker conditions
    give `|d_i| = min(t |w_i|^(1/(p-1)), u_i)` (for `p = inf`, `min(t, u_i)`); `t` solves a piecewise linear equation;
    for `p = 1` the coordinates with the largest `|w_i|` are used up one after another. Croce and Hein (2020, "Minimally
    distorted adversarial examples", section 2.2) project on such a set for `p = 1, 2, inf`.

    Args:
        gradient: `w`, `(batch, *input)`.
        gap: `b`, `(batch,)`; where it is not positive the step is zero.
        down: How far each coordinate may fall, `(batch, *input)`, >= 0, infinite without bounds.
        up: How far each coordinate may rise.
        norm: `p`.

    Returns:
        `(batch, *input)`. Where the room does not suffice, all of it is used.

    >>> w, room = torch.tensor([[3.0, 4.0]]), torch.full((1, 2), torch.inf)
    >>> nearest_in_half_space(w, torch.tensor([5.0]), room, room, 2.0)
    tensor([[-0.6000, -0.8000]])
    """
    steepness = gradient.flatten(1).abs()
    steepness = steepness / steepness.amax(1, keepdim=True).clamp_min(torch.finfo(gradient.dtype).tiny)
    need = (gap / gradient.flatten(1).abs().amax(1).clamp_min(torch.finfo(gradient.dtype).tiny)).clamp_min(0.0)
    limit = torch.where(gradient > 0, down, up).flatten(1)
    limit = torch.where(steepness > 0, limit, 0.0)
    length = _greedy(steepness, need, limit) if norm == 1 else _water_level(steepness, need, limit, norm)
    return -gradient.sign() * length.reshape(gradient.shape)


def _greedy(steepness: Tensor, need: Tensor, limit: Tensor) -> Tensor:
    """Fill the steepest coordinates first: `sum_i w_i l_i = b` with the smallest `sum_i l_i`."""
    ranked, ranking = steepness.sort(dim=1, descending=True, stable=True)
    ranked_limit = limit.gather(1, ranking)
    gain = torch.where(ranked > 0, ranked * ranked_limit, 0.0)
    before = torch.cat([torch.zeros_like(gain[:, :1]), gain.cumsum(1)[:, :-1]], 1)
    missing = (need[:, None] - before).clamp_min(0.0)
    length = torch.where(
        ranked > 0, torch.minimum(missing / ranked.clamp_min(torch.finfo(ranked.dtype).tiny), ranked_limit), 0.0
    )
    return torch.zeros_like(length).scatter(1, ranking, length)


def _water_level(steepness: Tensor, need: Tensor, limit: Tensor, norm: float) -> Tensor:
    """`l_i = min(t s_i, u_i)` with `s_i = w_i^(1/(p-1))`, at the level `t` where `sum_i w_i l_i = b`."""
    exponent = 0.0 if math.isinf(norm) else 1 / (norm - 1)
    share = torch.where(steepness > 0, steepness**exponent, 0.0)
    level = torch.where(share > 0, limit / share.clamp_min(torch.finfo(share.dtype).tiny), 0.0)
    ranked, order_of = level.sort(1)
    slope, full = (steepness * share).gather(1, order_of), (steepness * limit).gather(1, order_of)
    filled = torch.cat([torch.zeros_like(full[:, :1]), full.cumsum(1)[:, :-1]], 1)
    remaining = slope.flip(1).cumsum(1).flip(1)
    candidate = (need[:, None] - filled) / remaining.clamp_min(torch.finfo(slope.dtype).tiny)
    fits = (candidate <= ranked) & (remaining > 0)
    first = fits.to(torch.uint8).argmax(1, keepdim=True)
    reachable = fits.any(1, keepdim=True)
    chosen = torch.where(reachable, candidate.gather(1, first), ranked[:, -1:]).clamp_min(0.0)
    return torch.minimum(chosen * share, limit)


def ratio(value: Tensor, slope: Tensor) -> Tensor:
    """`value / slope`, the distance at which a falling line meets zero; 0 where that is negative or not finite."""
    distance = value / slope
    return torch.where(distance.isfinite() & (distance > 0), distance, 0.0)


def slight(model: Classifier, x: Tensor, norm: float) -> Tensor:
    """A first distance where the linearised model says 0: on a tie the boundary is here, and a step must lead past it.

    Args:
        model: The classifier.
        x: `(batch, *input)`.
        norm: The norm `p`.

    Returns:
        `(batch,)`, positive.
    """
    return SLIGHT * _scale(model, x, norm)


def rank_classes(model: Classifier, x: Tensor, goal: Goal, logits: Tensor, *, norm: float, most: int) -> Tensor:
    """Wanted classes by the distance to their boundary in the linearised model within the bounds, nearest first.

    DeepFool (Moosavi-Dezfooli, Fawzi, Frossard 2016, equation 8) chooses its class so, without bounds. Only the wanted
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

    (distances,) = model.in_micro_batches(part, x)
    return classes.gather(1, distances.sort(dim=1, stable=True).indices)


def _bounded_distance(model: Classifier, x: Tensor, gradient: Tensor, gap: Tensor, norm: float) -> Tensor:
    """Length of the shortest step within the bounds that closes a linear gap; infinite if none does."""
    step = nearest_in_half_space(gradient, gap, *room(model, x), norm)
    fall = -(gradient * step).flatten(1).sum(1)
    return torch.where(fall >= gap * (1 - CLOSED), vector_norm(step, norm), torch.inf)


def linear_distance(model: Classifier, x: Tensor, goal: Goal, norm: float) -> Tensor:
    """Distance to the boundary of the model linearised at `x`: `g(x) / ||∇g(x)||_q`, a scale for everything else.

    Where the gradient says nothing it is half the diameter of the bounds, or 1 without bounds; with bounds it is never
    above that half diameter. Cost: one forward and one backward pass per input.

    Args:
        model: The classifier.
        x: `(batch, *input)`.
        goal: Where each input has to go.
        norm: The norm `p`.

    Returns:
        `(batch,)`, positive.
    """
    seen = evaluate(model, x, goal)
    linear = ratio(seen.loss, vector_norm(seen.gradient, dual_norm(norm)))
    scale = _scale(model, x, norm)
    return torch.where(linear > 0, linear if model.bounds is None else torch.minimum(linear, scale), scale)


def _scale(model: Classifier, x: Tensor, norm: float) -> Tensor:
    """Half the diameter of the bounds, or 1 without bounds: `(batch,)`."""
    if model.bounds is None:
        return x.new_ones(len(x))
    return vector_norm((model.bounds[1] - model.bounds[0]).expand_as(x) / 2, norm)
