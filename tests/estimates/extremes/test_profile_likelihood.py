"""The profile likelihood against independent optimisers, its invariances, its speed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from clearance.estimates.extremes import FitStatus, fit_reverse_weibull, profile_likelihood
from extreme_samples import Array, beta_maxima, log_likelihood

# --- against independent optimisers -------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("shape", "blocks"), [(2, 30), (4, 60), (8, 500), (16, 500)])
def test_agrees_with_brute_force(shape: int, blocks: int, seed: int) -> None:
    """Differential evolution over all three parameters, then Nelder-Mead: the same maximum, found another way."""
    maxima = beta_maxima(shape, blocks, rows=1, seed=100 + seed)[0]
    fit = fit_reverse_weibull(maxima)
    assert fit.status is not FitStatus.NO_ENDPOINT
    largest, spread = maxima.max(), np.ptp(maxima)

    def loss(parameters: Array) -> float:
        distance, log_shape, log_mode = parameters
        location = largest + np.exp(distance) * spread
        value = log_likelihood(maxima, location, np.exp(log_mode) * (location - maxima.mean()), np.exp(log_shape))
        return -value if np.isfinite(value) else 1e10

    box = [(-14, 4.6), (0, 5), (-0.7, 0.7)]
    start = optimize.differential_evolution(loss, box, seed=seed, popsize=20, maxiter=150, tol=1e-10).x
    polished = optimize.minimize(loss, start, method="Nelder-Mead", options={"xatol": 1e-11, "fatol": 1e-12}).x
    location = largest + np.exp(polished[0]) * spread
    ours = log_likelihood(maxima, fit.location, fit.scale, fit.shape)
    assert ours >= -loss(polished) - 1e-8
    assert fit.location == pytest.approx(location, rel=1e-4)
    assert fit.shape == pytest.approx(np.exp(polished[1]), rel=1e-3)


def test_agrees_with_scipy_from_a_good_start() -> None:
    maxima = beta_maxima(4, 500, rows=5, seed=8)
    for row in maxima:
        fit = fit_reverse_weibull(row)
        shape, location, scale = stats.weibull_max.fit(row, 4.0, loc=1.0, scale=0.09)
        assert log_likelihood(row, fit.location, fit.scale, fit.shape) >= log_likelihood(row, location, scale, shape)
        assert fit.location == pytest.approx(location, rel=1e-4)


def test_interval_ends_are_where_the_likelihood_ratio_is_critical() -> None:
    """The profile at each end, maximised by scipy over shape and scale, is lower by half the critical value."""
    maxima = beta_maxima(4, 100, rows=1, seed=4)[0]
    fit = fit_reverse_weibull(maxima)
    top = log_likelihood(maxima, fit.location, fit.scale, fit.shape)
    critical = 100 * np.log1p(stats.f.ppf(0.95, 1, 97) / 97)
    assert critical == pytest.approx(stats.chi2.ppf(0.95, 1), rel=0.05)
    for end in fit.interval:
        shape, _, scale = stats.weibull_min.fit(end - maxima, fit.shape, floc=0, scale=fit.scale)
        assert 2 * (top - log_likelihood(maxima, end, scale, shape)) == pytest.approx(critical, rel=1e-4)


def test_profile_derivatives_match_differences() -> None:
    maxima = beta_maxima(8, 40, rows=6, seed=1)
    gaps = (maxima.max(1, keepdims=True) - maxima) / np.ptp(maxima, axis=1, keepdims=True)
    logs, step, start = np.log(np.geomspace(1e-3, 50, 6)), 1e-5, np.full(6, 3.0)
    point, right, left = (profile_likelihood.evaluate(gaps, np.exp(logs + shift), start) for shift in (0, step, -step))
    assert (point.shape > 1).any()
    np.testing.assert_allclose(point.gradient, (right.value - left.value) / (2 * step), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(point.curvature, (right.gradient - left.gradient) / (2 * step), rtol=1e-5, atol=1e-6)


def test_gumbel_is_the_limit_of_the_profile() -> None:
    gaps = np.sort(np.random.default_rng(0).random((1, 30)))
    gaps = (gaps - gaps.min()) / np.ptp(gaps)
    _, limit = profile_likelihood.gumbel_limit(gaps)
    far = profile_likelihood.evaluate(gaps, np.array([1e5]), np.array([1e5])).value
    assert far == pytest.approx(limit, rel=1e-4)


# --- properties ---------------------------------------------------------------------------------------------------

norms = st.floats(1e-3, 1e3, allow_subnormal=False)
samples = st.lists(norms, min_size=1, max_size=25).map(np.array)


@given(samples)
def test_always_finite_and_never_below_a_maximum(maxima: Array) -> None:
    fit = fit_reverse_weibull(maxima)
    low, high = fit.interval
    assert np.isfinite([fit.location, fit.scale, fit.shape, fit.ks, fit.p_value, low]).all()
    assert maxima.max() <= low <= fit.location <= high
    assert fit.location <= 2 * maxima.max()
    assert fit.shape >= 1
    assert 0 <= fit.ks <= 1
    assert 0 <= fit.p_value <= 1


@given(samples, st.integers(-40, 40))
def test_scaling_by_a_power_of_two_is_exact(maxima: Array, power: int) -> None:
    factor = 2.0**power
    one, other = fit_reverse_weibull(maxima), fit_reverse_weibull(maxima * factor)
    assert other.location == one.location * factor
    assert other.scale == one.scale * factor
    assert other.interval == (one.interval[0] * factor, one.interval[1] * factor)
    assert (other.shape, other.ks, other.p_value, other.status) == (one.shape, one.ks, one.p_value, one.status)


@pytest.mark.parametrize("factor", [1e-4, 3.7, 1e4, 1e200, 1e-200])
@pytest.mark.parametrize("offset", [0.0, 10.0])
def test_ranges_and_offsets(factor: float, offset: float) -> None:
    maxima = beta_maxima(4, 100, rows=5, seed=0)
    one, other = fit_reverse_weibull(maxima), fit_reverse_weibull(factor * (maxima + offset))
    np.testing.assert_allclose(other.location, factor * (one.location + offset), rtol=1e-9)
    np.testing.assert_allclose(other.scale, factor * one.scale, rtol=1e-6)
    np.testing.assert_allclose(other.interval[1], factor * (one.interval[1] + offset), rtol=1e-9)
    assert one.status.tolist() == other.status.tolist()


@given(st.lists(st.integers(1, 1000), min_size=2, max_size=20), st.integers(1, 10**6))
def test_shifting_away_from_zero_is_exact(values: list[int], offset: int) -> None:
    """Shifts of whole numbers are exact; only the rule of twice the largest may read the zero of the scale."""
    maxima = np.array(values, dtype=np.float64)
    one, other = fit_reverse_weibull(maxima), fit_reverse_weibull(maxima + offset)
    if one.status is other.status:
        assert other.location - offset == pytest.approx(one.location, rel=1e-9, abs=1e-9 * offset)
        assert other.shape == one.shape
    else:
        assert one.status is FitStatus.NO_ENDPOINT


@given(samples, st.randoms(use_true_random=False))
@settings(max_examples=50)
def test_order_does_not_matter(maxima: Array, random: object) -> None:
    shuffled = maxima.copy()
    random.shuffle(shuffled)
    one, other = fit_reverse_weibull(np.sort(maxima)), fit_reverse_weibull(shuffled)
    assert other.status is one.status
    assert other.location == pytest.approx(one.location, rel=1e-6)
    assert other.ks == pytest.approx(one.ks, abs=1e-5)


@pytest.mark.parametrize("blocks", range(1, 11))
@pytest.mark.filterwarnings("error")
def test_tiny_samples_are_silent(blocks: int) -> None:
    generator = np.random.default_rng(blocks)
    for maxima in (generator.random((50, blocks)), np.round(3 * generator.random((50, blocks)))):
        fit = fit_reverse_weibull(maxima, bootstrap=3)
        assert np.isfinite([fit.location, fit.scale, fit.shape, fit.ks, fit.bootstrap_p_value]).all()
        assert not np.isnan(fit.interval).any()
