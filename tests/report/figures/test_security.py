"""Security curves as they are drawn: every step, and nothing between the steps."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from clearance.report.figures import FIGURES
from clearance.report.figures.security import ROOM, curve_rows
from clearance.report.records import RunRecords
from clearance.report.security import security_curves
from made_runs import MASKED, WRONG, bracket, make_plan, records_of


@pytest.fixture
def made(tmp_path: Path) -> RunRecords:
    met, lost = [bracket(0.1, 0.2, 0.3), bracket(0.2, 0.3, 0.5)], [bracket("inf", 0.4, None), bracket(0.0, 0.1, None)]
    return records_of(tmp_path / "run", [*met, *lost, WRONG])


def test_what_is_drawn_is_the_curve_at_every_radius(made: RunRecords):
    """From a row's radius up to the next one's, the chart's step is the count by the definition."""
    (curve,) = security_curves(made)
    rows = curve_rows(curve, "run", end=1.0)
    assert [row["radius"] for row in rows] == [0, 0, 0.1, 0.2, 0.3, 0.5, 1.0]
    assert (rows[0]["proved"], rows[0]["not_broken"]) == (0.8, 0.8)  # at 0: accuracy
    for row, after in pairwise(rows[1:]):
        for radius in (math.nextafter(row["radius"], 1), (row["radius"] + after["radius"]) / 2):
            found = curve.at(radius)
            assert (row["proved"], row["not_broken"]) == (found.proved.share, found.not_broken.share)
    assert rows[2]["text"] == "just above 0.100: 2 proved, 4 not broken of 5"


def test_a_far_witness_lies_beyond_the_axis_and_is_said(tmp_path: Path):
    """The curves up to the end of the axis stay what they are."""
    far = records_of(tmp_path / "far", [*(bracket(0.01, 0.05, 0.1 * k) for k in range(1, 11)), MASKED])
    (panel,) = FIGURES["security"].panels([far])
    rows = panel.chart.to_dict()["data"]["values"]
    assert panel.title == "l2 (1 step beyond the axis)" and rows[-1]["radius"] == ROOM * 1.0
    assert rows[-1]["not_broken"] == pytest.approx(1 / 11)


def test_there_is_a_panel_for_each_norm_and_none_without_robust_accuracy(tmp_path: Path):
    both = records_of(tmp_path / "both", [bracket()] * 2, norms=(2.0, math.inf))
    assert [panel.title for panel in FIGURES["security"].panels([both])] == ["l2", "linf"]
    chosen = replace(both, plan=make_plan(2, targets=("runner-up",)), classes=3)
    assert FIGURES["security"].panels([chosen]) == []


def test_the_axis_of_several_runs_ends_where_the_longest_curve_ends(made: RunRecords, tmp_path: Path):
    other = records_of(tmp_path / "other", [bracket(None, 0.2, 2.0)], certificate="none")
    (panel,) = FIGURES["security"].panels([made, other])
    rows = panel.chart.to_dict()["data"]["values"]
    assert {row["series"] for row in rows} == {"run", "other"}
    assert {max(r["radius"] for r in rows if r["series"] == name) for name in ("run", "other")} == {2.0 * ROOM}
    assert {row["proved"] for row in rows if row["series"] == "other"} == {None}
