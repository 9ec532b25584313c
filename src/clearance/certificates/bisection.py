"""The largest radius that a test proves, for many inputs at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

MOST_TRIALS = 80
"""Radii tried at most: far more than any search needed (six on most networks); it ends one that rounding keeps from
converging."""
NOTHING_PROVED = 1e-12
"""A radius this much smaller than the first one tried counts as nothing proved."""
LARGEST_GROWTH = 4.0
"""A radius is tried at most this many times larger than a proved one: one that is far too large costs most time."""
LARGEST_CUT = 10.0
"""While nothing is proved, a radius is tried at most this many times smaller than the last one."""
WIDE_BRACKET = 2.0
"""A bracket whose ends are farther apart than this many times is cut at the geometric middle: bounds that explode with
the radius say little about where they cross zero."""
LEAST_STEP = 0.02
"""Share of the bracket by which a trial stays away from its ends."""


@dataclass(frozen=True)
class ProvenRadius:
    """Where a test stops proving.

    Source: a bound that holds on a ball holds on every smaller one.

    Attributes:
        proven: The largest radius proved, `(batch,)`; infinite where the whole region within the bounds is proved.
        limiting: Place of the row that was lowest at the smallest radius that was not proved, `(batch,)`.
        timed_out: Whether the search was stopped before the bracket was narrow, `(batch,)`.
    """

    proven: Tensor
    limiting: Tensor
    timed_out: Tensor


@dataclass
class _Bracket:
    """Two ends for each input: what is proved with its value, and what is not with its own; and what was before."""

    proven: Tensor
    above: Tensor
    failed: Tensor
    below: Tensor
    before: Tensor
    before_above: Tensor
    twice: Tensor

    def take(self, radius: Tensor, least: Tensor, reached: Tensor) -> None:
        """A trial moves one end; where the same one moves twice, the other's value shrinks (Anderson and Björck)."""
        holds = least > 0
        grows = holds & (reached > self.proven)
        shrinks = ~holds & (radius < self.failed)
        self.before, self.before_above = (
            torch.where(grows, old, kept) for old, kept in ((self.proven, self.before), (self.above, self.before_above))
        )
        self.below = torch.where(grows & (self.twice > 0), self.below * _share(least, self.above), self.below)
        self.above = torch.where(shrinks & (self.twice < 0), self.above * _share(least, self.below), self.above)
        self.proven, self.above = torch.where(grows, reached, self.proven), torch.where(grows, least, self.above)
        self.failed, self.below = torch.where(shrinks, radius, self.failed), torch.where(shrinks, least, self.below)
        self.twice = torch.where(grows, 1, torch.where(shrinks, -1, self.twice))

    def next(self, tolerance: float) -> Tensor:
        """Between the ends where the chord is zero; without a failed end, where the line through the proved ones is."""
        width = self.failed - self.proven
        chord = self.proven + width * self.above / (self.above - self.below)
        least = torch.maximum(self.proven * (1 + tolerance / 2), self.proven + LEAST_STEP * width)
        chord = torch.minimum(torch.maximum(chord, least), self.failed - LEAST_STEP * width)
        wide = (self.proven > 0) & (self.failed > WIDE_BRACKET * self.proven)
        chord = torch.where(wide, (self.proven * self.failed).sqrt(), chord)
        chord = torch.where(self.proven > 0, chord, torch.maximum(chord, self.failed / LARGEST_CUT))
        slope = (self.before_above - self.above) / (self.proven - self.before)
        line = torch.where(slope > 0, self.proven + self.above / slope, torch.inf)
        line = torch.minimum(torch.maximum(line, self.proven * (1 + tolerance / 2)), LARGEST_GROWTH * self.proven)
        return torch.where(
            self.failed.isinf(), line, torch.where(chord.isfinite(), chord, (self.proven + self.failed) / 2)
        )


def _flattened(least: Tensor, scale: Tensor) -> Tensor:
    """Negative values by their logarithm: behind their zero, bounds fall exponentially with the radius."""
    scale = scale.abs().clamp_min(torch.finfo(scale.dtype).tiny)
    return torch.where(least > 0, least, -scale * (-least.clamp_max(0.0) / scale).log1p())


def _share(new: Tensor, old: Tensor) -> Tensor:
    """By what the value of the end that stays is multiplied: `1 - new / old`, or a half where that is not positive."""
    share = 1 - new / old
    return torch.where(share > 0, share, 0.5)


def largest_proven(
    lowest: Callable[[Tensor], Tensor],
    start: Tensor,
    limit: Tensor,
    *,
    at_proven: Tensor,
    tolerance: float,
    proven: Tensor | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> ProvenRadius:
    """Enlarge the radius until one is not proved, then narrow the bracket by the chord's zero (regula falsi).

    It needs a test that proves every radius below one that it proves (monotone); where it is not, the radius is proved
    all the same, only not the largest. Source: the rule of Anderson and Björck (1973) for regula falsi.

    Args:
        lowest: From radii `(batch,)` to `(batch, rows)`: a radius is proved where every row is positive.
        start: First radii, positive and finite, `(batch,)`.
        limit: Radii at which the ball holds everything: what is proved there is proved at any radius, `(batch,)`.
        at_proven: What the smallest row is at the radius that is proved already, or about that, `(batch,)`.
        tolerance: Relative width of a bracket that is narrow enough.
        proven: Radii that are proved already, `(batch,)`; `None`: the radius zero.
        stop: Says when to stop.

    Returns:
        The radii that were proved, 0 where none was, and for which of them the search was stopped.

    >>> tried = []
    >>> def lowest(radius):
    ...     tried.append(float(radius))
    ...     return 3 - radius[:, None] ** 2
    >>> three, one = torch.full((1,), 3.0), torch.ones(1)
    >>> found = largest_proven(lowest, one, 100 * one, at_proven=three, tolerance=1e-3)
    >>> 1.73 < float(found.proven) <= 3 ** 0.5, len(tried)
    (True, 5)
    """
    proven, never = torch.zeros_like(start) if proven is None else proven, torch.full_like(start, torch.inf)
    bracket = _Bracket(proven, at_proven, never, -never, proven, at_proven, torch.zeros_like(start, dtype=torch.long))
    limiting = torch.zeros_like(start, dtype=torch.long)
    radius, unfinished = torch.minimum(start, limit), torch.zeros_like(start, dtype=torch.bool)
    for _ in range(MOST_TRIALS):
        least, place = lowest(radius).min(1)
        limiting = torch.where(~(least > 0) & (radius < bracket.failed), place, limiting)
        bracket.take(radius, _flattened(least, at_proven), torch.where(radius >= limit, torch.inf, radius))
        proven, failed = bracket.proven, bracket.failed
        done = (failed <= proven * (1 + tolerance)) | proven.isinf() | (failed < NOTHING_PROVED * start)
        if bool(done.all()):
            break
        if stop():
            unfinished = ~done
            break
        radius = torch.where(
            done, proven.where(proven.isfinite(), limit), torch.minimum(bracket.next(tolerance), limit)
        )
    return ProvenRadius(bracket.proven, limiting, unfinished)


def confirmed(
    lowest: Callable[[Tensor], Tensor],
    found: Tensor,
    known: Tensor,
    limit: Tensor,
    shares: Sequence[float],
    stop: Callable[[], bool] = lambda: False,
) -> Tensor:
    """What a test proves of radii that a rougher one has found: the largest of some shares of each that it proves.

    Source: this project.

    Args:
        lowest: As for `largest_proven`.
        found: The radii, `(batch,)`.
        known: Radii that are proved already, `(batch,)`.
        limit: Radii at which the ball holds everything, `(batch,)`.
        shares: The shares, the largest one first.
        stop: Says when to stop.

    Returns:
        The radii that were proved; `known` where none of the shares was, or no more was found.

    >>> one = torch.ones(1)
    >>> confirmed(lambda radius: 1.995 - radius[:, None], 2 * one, one, 9 * one, (1.0, 0.99, 0.9))
    tensor([1.9800])
    """
    proven, open_rows = known, found > known
    for share in shares:
        if stop() or not bool(open_rows.any()):
            break
        radius = torch.where(open_rows, torch.minimum(share * found, limit), known)
        holds = open_rows & (lowest(radius).amin(1) > 0)
        proven = torch.where(holds, torch.where(radius >= limit, torch.inf, radius), proven)
        open_rows = open_rows & ~holds
    return proven
