"""The endpoint of a distribution from its block maxima: reverse Weibull fits with intervals and a status.

CLEVER (Weng et al. 2018, algorithm 1) estimates a local Lipschitz constant as the right endpoint of the distribution of
gradient norms, by fitting the reverse Weibull distribution `G(y) = exp(-((a - y) / b)**c)`, `y < a`, to block maxima.

**The estimate** maximises the profile likelihood over the endpoint `a`, from the largest maximum upwards, with the
shape `c >= 1` (below 1 the likelihood is unbounded at the largest observation: Smith 1985). No start values, no
randomness, never a location below an observed maximum. It may equal the largest maximum: then the maxima pile up there
(`c = 1`). Where the data do not identify an endpoint the location is a penalised estimate (`extremes.endpoint`).

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
from clearance.estimates.extremes.endpoint import PARAMETERS, estimate_endpoint, extent, scale_and_ks, standard_gaps
from clearance.estimates.extremes.families import check_maxima, ks_p_value

Array = NDArray[np.float64]

POOR_FIT_P_VALUE = 0.05
"""A K-S p-value below this says that the fit is poor: the significance level of Weng et al. 2018, section 5.2."""

_NUMBERS_AT_ONCE = 32768
"""Block maxima fitted at once: 256 KiB of doubles, so that a chunk and its temporaries stay in a processor's cache."""


class FitStatus(StrEnum):
    """What the location of a fit is. Source: this project; the module's text says when each applies."""

    OK = "ok"
    """The likelihood has a maximum; the location is its endpoint."""
    CONSTANT = "constant"
    """All maxima are equal (a linear model): the location is exact."""
    NO_ENDPOINT = "no_endpoint"
    """The maxima do not identify an endpoint; the location is the penalised estimate."""
    POOR_FIT = "poor_fit"
    """There is a maximum, but the K-S p-value is below `POOR_FIT_P_VALUE`."""


@dataclass(frozen=True, slots=True)
class ReverseWeibullFit:
    """Reverse Weibull distributions `exp(-((a - y) / b)**c)`, `y < a` (Weng et al. 2018, theorem 4.1, type III).

    Fitted to block maxima by `fit_reverse_weibull`. The fields are floats for one sample, arrays `(rows,)` for many.

    Attributes:
        location: the endpoint `a`, in the unit of the maxima; never below the largest of them.
        scale: `b`, same unit; 0 for constant maxima.
        shape: `c >= 1`, no unit.
        interval: lower and upper end for the endpoint, same unit; the upper end may be infinite.
        ks: K-S distance D between the maxima and the fitted distribution.
        p_value: of D, as in Weng et al. 2018, section 5.2; too large, because the distribution was fitted to the same
            maxima.
        bootstrap_p_value: of D against refitted samples of the fitted distribution (Stute, Gonzalez Manteiga and
            Presedo Quindimil 1993); None unless asked for.
        status: a `FitStatus`, or an object array of them.
    """

    location: float | Array
    scale: float | Array
    shape: float | Array
    interval: tuple[float | Array, float | Array]
    ks: float | Array
    p_value: float | Array
    bootstrap_p_value: float | Array | None
    status: FitStatus | NDArray[Any]

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
    """Endpoint, scale and shape of the reverse Weibull distribution of block maxima.

    Fits `G(y) = exp(-((a - y) / b)**c)`, `y < a` (Weng et al. 2018, theorem 4.1, type III) by maximum likelihood with
    `c >= 1` (Smith 1985); the location `a` is the estimate of a local Lipschitz constant (algorithm 1). The module's
    text has the method.

    Args:
        maxima: block maxima, shape `(blocks,)` for one fit or `(rows, blocks)` for one fit a row.
        level: confidence level of the interval, between 0 and 1.
        bootstrap: number of resamples for the parametric-bootstrap p-value of the K-S distance (Stute, Gonzalez
            Manteiga and Presedo Quindimil 1993); 0 leaves it out.
        seed: of the resamples, any whole number; nothing else is random.
        tail_rate: rate of the exponential prior on the tail index, for maxima that are known to lie far below their
            endpoint, such as those of uniform samples in many dimensions (`extremes.penalised`); 0: no prior.

    Returns:
        The fit, with floats for one sample or arrays `(rows,)` for many.

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
    size = max(1, _NUMBERS_AT_ONCE // rows.shape[1])
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
    largest, spread = extent(values)
    constant = spread == 0
    gaps = standard_gaps(values, largest, spread)
    found = estimate_endpoint(gaps, largest, spread, drops=_critical_drops(values.shape[1], level), tail_rate=tail_rate)
    distance, shape, unidentified = found.distance, found.shape, found.penalised
    location = largest + distance * spread
    scale, ks = scale_and_ks(gaps, distance, shape, constant)
    lower, upper = found.maximum.lower, found.maximum.upper
    if values.shape[1] < PARAMETERS:
        lower, upper = np.zeros_like(lower), np.full_like(upper, np.inf)
    lower = largest + np.minimum(lower, distance) * spread
    with np.errstate(invalid="ignore"):
        upper = np.where(constant, largest, largest + np.maximum(upper, distance) * spread)
    if values.shape[1] == 1:
        unidentified, upper = ~unidentified, np.full_like(upper, np.inf)
    p_value = ks_p_value(ks, values.shape[1])
    status = _statuses(constant, unidentified, p_value)
    return ReverseWeibullFit(location, scale * spread, shape, (lower, upper), ks, p_value, None, status)


def _critical_drops(count: int, level: float) -> tuple[float, float]:
    """Half the critical value of the likelihood ratio with one and with two degrees of freedom.

    `n log(1 + k F / (n - 3))`, `F` the quantile on `k` and `n - 3`; it tends to chi-square's with `k` as `n` grows.
    """
    rest = max(count - PARAMETERS, 1)
    one, two = (count / 2 * float(np.log1p(k * fdtri(k, rest, level) / rest)) for k in (1, 2))
    return one, two


def _statuses(constant: NDArray[np.bool_], unidentified: NDArray[np.bool_], p_value: Array) -> NDArray[np.object_]:
    """The status of each row; where several apply, the last of poor fit, constant and no endpoint."""
    status = np.empty(len(constant), dtype=object)  # np.full would turn the enum into plain strings
    status[:] = FitStatus.OK
    status[p_value < POOR_FIT_P_VALUE] = FitStatus.POOR_FIT
    status[constant] = FitStatus.CONSTANT
    status[unidentified] = FitStatus.NO_ENDPOINT
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
    largest, spread = extent(values)
    gaps = standard_gaps(values, largest, spread)
    found = estimate_endpoint(gaps, largest, spread, drops=None, tail_rate=tail_rate)
    return scale_and_ks(gaps, found.distance, found.shape, spread == 0)[1]
