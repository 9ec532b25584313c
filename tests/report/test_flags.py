"""Flags over all inputs: the worst first, with the range of each number."""

from __future__ import annotations

from pathlib import Path

from clearance.report.flags import flag_groups
from clearance.report.read import read_records
from report_runs import make_flag, make_plan, make_result, write_run


def test_flags_are_grouped_the_worst_first(tmp_path: Path):
    flags = {
        0: (make_flag("path_integral", "info", missed=0.1), make_flag("poor_fit", "info", fit="no_endpoint")),
        1: (make_flag("path_integral", "warning", missed=0.4),),
        2: (make_flag("zero_gradient", "error", share=0.9), make_flag("poor_fit", "info", fit="ok")),
        3: (make_flag("poor_fit", "info"),),
    }
    run = write_run(tmp_path / "run", make_plan(4), lambda task: make_result(task, flags=flags[task.index]))
    found = flag_groups(read_records(run).entries)
    assert [(group.code, group.severity, len(group.entries)) for group in found] == [
        ("zero_gradient", "error", 1),
        ("path_integral", "warning", 2),
        ("poor_fit", "info", 3),
    ]
    assert found[1].evidence == {"missed": (0.1, 0.4)} and found[2].evidence == {"fit": "no_endpoint, ok"}


def test_only_warnings_and_errors_cast_doubt_and_equal_kinds_are_ordered_by_frequency(tmp_path: Path):
    flags = {
        0: (make_flag("rare", "warning"), make_flag("common", "warning")),
        1: (make_flag("common", "warning"), make_flag("remark", "info")),
        2: (),
    }
    run = write_run(tmp_path / "run", make_plan(3), lambda task: make_result(task, flags=flags[task.index]))
    found = flag_groups(read_records(run).entries)
    assert [(group.code, group.doubts) for group in found] == [("common", True), ("rare", True), ("remark", False)]
    assert found[0].meaning == "what common says" and [entry.index for entry in found[0].entries] == [0, 1]
    assert flag_groups([]) == []
