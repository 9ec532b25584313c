"""The part of a run that is judged: its own brackets and failures, nobody else's."""

from __future__ import annotations

import math
from pathlib import Path

from clearance.report.demands import part_of
from clearance.report.read import read_records
from clearance.report.statistics import Group
from made_runs import WRONG, bracket, make_plan, write_run


def test_a_part_has_what_belongs_to_its_norm_target_and_order(tmp_path: Path):
    plan = make_plan(3, norms=(2.0, math.inf), targets=("runner-up", 3), orders=(1, 2))

    def answer(task):
        if task.norm == 2.0 and task.target == 3 and task.order == 2:
            return ("failed", WRONG, bracket(attacked=7.0))[task.index]
        return bracket() if task.order == 1 else None

    run = read_records(write_run(tmp_path / "run", plan, answer))
    part = part_of(run, Group(2.0, "3", 2))
    assert (part.planned, part.failed, len(part.entries), part.threat) == (3, 1, 2, "l2, 3, order 2")
    assert [entry.attacked for entry in part.judged] == [7.0] and part.failures[0].error == "failed"
    unfinished = part_of(run, Group(math.inf, "3", 2))
    assert (unfinished.planned, unfinished.failed, unfinished.entries) == (3, 0, ())
