"""Flags over all inputs: the worst first, with the range of each number."""

from __future__ import annotations

from pathlib import Path

from clearance.audit.flags import CHECKS
from clearance.report.answer import cautions
from clearance.report.flags import OF_SEARCHES, flag_groups
from clearance.report.next_steps import next_steps
from clearance.report.read import read_records
from made_runs import MASKED, bracket, records_of
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


def test_a_flag_says_on_how_many_brackets_it_says_less(tmp_path: Path):
    """A sentence about a flag and its count are about the same brackets."""
    below, one = ("below_certificate", "info"), "one_step_wins"
    unread = {**MASKED, "audit": bracket(flags=[below, (one, "warning")])["audit"]}
    run = records_of(tmp_path / "run", [bracket(flags=[below, (one, "info")]), bracket(flags=[below]), unread])
    found = {group.code: group for group in flag_groups(run.entries)}
    assert found["below_certificate"].counted == "3 brackets, 1 of them without an estimate that may be read"
    assert found[one].counted == "2 brackets, 1 of them as a remark only" and len(found[one].doubting) == 1
    assert cautions(run)[0].startswith("2 of 2 estimates that may be read (in 3 brackets) lie below what is proved")
    assert any(step.why == "one_step_wins, in 1 bracket" for step in next_steps(run))


def test_the_flags_of_searches_are_those_about_attacks_and_the_way_to_a_reference():
    about = {code for code, check in CHECKS.items() if check.about == "attacks"}
    assert set(OF_SEARCHES) == about | {"reference_wins"}
