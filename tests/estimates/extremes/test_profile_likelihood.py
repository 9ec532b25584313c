"""The profile likelihood against its definition, differences and SciPy."""

import numpy as np
import pytest
from scipy import optimize, stats

from clearance.estimates.extremes import profile_likelihood
from clearance.estimates.extremes.profile_likelihood import evaluate, fixed_shape, gumbel_limit, solve
from extreme_samples import DISTRIBUTIONS, Array, beta_maxima, log_likelihood, standard_gaps


def test_the_profile_is_the_likelihood_at_its_best_shape_and_scale() -> None:
    """At a given endpoint, SciPy's two-parameter fit has the same likelihood and shape."""
    gaps, distances = standard_gaps(beta_maxima(4, 40, rows=5, seed=3)), np.geomspace(0.05, 5, 5)
    point = evaluate(gaps, distances, np.ones(5))
    for row, distance in enumerate(distances):
        x = gaps[row] + distance
        shape, _, scale = stats.weibull_min.fit(x, point.shape[row], floc=0, scale=x.mean())
        assert point.value[row] == pytest.approx(log_likelihood(-x, 0.0, scale, shape), abs=1e-6)
        assert point.shape[row] == pytest.approx(shape, rel=1e-4)


def test_the_shape_is_held_at_one() -> None:
    """Gaps that pile up at 0 ask for a shape below 1; exponential gaps have the closed form `-n (log mean(x) + 1)`."""
    gaps = standard_gaps(np.append(np.full(20, 2.0), np.linspace(1, 1.9, 5))[None])
    point = evaluate(gaps, np.array([1e-4]), np.array([1.0]))
    assert point.shape.tolist() == [1.0]
    assert point.value == pytest.approx(-25 * (np.log(gaps.mean() + 1e-4) + 1))


def test_profile_derivatives_match_differences() -> None:
    maxima = beta_maxima(8, 40, rows=6, seed=1)
    gaps = standard_gaps(maxima)
    logs, step, start = np.log(np.geomspace(1e-3, 50, 6)), 1e-5, np.full(6, 3.0)
    point, right, left = (evaluate(gaps, np.exp(logs + shift), start) for shift in (0, step, -step))
    assert (point.shape > 1).any()
    np.testing.assert_allclose(point.gradient, (right.value - left.value) / (2 * step), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(point.curvature, (right.gradient - left.gradient) / (2 * step), rtol=1e-5, atol=1e-6)


def test_gumbel_is_the_limit_of_the_profile() -> None:
    gaps = np.sort(np.random.default_rng(0).random((1, 30)))
    gaps = (gaps - gaps.min()) / np.ptp(gaps)
    _, limit = gumbel_limit(gaps)
    far = evaluate(gaps, np.array([1e5]), np.array([1e5])).value
    assert far == pytest.approx(limit, rel=1e-4)


def test_the_limit_is_scipys_gumbel_fit() -> None:
    maxima = DISTRIBUTIONS["gumbel"](np.random.default_rng(5), (3, 50))
    rate, limit = gumbel_limit(standard_gaps(maxima))
    for row, spread in enumerate(np.ptp(maxima, axis=1)):
        location, scale = stats.gumbel_r.fit(maxima[row])
        assert spread / rate[row] == pytest.approx(scale, rel=1e-6)
        expected = stats.gumbel_r.logpdf(maxima[row], location, scale).sum() + 50 * np.log(spread)
        assert limit[row] == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("shape", [1.5, 2.0, 8.0, 12.0])
@pytest.mark.parametrize("name", ["gumbel", "two clusters", "one outlier", "rounded"])
def test_a_fixed_shape_has_the_most_likely_distance(name: str, shape: float) -> None:
    gaps = standard_gaps(np.asarray(DISTRIBUTIONS[name](np.random.default_rng(6), (4, 25)), dtype=np.float64))
    for row, distance in enumerate(fixed_shape(gaps, shape)):

        def loss(log_distance: float, u: Array = gaps[row]) -> float:
            x = u + np.exp(log_distance)
            return -log_likelihood(-x, 0.0, float(np.mean(x**shape) ** (1 / shape)), shape)

        grid = np.linspace(np.log(1e-9), np.log(1e3), 400)
        start = grid[np.argmin([loss(value) for value in grid])]
        best = optimize.minimize_scalar(loss, bounds=(start - 0.1, start + 0.1), method="bounded")
        assert -loss(np.log(distance)) >= -best.fun - 1e-8


def test_roots_are_scipys_even_where_newton_alone_diverges() -> None:
    """`atan` overshoots further and further from a start beyond 1.39, and a flat stretch has no step at all."""
    shifts = np.array([-3.0, 0.2, 2.5])

    def falling(x: Array) -> tuple[Array, Array]:
        return -np.arctan(x - shifts), -1 / (1 + (x - shifts) ** 2)

    def flat(x: Array) -> tuple[Array, Array]:
        return np.clip(shifts - x, -1, 1), np.where(np.abs(shifts - x) < 1, -1.0, 0.0)

    for function in (falling, flat):
        found = solve(function, np.full(3, -20.0), np.full(3, 30.0), np.full(3, 10.0))
        for row, root in enumerate(found):
            expected = optimize.brentq(lambda value, k=row, f=function: f(np.full(3, value))[0][k], -20, 30, xtol=1e-13)
            assert root == pytest.approx(expected, abs=1e-7)


def test_a_root_search_ends_where_it_meets_zero() -> None:
    calls: list[Array] = []

    def function(x: Array) -> tuple[Array, Array]:
        calls.append(x)
        return 0 * x, -np.ones_like(x)

    assert solve(function, np.zeros(1), np.ones(1), np.full(1, 0.25)).tolist() == [0.25]
    assert len(calls) < profile_likelihood._ROOT_STEPS
