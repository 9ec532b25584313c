"""First against second order: the lines of the paper's tables by hand, and the experiment end to end."""

import math
from pathlib import Path

import pytest

from clearance.experiments.weng2018b import ORDER_TABLES, OrdersRow, summary
from tiny_experiments import tiny


def row(first: float, second: float) -> OrdersRow:
    return OrdersRow(first, second, attacked=3.0, profile=2.0, witness=3.0, proved=0.1)


def test_the_lines_of_a_table():
    means, shares, increases = summary([row(1.0, 2.0), row(1.5, 1.0), row(1.0, 4.0), row(1.0, 1.0)])
    assert means == pytest.approx((4.5 / 4, 2.0))
    assert shares == pytest.approx((25, 50)) and increases == pytest.approx((50, 200))


def test_an_order_that_is_never_larger_has_no_increase():
    _, shares, increases = summary([row(1.0, 2.0)])
    assert shares == (0, 100) and math.isnan(increases[0]) and increases[1] == pytest.approx(100)


def test_the_papers_shares_add_up():
    assert [sum(paper.larger) for paper in ORDER_TABLES.values()] == [100, 100, 100]
    assert sorted(paper.number for paper in ORDER_TABLES.values()) == [1, 2, 3]


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_a_row_without_a_number_is_not_whole(broken: float):
    assert row(1.0, 2.0).whole and not row(broken, 2.0).whole


def test_the_experiment_on_its_tiny_scale(tmp_path: Path):
    found = tiny("weng-2018b", tmp_path)
    below, close, _, sound = found.findings  # on three inputs either order may be the larger one of all
    assert below.holds and close.holds and sound.holds
    assert [table.title[:7] for table in found.tables[:3]] == ["Table 1", "Table 2", "Table 3"]
