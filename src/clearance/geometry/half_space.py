"""The shortest step into a half-space within a box, for every `l_p`, in closed form."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from clearance.geometry.exponents import as_norm

FIRST_COORDINATES = 64
"""For `p = 1`, how many of the steepest coordinates are looked at first."""


def nearest_in_half_space(gradient: Tensor, gap: Tensor, down: Tensor, up: Tensor, norm: float) -> Tensor:
    """The `l_p`-shortest step `d` with `<w, d> <= -b` and `-down <= d <= up`, in closed form.

    Every coordinate moves against its `w_i`, by at most its room `u_i`. For `p > 1` the Karush-Kuhn-Tucker conditions
    give `|d_i| = min(t |w_i|^(1/(p-1)), u_i)` (for `p = inf`, `min(t, u_i)`); `t` solves a piecewise linear equation;
    for `p = 1` the coordinates with the largest `|w_i|` are used up one after another. Croce and Hein (2020, "Minimally
    distorted adversarial examples", section 2.2) project on such a set for `p = 1, 2, inf`. No sorting but for `p = 1`.

    Args:
        gradient: `w`, `(batch, *input)`.
        gap: `b`, `(batch,)`; where it is not positive the step is zero.
        down: How far each coordinate may fall, `(batch, *input)`, >= 0, infinite without bounds.
        up: How far each coordinate may rise.
        norm: `p`.

    Returns:
        `(batch, *input)`. Where the room does not suffice, all of it is used.

    Raises:
        InputError: If `p` is below 1.

    >>> w, room = torch.tensor([[3.0, 4.0]]), torch.full((1, 2), torch.inf)
    >>> nearest_in_half_space(w, torch.tensor([5.0]), room, room, 2.0)
    tensor([[-0.6000, -0.8000]])
    """
    norm, flat, info = as_norm(norm), gradient.flatten(1), torch.finfo(gradient.dtype)
    signs, size = flat.sign(), flat.abs()
    largest = size.amax(1).clamp_min(info.tiny)
    steepness, need = size / largest[:, None], (gap / largest).clamp(0.0, info.max)
    fall, rise = (room.flatten(1).clamp_max(info.max) for room in (down, up))  # 0 times infinity is no 0
    limit = signs.clamp_min(0) * fall - signs.clamp_max(0) * rise
    length = _greedy(steepness, need, limit) if norm == 1 else _water_level(steepness, need, limit, norm)
    return (-signs * length).reshape(gradient.shape)


def _greedy(steepness: Tensor, need: Tensor, limit: Tensor) -> Tensor:
    """Fill the steepest coordinates first: `sum_i w_i l_i = b` with the smallest `sum_i l_i`.

    A few coordinates suffice in most rows; the others are done again with all of theirs.
    """
    length, met = _fill(steepness, need, limit, min(FIRST_COORDINATES, steepness.shape[1]))
    rows = (~met).nonzero().flatten()
    if len(rows) and steepness.shape[1] > FIRST_COORDINATES:
        length[rows] = _fill(steepness[rows], need[rows], limit[rows], steepness.shape[1])[0]
    return length


def _fill(steepness: Tensor, need: Tensor, limit: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The same with so many of the steepest coordinates, and whether they suffice, `(batch,)`."""
    ranked, ranking = steepness.topk(count, dim=1)
    room = limit.gather(1, ranking)
    gain = torch.where(ranked > 0, ranked * room, 0.0)
    total = gain.cumsum(1)
    missing = (need[:, None] - torch.cat([torch.zeros_like(gain[:, :1]), total[:, :-1]], 1)).clamp_min(0.0)
    tiny = torch.finfo(ranked.dtype).tiny
    length = torch.where(ranked > 0, torch.minimum(missing / ranked.clamp_min(tiny), room), 0.0)
    return torch.zeros_like(steepness).scatter(1, ranking, length), total[:, -1] >= need


def _water_level(steepness: Tensor, need: Tensor, limit: Tensor, norm: float) -> Tensor:
    """`l_i = min(t s_i, u_i)` with `s_i = w_i^(1/(p-1))`, at the level `t` where `sum_i w_i l_i = b`.

    That sum is concave and piecewise linear in `t`, so that Newton's steps from 0 never go too far; a row is done when
    its step has filled no further coordinate.
    """
    share = steepness.sign() if math.isinf(norm) else steepness ** (1 / (norm - 1))
    rate, level, filled = steepness * share, torch.zeros_like(need), torch.full_like(need, -1)
    most = torch.finfo(need.dtype).max
    length, slope, going = torch.zeros_like(steepness), (steepness * share).sum(1), need > 0
    while bool((going := going & (slope > 0)).any()):
        missing = need - (steepness * length).sum(1)
        level = torch.where(going, level + (missing / slope).clamp_min(0), level).clamp_max(most)
        reached = level[:, None] * share
        length = torch.minimum(reached, limit)
        full = (reached > limit).to(rate.dtype)
        count, slope = full.sum(1), (rate * (1 - full)).sum(1)
        going, filled = going & (count > filled) & (count > 0), count
    return torch.minimum(length, limit)
