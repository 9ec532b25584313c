"""Return levels: by simulation of exponential tails, and where all maxima are equal."""

from __future__ import annotations

import numpy as np
import pytest

from clearance.estimates.extremes.return_level import return_levels, tail_scale


def test_the_scale_of_an_exponential_tail_is_unbiased() -> None:
    rng = np.random.default_rng(0)
    found = [tail_scale(1000 + rng.exponential(2.0, (8, 12))).mean() * 1000 for _ in range(300)]
    assert np.mean(found) == pytest.approx(2.0, rel=0.05)  # the largest is 1,006 or so: a share of it is .6 % less


@pytest.mark.parametrize("probability", [0.5, 0.9])
def test_a_search_25_times_as_long_keeps_below_it_at_the_stated_rate(probability: float) -> None:
    """Many levels with one scale, which is known to 6 % from half of them; with 6 blocks the limit is off by 2 %."""
    rng = np.random.default_rng(1)
    maxima, longer = 1000 + rng.exponential(1.0, (480, 6)), 1000 + rng.exponential(1.0, (480, 150)).max(1)
    upper = return_levels(maxima, maxima.max(1), multiple=25, probability=probability)
    assert (longer <= upper).mean() == pytest.approx(probability, abs=0.06)


def test_equal_maxima_leave_nothing_to_find() -> None:
    seen = np.array([2.0, 3.0])
    assert return_levels(np.full((2, 4), 2.0), seen, multiple=25, probability=0.95).tolist() == seen.tolist()


def test_a_blockless_level_has_no_scale() -> None:
    assert tail_scale(np.zeros((3, 4))).tolist() == [0.0, 0.0, 0.0]
