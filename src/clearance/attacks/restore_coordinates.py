"""Fewer coordinates of a known `l_0` witness: the ones that matter least go back to the input's values."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from clearance.attacks.goals import Goal
from clearance.attacks.passes import evaluate, rows_reached
from clearance.attacks.result import Witnesses
from clearance.attacks.steps import room
from clearance.geometry.norms import expand, vector_norm
from clearance.model.classifier import Classifier

EXCHANGES = 16, 4, 1, 0
"""How many coordinates are added before others are put back, round by round: many at first, which replaces most of a
poor choice at once, and none at last. Measured: more rounds found next to nothing."""


def restore_coordinates(
    model: Classifier, goal: Goal, witnesses: Witnesses, *, exchanges: Sequence[int] = EXCHANGES
) -> Witnesses:
    """Put changed coordinates back to the input's values, as many as the goal allows, least effect first.

    Source: this project; a greedy search that is exact for two classes split by a plane.

    At a witness `z` with gradient `w` of the margin, putting coordinate `i` back changes the margin by about
    `w_i (x_i - z_i)`. The coordinates are ranked by that number, and how many of them can be put back at once is
    bisected by forward passes. A round with `a > 0` first adds the `a` unchanged coordinates whose way to the end of
    the bounds lowers the linearised margin most, and moves the changed ones there as well: a coordinate that counts
    may go anywhere. It succeeds where more than `a` can be put back. Without a bound a coordinate moves by
    `||z - x||_1`: in the linearised model no other step of that length does more (Hölder's inequality).

    Cost: one backward pass for each round and at most `2 + log2(k + a)` forward passes, where `k` coordinates differ.

    Args:
        model: The classifier.
        goal: Where each input has to go.
        witnesses: The witnesses, with their inputs; left unchanged.
        exchanges: `a` of each round.

    Returns:
        Witnesses with at most as many coordinates that differ; inputs without a witness stay without.

    >>> line = torch.nn.Linear(3, 2, bias=False)
    >>> _ = line.weight.data.copy_(torch.tensor([[1.0, 1.0, 1.0], [-3.0, -1.0, 0.0]]))
    >>> model, found = Classifier(line, (-1, 1)), Witnesses(torch.full((1, 3), 0.5), 0.0)
    >>> found.offer(-torch.ones(1, 3), torch.tensor([True]))
    >>> goal = Goal(torch.tensor([0]), torch.tensor([[False, True]]), torch.tensor([[True, False]]))
    >>> restore_coordinates(model, goal, found).adversarial
    tensor([[-1.0000,  0.5000,  0.5000]])
    """
    nearest = Witnesses(witnesses.x, witnesses.norm)
    nearest.absorb(witnesses)
    for added in exchanges:
        _exchange(model, goal, nearest, added)
    return nearest


def _exchange(model: Classifier, goal: Goal, nearest: Witnesses, added: int) -> None:
    """One round: add coordinates, then bisect how many of all of them can be put back, `m` between `low` and `high`."""
    points, rank, size = _ranked(model, goal, nearest, added)
    low = torch.full_like(size, added)
    high = torch.where(nearest.success, size, low)
    while bool((high - low > 1).any()):
        rows = (high - low > 1).nonzero().flatten()
        middle = (low + high) // 2
        back = rank < middle[:, None]
        tried = torch.where(back.reshape(points.shape), nearest.x, points)
        reached = rows_reached(model, goal, tried, rows)
        nearest.offer(tried, reached)
        low, high = torch.where(reached, middle, low), torch.where(reached, high, torch.maximum(middle, low))


def _ranked(model: Classifier, goal: Goal, nearest: Witnesses, added: int) -> tuple[Tensor, Tensor, Tensor]:
    """The points to put back from, each changed coordinate's rank, least effect first, and how many there are."""
    x, z = nearest.x, nearest.adversarial
    gradient = evaluate(model, z, goal).gradient
    changed, ends = (z != x).flatten(1), _ends(model, x, z, gradient)
    if added:
        fall = (gradient * (z - ends)).flatten(1)
        ranking = fall.masked_fill(changed | (fall <= 0), -1.0).sort(dim=1, descending=True, stable=True).indices
        changed = changed.scatter(1, ranking[:, :added], True)
        z = torch.where(changed.reshape(x.shape), ends, z)
    effect = (gradient * (x - z)).flatten(1).masked_fill(~changed, torch.inf)
    return z, effect.sort(dim=1, stable=True).indices.argsort(1), changed.sum(1)


def _ends(model: Classifier, x: Tensor, z: Tensor, gradient: Tensor) -> Tensor:
    """Where each coordinate lowers the linearised margin most: an end of the bounds, or `||z - x||_1` away."""
    down, up = room(model, z)
    limit = torch.where(gradient > 0, down, up)
    limit = torch.where(limit.isfinite(), limit, expand(vector_norm(z - x, 1.0), z))
    return model.clip(z - gradient.sign() * limit)
