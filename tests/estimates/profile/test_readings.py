"""The radius of a profile against the papers' formulas and its own integral."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance.estimates.profile.readings import profile_radius, spent_at
from clearance.estimates.second_order import second_order_radius


def test_a_constant_gives_the_first_order_score() -> None:
    levels = np.linspace(0.25, 4, 16)
    assert profile_radius(levels, np.full(16, 3.0), 6.0) == pytest.approx(2.0)
    assert profile_radius(levels, np.full(16, 1.0), 6.0) == 4.0  # the last level: min(g / L, R)


def test_a_line_gives_the_second_order_score() -> None:
    """`L(s) = b + a s` on many levels, from above: to within one level's width."""
    levels = np.linspace(0, 3, 3001)[1:]
    found = profile_radius(levels, 2.0 + 1.5 * levels, 4.0)
    assert found == pytest.approx(second_order_radius(4.0, 2.0, 1.5), rel=1e-3)
    assert found <= second_order_radius(4.0, 2.0, 1.5)


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=20), st.floats(0.01, 50))
def test_it_is_never_below_the_fixed_point_of_one_constant(steps: list[float], margin: float) -> None:
    """The best of all `min(g / L(R), R)`: the largest level-wise bound of the paper."""
    values, levels = np.cumsum(steps), np.arange(1, len(steps) + 1, dtype=float)
    paper = max(min(margin / value, level) for level, value in zip(levels, values, strict=True))
    assert profile_radius(levels, values, margin) >= paper * (1 - 1e-12)


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=20), st.floats(0.01, 50))
def test_at_the_radius_the_margin_is_spent(values: list[float], margin: float) -> None:
    levels = np.arange(1, len(values) + 1, dtype=float)
    radius = profile_radius(levels, np.array(values), margin)
    spent = spent_at(levels, np.array(values), np.array([radius]))[0]
    assert spent == pytest.approx(margin) or (radius == levels[-1] and spent < margin)


def test_a_profile_of_zero_spends_nothing() -> None:
    assert profile_radius(np.array([1.0, 2.0]), np.zeros(2), 1.0) == 2.0
