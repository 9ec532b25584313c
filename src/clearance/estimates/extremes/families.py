"""The other two families of the Fisher-Tippett-Gnedenko theorem, and the K-S test that compares all three.

The largest of many independent draws follows, in the limit, one of (Weng et al. 2018, theorem 4.1)

    Gumbel           G(y) = exp(-exp(-(y - a) / b))
    Frechet          G(y) = exp(-((y - a) / b)**-c),   y > a
    reverse Weibull  G(y) = exp(-((a - y) / b)**c),    y < a

and only the last has a finite right end.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clearance.errors import InputError
from clearance.estimates.extremes.profile_likelihood import gumbel_limit
from clearance.estimates.extremes.weibull import log_likelihood, solve_shape

Array = NDArray[np.float64]

LARGEST_MAXIMUM = 1e300
"""The largest block maximum: locations up to a thousand ranges away are tried, and with larger maxima they could
overflow."""

FRECHET_DISTANCES: Array = np.geomspace(1e-6, 1e3, 181)
"""Where the Frechet location is looked for below the smallest maximum, in ranges: from a millionth, where the largest
maxima alone fix the shape, to a thousand, where the distribution is a Gumbel one for all purposes; 20 points a
decade."""

FRECHET_REFINEMENT = 101
"""Points between the neighbours of the best one, twice: the location is then exact to a relative 5e-5."""


@dataclass(frozen=True, slots=True)
class FamilyFit:
    """One family of theorem 4.1 of Weng et al. 2018 (the module's text has the formulas), fitted to one sample.

    Attributes:
        family: `gumbel`, `frechet` or `reverse_weibull`.
        location: `a`, in the unit of the maxima.
        scale: `b`, in the unit of the maxima; 0 for constant maxima.
        shape: `c`, no unit; infinite for Gumbel, the limit of both others.
        log_likelihood: of the whole sample; infinite for constant maxima.
        ks: the K-S distance D between the sample and the fitted distribution.
        p_value: of D, as in Weng et al. 2018, section 5.2: too large, because the distribution was fitted to the same
            sample.
    """

    family: str
    location: float
    scale: float
    shape: float
    log_likelihood: float
    ks: float
    p_value: float


def check_maxima(maxima: ArrayLike) -> Array:
    """Block maxima as a float64 array of one or two dimensions. Source: this project.

    Args:
        maxima: shape `(blocks,)` or `(rows, blocks)`.

    Returns:
        The array, of the same shape.

    Raises:
        InputError: It is empty, has another number of dimensions, or holds a value that is not a finite real
            number of at most `LARGEST_MAXIMUM`.
    """
    try:
        values = np.asarray(maxima, dtype=np.float64)
    except (TypeError, ValueError, RuntimeError) as error:  # the last: a tensor that requires a gradient
        raise InputError(f"expected block maxima as real numbers, got {type(maxima).__name__}: {error}") from None
    if values.ndim not in {1, 2} or values.size == 0:
        raise InputError(f"expected block maxima of shape (blocks,) or (rows, blocks), not empty, got {values.shape}")
    if not np.isfinite(values).all():
        bad = int(np.count_nonzero(~np.isfinite(values)))
        raise InputError(f"expected finite block maxima, got {bad} of {values.size} that are NaN or infinite")
    if float(np.abs(values).max()) > LARGEST_MAXIMUM:
        raise InputError(f"expected block maxima up to {LARGEST_MAXIMUM:g}, got {np.abs(values).max():g}")
    return values


def ks_distance(probabilities: Array) -> Array:
    """Kolmogorov-Smirnov distance `D = max_y |F_n(y) - F(y)|` of an empirical and a fitted distribution function.

    With the values of `F` in ascending order it is `max_i max(i/n - F(y_i), F(y_i) - (i - 1)/n)` (Massey 1951).

    Args:
        probabilities: the fitted distribution function at each observation, shape `(rows, blocks)`, any order.

    Returns:
        The two-sided distance of each row, shape `(rows,)`.

    >>> ks_distance(np.array([[0.25, 0.75]])).tolist()
    [0.25]
    """
    count = probabilities.shape[1]
    ordered, rank = np.sort(probabilities, axis=1), np.arange(count)
    return np.maximum(((rank + 1) / count - ordered).max(1), (ordered - rank / count).max(1))


def ks_p_value(distance: Array, count: int) -> Array:
    """Probability of a K-S distance at least this large when the distribution was given in advance.

    `P(D_n >= d)`, exact for every `n` (`scipy.stats.kstwo`; Simard and L'Ecuyer 2011).

    Args:
        distance: `D`, any shape.
        count: `n`, the number of observations.

    Returns:
        The probability, shape as given.

    >>> round(float(ks_p_value(np.array(0.5), 1)), 3)  # one observation: D is uniform on [1/2, 1]
    1.0
    """
    from scipy.stats import kstwo  # 0.9 s to import

    return np.asarray(kstwo.sf(distance, count), dtype=np.float64)


def fit_gumbel(maxima: ArrayLike) -> FamilyFit:
    """Maximum-likelihood Gumbel distribution `exp(-exp(-(y - a) / b))` of block maxima.

    The rate `1/b` solves `b = mean(y) - sum(y e**(-y/b)) / sum(e**(-y/b))` (Johnson, Kotz and Balakrishnan 1995,
    chapter 22), then `a = -b log mean(e**(-y/b))`.

    Args:
        maxima: block maxima, shape `(blocks,)`.

    Returns:
        The fit. Constant maxima give that constant and scale 0.

    >>> round(fit_gumbel([1.0, 2.0, 4.0]).location, 3)
    1.741
    """
    values, largest, spread, gaps = _standard(maxima)
    if spread == 0:
        return _constant("gumbel", largest, np.inf)
    rate, likelihood = gumbel_limit(gaps)
    scale = spread / float(rate[0])
    level = float(np.log(np.mean(np.exp(rate[0] * (gaps - 1)))) + rate[0])
    location = largest - scale * level
    probabilities = np.exp(-np.exp(-(values - location) / scale))
    total = float(likelihood[0]) - values.size * np.log(spread)
    return _family("gumbel", (location, scale, np.inf), total, probabilities)


def fit_frechet(maxima: ArrayLike) -> FamilyFit:
    """Maximum-likelihood Frechet distribution `exp(-((y - a) / b)**-c)`, `y > a`, of block maxima.

    Source: this project, from the likelihood equations of the Weibull distribution (Johnson, Kotz and Balakrishnan
    1994, chapter 21): with `z = y - a` the reciprocal `1/z` is Weibull with the same shape, so the scale and shape are
    profiled out and the location is searched from a millionth of the range to a thousand ranges below the smallest
    maximum. At the far end the distribution is a Gumbel one for all purposes, which is the answer for maxima that are
    not heavy-tailed.

    Args:
        maxima: block maxima, shape `(blocks,)`.

    Returns:
        The fit. Constant maxima give that constant and scale 0.

    >>> fit_frechet([1.0, 1.1, 1.3, 1.7, 4.0]).location < 1
    True
    """
    values, largest, spread, gaps = _standard(maxima)
    if spread == 0:
        return _constant("frechet", largest, 1.0)
    distance, shape, highest = _frechet_maximum(gaps)
    excess = 1 - gaps + distance
    scale = np.exp(-np.log(np.mean(np.exp(-shape * np.log(excess / distance)))) / shape) * distance
    probabilities = np.exp(-((excess / scale) ** -shape))
    location = float(values.min() - distance * spread)
    total = highest - values.size * np.log(spread)
    return _family("frechet", (location, float(scale) * spread, shape), total, probabilities)


def _frechet_maximum(gaps: Array) -> tuple[float, float, float]:
    """Distance, shape and log-likelihood at the top of the profile: a grid, refined twice around its best point."""
    distances = FRECHET_DISTANCES
    for _ in range(2):
        best = int(_frechet_profile(gaps, distances)[0].argmax())
        distances = np.geomspace(
            distances[max(best - 1, 0)], distances[min(best + 1, len(distances) - 1)], FRECHET_REFINEMENT
        )
    likelihood, shapes = _frechet_profile(gaps, distances)
    best = int(likelihood.argmax())
    return float(distances[best]), float(shapes[best]), float(likelihood[best])


def _frechet_profile(gaps: Array, distances: Array) -> tuple[Array, Array]:
    """Log-likelihood and shape at each distance below the smallest maximum, each of shape `(distances,)`."""
    logs = -np.log(1 - gaps + distances[:, None])
    shapes = solve_shape(logs)
    return log_likelihood(logs, shapes) + 2 * logs.sum(1), shapes


def _standard(maxima: ArrayLike) -> tuple[Array, float, float, Array]:
    """One sample checked: its values `(blocks,)`, its largest, its range, and its standard gaps `(1, blocks)`.

    Raises:
        InputError: There is more than one sample.
    """
    values = check_maxima(maxima)
    if values.ndim != 1:
        raise InputError(f"expected block maxima of shape (blocks,), got {values.shape}: fit one sample at a time")
    largest, spread = float(values.max()), float(np.ptp(values))
    return values, largest, spread, ((largest - values) / (spread or 1.0))[None]


def _constant(family: str, value: float, shape: float) -> FamilyFit:
    return FamilyFit(family, value, 0.0, shape, np.inf, 0.0, 1.0)


def _family(family: str, parameters: tuple[float, float, float], likelihood: float, probabilities: Array) -> FamilyFit:
    """The record of a fit, with its K-S distance and p-value."""
    distance = ks_distance(probabilities.reshape(1, -1))
    p_value = float(ks_p_value(distance, probabilities.size)[0])
    return FamilyFit(family, *parameters, float(likelihood), float(distance[0]), p_value)
