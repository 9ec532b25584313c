"""What a longer search would find: the unevenness of blocks, by simulation and where all are equal; the growth."""

from __future__ import annotations

import math

import numpy as np
import pytest

from clearance.estimates.profile.longer_search import GROWTH, longer_search_values, unevenness


def test_of_an_exponential_tail_it_is_the_scale_as_a_share_of_the_largest() -> None:
    rng = np.random.default_rng(0)
    tables = [1000 + rng.exponential(2.0, (8, 12)) for _ in range(300)]
    found = [1000 * unevenness(table, table.max(1)) for table in tables]
    assert np.mean(found) == pytest.approx(2.0, rel=0.05)  # the largest is 1,006 or so: a share of it is .6 % less


def test_what_others_met_and_the_blocks_did_not_counts() -> None:
    table, seen = np.array([[4.0, 4.0], [5.0, 5.0]]), np.array([5.0, 5.0])
    assert unevenness(table, seen) == pytest.approx((0.2 + 0.0) / 2)


@pytest.mark.parametrize("seen", [0.0, 1.0])
def test_blocks_of_a_level_that_has_moved_inward_fall_short_of_nothing(seen: float) -> None:
    table = np.array([[4.0, 3.0]])
    assert unevenness(table, np.array([seen])) == pytest.approx(0.25)
    assert longer_search_values(table, np.array([seen]), 2.0) == pytest.approx(seen * (1 + GROWTH[1] * 0.5))


@pytest.mark.parametrize("norm", [1.0, 2.0, math.inf])
def test_equal_maxima_that_nothing_exceeds_leave_nothing_to_find(norm: float) -> None:
    seen = np.array([2.0, 3.0])
    assert longer_search_values(np.array([[2.0] * 4, [3.0] * 4]), seen, norm).tolist() == seen.tolist()


def test_a_level_without_blocks_says_nothing() -> None:
    assert unevenness(np.zeros((3, 4)), np.ones(3)) == 0
    table = np.array([[1.0, 0.9], [0.0, 0.0]])
    assert unevenness(table, np.ones(2)) == unevenness(table[:1], np.ones(1)) == pytest.approx(0.1)


def test_it_does_not_depend_on_the_unit_of_the_gradients() -> None:
    table, seen = np.random.default_rng(1).random((6, 8)), np.full(6, 1.1)
    assert longer_search_values(1e6 * table, 1e6 * seen, 2.0) == pytest.approx(
        1e6 * longer_search_values(table, seen, 2.0)
    )


def test_the_growth_is_that_of_its_norm() -> None:
    table, seen = np.array([[1.0, 0.75]]), np.array([1.0])
    growth = {
        norm: float(longer_search_values(table, seen, norm)[0] - 1) / 0.5 for norm in (1.0, 1.5, 2.0, 3.0, math.inf)
    }
    in_linf, in_l2, in_l1 = GROWTH
    assert [growth[norm] for norm in (1.0, 2.0, math.inf)] == pytest.approx([in_l1, in_l2, in_linf])
    assert growth[1.5] == pytest.approx(in_l2 + (in_l1 - in_l2) / 3)
    assert growth[3.0] == pytest.approx(in_l2 + (in_linf - in_l2) / 3)
