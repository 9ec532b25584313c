"""Where the endpoint is put: the maximum of the profile, or the penalised estimate where the data identify none."""

import numpy as np
import pytest
from scipy import optimize, stats

from clearance.estimates import extremes
from clearance.estimates.extremes import FitStatus, fit_reverse_weibull
from clearance.estimates.extremes.endpoint import estimate_endpoint, extent, scale_and_ks, standard_gaps
from extreme_samples import DISTRIBUTIONS, Array, beta_maxima, largest_of, log_likelihood


def in_standard_gaps(maxima: Array) -> tuple[Array, Array, Array]:
    largest, spread = extent(maxima)
    return standard_gaps(maxima, largest, spread), largest, spread


def test_gaps_are_zero_at_the_largest_and_one_at_the_smallest() -> None:
    maxima = 3 + np.random.default_rng(0).random((4, 9))
    gaps, largest, spread = in_standard_gaps(maxima)
    assert gaps.min(1).tolist() == [0.0] * 4 and gaps.max(1).tolist() == [1.0] * 4
    np.testing.assert_allclose(largest[:, None] - gaps * spread[:, None], maxima, rtol=1e-14)


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_numbers_that_differ_by_rounding_only_are_equal(scale: float) -> None:
    one = np.nextafter(scale, 2 * scale)
    _, spread = extent(np.array([[scale, one], [scale, scale * (1 + 1e-12)]]))
    assert spread[0] == 0 and spread[1] > 0


def test_the_fit_is_the_same_point_of_the_likelihood_in_any_unit() -> None:
    """Scale and K-S distance in standard gaps are those of the density and of scipy in the unit of the maxima."""
    maxima = beta_maxima(4, 60, rows=3, seed=2)
    gaps, largest, spread = in_standard_gaps(maxima)
    found = estimate_endpoint(gaps, largest, spread, drops=None)
    scale, ks = scale_and_ks(gaps, found.distance, found.shape, spread == 0)
    for row in range(3):
        location, size = largest[row] + found.distance[row] * spread[row], scale[row] * spread[row]
        at = log_likelihood(maxima[row], location, size, found.shape[row])
        for factor in (0.99, 1.01):  # the scale is the most likely one
            assert log_likelihood(maxima[row], location, size * factor, found.shape[row]) < at
        fitted = stats.weibull_max(found.shape[row], loc=location, scale=size)
        assert ks[row] == pytest.approx(stats.kstest(maxima[row], fitted.cdf).statistic, abs=1e-12)


def test_the_penalised_estimate_is_the_most_likely_endpoint_of_shape_eight() -> None:
    maxima = 8 + np.random.default_rng(3).gumbel(size=(40, 20))
    gaps, largest, spread = in_standard_gaps(maxima)
    found = estimate_endpoint(gaps, largest, spread, drops=None)
    assert found.penalised.sum() >= 10
    for row in np.flatnonzero(found.penalised):

        def loss(log_distance: float, u: Array = gaps[row]) -> float:
            x = u + np.exp(log_distance)
            return -log_likelihood(-x, 0.0, float(np.mean(x**8) ** (1 / 8)), 8.0)

        best = optimize.minimize_scalar(loss, bounds=(-10, 5), method="bounded", options={"xatol": 1e-9})
        assert found.distance[row] == pytest.approx(min(np.exp(best.x), 0.5), rel=1e-5)


def test_a_prior_keeps_the_endpoint_within_half_the_largest() -> None:
    for name, draw in DISTRIBUTIONS.items():
        maxima = np.abs(np.asarray(draw(np.random.default_rng(4), (30, 12)), dtype=np.float64)) + 1e-3
        gaps, largest, spread = in_standard_gaps(maxima)
        found = estimate_endpoint(gaps, largest, spread, drops=(2.0, 3.0), tail_rate=20.0)
        location = largest + found.distance * spread
        lower = largest + found.maximum.lower * spread  # the profile-likelihood interval overrules the bound
        assert np.all(location <= np.maximum(1.5 * largest, lower) * (1 + 1e-12)), name
        assert np.all(location >= lower * (1 - 1e-12)), name


# --- maxima without an endpoint -----------------------------------------------------------------------------------


@pytest.mark.thinned(3)
@pytest.mark.parametrize("blocks", [2, 3, 5, 8, 20, 40, 200])
@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_penalised_estimate_is_a_modest_factor(name: str, blocks: int) -> None:
    """Every row, whatever its status: no multiple of the largest, and 1.5 at most where the estimate is penalised."""
    maxima = np.asarray(DISTRIBUTIONS[name](np.random.default_rng(blocks), (200, blocks)), dtype=np.float64)
    fit = fit_reverse_weibull(maxima)
    ratio = fit.location / largest_of(maxima)
    unidentified = fit.status == FitStatus.NO_ENDPOINT
    low, high = fit.interval
    assert np.all((ratio >= 1) & (ratio <= 2))
    assert np.all(ratio[unidentified] <= 1.5 * (1 + 1e-12))
    assert np.all(low >= largest_of(maxima))
    assert np.all((low <= fit.location) & (fit.location <= high))
    for values in (fit.scale, fit.shape, fit.ks, fit.p_value):
        assert np.isfinite(values).all()


@pytest.mark.parametrize("name", ["gumbel", "frechet", "pareto", "lognormal", "exponential", "one outlier"])
def test_right_skewed_maxima_have_no_endpoint(name: str) -> None:
    fit = fit_reverse_weibull(DISTRIBUTIONS[name](np.random.default_rng(1), (200, 40)))
    assert np.mean(fit.status == FitStatus.NO_ENDPOINT) > 0.5
    assert np.isinf(fit.interval[1][fit.status == FitStatus.NO_ENDPOINT]).all()


def test_gumbel_maxima_at_a_large_offset_have_no_endpoint() -> None:
    """Twice the largest says nothing here: the endpoint is too far away in units of the range."""
    maxima = np.random.default_rng(2).gumbel(size=(300, 40))
    offset = fit_reverse_weibull(1e6 + maxima)
    assert np.mean(offset.status == FitStatus.NO_ENDPOINT) > 0.5
    assert np.all(offset.location - largest_of(1e6 + maxima) <= 10 * np.ptp(maxima, axis=1))


def test_outlier_far_above_the_rest() -> None:
    fit = fit_reverse_weibull(np.append(np.linspace(1, 1.1, 39), 2.0))
    assert fit.status is FitStatus.NO_ENDPOINT
    assert 2 < fit.location < 2.25


def test_maxima_that_pile_up_at_the_largest_give_it() -> None:
    fit = fit_reverse_weibull(np.append(np.full(30, 2.0), np.linspace(1, 1.9, 10)))
    assert fit.location == 2.0
    assert fit.shape == 1.0
    assert fit.interval[0] == 2.0
    assert fit.interval[1] < 2.1


def test_constant_maxima_are_exact() -> None:
    fit = fit_reverse_weibull(np.full(500, 0.1), bootstrap=5)
    assert fit == extremes.ReverseWeibullFit(0.1, 0.0, 1.0, (0.1, 0.1), 0.0, 1.0, 1.0, FitStatus.CONSTANT)


def test_zero_maxima_are_constant() -> None:
    assert fit_reverse_weibull([0.0, 0.0]).status is FitStatus.CONSTANT


def test_one_maximum() -> None:
    fit = fit_reverse_weibull([0.7])
    assert (fit.location, fit.interval, fit.status) == (0.7, (0.7, np.inf), FitStatus.NO_ENDPOINT)


def test_two_maxima_do_not_identify_an_endpoint() -> None:
    fit = fit_reverse_weibull([1.0, 1.5])
    assert fit.status is FitStatus.NO_ENDPOINT
    assert fit.interval == (1.5, np.inf)
    assert 1.5 < fit.location <= 1.75
