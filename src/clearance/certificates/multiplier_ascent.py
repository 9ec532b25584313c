"""Better multipliers for the bounds of subproblems, and narrower intervals by the same bounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from clearance.certificates.ascent import Moments
from clearance.certificates.graph import Graph
from clearance.certificates.relaxation import Relaxation
from clearance.certificates.rows import unit_rows
from clearance.certificates.split_bounds import SplitBounds, split_bounds
from clearance.certificates.subproblems import Subproblems

FIRST_RATE = 0.2
"""First step of a multiplier: in units of the interval [0, 1], or of the unit's own coefficient."""
STEP_DECAY = 0.9
"""By what the step shrinks from one to the next."""
TIGHTENING_STEPS = 5
"""Steps for the bounds of each unit: on MNIST networks ten more narrow the intervals by a tenth as much again."""
ROWS_AT_A_TIME = 128
"""Units whose bounds are improved side by side."""


def improved(bounds: SplitBounds, given: Subproblems, steps: int, enough: Tensor) -> Subproblems:
    """Better multipliers, by projected gradient ascent (Adam) on all subproblems side by side.

    Source: Wang et al. (2021), section 3.3; Adam, Kingma and Ba (2015).

    Args:
        bounds: Their bounds.
        given: The subproblems.
        steps: How many steps.
        enough: What each bound must exceed to be left as it is, `(n,)`.

    Returns:
        The subproblems with the best multipliers met.
    """
    best, highest = given.multipliers, given.rows.new_full((len(given),), -torch.inf)
    now, free = given, given.signs == 0
    moments = Moments()
    size = torch.ones_like(best)
    for k in range(steps + 1):
        passed = bounds.backward(now)
        least, point = bounds.lowest(passed)
        better = least > highest
        best, highest = torch.where(better[:, None], now.multipliers, best), torch.maximum(least, highest)
        if k == steps or bool((highest > enough).all()):
            break
        if k == 0:
            typical = passed.weights.abs()
            size = torch.where(free, 1.0, torch.maximum(typical, typical.mean(1, keepdim=True)))
        slope = bounds.gradient(now, passed, point) * size
        moved = now.multipliers + FIRST_RATE * STEP_DECAY**k * size * moments.direction(slope)
        moved = moved.clamp_min(0.0)
        now = now.moved(torch.where(free, moved.clamp_max(1.0), moved))
    return given.moved(best)


def tightened(relaxed: Relaxation, single: Graph | None, stop: Callable[[], bool]) -> Relaxation:
    """Narrower intervals of the units that can change sign, each bounded with multipliers of its own.

    Source: Xu et al. (2021), section 3.2, with the intervals of earlier layers held fixed.

    Args:
        relaxed: The network's bounds on a region of one input.
        single: The network in float32, to choose the multipliers in; `None`: in the network's own precision.
        stop: Says when to leave the intervals as they are.

    Returns:
        The bounds with narrower intervals.
    """
    first, *later = sorted(relaxed.graph.preactivations) or [0]
    del first
    for source in later:
        relaxed = _tightened_at(source, relaxed, single, stop)
    return relaxed


def _tightened_at(source: int, relaxed: Relaxation, single: Graph | None, stop: Callable[[], bool]) -> Relaxation:
    """The intervals of one value, by those before it."""
    bounds = replace(split_bounds(relaxed), top=source)
    rough = bounds if single is None else bounds.single(single)
    low, high = relaxed.low[source].flatten().clone(), relaxed.high[source].flatten().clone()
    for entries in ((low < 0) & (high > 0)).nonzero().flatten().split(ROWS_AT_A_TIME // 2):
        if stop() or not len(entries):
            break
        one = unit_rows(entries, relaxed.graph.shapes[source], low).whole().values[0]
        given = bounds.root(torch.cat([one, -one]))
        chosen = improved(
            rough, given.to(rough.dtype), TIGHTENING_STEPS, low.new_zeros(2 * len(entries)).to(rough.dtype)
        )
        least, _ = bounds.lowest(bounds.backward(chosen.to(low.dtype)))
        under, over = least.chunk(2)
        low[entries], high[entries] = torch.maximum(low[entries], under), torch.minimum(high[entries], -over)
    lows, highs = list(relaxed.low), list(relaxed.high)
    shape = lows[source].shape
    lows[source], highs[source] = torch.minimum(low, high).reshape(shape), torch.maximum(low, high).reshape(shape)
    return Relaxation(relaxed.graph, relaxed.region, lows, highs)
