"""What a longer search would find: a return level from the largest spacings of block maxima."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

BLOCKS_PER_SPACING = 4
"""Normalised spacings of a level that its scale is estimated from: one for so many blocks, at least one."""
NEIGHBOURS = 0.25
"""Share of the levels, on each side, whose scales are averaged: with a few blocks each, one level's own says little."""


def tail_scale(maxima: NDArray[np.float64]) -> NDArray[np.float64]:
    """The scale of the upper tail of each level's block maxima, as a share of its largest.

    Where the tail is exponential (the Gumbel domain, the conservative limit of bounded tails), the normalised spacings
    `i (X_(i) - X_(i+1))` of the order statistics from the top are independent with the scale as their mean (Rényi 1953;
    Weissman 1978). The mean of the first few of them is averaged over neighbouring levels.

    Args:
        maxima: `(levels, blocks)`, at least 0, from two blocks on.

    Returns:
        `(levels,)`, >= 0.

    >>> tail_scale(np.array([[1.0, 0.9]])).round(3)
    array([0.1])
    """
    ranked = -np.sort(-maxima, axis=1)
    ranked = ranked / np.maximum(ranked[:, :1], np.finfo(np.float64).tiny)
    count = max(1, maxima.shape[1] // BLOCKS_PER_SPACING)
    weights = np.arange(1, count + 1)
    own = ((ranked[:, :count] - ranked[:, 1 : count + 1]) * weights).mean(1)
    window = np.ones(2 * round(NEIGHBOURS * len(own)) + 1)
    return np.convolve(own, window, "same") / np.convolve(np.ones_like(own), window, "same")


def return_levels(
    maxima: NDArray[np.float64], seen: NDArray[np.float64], *, multiple: float, probability: float
) -> NDArray[np.float64]:
    """The value that a search with `multiple` times the blocks does not exceed, with a probability, at each level.

    Of two samples of an exponential tail with scale `b`, one `m` times the size of the other, the difference of the
    largest values is logistic with location `b ln m` and scale `b` (the difference of two Gumbel variables), so that
    its quantile is `b (ln m + ln(P / (1 - P)))`. Source: this project.

    Args:
        maxima: Block maxima of each level, `(levels, blocks)`.
        seen: The largest value that anyone met at each level, `(levels,)`, at least the largest of its maxima.
        multiple: `m`, how many times as many blocks.
        probability: `P`, of one level.

    Returns:
        `(levels,)`, at least `seen`.
    """
    step = math.log(multiple) + math.log(probability / (1 - probability))
    return seen * (1 + np.maximum(step, 0.0) * tail_scale(maxima))
