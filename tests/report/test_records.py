"""Records of a run: what they say of themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from clearance.report.read import read_records
from made_runs import CONTRADICTION, MASKED, REFUTED, WRONG, bracket, records_of
from report_runs import make_flag, make_plan, make_result, write_run


@pytest.mark.parametrize(
    ("answer", "judged", "doubted"),
    [
        (bracket(), True, False),
        (WRONG, False, False),
        (MASKED, True, True),
        (bracket(status="refuted"), True, True),
        (bracket(flags=[("poor_fit", "info")]), True, False),
        (bracket(flags=[("poor_fit", "info"), CONTRADICTION]), True, True),
    ],
)
def test_what_is_judged_and_what_is_doubted(tmp_path: Path, answer: dict, judged: bool, doubted: bool):
    run = records_of(tmp_path / "run", [answer])
    (entry,) = run.entries
    assert (entry.judged, entry.doubted) == (judged, doubted) and len(run.judged) == judged


def test_an_estimate_exceeds_a_witness_only_where_a_witness_refuted_it(tmp_path: Path):
    flags = {0: (make_flag("refuted", radius=0.9, witness_distance=0.8),), 1: (make_flag("refuted", slope=3.0),)}
    run = write_run(
        tmp_path / "run", make_plan(2), lambda task: make_result(task, status="refuted", flags=flags[task.index])
    )
    assert [entry.exceeded for entry in read_records(run).entries] == [True, False]
    assert not records_of(tmp_path / "made", [bracket(status="refuted", flags=[REFUTED])]).entries[0].exceeded


def test_a_class_without_a_name_is_its_index(tmp_path: Path):
    run = read_records(write_run(tmp_path / "run", make_plan(1, class_names=("cat", "dog"))))
    assert [run.class_name(index) for index in (0, 1, 2, -1)] == ["cat", "dog", "2", "-1"]
