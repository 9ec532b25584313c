"""What a search 25 times as long would find at each level, from how unlike the blocks of this one are."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

LONGER_SEARCH = 25
"""The interval's lower end is the radius that a search with so many times the blocks would find."""
BLOCKS_PER_SPACING = 4
"""Normalised spacings that a level's scale is estimated from: one for so many blocks, at least one."""
GROWTH_AT, GROWTH = (0.0, 0.5, 1.0), (0.55, 0.4, 1.7)
"""What a longer search adds to a level's value, as a share of it and for an unevenness of 1, at these `1 / p`: for the
maximum norm, `l_2` and `l_1`. Calibrated: about the 95 % quantile of what such searches did add on public networks
(docs/estimate.md, "What the interval claims")."""


def unevenness(maxima: NDArray[np.float64], seen: NDArray[np.float64]) -> float:
    """How unlike the best blocks of a level are, and how far they fall short of what was met there; a share.

    The mean over levels of two shares of a level's value. The *spacing* is the mean of the first few normalised
    spacings `i (X_(i) - X_(i+1))` of its block maxima from the top: of an exponential tail (the Gumbel domain, the
    conservative limit of bounded tails) they are independent with its scale as their mean (Rényi 1953; Weissman 1978).
    The *shortfall* is `1 - X_(1) / L`: what others met at that level, and its own blocks did not. A search whose blocks
    all end at one value, which nothing exceeds, has 0.

    Args:
        maxima: Block maxima of each level, `(levels, blocks)`, from two blocks on; a level of zeros has none.
        seen: The largest value that anyone met at each level, `(levels,)`; less than its maxima where a nearer witness
            moved the level inward after its blocks had searched it.

    Returns:
        At least 0; 0 without any maxima.

    >>> unevenness(np.array([[1.0, 0.9], [2.0, 2.0]]), np.array([1.0, 2.5])).__round__(3)
    0.15
    """
    ranked = -np.sort(-maxima, axis=1)
    met, top = ranked[:, 0] > 0, ranked[:, 0]
    if not met.any():
        return 0.0
    shares = ranked[met] / ranked[met, :1]
    count = max(1, maxima.shape[1] // BLOCKS_PER_SPACING)
    spacings = ((shares[:, :count] - shares[:, 1 : count + 1]) * np.arange(1, count + 1)).mean(1)
    shortfall = 1 - top[met] / np.maximum(seen, top)[met]  # a level may have moved inward since
    return float((spacings + shortfall).mean())


def longer_search_values(maxima: NDArray[np.float64], seen: NDArray[np.float64], norm: float) -> NDArray[np.float64]:
    """What a search with 25 times the blocks does not exceed at each level, in 95 % of the measured cases.

    `L (1 + c sqrt(u))` with the unevenness `u` and a calibrated `c`, between these norms linear in `1 / p`. The
    return level of an exponential tail, `L (1 + u ln 25)` and more, is not used: rounds of a search build on each
    other, so that its blocks are no sample of one law, and measured it is too low in `l_1` and too high elsewhere. The
    square root, too, is what fits: the unevenness of a few blocks is a rough measure. Source: this project.

    Args:
        maxima: Block maxima of each level, `(levels, blocks)`.
        seen: The largest value that anyone met at each level, `(levels,)`.
        norm: `p` of distances, at least 1.

    Returns:
        `(levels,)`, at least `seen`.

    >>> longer_search_values(np.array([[1.0, 0.96]]), np.array([1.0]), 2.0).round(3)
    array([1.08])
    """
    growth = np.interp(1 / norm, GROWTH_AT, GROWTH)
    return seen * (1 + growth * math.sqrt(unevenness(maxima, seen)))
