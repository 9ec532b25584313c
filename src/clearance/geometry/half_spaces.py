"""The shortest step into several half-spaces and a box at once, for every `l_p`."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from clearance.geometry.half_space import nearest_in_half_space
from clearance.geometry.norms import expand, vector_norm

SECTIONS = 8
"""Parts of equal width into which one round of the search for a weight divides what is left: its points are one
batch."""
ROUNDS = 4
"""Rounds of that search: a weight is known to `SECTIONS**-ROUNDS`, 2e-4."""
ALLOWED = 1e-4
"""How far a half-space may be missed, as a share of the length of the step: less than what the weights leave open."""


def nearest_in_half_spaces(
    normals: Tensor, gaps: Tensor, down: Tensor, up: Tensor, norm: float
) -> tuple[Tensor, Tensor]:
    """The `l_p`-shortest step `d` with `<w_j, d> <= -b_j` for all `j` and `-down <= d <= up`; the weights of the `w_j`.

    Any weights `v_j >= 0` with sum 1 give one half-space `<sum v_j w_j, d> <= -sum v_j b_j` that contains the
    intersection, so its nearest point (`nearest_in_half_space`) is no farther; by the duality of convex programs some
    weights make both equally far. The weight of the last half-space is searched for in [0, 1]: the larger it is, the
    less that half-space is missed. The weights of the others are found in the same way for each value. The steps on
    both sides of the weight are mixed so that the last half-space is just met, since for `p = 1` and infinity the
    nearest point of the combined half-space is not unique. Source: this project, by Lagrange duality. Cost for `k`
    half-spaces: about `((SECTIONS - 1) ROUNDS)^(k - 1)` sorts at most; a row in which the last half-space changes
    nothing costs no search over its weight.

    Args:
        normals: `w`, `(k, batch, *input)`, each of `l_q` norm 1, so that weights compare like with like.
        gaps: `b`, `(k, batch)`.
        down: How far each coordinate may fall, `(batch, *input)`, >= 0, infinite without bounds.
        up: How far each coordinate may rise.
        norm: `p`.

    Returns:
        The steps, `(batch, *input)`, and the weights, `(k, batch)`. A half-space may be missed by `ALLOWED` times the
        length of the step; by more, where the half-spaces and the box have no point in common.

    Raises:
        InputError: If `p` is below 1.

    >>> w, room = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]]), torch.full((1, 2), torch.inf)
    >>> step, weights = nearest_in_half_spaces(w, torch.tensor([[3.0], [4.0]]), room, room, 2.0)
    >>> step.round(decimals=2), weights.round(decimals=2)
    (tensor([[-3., -4.]]), tensor([[0.4300],
            [0.5700]]))
    """
    if len(normals) == 1:
        return nearest_in_half_space(normals[0], gaps[0], down, up, norm), torch.ones_like(gaps)
    step, weights = nearest_in_half_spaces(normals[:-1], gaps[:-1], down, up, norm)
    weights = torch.cat([weights, torch.zeros_like(weights[:1])])
    missed = excess(normals[-1], gaps[-1], step) > ALLOWED * vector_norm(step, norm)
    rows = missed.nonzero().flatten()
    if len(rows) == 0:
        return step, weights
    room = down[rows], up[rows]
    near = _Side(torch.zeros_like(gaps[0, rows]), step[rows], weights[:-1, rows])
    own, other = _with_last(normals[:, rows], gaps[:, rows], *room, norm, near)
    return step.index_copy(0, rows, own), weights.index_copy(1, rows, other)


def excess(normal: Tensor, gap: Tensor, step: Tensor) -> Tensor:
    """By how much steps miss a half-space, `<w, d> + b`, `(batch,)`: positive outside.

    Source: the definition of a half-space.
    """
    return (normal * step).flatten(1).sum(1) + gap


@dataclass(frozen=True)
class _Side:
    """One end of what is left: the weight of the last half-space, the step there, and the weights of the others."""

    weight: Tensor
    step: Tensor
    others: Tensor


def _with_last(
    normals: Tensor, gaps: Tensor, down: Tensor, up: Tensor, norm: float, near: _Side
) -> tuple[Tensor, Tensor]:
    """The weight of the last half-space, in rows where the others alone miss it, as step and weights of all."""
    last = normals[-1], gaps[-1]
    alone = nearest_in_half_space(*last, down, up, norm)
    far = _Side(torch.ones_like(near.weight), alone, near.others)
    for _ in range(ROUNDS):
        points = _points(normals, gaps, down, up, norm, near.weight, far.weight)
        outside = torch.stack([excess(*last, point.step) > 0 for point in points])
        place = outside.long().cumprod(0).sum(0)  # how many points from the near end on still miss it
        sides = [near, *points, far]
        near, far = _pick(sides, place), _pick(sides, place + 1)
    first, second = excess(*last, near.step), excess(*last, far.step)
    share = (first / (first - second).clamp_min(torch.finfo(first.dtype).tiny)).clamp(0.0, 1.0)
    step = near.step + expand(share, near.step) * (far.step - near.step)
    return step, torch.cat([(1 - near.weight) * near.others, near.weight[None]])


def _points(
    normals: Tensor, gaps: Tensor, down: Tensor, up: Tensor, norm: float, low: Tensor, high: Tensor
) -> list[_Side]:
    """The nearest points for the weights that divide what is left into `SECTIONS` parts, in one batch."""
    count = SECTIONS - 1
    shares = torch.arange(1, SECTIONS, dtype=gaps.dtype, device=gaps.device) / SECTIONS
    weight = (low + (high - low) * shares[:, None]).flatten()
    repeats = (count, *[1] * (down.ndim - 1))
    planes, levels = normals.repeat(1, *repeats), gaps.repeat(1, count)
    mixed = torch.lerp(planes[:-1], planes[-1:], expand(weight, planes[0]))
    step, others = nearest_in_half_spaces(
        mixed, torch.lerp(levels[:-1], levels[-1:], weight), down.repeat(repeats), up.repeat(repeats), norm
    )
    return [_Side(*part) for part in zip(weight.chunk(count), step.chunk(count), others.chunk(count, 1), strict=True)]


def _pick(sides: list[_Side], place: Tensor) -> _Side:
    """For each row the side of its place."""
    row = torch.arange(len(place), device=place.device)
    return _Side(
        torch.stack([side.weight for side in sides])[place, row],
        torch.stack([side.step for side in sides])[place, row],
        torch.stack([side.others for side in sides])[place, :, row].T,
    )
