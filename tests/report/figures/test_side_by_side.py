"""The brackets of several runs beside each other: which inputs, in which order, and who has a bracket."""

from __future__ import annotations

import math
from pathlib import Path

from clearance.report.figures.side_by_side import side_rows
from clearance.report.statistics import Group
from made_runs import MASKED, WRONG, bracket, records_of

GROUP = Group(2.0, "untargeted", 1)


def test_inputs_are_ranked_by_the_first_run_and_brackets_stand_beside_each_other(tmp_path: Path):
    first = records_of(tmp_path / "first", [WRONG, bracket(attacked=3.0), bracket(attacked=1.0), WRONG])
    other = records_of(tmp_path / "other", [WRONG, bracket(attacked=2.0), MASKED, bracket("inf", 5.0, None)])
    rows = side_rows(GROUP, [first, other])
    assert [(row["run"], row["input"], row["rank"], row["attacked"]) for row in rows] == [
        ("other", 3, 1, None),  # the first run misclassifies it: nothing has to move
        ("first", 2, 2, 1.0),
        ("other", 2, 2, 50.0),
        ("first", 1, 3, 3.0),
        ("other", 1, 3, 2.0),
    ]
    assert all((row["x"] < row["rank"]) == (row["run"] == "first") for row in rows)
    assert [row["unread"] for row in rows] == [None, None, 0.0, None, None]
    assert rows[0]["certified"] is None and rows[0]["tips"]["certified"] == "∞"
    assert all(value is None or math.isfinite(value) for row in rows for value in (row["low"], row["high"]))


def test_inputs_that_a_run_does_not_have_are_left_out(tmp_path: Path):
    first, other = records_of(tmp_path / "a", [bracket()] * 3), records_of(tmp_path / "b", [bracket()] * 3, first=1)
    assert {row["input"] for row in side_rows(GROUP, [first, other])} == {1, 2}
    assert side_rows(Group(math.inf, "untargeted", 1), [first, other]) == []
