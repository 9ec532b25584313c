"""`clearance.estimates.extremes.families`: Gumbel and Frechet fits against scipy, and the comparison of the three."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from clearance.estimates import extremes
from extreme_samples import Array, log_likelihood


def test_gumbel_is_scipys() -> None:
    row = 3 + 2 * np.random.default_rng(0).gumbel(size=80)
    fit = extremes.fit_gumbel(row)
    location, scale = stats.gumbel_r.fit(row)
    assert (fit.location, fit.scale) == (pytest.approx(location, rel=1e-6), pytest.approx(scale, rel=1e-6))
    assert fit.log_likelihood == pytest.approx(stats.gumbel_r.logpdf(row, location, scale).sum(), abs=1e-8)
    assert fit.ks == pytest.approx(stats.kstest(row, "gumbel_r", (location, scale)).statistic, abs=1e-6)


def test_frechet_beats_scipy_and_agrees_with_its_likelihood() -> None:
    row = 5 + 2 / np.random.default_rng(1).weibull(3, 300)
    fit = extremes.fit_frechet(row)
    ours = stats.invweibull.logpdf(row, fit.shape, fit.location, fit.scale).sum()
    shape, location, scale = stats.invweibull.fit(row, 3, loc=5, scale=2)
    assert fit.log_likelihood == pytest.approx(ours, abs=1e-8)
    assert ours >= stats.invweibull.logpdf(row, shape, location, scale).sum() - 1e-3
    assert fit.location == pytest.approx(location, rel=1e-2)
    assert fit.ks == pytest.approx(stats.kstest(row, "invweibull", (fit.shape, fit.location, fit.scale)).statistic)


@pytest.mark.parametrize(
    ("sample", "best"),
    [
        (lambda generator: 3 - generator.weibull(2, 400), "reverse_weibull"),
        (lambda generator: 1 / generator.weibull(2, 400), "frechet"),
    ],
)
def test_compare_families_finds_the_right_one(sample: Callable[[np.random.Generator], Array], best: str) -> None:
    maxima = sample(np.random.default_rng(4))
    fits = extremes.compare_families(maxima)
    assert [fit.family for fit in fits] == ["gumbel", "frechet", "reverse_weibull"]
    assert max(fits, key=lambda fit: fit.log_likelihood).family == best
    assert max(fits, key=lambda fit: fit.p_value).family == best
    last = fits[2]
    assert last.log_likelihood == pytest.approx(log_likelihood(maxima, last.location, last.scale, last.shape))


def test_families_of_constant_maxima() -> None:
    for fit in extremes.compare_families([2.0, 2.0]):
        assert (fit.location, fit.scale, fit.log_likelihood, fit.p_value) == (2.0, 0.0, np.inf, 1.0)
