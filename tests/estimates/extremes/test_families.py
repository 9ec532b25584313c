"""Gumbel and Frechet fits, and the K-S test, against SciPy."""

import numpy as np
import pytest
from scipy import stats

from clearance.estimates import extremes
from clearance.estimates.extremes.families import ks_distance, ks_p_value


def test_gumbel_is_scipys() -> None:
    row = 3 + 2 * np.random.default_rng(0).gumbel(size=80)
    fit = extremes.fit_gumbel(row)
    location, scale = stats.gumbel_r.fit(row)
    assert (fit.location, fit.scale) == (pytest.approx(location, rel=1e-6), pytest.approx(scale, rel=1e-6))
    assert fit.log_likelihood == pytest.approx(stats.gumbel_r.logpdf(row, location, scale).sum(), abs=1e-8)
    assert fit.ks == pytest.approx(stats.kstest(row, "gumbel_r", (location, scale)).statistic, abs=1e-6)


def test_frechet_is_at_least_as_likely_as_scipys() -> None:
    row = 5 + 2 / np.random.default_rng(1).weibull(3, 300)
    fit = extremes.fit_frechet(row)
    ours = stats.invweibull.logpdf(row, fit.shape, fit.location, fit.scale).sum()
    shape, location, scale = stats.invweibull.fit(row, 3, loc=5, scale=2)
    assert fit.log_likelihood == pytest.approx(ours, abs=1e-8)
    assert ours >= stats.invweibull.logpdf(row, shape, location, scale).sum() - 1e-3
    assert fit.location == pytest.approx(location, rel=1e-2)
    assert fit.ks == pytest.approx(stats.kstest(row, "invweibull", (fit.shape, fit.location, fit.scale)).statistic)


@pytest.mark.parametrize("count", [1, 2, 9, 200])
def test_the_ks_test_is_scipys(count: int) -> None:
    rows = np.random.default_rng(count).random((5, count))
    distances = ks_distance(rows)
    for row, distance in zip(rows, distances, strict=True):
        expected = stats.kstest(row, "uniform", method="exact")
        assert distance == pytest.approx(expected.statistic, abs=1e-14)
        assert ks_p_value(distance, count) == pytest.approx(expected.pvalue, rel=1e-9)


def test_a_gumbel_sample_is_at_the_far_end_of_the_frechet_fit() -> None:
    """Gumbel is the limit of Frechet: no less likely, up to what a location a thousand ranges away leaves."""
    row = 8 - np.random.default_rng(7).weibull(3, 100)  # left-skewed: no heavy tail at all
    gumbel, frechet = extremes.fit_gumbel(row), extremes.fit_frechet(row)
    assert frechet.log_likelihood == pytest.approx(gumbel.log_likelihood, abs=0.1)
    assert frechet.shape > 100


def test_units_and_offsets() -> None:
    row = 1 / np.random.default_rng(2).weibull(3, 60)
    for fit in (extremes.fit_gumbel, extremes.fit_frechet):
        one, other = fit(row), fit(1000 * row + 7)
        assert other.location == pytest.approx(1000 * one.location + 7, rel=1e-6)
        assert other.scale == pytest.approx(1000 * one.scale, rel=1e-6)
        assert other.log_likelihood == pytest.approx(one.log_likelihood - 60 * np.log(1000), abs=1e-6)
        assert other.ks == pytest.approx(one.ks, abs=1e-9)
