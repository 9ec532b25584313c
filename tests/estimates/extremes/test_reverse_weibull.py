"""Reverse Weibull fits: known endpoints by simulation, other optimisers, invariances, goodness of fit, misuse."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from clearance.errors import InputError
from clearance.estimates import extremes
from clearance.estimates.extremes import FitStatus, fit_reverse_weibull, weibull
from extreme_samples import DISTRIBUTIONS, Array, beta_maxima, largest_of, log_likelihood

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
@pytest.mark.thinned(4)
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
def test_fifty_maxima_give_at_most_twice_the_largest(shape: int) -> None:
    maxima = beta_maxima(shape, blocks=50, rows=500, seed=shape)
    fit = fit_reverse_weibull(maxima)
    identified = fit.status != FitStatus.NO_ENDPOINT
    ratio = fit.location / largest_of(maxima)
    assert np.all(ratio[identified] <= 2)
    assert np.all(ratio[~identified] <= 1.5)
    if shape >= 8:
        assert (~identified).any()
        assert identified.any()


def test_rows_are_fitted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """One fit of many rows takes about as many steps as its slowest row, not as many as all rows one after another."""
    maxima = np.concatenate([beta_maxima(shape, 100, 20, seed=9) for shape in (4, 8, 16)])
    steps, step = [0], weibull.shape_step

    def counted(*arguments: Array) -> tuple[Array, Array, Array]:
        steps[0] += 1
        return step(*arguments)

    monkeypatch.setattr(weibull, "shape_step", counted)
    together = fit_reverse_weibull(maxima)
    of_all, steps[0] = steps[0], 0
    alone = [fit_reverse_weibull(row) for row in maxima]
    assert 10 * of_all < steps[0]
    assert together.location == pytest.approx([fit.location for fit in alone], rel=1e-9)


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


# --- against independent optimisers -------------------------------------------------------------------------------


@pytest.mark.thinned(12)
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
        theirs = log_likelihood(row, location, scale, shape)
        assert log_likelihood(row, fit.location, fit.scale, fit.shape) >= theirs - 1e-8  # 500 terms of about 5, rounded
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


# --- properties ---------------------------------------------------------------------------------------------------

norms = st.floats(1e-3, 1e3, allow_subnormal=False)
samples = st.lists(norms, min_size=1, max_size=25).map(np.array)


@given(samples)
@settings(max_examples=50)
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
@settings(max_examples=50)
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
@settings(max_examples=50)
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
@pytest.mark.thinned(4)
def test_tiny_samples_are_silent(blocks: int) -> None:
    generator = np.random.default_rng(blocks)
    for maxima in (generator.random((20, blocks)), np.round(3 * generator.random((20, blocks)))):
        fit = fit_reverse_weibull(maxima, bootstrap=3)
        assert np.isfinite([fit.location, fit.scale, fit.shape, fit.ks, fit.bootstrap_p_value]).all()
        assert not np.isnan(fit.interval).any()


# --- goodness of fit ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["gumbel", "two clusters", "rounded"])
def test_ks_is_scipys(name: str) -> None:
    for row in DISTRIBUTIONS[name](np.random.default_rng(3), (5, 30)):
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
