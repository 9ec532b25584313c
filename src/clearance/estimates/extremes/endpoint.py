"""Where the endpoint is put: at the maximum of the profile likelihood, or at a penalised estimate.

**No endpoint.** Often, and nearly always with few maxima or right-skewed ones, the likelihood rises without bound as
the endpoint goes to infinity: its limit is a Gumbel distribution and the data do not identify an endpoint. The same is
said where the maximum exists but lies beyond twice the largest maximum (the maxima are taken for norms, so that zero
means something) or further above it than ten times the range of the maxima.

**The penalised estimate** is then the most likely endpoint when the shape is 8, but at most half the range above the
largest, hence never above 1.5 times the largest of positive maxima. A prior on the shape of a generalised extreme-value
distribution is the usual remedy (Coles and Dixon 1999; Martins and Stedinger 2000). With the support that an endpoint
needs (bounded tails) such priors were simulated too: the likelihood of clustered or heavy-tailed maxima overwhelms them
and the estimate becomes a multiple of the largest; the general endpoint estimator of Fraga Alves and Neves (2014) stays
below the truth nearly always. Hence a point prior, at the largest shape that some hundred maxima can tell from Gumbel,
and a bound. `experiments/endpoint_simulation.py` has the tables. Where a tail rate is given, the estimate is that of
`extremes.penalised` throughout.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clearance.estimates.extremes.families import ks_distance
from clearance.estimates.extremes.penalised import LARGEST_EXCESS, penalised_distance
from clearance.estimates.extremes.profile_likelihood import evaluate, fixed_shape
from clearance.estimates.extremes.profile_maximum import Maximum, maximise
from clearance.estimates.extremes.weibull import row_mean

Array = NDArray[np.float64]

PARAMETERS = 3
"""Location, scale and shape: fewer maxima than this identify nothing."""

PENALISED_SHAPE = 8.0
"""The shape of a penalised estimate: the largest that some hundred maxima can tell from a Gumbel distribution (see the
module's text)."""

PENALISED_RANGES = 0.5
"""The most by which a penalised estimate exceeds the largest maximum, in ranges of the maxima. A range is at most the
largest of positive maxima, so the estimate is at most 1.5 times that."""

UNIDENTIFIED_FACTOR = 2.0
"""Endpoints beyond this multiple of the largest maximum count as not identified: a choice. In 300 simulated samples of
norms `1 - Beta(a, 3)`, `a` up to 16, the largest of 8 maxima of 1,024 draws was never below half of the endpoint."""

UNIDENTIFIED_RANGES = 10.0
"""Endpoints further above the largest maximum than this many ranges count as not identified. In simulated samples of up
to 200 maxima the log-likelihood there was within 1.4 of its Gumbel limit, and endpoints whose likelihoods differ by
less than 1.92 share a 95 % interval."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Estimates of the endpoint, per row, in standard gaps; every field but `maximum` has shape `(rows,)`.

    Attributes:
        distance: distance `t` of the endpoint above the largest maximum, in ranges of the maxima.
        shape: `c`.
        maximum: the maximum of the profile likelihood, penalised or not.
        penalised: whether the data identify no endpoint, so that the distance is a penalised one.
    """

    distance: Array
    shape: Array
    maximum: Maximum
    penalised: NDArray[np.bool_]


def extent(values: Array) -> tuple[Array, Array]:
    """Largest maximum and range of each row; the range is 0 where it is no more than rounding of equal numbers.

    Source: this project. Rounding is `4 eps max |y|` with the machine epsilon of doubles: two roundings of each end.

    Args:
        values: block maxima, shape `(rows, blocks)`.

    Returns:
        Largest and range, each of shape `(rows,)`.

    >>> largest, spread = extent(np.array([[1.0, 3.0], [0.1 + 0.2, 0.3]]))
    >>> spread.tolist()
    [2.0, 0.0]
    """
    largest, smallest = values.max(1), values.min(1)
    spread = largest - smallest
    rounding = 4 * np.finfo(np.float64).eps * np.maximum(np.abs(largest), np.abs(smallest))
    return largest, np.where(spread <= rounding, 0.0, spread)


def standard_gaps(values: Array, largest: Array, spread: Array) -> Array:
    """Gaps below the largest in units of the range, `u = (max(y) - y) / (max(y) - min(y))`.

    Source: this project; the unit of `extremes.profile_likelihood`. Constant rows get even gaps, whose fit is unused.

    Args:
        values: block maxima `y`, shape `(rows, blocks)`.
        largest: largest of each row, shape `(rows,)`.
        spread: range of each row, shape `(rows,)`; 0 marks a constant row.

    Returns:
        Shape `(rows, blocks)`; two columns at least if every row is constant.

    >>> standard_gaps(np.array([[1.0, 2.0, 5.0]]), np.array([5.0]), np.array([4.0])).tolist()
    [[1.0, 0.75, 0.0]]
    """
    constant = (spread == 0)[:, None]
    even = np.linspace(0, 1, max(values.shape[1], 2))
    return np.where(constant, even, (largest[:, None] - values) / np.where(constant, 1.0, spread[:, None]))


def estimate_endpoint(
    gaps: Array, largest: Array, spread: Array, *, drops: tuple[float, float] | None, tail_rate: float = 0.0
) -> Endpoint:
    """The most likely endpoint of each row, or the penalised estimate where the data do not identify one.

    `max(y) + t range(y)`, `t` the maximiser of the profile likelihood (Smith 1985, with `c >= 1`) or the penalised one
    of the module's text.

    Args:
        gaps: standard gaps, shape `(rows, blocks)`.
        largest: largest maximum of each row, shape `(rows,)`.
        spread: range of each row, shape `(rows,)`; 0 marks a constant row.
        drops: as for `profile_maximum.maximise`.
        tail_rate: rate of the exponential prior on the tail index (`extremes.penalised`); 0: no prior.

    Returns:
        The estimates; a constant row has distance 0 and shape 1.
    """
    maximum = maximise(gaps, drops)
    constant = spread == 0
    distance, shape = np.where(constant, 0.0, maximum.distance), np.where(constant, 1.0, maximum.shape)
    with np.errstate(invalid="ignore"):
        far = (largest > 0) & (largest + distance * spread > UNIDENTIFIED_FACTOR * largest)
    penalised = ~constant & (far | (distance > UNIDENTIFIED_RANGES) | (gaps.shape[1] < PARAMETERS))
    if tail_rate:
        distance, shape, bound = _with_prior(gaps, largest, spread, maximum, tail_rate)
        penalised = ~constant & (penalised | bound)
    elif penalised.any():
        chosen = gaps[penalised]
        distance[penalised] = np.minimum(fixed_shape(chosen, PENALISED_SHAPE), PENALISED_RANGES)
        start = np.full(len(chosen), PENALISED_SHAPE)
        shape[penalised] = evaluate(chosen, distance[penalised], start).shape
    return Endpoint(distance, shape, maximum, penalised)


def _with_prior(
    gaps: Array, largest: Array, spread: Array, maximum: Maximum, tail_rate: float
) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Distance and shape under the prior on the tail index, and whether the prior's bound was reached."""
    distance, shape, bound = penalised_distance(gaps, tail_rate)
    usual = (largest > 0) & (spread > 0)
    most = np.where(usual, LARGEST_EXCESS * largest / np.where(usual, spread, 1.0), PENALISED_RANGES)
    distance = np.where(spread == 0, 0.0, np.clip(np.minimum(distance, most), maximum.lower, maximum.upper))
    return distance, np.where(spread == 0, 1.0, shape), bound


def scale_and_ks(gaps: Array, distance: Array, shape: Array, constant: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Most likely scale in ranges, `b = mean(x**c)**(1/c)` with `x = t + u`, and the K-S distance of the fit.

    Sources: Johnson, Kotz and Balakrishnan 1994, chapter 21, for the scale; the fitted distribution function whose K-S
    distance is taken is `exp(-(x/b)**c)` (Weng et al. 2018, theorem 4.1 and section 5.2).

    Args:
        gaps: standard gaps `u`, shape `(rows, blocks)`.
        distance: `t`, shape `(rows,)`.
        shape: `c`, shape `(rows,)`.
        constant: marks constant rows, shape `(rows,)`: scale and distance are 0 there.

    Returns:
        Scale and K-S distance, each of shape `(rows,)`.
    """
    values = gaps + distance[:, None]
    with np.errstate(divide="ignore"):
        powers = shape[:, None] * np.log(values)
    peak = powers.max(1)
    peak = np.where(np.isfinite(peak), peak, 0.0)
    level = np.log(np.maximum(row_mean(np.exp(powers - peak[:, None])), np.finfo(np.float64).tiny)) + peak
    distances = ks_distance(np.exp(-np.exp(powers - level[:, None])))
    return np.where(constant, 0.0, np.exp(level / shape)), np.where(constant, 0.0, distances)
