"""The maximum of the profile and its interval against brute force over a fine grid of distances."""

import numpy as np
import pytest

from clearance.estimates.extremes.profile_likelihood import evaluate, gumbel_limit
from clearance.estimates.extremes.profile_maximum import DISTANCES, maximise, scan
from extreme_samples import DISTRIBUTIONS, Array, beta_maxima, standard_gaps

FINE = np.geomspace(1e-8, 100, 3000)
DROPS = (1.92, 3.0)


def profile(gaps: Array) -> Array:
    """The profile of one row at `FINE`."""
    many = np.broadcast_to(gaps, (len(FINE), len(gaps)))
    return evaluate(many, FINE, np.ones(len(FINE))).value


def samples() -> Array:
    """Rows with an interior maximum, with the maximum at 0, and with none."""
    clustered = np.append(np.full(30, 2.0), np.linspace(1, 1.9, 10))[None]
    skewed = DISTRIBUTIONS["lognormal"](np.random.default_rng(1), (3, 40))
    return np.concatenate([beta_maxima(2, 40, 3, seed=0), beta_maxima(4, 40, 4, seed=1), clustered, skewed])


def test_nothing_on_a_fine_grid_is_higher() -> None:
    gaps = standard_gaps(samples())
    found = maximise(gaps, DROPS)
    _, limit = gumbel_limit(gaps)
    for row, u in enumerate(gaps):
        values = profile(u)
        highest = max(values.max(), limit[row], -len(u) * (np.log(u.mean()) + 1))
        assert found.value[row] == pytest.approx(highest, abs=1e-4)  # the grid misses the top by its spacing
        assert found.value[row] >= highest - 1e-8
        if 0 < found.distance[row] < np.inf:
            assert np.log(found.distance[row]) == pytest.approx(np.log(FINE[values.argmax()]), abs=0.02)


def test_all_three_kinds_of_maximum_occur() -> None:
    found = maximise(standard_gaps(samples()))
    assert (found.distance == 0).any() and np.isinf(found.distance).any()
    assert ((found.distance > 0) & (found.distance < 100)).any()
    assert (found.shape[found.distance == 0] == 1).all() and np.isinf(found.shape[np.isinf(found.distance)]).all()


def test_the_interval_holds_exactly_the_distances_within_the_drop() -> None:
    gaps = standard_gaps(samples())
    found = maximise(gaps, DROPS)
    for row, u in enumerate(gaps):
        level = found.value[row] - (DROPS[1] if found.shape[row] < 2 else DROPS[0])
        inside = FINE[profile(u) >= level]
        if inside.size:
            assert found.lower[row] <= inside[0] * (1 + 1e-9) and found.upper[row] >= inside[-1] * (1 - 1e-9)
            assert found.lower[row] >= inside[0] / 1.01 or inside[0] == FINE[0]
            assert found.upper[row] <= inside[-1] * 1.01 or inside[-1] == FINE[-1]
        assert found.lower[row] <= found.distance[row] <= found.upper[row]


def test_a_larger_drop_never_gives_a_smaller_interval() -> None:
    gaps = standard_gaps(samples())
    narrow, wide = maximise(gaps, (0.5, 0.5)), maximise(gaps, (4.0, 4.0))
    assert np.all(wide.lower <= narrow.lower) and np.all(wide.upper >= narrow.upper)
    everything = maximise(gaps)
    assert not everything.lower.any() and np.isinf(everything.upper).all()


@pytest.mark.parametrize("name", ["gumbel", "two clusters", "rounded", "one outlier"])
def test_the_scan_is_the_profile_on_its_grid(name: str) -> None:
    gaps = standard_gaps(np.asarray(DISTRIBUTIONS[name](np.random.default_rng(2), (6, 30)), dtype=np.float64))
    values, shapes = scan(gaps)
    for index, distance in enumerate(DISTANCES):
        point = evaluate(gaps, np.full(len(gaps), distance), np.maximum(shapes[index], 1.0))
        np.testing.assert_allclose(values[index], point.value, atol=1e-2)
