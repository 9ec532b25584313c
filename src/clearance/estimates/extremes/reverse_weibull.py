"""The endpoint of a distribution from its block maxima: reverse Weibull fits with intervals and a status.

CLEVER (paper 001, algorithm 1) estimates a local Lipschitz constant as the right endpoint of the distribution of
gradient norms, by fitting the reverse Weibull distribution `G(y) = exp(-((a - y) / b)**c)`, `y < a`, to block maxima.

**The estimate** maximises the profile likelihood over the endpoint `a`, from the largest maximum upwards, with the
shape `c >= 1` (below 1 the likelihood is unbounded at the largest observation: Smith 1985). No start values, no
randomness, never a location below an observed maximum. It may equal the largest maximum: then the maxima pile up there
(`c = 1`).

**No endpoint.** Often, and nearly always with few maxima or right-skewed ones, the likelihood rises for ever as the
endpoint goes to infinity: its limit is a Gumbel distribution and the data do not identify an endpoint. The status is
then `no_endpoint`, and also when the maximum exists but lies beyond twice the largest maximum (the maxima are taken
for norms, so that zero means something) or further above it than ten times the range of the maxima. The location is
then a *penalised* estimate: the most likely endpoint when the shape is 8, but at most half the range above the
largest, hence never above 1.5 times the largest of positive maxima. A prior on the shape of a GEV is the usual remedy
(Coles and Dixon 1999; Martins and Stedinger 2000). With the support that an endpoint needs (bounded tails) such priors
were simulated too: the likelihood of clustered or heavy-tailed maxima overwhelms them and the estimate becomes a
multiple of the largest; the general endpoint estimator of Fraga Alves and Neves (2014) stays below the truth nearly
always. Hence a point prior, at the largest shape that some hundred maxima can tell from Gumbel, and a bound.
`experiments/endpoint_simulation.py` has the tables.

**The interval** holds every endpoint whose profile likelihood ratio stays below its critical value; infinite above
where the Gumbel limit is among them. The value is chi-square's with one degree of freedom, in its small-sample form
`n log(1 + F / (n - 3))`, with `F` the quantile of the F distribution on 1 and `n - 3` (exact for a normal regression
with three unknowns; plain chi-square covered true endpoints in 86 to 94 % of samples of 8). Where the fitted shape is
below 2 the likelihood is not regular (Smith 1985) and there are two degrees of freedom: at `c = 1` the ratio for a
known shape is `2 n log(1 + m/s)`, `m` the endpoint's distance above the largest and `s` the mean gap below it, whose
limit is twice an exponential variable, a chi-square with two. The interval always holds the location, and starts no
lower than the largest maximum.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import fdtri

from clearance.errors import InputError
from clearance.estimates.extremes import profile_likelihood
from clearance.estimates.extremes.families import check_maxima, ks_distance, ks_p_value
from clearance.estimates.extremes.penalised import MOST_ABOVE, penalised_distance

Array = NDArray[np.float64]

PENALISED_SHAPE = 8.0
PENALISED_RANGES = 0.5
WILD_FACTOR = 2.0
WILD_RANGES = 10.0
POOR_FIT_P_VALUE = 0.05
_PARAMETERS = 3
_CHUNK = 32768


class FitStatus(StrEnum):
    """What a fit may be trusted for."""

    OK = "ok"
    """The likelihood has a maximum; the location is its endpoint."""
    CONSTANT = "constant"
    """All maxima are equal (a linear model): the location is exact."""
    NO_ENDPOINT = "no_endpoint"
    """The maxima do not identify an endpoint; the location is the penalised estimate."""
    POOR_FIT = "poor_fit"
    """There is a maximum, but the K-S p-value is below 0.05."""


@dataclass(frozen=True, slots=True)
class ReverseWeibullFit:
    """Reverse Weibull distributions fitted to block maxima: floats for one sample, arrays `(rows,)` for many.

    Attributes:
        location: the endpoint `a`, in the unit of the maxima; never below the largest of them.
        scale: `b`, same unit; 0 for constant maxima.
        shape: `c >= 1`, no unit.
        interval: lower and upper end for the endpoint, same unit; the upper end may be infinite.
        ks: K-S distance D between the maxima and the fitted distribution.
        p_value: of D, as in paper 001; too large, because the distribution was fitted to the same maxima.
        bootstrap_p_value: of D against refitted samples of the fitted distribution; None unless asked for.
        status: a `FitStatus`, or an object array of them.
    """

    location: float | Array
    scale: float | Array
    shape: float | Array
    interval: tuple[float | Array, float | Array]
    ks: float | Array
    p_value: float | Array
    bootstrap_p_value: float | Array | None
    status: FitStatus | NDArray[np.object_]

    def row(self, index: int) -> "ReverseWeibullFit":
        """The fit of one row, with scalar fields."""

        def pick(values: Any) -> Any:
            return values[index] if values.dtype == object else float(values[index])

        low, high = self.interval
        bootstrap = None if self.bootstrap_p_value is None else pick(self.bootstrap_p_value)
        fields = (pick(self.location), pick(self.scale), pick(self.shape), (pick(low), pick(high)))
        return ReverseWeibullFit(*fields, pick(self.ks), pick(self.p_value), bootstrap, pick(self.status))


def fit_reverse_weibull(
    maxima: ArrayLike, *, level: float = 0.95, bootstrap: int = 0, seed: int = 0, tail_rate: float = 0.0
) -> ReverseWeibullFit:
    """Endpoint, scale and shape of the reverse Weibull distribution of block maxima; see the module for the method.

    Args:
        maxima: block maxima, shape `(blocks,)` for one fit or `(rows, blocks)` for one fit a row.
        level: confidence level of the interval, between 0 and 1.
        bootstrap: number of resamples for the parametric-bootstrap p-value of the K-S distance (Stute, Gonzalez
            Manteiga and Presedo Quindimil 1993); 0 leaves it out.
        seed: of the resamples, any whole number; nothing else is random.
        tail_rate: rate of the exponential prior on the tail index, for maxima that are known to lie far below their
            endpoint, such as those of uniform samples in many dimensions (`extremes.penalised`); 0: no prior.

    Returns:
        The fit, with scalar or array fields.

    Raises:
        InputError: The maxima are empty, not finite or of another shape, or an option is out of its range.

    >>> fit = fit_reverse_weibull([0.90, 0.94, 0.95, 0.97, 0.98, 0.985, 0.99, 0.992])
    >>> fit.status.value, fit.location >= 0.992, fit.interval[0] <= fit.location <= fit.interval[1]
    ('ok', True, True)
    >>> fit_reverse_weibull([2.0, 2.0, 2.0]).interval
    (2.0, 2.0)
    """
    values = check_maxima(maxima)
    if not (_is_number(level) and 0 < level < 1):
        raise InputError(f"expected a confidence level between 0 and 1, got {level!r}")
    if not (_is_number(bootstrap) and isinstance(bootstrap, int) and bootstrap >= 0):  # pyright: ignore
        raise InputError(f"expected a number of bootstrap resamples of 0 or more, got {bootstrap!r}")
    if not (_is_number(tail_rate) and 0 <= tail_rate < np.inf):
        raise InputError(f"expected a tail rate of 0 or more, got {tail_rate!r}")
    rows = np.atleast_2d(values)
    fit = _join([_fit(chunk, level, tail_rate) for chunk in _chunks(rows)])
    if bootstrap:
        fit = replace(fit, bootstrap_p_value=_bootstrap(fit, rows.shape[1], bootstrap, seed, tail_rate))
    return fit.row(0) if values.ndim == 1 else fit


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _chunks(rows: Array) -> Iterator[Array]:
    """Blocks of rows small enough to stay in the processor's cache."""
    size = max(1, _CHUNK // rows.shape[1])
    return (rows[start : start + size] for start in range(0, len(rows), size))


def _join(fits: list[ReverseWeibullFit]) -> ReverseWeibullFit:
    """One fit of all rows from those of its chunks."""

    def join(name: str) -> Any:
        return np.concatenate([getattr(fit, name) for fit in fits])

    lower, upper = (np.concatenate([np.asarray(fit.interval[end]) for fit in fits]) for end in (0, 1))
    fields = (join("location"), join("scale"), join("shape"), (lower, upper))
    return ReverseWeibullFit(*fields, join("ks"), join("p_value"), None, join("status"))


def _fit(values: Array, level: float, tail_rate: float) -> ReverseWeibullFit:
    """Fits of a chunk of rows, array fields."""
    largest, spread = _extent(values)
    constant = spread == 0
    gaps = _standard_gaps(values, largest, spread)
    drops = _critical_drops(values.shape[1], level)
    distance, shape, maximum, lost = _estimate(gaps, largest, spread, drops, tail_rate)
    location = largest + distance * spread
    scale, ks = _scale_and_ks(gaps, distance, shape, constant)
    lower, upper = maximum.lower, maximum.upper
    if values.shape[1] < _PARAMETERS:
        lower, upper = np.zeros_like(lower), np.full_like(upper, np.inf)
    lower = largest + np.minimum(lower, distance) * spread
    with np.errstate(invalid="ignore"):
        upper = np.where(constant, largest, largest + np.maximum(upper, distance) * spread)
    if values.shape[1] == 1:
        lost, upper = ~lost, np.full_like(upper, np.inf)
    p_value = ks_p_value(ks, values.shape[1])
    status = _statuses(constant, lost, p_value)
    return ReverseWeibullFit(location, scale * spread, shape, (lower, upper), ks, p_value, None, status)


def _extent(values: Array) -> tuple[Array, Array]:
    """Largest maximum and range of each row; the range is 0 where it is no more than rounding of equal numbers."""
    largest, smallest = values.max(1), values.min(1)
    spread = largest - smallest
    rounding = 4 * np.finfo(np.float64).eps * np.maximum(np.abs(largest), np.abs(smallest))
    return largest, np.where(spread <= rounding, 0.0, spread)


def _standard_gaps(values: Array, largest: Array, spread: Array) -> Array:
    """Gaps below the largest in units of the range; constant rows get even ones (two at least), whose fit is unused."""
    constant = (spread == 0)[:, None]
    even = np.linspace(0, 1, max(values.shape[1], 2))
    return np.where(constant, even, (largest[:, None] - values) / np.where(constant, 1.0, spread[:, None]))


def _critical_drops(count: int, level: float) -> tuple[float, float]:
    """Half the critical value of the likelihood ratio with one and with two degrees of freedom.

    `n log(1 + k F / (n - 3))`, `F` the quantile on `k` and `n - 3`; it tends to chi-square's with `k` as `n` grows.
    """
    rest = max(count - _PARAMETERS, 1)
    one, two = (count / 2 * float(np.log1p(k * fdtri(k, rest, level) / rest)) for k in (1, 2))
    return one, two


def _estimate(
    gaps: Array, largest: Array, spread: Array, drops: tuple[float, float] | None, tail_rate: float = 0.0
) -> tuple[Array, Array, profile_likelihood.Maximum, NDArray[np.bool_]]:
    """Distance of the endpoint above the largest in ranges, shape, the plain maximum, and which rows are penalised."""
    maximum = profile_likelihood.maximise(gaps, drops)
    constant = spread == 0
    distance, shape = np.where(constant, 0.0, maximum.distance), np.where(constant, 1.0, maximum.shape)
    with np.errstate(invalid="ignore"):
        far = (largest > 0) & (largest + distance * spread > WILD_FACTOR * largest)
    lost = ~constant & (far | (distance > WILD_RANGES) | (gaps.shape[1] < _PARAMETERS))
    if tail_rate:
        distance, shape, bound = _with_prior(gaps, largest, spread, maximum, tail_rate)
        lost = ~constant & (lost | bound)
    elif lost.any():
        chosen = gaps[lost]
        distance[lost] = np.minimum(profile_likelihood.fixed_shape(chosen, PENALISED_SHAPE), PENALISED_RANGES)
        shape[lost] = profile_likelihood.evaluate(chosen, distance[lost], np.full(len(chosen), PENALISED_SHAPE)).shape
    return distance, shape, maximum, lost


def _with_prior(
    gaps: Array, largest: Array, spread: Array, maximum: profile_likelihood.Maximum, tail_rate: float
) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Distance and shape under the prior on the tail index, and whether the prior's bound was reached."""
    distance, shape, bound = penalised_distance(gaps, tail_rate)
    usual = (largest > 0) & (spread > 0)
    most = np.where(usual, MOST_ABOVE * largest / np.where(usual, spread, 1.0), PENALISED_RANGES)
    distance = np.where(spread == 0, 0.0, np.clip(np.minimum(distance, most), maximum.lower, maximum.upper))
    return distance, np.where(spread == 0, 1.0, shape), bound


def _scale_and_ks(gaps: Array, distance: Array, shape: Array, constant: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Scale `b = mean(x**c)**(1/c)` in ranges and K-S distance, given the other two parameters."""
    values = gaps + distance[:, None]
    with np.errstate(divide="ignore"):
        powers = shape[:, None] * np.log(values)
    peak = powers.max(1)
    peak = np.where(np.isfinite(peak), peak, 0.0)
    level = (
        np.log(np.maximum(profile_likelihood.mean(np.exp(powers - peak[:, None])), np.finfo(np.float64).tiny)) + peak
    )
    distances = ks_distance(np.exp(-np.exp(powers - level[:, None])))
    return np.where(constant, 0.0, np.exp(level / shape)), np.where(constant, 0.0, distances)


def _statuses(constant: NDArray[np.bool_], lost: NDArray[np.bool_], p_value: Array) -> NDArray[np.object_]:
    """The status of each row, the gravest that applies."""
    status = np.empty(len(constant), dtype=object)  # np.full would turn the enum into plain strings
    status[:] = FitStatus.OK
    status[p_value < POOR_FIT_P_VALUE] = FitStatus.POOR_FIT
    status[constant] = FitStatus.CONSTANT
    status[lost] = FitStatus.NO_ENDPOINT
    return status


def _bootstrap(fit: ReverseWeibullFit, count: int, resamples: int, seed: int, tail_rate: float) -> Array:
    """Parametric-bootstrap p-values, `(1 + #{D* >= D}) / (1 + resamples)`, shape `(rows,)`.

    Every row uses the same uniform numbers, so that a row's p-value does not depend on its neighbours.
    """
    exponentials = np.random.default_rng(seed % 2**63).standard_exponential((resamples, count))
    p_values = np.ones(len(np.asarray(fit.location)))
    for index in range(len(p_values)):
        one = fit.row(index)
        samples = float(one.location) - float(one.scale) * exponentials ** (1 / float(one.shape))
        distances = np.concatenate([_refitted_ks(chunk, tail_rate) for chunk in _chunks(samples)])
        p_values[index] = (1 + np.count_nonzero(distances >= float(one.ks))) / (1 + resamples)
    return p_values


def _refitted_ks(values: Array, tail_rate: float) -> Array:
    """K-S distance of each row to its own fit, shape `(rows,)`."""
    largest, spread = _extent(values)
    gaps = _standard_gaps(values, largest, spread)
    distance, shape, _, _ = _estimate(gaps, largest, spread, None, tail_rate)
    return _scale_and_ks(gaps, distance, shape, spread == 0)[1]
