"""Averages as bars: finite ones only, with their text rounded the safe way."""

from __future__ import annotations

from pathlib import Path

from clearance.report.figures.averages import average_rows
from clearance.report.read import read_records
from report_runs import make_plan, make_result, write_run


def test_texts_beside_a_bar_are_rounded_the_safe_way(tmp_path: Path):
    plan = make_plan(1)
    folder = write_run(tmp_path / "run", plan, lambda task: make_result(task, certified=0.23096, attacked=0.8602))
    averages = [row["text"] for _, row in average_rows(read_records(folder).entries)]
    assert averages == ["0.230", "0.500", "0.861"]


def test_an_infinite_average_has_no_bar(tmp_path: Path):
    folder = write_run(tmp_path / "run", make_plan(1), lambda task: make_result(task, certified="inf"))
    rows = [row for _, row in average_rows(read_records(folder).entries)]
    assert [(row["kind"], row["inputs"]) for row in rows] == [("estimated", 1), ("attacked", 1)]
