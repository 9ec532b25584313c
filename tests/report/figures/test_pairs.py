"""Two runs against each other: which inputs have a point, and where it lies."""

from __future__ import annotations

from pathlib import Path

from clearance.report.figures.pairs import pair_rows, panels
from clearance.report.statistics import Group
from made_runs import MASKED, WRONG, bracket, records_of

GROUP = Group(2.0, "untargeted", 1)


def test_points_are_of_inputs_that_may_be_read_in_both_runs(tmp_path: Path):
    answers = [bracket(attacked=1.0), MASKED, WRONG, bracket(attacked=None), bracket("inf", 5.0, None)]
    first = records_of(tmp_path / "first", [*answers, bracket(attacked=3.0)])
    other = records_of(tmp_path / "other", [bracket(attacked=2.0)] * 6)
    assert pair_rows(GROUP, first, other) == [
        {"input": 0, "first": 1.0, "other": 2.0},
        {"input": 5, "first": 3.0, "other": 2.0},
    ]


def test_inputs_meet_by_content_and_have_the_place_of_the_first_run(tmp_path: Path):
    first = records_of(tmp_path / "first", [bracket(attacked=float(k)) for k in range(1, 5)], first=2)  # key2 to key5
    other = records_of(tmp_path / "other", [bracket(attacked=float(10 * k)) for k in range(5)])  # key0 to key4
    rows = pair_rows(GROUP, first, other)
    assert [tuple(row.values()) for row in rows] == [(0, 1.0, 20.0), (1, 2.0, 30.0), (2, 3.0, 40.0)]


def test_each_other_run_has_a_panel_against_the_first(tmp_path: Path):
    runs = [records_of(tmp_path / name, [bracket()] * 2) for name in ("a", "b", "c")]
    assert [panel.title for panel in panels(runs)] == ["l2, untargeted: b against a", "l2, untargeted: c against a"]
    assert panels(runs[:1]) == []
    nothing = records_of(tmp_path / "d", [MASKED] * 2)
    assert panels([runs[0], nothing]) == []
