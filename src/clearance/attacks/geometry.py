"""Geometry that attacks share: radii, directions, and the nearest point of a half-space within the bounds."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from clearance.classifier import Classifier
from clearance.errors import InputError
from clearance.norms import expand, project, vector_norm


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


def into_ball(model: Classifier, x: Tensor, points: Tensor, order: float, radius: Tensor) -> Tensor:
    """Bring points into the `l_p` ball around `x` and the bounds (clipping towards `x` keeps them in the ball)."""
    return model.clip(x + project(points - x, order, radius))


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


def nearest_in_half_space(
    gradient: Tensor, gap: Tensor, down: Tensor, up: Tensor, order: float
) -> Tensor:
    """The `l_p`-shortest step `d` with `<w, d> <= -b` and `-down <= d <= up`, in closed form.

    Every coordinate moves against its `w_i`, by at most its room `u_i`. For `p > 1` the Karush-Kuhn-Tucker conditions
    give `|d_i| = min(t |w_i|^(1/(p-1)), u_i)` (for `p = inf`, `min(t, u_i)`), and `t` solves a piecewise linear equation;
    for `p = 1` the coordinates with the largest `|w_i|` are used up one after another. Croce and Hein (2020, "Minimally
    distorted adversarial examples", section 2.2) project on such a set for `p = 1, 2, inf`.

    Args:
        gradient: `w`, `(batch, *input)`.
        gap: `b`, `(batch,)`; where it is not positive the step is zero.
        down: How far each coordinate may fall, `(batch, *input)`, >= 0, infinite without bounds.
        up: How far each coordinate may rise.
        order: `p`.

    Returns:
        `(batch, *input)`. Where the room does not suffice, all of it is used.

    >>> w, room = torch.tensor([[3.0, 4.0]]), torch.full((1, 2), torch.inf)
    >>> nearest_in_half_space(w, torch.tensor([5.0]), room, room, 2.0)
    tensor([[-0.6000, -0.8000]])
    """
    steepness = gradient.flatten(1).abs()
    steepness = steepness / steepness.amax(1, keepdim=True).clamp_min(torch.finfo(gradient.dtype).tiny)
    need = (gap / gradient.flatten(1).abs().amax(1).clamp_min(torch.finfo(gradient.dtype).tiny)).clamp_min(0.0)
    room = torch.where(gradient > 0, down, up).flatten(1)
    room = torch.where(steepness > 0, room, 0.0)
    length = _greedy(steepness, need, room) if order == 1 else _water_level(steepness, need, room, order)
    return -gradient.sign() * length.reshape(gradient.shape)


def _greedy(steepness: Tensor, need: Tensor, room: Tensor) -> Tensor:
    """Fill the steepest coordinates first: `sum_i w_i l_i = b` with the smallest `sum_i l_i`."""
    ranked, order = steepness.sort(1, descending=True, stable=True)
    ranked_room = room.gather(1, order)
    gain = torch.where(ranked > 0, ranked * ranked_room, 0.0)
    before = torch.cat([torch.zeros_like(gain[:, :1]), gain.cumsum(1)[:, :-1]], 1)
    missing = (need[:, None] - before).clamp_min(0.0)
    length = torch.where(ranked > 0, torch.minimum(missing / ranked.clamp_min(torch.finfo(ranked.dtype).tiny), ranked_room), 0.0)
    return torch.zeros_like(length).scatter(1, order, length)


def _water_level(steepness: Tensor, need: Tensor, room: Tensor, order: float) -> Tensor:
    """`l_i = min(t s_i, u_i)` with `s_i = w_i^(1/(p-1))`, at the level `t` where `sum_i w_i l_i = b`."""
    exponent = 0.0 if math.isinf(order) else 1 / (order - 1)
    share = torch.where(steepness > 0, steepness**exponent, 0.0)
    level = torch.where(share > 0, room / share.clamp_min(torch.finfo(share.dtype).tiny), 0.0)
    ranked, order_of = level.sort(1)
    slope, full = (steepness * share).gather(1, order_of), (steepness * room).gather(1, order_of)
    filled = torch.cat([torch.zeros_like(full[:, :1]), full.cumsum(1)[:, :-1]], 1)
    remaining = slope.flip(1).cumsum(1).flip(1)
    candidate = (need[:, None] - filled) / remaining.clamp_min(torch.finfo(slope.dtype).tiny)
    fits = (candidate <= ranked) & (remaining > 0)
    first = fits.to(torch.uint8).argmax(1, keepdim=True)
    reachable = fits.any(1, keepdim=True)
    chosen = torch.where(reachable, candidate.gather(1, first), ranked[:, -1:]).clamp_min(0.0)
    return torch.minimum(chosen * share, room)
