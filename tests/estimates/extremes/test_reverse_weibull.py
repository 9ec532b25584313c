"""Reverse Weibull fits: known endpoints by simulation, maxima without an endpoint, goodness of fit, misuse."""

import time
import warnings
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from clearance.errors import InputError
from clearance.estimates import extremes
from clearance.estimates.extremes import FitStatus, fit_reverse_weibull
from extreme_samples import ZOO, beta_maxima, largest_of

# --- the endpoint of synthetic norms ------------------------------------------------------------------------------


@pytest.mark.parametrize(("shape", "least_median"), [(4, 0.99), (8, 0.97), (16, 0.85)])
def test_endpoint_of_beta_norms(shape: int, least_median: float) -> None:
    maxima = beta_maxima(shape, blocks=500, rows=1000, seed=shape)
    fit = fit_reverse_weibull(maxima)
    low, high = fit.interval
    assert np.isfinite(fit.location).all()
    assert np.all(fit.location >= largest_of(maxima))
    assert np.median(fit.location) >= least_median
    assert np.median(fit.location[:40]) >= least_median
    assert 0.90 <= np.mean((low <= 1) & (high >= 1)) <= 0.99


@pytest.mark.parametrize("blocks", [8, 20, 50])
@pytest.mark.parametrize("shape", [1, 2, 4, 8, 16])
def test_interval_covers_with_few_blocks(shape: int, blocks: int) -> None:
    """At least 92 %; with so few maxima the interval may be conservative, and is often unbounded."""
    low, high = fit_reverse_weibull(beta_maxima(shape, blocks, rows=1000, seed=blocks + shape)).interval
    assert np.mean((low <= 1) & (high >= 1)) >= 0.92


def test_interval_covers_at_other_levels() -> None:
    maxima = beta_maxima(4, blocks=200, rows=1000, seed=3)
    covered = []
    for level in (0.5, 0.8, 0.95, 0.99):
        low, high = fit_reverse_weibull(maxima, level=level).interval
        covered.append(np.mean((low <= 1) & (high >= 1)))
    assert covered == pytest.approx([0.5, 0.8, 0.95, 0.99], abs=0.05)
    assert covered == sorted(covered)


@pytest.mark.parametrize("shape", [4, 8, 16, 32])
def test_fifty_maxima_never_give_a_wild_number(shape: int) -> None:
    maxima = beta_maxima(shape, blocks=50, rows=500, seed=shape)
    fit = fit_reverse_weibull(maxima)
    identified = fit.status != FitStatus.NO_ENDPOINT
    ratio = fit.location / largest_of(maxima)
    assert np.all(ratio[identified] <= 2)
    assert np.all(ratio[~identified] <= 1.5)
    if shape >= 8:
        assert (~identified).any()
        assert identified.any()


def test_a_thousand_fits_are_twenty_times_faster_than_scipy() -> None:
    """A ratio within one run: the same samples, scipy's time scaled up from a sixteenth of them."""
    maxima = np.concatenate([beta_maxima(shape, 500, 334, seed=9) for shape in (4, 8, 16)])[:1000]
    fit_reverse_weibull(maxima[:2])
    ours = _best_seconds(lambda: fit_reverse_weibull(maxima), 3)

    def loop() -> None:
        for row in maxima[::16]:
            stats.weibull_max.fit(row)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = _best_seconds(loop, 2) * len(maxima) / len(maxima[::16])
    assert theirs / ours >= 20


def _best_seconds(action: Callable[[], object], times: int) -> float:
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


# --- maxima without an endpoint -----------------------------------------------------------------------------------


@pytest.mark.parametrize("blocks", [2, 3, 5, 8, 20, 40, 200])
@pytest.mark.parametrize("name", ZOO)
def test_penalised_estimate_is_a_modest_factor(name: str, blocks: int) -> None:
    """Every row, whatever its status: no multiple of the largest, and 1.5 at most where the estimate is penalised."""
    maxima = np.asarray(ZOO[name](np.random.default_rng(blocks), (200, blocks)), dtype=np.float64)
    fit = fit_reverse_weibull(maxima)
    ratio = fit.location / largest_of(maxima)
    lost = fit.status == FitStatus.NO_ENDPOINT
    low, high = fit.interval
    assert np.all((ratio >= 1) & (ratio <= 2))
    assert np.all(ratio[lost] <= 1.5 * (1 + 1e-12))
    assert np.all(low >= largest_of(maxima))
    assert np.all((low <= fit.location) & (fit.location <= high))
    for values in (fit.scale, fit.shape, fit.ks, fit.p_value):
        assert np.isfinite(values).all()


@pytest.mark.parametrize("name", ["gumbel", "frechet", "pareto", "lognormal", "exponential", "one outlier"])
def test_right_skewed_maxima_have_no_endpoint(name: str) -> None:
    fit = fit_reverse_weibull(ZOO[name](np.random.default_rng(1), (200, 40)))
    assert np.mean(fit.status == FitStatus.NO_ENDPOINT) > 0.5
    assert np.isinf(fit.interval[1][fit.status == FitStatus.NO_ENDPOINT]).all()


def test_gumbel_maxima_at_a_large_offset_have_no_endpoint() -> None:
    """Twice the largest says nothing here: the endpoint is wild in units of the range."""
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


def test_a_bad_row_does_not_touch_its_neighbours() -> None:
    good = beta_maxima(4, 40, rows=3, seed=0)
    rows = np.vstack([good[:1], np.full((1, 40), 2.0), good[1:2], np.full((1, 40), 1e-9), good[2:]])
    together = fit_reverse_weibull(rows, bootstrap=20)
    assert all(isinstance(status, FitStatus) for status in together.status)
    assert together.status[[1, 3]].tolist() == [FitStatus.CONSTANT] * 2
    for index, row in zip([0, 2, 4], good, strict=True):
        alone = fit_reverse_weibull(row, bootstrap=20)
        assert together.location[index] == pytest.approx(alone.location, rel=1e-12)
        assert together.bootstrap_p_value[index] == alone.bootstrap_p_value
        assert together.row(index).status is alone.status


# --- goodness of fit ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["gumbel", "two clusters", "rounded"])
def test_ks_is_scipys(name: str) -> None:
    for row in ZOO[name](np.random.default_rng(3), (5, 30)):
        fit = fit_reverse_weibull(row)
        expected = stats.kstest(
            row, stats.weibull_max(fit.shape, loc=fit.location, scale=fit.scale).cdf, method="exact"
        )
        assert fit.ks == pytest.approx(expected.statistic, abs=1e-12)
        assert fit.p_value == pytest.approx(expected.pvalue, rel=1e-9)


def test_bootstrap_p_value_is_calibrated_where_the_papers_is_not() -> None:
    """Under the model the bootstrap p-value is uniform; the paper's is piled up towards 1."""
    rows = 2 - np.random.default_rng(5).weibull(3, (200, 60))
    fit = fit_reverse_weibull(rows, bootstrap=99, seed=1)
    assert np.mean(fit.p_value < 0.2) < 0.02
    assert 0.12 < np.mean(fit.bootstrap_p_value < 0.2) < 0.28
    assert 0.42 < np.mean(fit.bootstrap_p_value) < 0.58


def test_poor_fit_is_said() -> None:
    fit = fit_reverse_weibull(np.append(np.linspace(1.99, 2, 100), np.linspace(0, 0.01, 50)), bootstrap=50)
    assert fit.status is FitStatus.POOR_FIT
    assert fit.p_value < 0.05
    assert fit.bootstrap_p_value == pytest.approx(1 / 51)


def test_bootstrap_depends_on_its_seed_only() -> None:
    row = beta_maxima(4, 40, rows=1, seed=6)[0]
    p_values = [fit_reverse_weibull(row, bootstrap=60, seed=seed).bootstrap_p_value for seed in (0, 0, 1)]
    assert p_values[0] == p_values[1] != p_values[2]
    assert fit_reverse_weibull(row).bootstrap_p_value is None


# --- misuse -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("maxima", "message"),
    [
        ([], r"not empty, got \(0,\)"),
        (np.ones((2, 0)), r"not empty, got \(2, 0\)"),
        (3.0, r"got \(\)"),
        (np.ones((2, 3, 4)), r"got \(2, 3, 4\)"),
        ([1.0, np.nan, np.inf], "got 2 of 3 that are NaN or infinite"),
        (["one"], "real numbers"),
    ],
)
@pytest.mark.parametrize(
    "fit", [fit_reverse_weibull, extremes.fit_gumbel, extremes.fit_frechet, extremes.compare_families]
)
def test_bad_maxima_are_refused(fit: Callable[[object], object], maxima: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        fit(maxima)


@pytest.mark.parametrize("options", [{"level": 0.0}, {"level": 1.0}, {"level": np.nan}, {"bootstrap": -1}])
def test_bad_options_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(InputError, match="expected"):
        fit_reverse_weibull([1.0, 2.0], **options)


@pytest.mark.parametrize("fit", [extremes.fit_gumbel, extremes.fit_frechet, extremes.compare_families])
def test_families_take_one_sample(fit: Callable[[object], object]) -> None:
    with pytest.raises(InputError, match="one sample at a time"):
        fit(np.ones((2, 3)))
