"""The smallest value of linear functions on an `l_p` ball that is cut by a box."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from clearance.geometry.norms import dual_norm, last_norm

MOST_SPLITS = 40
"""Splits after which the search for the best one ends: each saturates at least one more coordinate, and the last ones
change nothing."""

FIRST_COEFFICIENTS, MORE_COEFFICIENTS = 32, 8
"""For `p = 1`, how many of the largest coefficients are looked at first; if the radius is not spent on them, so many
times more."""


def lowest_on_ball(
    rows: Tensor, radius: Tensor, low: Tensor, high: Tensor, norm: float, *, splits: int | None
) -> Tensor:
    """`min <a, d>` over `||d||_p <= r`, `low <= d <= high`, or a lower bound of it, for each row.

    For `p = 1` and `p = inf` in closed form. For other `p` by weak duality: for every split `a = b + c`,

        min <a, d> >= -r ||b||_q + sum_i min(c_i low_i, c_i high_i),

    with the splits of the minimisers `d(t) = clip(-sign(a) (t |a|)^(1/(p-1)))`. Their multiplier `t` starts where
    nothing is clipped, and then solves the norm's equation with the coordinates that were clipped last time held fixed;
    it only grows, and it is exact when no more of them are clipped. Source: this project (weak duality; Hölder's
    inequality for the first term).

    Args:
        rows: `a`, `(batch or 1, rows, n)`.
        radius: `r`, `(batch,)`, > 0.
        low: Lowest values, `(batch, rows or 1, n)`, at most 0.
        high: Highest values, `(batch, rows or 1, n)`, at least 0.
        norm: `p`.
        splits: For `1 < p < inf`, how many splits are tried; `None`: until the minimum is exact.

    Returns:
        `(batch, rows)`, at most 0.

    >>> a, far = torch.tensor([[[3.0, 4.0]]]), torch.full((1, 1, 2), 9.0)
    >>> lowest_on_ball(a, torch.ones(1), -far, far, 2.0, splits=None)
    tensor([[-5.]])
    >>> lowest_on_ball(a, torch.ones(1), torch.tensor([[[-1.0, 0.0]]]), far, 2.0, splits=None)  # one may fall
    tensor([[-3.]])
    """
    if math.isinf(norm):
        reach = radius[:, None, None]
        least, most = torch.maximum(low, -reach), torch.minimum(high, reach)
        return torch.minimum(rows * least, rows * most).sum(2)
    if norm == 1:
        return _greedy(rows, radius, low, high)
    return _split(rows, radius[:, None], low, high, norm, splits or MOST_SPLITS)


def _greedy(rows: Tensor, radius: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """`p = 1`: spend the radius on the largest coefficients first, each as far as its bound."""
    rows = rows.expand(len(radius), -1, -1)
    low, high, sizes = low.expand_as(rows), high.expand_as(rows), rows.abs()
    count = FIRST_COEFFICIENTS
    while True:
        size, ranking = sizes.topk(min(count, rows.shape[2]), dim=2)
        falling = rows.gather(2, ranking) > 0
        most = torch.where(falling, -low.gather(2, ranking), high.gather(2, ranking))
        most = torch.minimum(most, radius[:, None, None])  # it may be infinite
        left = radius[:, None, None] - (most.cumsum(2) - most)
        if count >= rows.shape[2] or bool((left[..., -1] <= most[..., -1]).all()):
            return -(size * torch.minimum(most, left.clamp_min(0.0))).sum(2)
        count *= MORE_COEFFICIENTS


def _split(rows: Tensor, radius: Tensor, low: Tensor, high: Tensor, norm: float, splits: int) -> Tensor:
    """`1 < p < inf`: the split `b = -sign(d) |d|^(p-1) / t` with the last `t`; it is `a` where nothing is clipped."""
    power, dual, tiny = norm - 1, dual_norm(norm), torch.finfo(rows.dtype).tiny
    length = last_norm(rows, dual).clamp_min(tiny)
    lowest = torch.maximum(-radius * length, torch.minimum(rows * low, rows * high).sum(2))
    scale = radius**power / length  # ||d(t)||_p = radius where nothing is clipped
    raised = rows.sign() * rows.abs() ** (1 / power) if power != 1 else rows
    sizes = raised.abs() ** norm if splits > 1 else raised
    for _ in range(splits - 1):
        free, step = _clipped(raised, scale, low, high, power)
        fixed = step != free
        spare = radius**norm - (step.abs() ** norm * fixed).sum(2)
        left = (sizes * ~fixed).sum(2)
        larger = (spare.clamp_min(0.0) / left.clamp_min(tiny)) ** (power / norm)
        larger = torch.where((left > tiny) & larger.isfinite(), larger, scale)
        grows = bool((larger > scale * (1 + 1e-6)).any())
        scale = torch.maximum(larger, scale)
        if not grows:
            break
    _, step = _clipped(raised, scale, low, high, power)
    t = scale[..., None]
    kept = -step.sign() * step.abs() ** power / t if power != 1 else -step / t
    rest = rows - kept
    value = torch.minimum(rest * low, rest * high).sum(2) - radius * last_norm(kept, dual)
    return torch.maximum(lowest, torch.where(value.isfinite(), value, -math.inf))


def _clipped(raised: Tensor, scale: Tensor, low: Tensor, high: Tensor, power: float) -> tuple[Tensor, Tensor]:
    """The minimisers of each row without the box, and cut by it."""
    free = -raised * scale[..., None] ** (1 / power)
    return free, torch.minimum(torch.maximum(free, low), high)
