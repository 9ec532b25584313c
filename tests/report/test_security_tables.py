"""Robust accuracy in tables: exact at any radius, rounded the safe way, and what must be said beside it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from clearance.model.robustness import clopper_pearson
from clearance.report.security import security_curves
from clearance.report.security_tables import (
    MOST_ROUND_RADII,
    radii_table,
    remarks,
    round_radii,
    shares_table,
    write_radius,
)
from made_runs import GOOD, MASKED, WRONG, bracket, records_of


def test_a_row_for_accuracy_and_for_each_radius_with_both_ends(tmp_path: Path):
    """Certified radii .1, .2 to 1, witnesses at .3, .6 to 3."""
    table = shares_table([records_of(tmp_path / "run", [*GOOD, WRONG, WRONG])], [0.5, 8 / 255])
    assert table.columns == ("norm", "radius", "proved", "not broken", "95 % interval")
    rows = {row[1]: row[2:] for row in table.rows}
    assert list(rows) == ["0", "0.5", "8/255"]
    assert rows["0"][:2] == ("10 of 12 (83.3 %)",) * 2 and rows["0.5"][:2] == ("6 of 12 (50 %)", "9 of 12 (75 %)")
    low, high = 100 * clopper_pearson(6, 12)[0], 100 * clopper_pearson(9, 12)[1]
    below, above = (float(end) for end in rows["0.5"][2].removesuffix(" %").split("–"))
    assert below <= low <= below + 0.1 and above - 0.1 <= high <= above


def test_shares_have_the_radii_at_which_they_end(tmp_path: Path):
    table = radii_table([records_of(tmp_path / "run", [*GOOD, WRONG, bracket("inf", 1.0, None)])])
    rows = {row[1]: row[2:] for row in table.rows}  # of 12: one wrong, one proved for good
    assert rows["90 %"] == ("0.100", "0.300")  # 11 are needed, and 11 are correct
    assert rows["50 %"] == ("0.600", "1.80") and rows["10 %"] == ("1.00", "3.00")
    (curve,) = security_curves(records_of(tmp_path / "again", [*GOOD, WRONG, bracket("inf", 1.0, None)]))
    for percent, radii in rows.items():
        needed = math.ceil(int(percent.split()[0]) * 12 / 100)
        proved, broken = map(float, radii)
        assert curve.at(proved).proved.count >= needed > curve.at(broken).not_broken.count


def test_a_share_that_is_never_reached_has_no_radius(tmp_path: Path):
    table = radii_table([records_of(tmp_path / "run", [WRONG, bracket(0.2, 0.3, None)])])
    assert {row[1]: row[2:] for row in table.rows} == {
        "90 %": ("–", "0"),
        "75 %": ("–", "0"),
        "50 %": ("0.200", "–"),
        "25 %": ("0.200", "–"),
        "10 %": ("0.200", "–"),
    }


@pytest.mark.parametrize("scale", [1e-5, 0.013, 0.3, 1.0, 7.7, 4e4])
def test_radii_that_nobody_chose_are_round_and_few(tmp_path: Path, scale: float):
    answers = [bracket(0.1 * scale, 0.2 * scale, scale * k / 20) for k in range(1, 21)]
    (curve,) = security_curves(records_of(tmp_path / "run", answers))
    found = round_radii(curve)
    assert 2 <= len(found) <= MOST_ROUND_RADII and found[-1] <= scale and all(f"{r:.1g}" for r in found)
    assert all(float(f"{radius:.2g}") == radius for radius in found)
    assert curve.at(found[-1]).not_broken.share <= 0.5


def test_one_far_witness_does_not_stretch_the_radii(tmp_path: Path):
    (curve,) = security_curves(records_of(tmp_path / "run", [*GOOD, *GOOD, MASKED, WRONG, bracket(0.0, 0.1, None)]))
    assert curve.extent == max(round_radii(curve)) == 3.0 and curve.distances[-1] == 50.0


def test_runs_beside_each_other_have_the_same_radii(tmp_path: Path):
    runs = [records_of(tmp_path / "near", GOOD[:3]), records_of(tmp_path / "far", GOOD)]
    for order in (runs, runs[::-1]):
        rows = shares_table(order).rows
        radii = [[row[2] for row in rows if row[0] == name] for name in ("near", "far")]
        assert radii[0] == radii[1] == ["0", "0.5", "1", "1.5", "2", "2.5"]  # 9 of 10 witnesses: 2.7


@pytest.mark.parametrize(
    ("radius", "text"),
    [
        (8 / 255, "8/255"),
        (1 / 255, "1/255"),
        (51 / 255, "0.2"),
        (0.3, "0.3"),
        (0.03137, "0.03137"),
        (1 / 7, "0.142857"),
    ],
)
def test_a_radius_is_written_as_it_was_meant(radius: float, text: str):
    assert write_radius(radius) == text


def test_what_is_missing_and_what_is_in_doubt_is_said(tmp_path: Path):
    found = remarks(records_of(tmp_path / "run", [bracket(), MASKED, None, "X: y"]), [0.2, 60.0])
    assert found == [
        "2 inputs are not measured, 1 of them because a task failed: they count as neither proved nor broken.",
        "The audit doubts the attacks on 1 input that is counted as not broken at radius 0.2: the upper end may be far "
        "too high.",
    ]
    assert remarks(records_of(tmp_path / "calm", [bracket()] * 3)) == []
    levels = records_of(tmp_path / "levels", [bracket()], norms=(math.inf,))
    assert remarks(levels, [1.0, 8 / 255]) == []
    (said,) = remarks(levels, [8 / 255, 8.0])
    assert said == "No two valid inputs are farther apart than 1, got radius 8; grey levels are written as 8/255."
    assert remarks(records_of(tmp_path / "far", [bracket()]), [8.0]) == []
    both = remarks(records_of(tmp_path / "both", [bracket(), None], norms=(2.0, math.inf)))
    assert both == ["l2, linf: 1 input is not measured: it counts as neither proved nor broken."]
    (without,) = remarks(records_of(tmp_path / "without", [bracket(None)], certificate="none"))
    assert without.startswith("No certificates were asked for")


def test_several_runs_have_their_names_and_a_scale_its_units(tmp_path: Path):
    runs = [records_of(tmp_path / name, GOOD) for name in ("a", "b")]
    table = shares_table(runs, [0.5])
    assert table.columns[0] == "run" and [row[0] for row in table.rows] == ["a", "a", "b", "b"]
    assert "Radii are in input units, inputs in [0, 1]." in table.note
    threat = runs[0].plan.threat.model_copy(update={"unit": "standard deviations of each feature"})
    plan = runs[0].plan.model_copy(update={"threat": threat})
    assert "Radii are in standard deviations of each feature" in shares_table([replace(runs[0], plan=plan)]).note
