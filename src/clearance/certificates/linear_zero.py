"""Where a linear function is smallest on a ball cut by the bounds, and the radius at which that is zero."""

from __future__ import annotations

import torch
from torch import Tensor

from clearance.certificates.region import Region
from clearance.certificates.rows import Rows

NEWTON_STEPS = 12
"""Steps to the radius at which a linear bound is zero: more than ever needed, as they end when it is found."""
NEWTON_SHARE = 1 - 1e-9
"""Share of each of these steps that is taken, so that rounding does not carry it beyond the zero."""
SAME_RADIUS = 1e-9
"""Relative change of a radius below which no more steps are taken."""


def zero_radius(region: Region, rows: Tensor, constant: Tensor, slack: Tensor, start: Tensor) -> Tensor:
    """The radius up to which a linear function `<a, x> + b` exceeds its slack on the ball, from below.

    By Newton's method from below: the smallest value is a convex function of the radius, so its steps stay on one side
    of the zero. For `1 < p < inf` with bounds that value is only bounded from below, and a step may fail: it is halved.
    A radius counts where the bound at it does. Source: this project.

    Args:
        region: The ball, whose radius is the largest that counts, of a batch of one input.
        rows: `a`, `(n, *input)`.
        constant: `b`, `(n,)`.
        slack: `(n,)`.
        start: Where to begin, positive, `(n,)`.

    Returns:
        `(n,)`; -1 where it fails at the first radius.
    """
    farthest = region.radius.expand(len(rows))
    radius, found = torch.minimum(start, farthest), torch.full_like(farthest, -1.0)
    for _ in range(NEWTON_STEPS):
        least, rate = _value(region, rows, radius)
        least = least + constant - slack
        found = torch.where(least > 0, radius, found)
        step = torch.where(rate < 0, -least / rate, torch.inf)
        back = torch.where(found > 0, (found + radius) / 2, radius)
        further = torch.where(least > 0, torch.minimum(radius + NEWTON_SHARE * step, farthest), back)
        if not bool(((further - radius).abs() > SAME_RADIUS * radius).any()):
            break
        radius = further
    return found


def lowest_points(region: Region, rows: Tensor, radius: Tensor) -> Tensor:
    """Where linear functions are smallest on balls of their own radii around one input.

    Source: this project; see `Region.lowest_and_where`.

    Args:
        region: A ball of a batch of one input; only its radius does not count.
        rows: Coefficients, `(n, *input)`.
        radius: `(n,)`.

    Returns:
        `(n, *input)`; near the ball where the smallest value is a bound only.
    """
    return _balls(region, rows, radius).lowest_and_where(rows)[1].nan_to_num()


def _balls(region: Region, rows: Tensor, radius: Tensor) -> Region:
    """A ball for each row."""
    shape = rows.shape
    bounds = None if region.bounds is None else (region.bounds[0].expand(shape), region.bounds[1].expand(shape))
    return Region(region.center.expand(shape), radius, region.norm, bounds)


def _value(region: Region, rows: Tensor, radius: Tensor) -> tuple[Tensor, Tensor]:
    """The smallest value of each row on its ball, and its derivative with respect to the radius."""
    leaf = radius.detach().requires_grad_(True)
    with torch.enable_grad():
        least = _balls(region, rows, leaf).lowest(Rows(rows[:, None]))[:, 0]
        (rate,) = torch.autograd.grad(least.sum(), leaf)
    return least.detach(), rate
