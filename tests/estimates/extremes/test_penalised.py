"""Endpoints under a prior on the tail index against a fine grid of tail indices."""

import numpy as np
import pytest

from clearance.estimates.extremes.penalised import LARGEST_SHAPE, LARGEST_TAIL_INDEX, penalised_distance
from clearance.estimates.extremes.profile_likelihood import fixed_shape
from clearance.estimates.extremes.weibull import log_likelihood
from extreme_samples import Array, beta_maxima, standard_gaps


def penalised(gaps: Array, indices: Array, rate: float) -> Array:
    """The penalised log-likelihood of one row at some tail indices, the distance being the most likely one for each."""
    many, shapes = np.broadcast_to(gaps, (len(indices), len(gaps))), 1 / indices
    logs = np.log(many + fixed_shape(many, shapes)[:, None])
    return log_likelihood(logs, shapes) - rate * indices


@pytest.mark.parametrize("rate", [0.0, 5.0, 20.0])
def test_the_tail_index_maximises_the_penalised_likelihood(rate: float) -> None:
    gaps = standard_gaps(np.concatenate([beta_maxima(shape, 50, 3, seed=shape) for shape in (2, 4, 8)]))
    distance, shape, bound = penalised_distance(gaps, rate)
    fine = np.linspace(1 / LARGEST_SHAPE, LARGEST_TAIL_INDEX, 400)
    for row, u in enumerate(gaps):
        (found,) = penalised(u, 1 / shape[[row]], rate)
        assert found >= penalised(u, fine, rate).max() - 1e-3  # what a parabola through three points of the grid leaves
        assert distance[row] == pytest.approx(fixed_shape(u[None], shape[row])[0], rel=1e-9)
        assert bound[row] == (shape[row] == pytest.approx(LARGEST_SHAPE))


def test_a_higher_rate_has_a_smaller_tail_index() -> None:
    gaps = standard_gaps(beta_maxima(2, 40, 10, seed=0))
    shapes = [penalised_distance(gaps, rate)[1] for rate in (0.0, 2.0, 10.0, 50.0, 1e4)]
    assert np.all(np.diff(shapes, axis=0) >= -1e-12)
    assert shapes[-1] == pytest.approx(LARGEST_SHAPE) and penalised_distance(gaps, 1e4)[2].all()


def test_uniform_maxima_give_steady_endpoints() -> None:
    """What the prior is for: maxima far below their endpoint, whose likelihood is nearly flat in the shape."""
    maxima = beta_maxima(16, 20, 200, seed=3)
    gaps, largest, spread = standard_gaps(maxima), maxima.max(1), np.ptp(maxima, axis=1)
    free, held = (1 + penalised_distance(gaps, rate)[0] * spread / largest for rate in (0.0, 20.0))
    assert held.std() < 0.75 * free.std()
