"""The shortest step into a half-space within a box, for every `l_p`, in closed form."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from clearance.geometry.exponents import as_norm


def nearest_in_half_space(gradient: Tensor, gap: Tensor, down: Tensor, up: Tensor, norm: float) -> Tensor:
    """The `l_p`-shortest step `d` with `<w, d> <= -b` and `-down <= d <= up`, in closed form.

    Every coordinate moves against its `w_i`, by at most its room `u_i`. For `p > 1` the Karush-Kuhn-Tucker conditions
    give `|d_i| = min(t |w_i|^(1/(p-1)), u_i)` (for `p = inf`, `min(t, u_i)`); `t` solves a piecewise linear equation;
    for `p = 1` the coordinates with the largest `|w_i|` are used up one after another. Croce and Hein (2020, "Minimally
    distorted adversarial examples", section 2.2) project on such a set for `p = 1, 2, inf`. Cost: one sort.

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
    norm, steepness = as_norm(norm), gradient.flatten(1).abs()
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
    ranked, ranking = level.sort(1)
    rate, full = (steepness * share).gather(1, ranking), (steepness * limit).gather(1, ranking)
    filled = torch.cat([torch.zeros_like(full[:, :1]), full.cumsum(1)[:, :-1]], 1)
    remaining = rate.flip(1).cumsum(1).flip(1)
    candidate = (need[:, None] - filled) / remaining.clamp_min(torch.finfo(rate.dtype).tiny)
    fits = (candidate <= ranked) & (remaining > 0)
    first = fits.to(torch.uint8).argmax(1, keepdim=True)
    reachable = fits.any(1, keepdim=True)
    chosen = torch.where(reachable, candidate.gather(1, first), ranked[:, -1:]).clamp_min(0.0)
    return torch.minimum(chosen * share, limit)
