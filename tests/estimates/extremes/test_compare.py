"""The three families side by side: samples of each are told apart, in numbers that the density and SciPy confirm."""

import doctest
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

import clearance as cl
from clearance.estimates import extremes
from conftest import ROOT
from extreme_samples import DISTRIBUTIONS, Array, log_likelihood


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


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_the_numbers_are_those_of_the_densities(name: str) -> None:
    maxima = np.asarray(DISTRIBUTIONS[name](np.random.default_rng(9), (1, 30)), dtype=np.float64)[0]
    gumbel, frechet, last = extremes.compare_families(maxima)
    fitted = (
        stats.gumbel_r(gumbel.location, gumbel.scale),
        stats.invweibull(frechet.shape, frechet.location, frechet.scale),
        stats.weibull_max(last.shape, last.location, last.scale),
    )
    for fit, law in zip((gumbel, frechet, last), fitted, strict=True):
        assert fit.log_likelihood == pytest.approx(law.logpdf(maxima).sum(), rel=1e-6, abs=1e-6)
        assert fit.ks == pytest.approx(stats.kstest(maxima, law.cdf).statistic, abs=1e-6)
    assert frechet.log_likelihood >= gumbel.log_likelihood - 0.1  # Gumbel is the limit of Frechet


def test_it_is_public() -> None:
    assert cl.extremes.compare_families is extremes.compare_families


def test_the_example_of_the_page_runs() -> None:
    failed, attempted = doctest.testfile(str(ROOT / "docs/estimate.md"), module_relative=False)
    assert attempted and not failed
