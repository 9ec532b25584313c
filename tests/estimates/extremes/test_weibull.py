"""Two-parameter Weibull samples against SciPy's fit and density."""

import numpy as np
import pytest
from scipy import stats

from clearance.estimates.extremes.weibull import Array, log_likelihood, row_mean, shape_step, solve_shape


def draws(shape: float, rows: int = 4, blocks: int = 30) -> Array:
    return np.log(np.random.default_rng(0).weibull(shape, (rows, blocks)))


def test_row_means_are_numpys() -> None:
    values = np.random.default_rng(1).standard_normal((5, 7))
    np.testing.assert_allclose(row_mean(values), values.mean(1), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("shape", [0.3, 1.0, 4.0, 50.0])
def test_the_shape_is_scipys(shape: float) -> None:
    logs = draws(shape)
    for row, found in zip(logs, solve_shape(logs), strict=True):
        expected, _, _ = stats.weibull_min.fit(np.exp(row), shape, floc=0, scale=1.0)
        assert found == pytest.approx(expected, rel=1e-3)  # SciPy's simplex stops there; the equation decides below
    x = np.exp(solve_shape(logs)[:, None] * (logs - logs.max(1, keepdims=True)))
    score = 1 / solve_shape(logs) + logs.mean(1) - (x * logs).sum(1) / x.sum(1)
    np.testing.assert_allclose(score * solve_shape(logs), 0, atol=1e-9)


def test_a_start_changes_nothing_but_the_way() -> None:
    logs = draws(3.0)
    for start in (1e-3, 1.0, 1e3):
        np.testing.assert_allclose(solve_shape(logs, np.full(len(logs), start)), solve_shape(logs), rtol=1e-9)


@pytest.mark.parametrize("shape", [0.5, 1.0, 8.0])
def test_the_likelihood_is_that_of_the_density_at_the_best_scale(shape: float) -> None:
    logs = draws(2.0)
    x = np.exp(logs)
    scale = (x**shape).mean(1) ** (1 / shape)
    expected = stats.weibull_min.logpdf(x, shape, scale=scale[:, None]).sum(1)
    np.testing.assert_allclose(log_likelihood(logs, np.full(len(x), shape)), expected, rtol=1e-11)
    for factor in (0.98, 1.02):
        assert np.all(stats.weibull_min.logpdf(x, shape, scale=factor * scale[:, None]).sum(1) < expected)


def test_a_step_says_what_it_gains() -> None:
    """Near the maximum, half the Newton decrement is the likelihood per observation that is left to gain."""
    logs = draws(4.0)
    best = solve_shape(logs)
    for near in (0.97 * best, 1.03 * best):
        after, gain, weight = shape_step(logs, logs.max(1), row_mean(logs), near)
        missing = (log_likelihood(logs, best) - log_likelihood(logs, near)) / logs.shape[1]
        np.testing.assert_allclose(gain, missing, rtol=0.1)
        assert np.all(np.abs(after - best) < 0.1 * np.abs(near - best))
        np.testing.assert_allclose(weight, np.exp(near[:, None] * (logs - logs.max(1, keepdims=True))).mean(1))
