"""Gaps as steps, and what each series is called."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clearance.report.figures import FIGURES
from clearance.report.figures.gaps import gap_rows
from clearance.report.records import RunRecords


def test_steps_rise_to_one_from_the_share_that_must_not_be_read(run: RunRecords):
    rows = [row for group, row in gap_rows(run.entries) if (group.norm, group.target) == (2.0, "3")]
    assert [row["share"] for row in rows] == [0.25, 0.5, 0.75, 1.0]  # one of four inputs is refuted
    assert [row["gap"] for row in rows] == pytest.approx([0, 0.3, 0.3, 0.3])


def test_one_run_has_a_curve_for_each_target_and_several_for_each_run(run: RunRecords):
    def series(runs: list[RunRecords], field: str) -> list[str]:
        values = FIGURES["gaps"].panels(runs)[0].chart.data.to_dict()["values"]
        return list(dict.fromkeys(row[field] for row in values))

    assert series([run], "target") == ["runner-up", "3"]
    other = replace(run, name="other")
    assert series([run, other], "run") == ["run, runner-up", "run, 3", "other, runner-up", "other, 3"]
