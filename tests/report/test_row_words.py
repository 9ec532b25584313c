"""Medians and single numbers in words, the same wherever they stand."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from clearance.report.contest_answer import contest_answers
from clearance.report.contest_tables import furthest_apart, leaderboard
from clearance.report.figures.brackets import bracket_rows
from clearance.report.figures.side_by_side import side_rows
from clearance.report.marks import write_evidence
from clearance.report.payload import pack
from clearance.report.row_words import attacked_cell, estimated_cell, write_bracket
from made_runs import MASKED, Answer, bracket, comparison_of, records_of

BELOW = bracket(0.4, 0.4, 1.0, flags=[("below_certificate", "info")])
"""A bracket of which more is proved than was estimated."""
NONE = bracket("inf", 5.0, None)
"""One of which it is proved that there is no adversarial example."""


@pytest.mark.parametrize(
    ("given", "estimated", "attacked"),
    [
        ([bracket()] * 3, "0.500", "1.00"),
        ([BELOW] * 2 + [bracket()], "below proof (2 of 3)", "1.00"),
        ([BELOW, MASKED, bracket()], "– (1 of 3)", "1.00"),
        ([BELOW, bracket()], "0.500 (1 of 2)", "1.00"),
        ([NONE] * 3, "5.00", "none exists (3 of 3 proved)"),
        ([bracket(attacked=None)] * 3, "0.500", "– (0 of 3)"),
    ],
)
def test_a_median_is_over_what_counts(tmp_path: Path, given: list[Answer], estimated: str, attacked: str):
    (row,) = records_of(tmp_path / "run", given).rows
    assert (estimated_cell(row), attacked_cell(row)) == (estimated, attacked)


def test_the_leaderboard_has_the_medians_of_the_report(tmp_path: Path):
    first = [BELOW] * 2 + [bracket(0.1, 0.9)] * 2
    found = comparison_of(tmp_path, first, [BELOW] * 3 + [bracket()])
    estimates = {row[1]: row[-3] for row in leaderboard(found.contests).rows}
    assert estimates == {"a": "0.900 (2 of 4)", "b": "below proof (3 of 4)"}
    assert estimated_cell(found.runs[0].rows[0]) == "0.900 (2 of 4)"
    (difference,) = [one for one in found.contests[0].differences if one.quantity == "estimated"]
    assert (difference.inputs, difference.asked, difference.value) == (1, 4, None)


def test_no_chart_draws_an_estimate_that_does_not_count(tmp_path: Path):
    run = records_of(tmp_path / "run", [BELOW, bracket()])
    first, other = sorted(bracket_rows(run.entries), key=lambda row: row["name"])
    assert (first["estimated"], first["low"], first["unread"]) == (None, None, None)
    assert first["tips"]["estimated"] == "below proof" and other["estimated"] == 0.5
    columns = pack([run])["columns"]
    assert columns["estimated"] == [None, 0.5] and columns["below"] == [1, 0] and columns["low"][0] is None


def test_runs_side_by_side_draw_none_either(tmp_path: Path):
    found = comparison_of(tmp_path, [BELOW], [bracket()])
    rows = side_rows(found.contests[0].group, found.runs)
    assert [row["estimated"] for row in rows] == [None, 0.5] and rows[0]["tips"]["estimated"] == "below proof"


def test_no_witness_is_claimed_where_none_exists(tmp_path: Path):
    run = records_of(tmp_path / "run", [NONE])
    assert write_bracket(run.entries[0])["attacked"] == "none exists" and pack([run])["columns"]["absent"] == [1]
    found = comparison_of(tmp_path, [NONE] * 8, [bracket()] * 8)
    ranked = [row[-2] for row in leaderboard(found.contests).rows]
    assert ranked == ["none exists", "1.00"]
    (answer,) = contest_answers(found)
    assert "no adversarial example of a exists" in answer.text and "farther by" not in answer.text
    assert "∞" not in answer.text + answer.short


def test_why_an_input_counts_as_0_is_said_with_the_witness_in_doubt(tmp_path: Path):
    rows = furthest_apart(comparison_of(tmp_path, [bracket()] * 2, [MASKED, bracket(attacked=None)])).rows
    assert [row[-2:] for row in rows] == [("1.00", "0 (in doubt: 50.0)"), ("1.00", "0 (no witness)")]


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("witness_distance", 1.06546, "1.07"),
        ("gradient_distance", 1.065, "1.07"),
        ("certified", 0.23999, "0.239"),
        ("estimated", 1.06546, "1.07"),
        ("radius", 1.064, "1.06"),
        ("radius", None, "–"),
    ],
)
def test_evidence_is_rounded_once_and_the_safe_way(name: str, value: float | None, text: str):
    assert write_evidence(value, name) == text


def test_numbers_are_rounded_once_from_all_their_digits(tmp_path: Path):
    run = records_of(tmp_path / "run", [bracket(0.12345678, 1.0654999, 1.06546)])
    (entry,) = run.entries
    columns = pack([run])["columns"]
    assert [columns[name][0] for name in ("certified", "estimated", "attacked")] == [0.12345678, 1.0654999, 1.06546]
    assert write_bracket(entry) == {"certified": "0.123", "estimated": "1.07", "attacked": "1.07"}
    assert math.isclose(columns["low"][0], 0.9 * 1.0654999, rel_tol=0)
