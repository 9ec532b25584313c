"""A comparison as tables: columns, cells, the inputs that are furthest apart, and why a run has no rank."""

from __future__ import annotations

import re
from pathlib import Path

from clearance.report.compare import compare
from clearance.report.contest_tables import (
    MOST_APART,
    comparison_tables,
    differences,
    furthest_apart,
    leaderboard,
    unranked,
)
from made_runs import HOSTILE, MASKED, WRONG, bracket, comparison_of, far, records_of


def test_every_reason_for_no_rank_is_named(tmp_path: Path):
    found = comparison_of(tmp_path, [far(0.1)] * 10, [WRONG, *[far(None)] * 7, MASKED, far(1.0)])
    assert unranked(found.contests[0]) == [
        "l2, untargeted: b has no rank. More than half of its inputs count as 0: 10 % are misclassified, "
        "the audit doubts the attacks on 10 %, 70 % have no witness."
    ]


def test_the_tables_hold_names_as_text(tmp_path: Path):
    runs = [records_of(tmp_path / name, [far(1.0)] * 6, model=HOSTILE, targets=(HOSTILE,)) for name in "ab"]
    for table in comparison_tables(compare(runs)):
        markdown = table.as_markdown().splitlines()
        assert len(markdown) == len(table.rows) + 2
        assert {len(re.findall(r"(?<!\\)\|", line)) for line in markdown} == {len(table.columns) + 1}


def test_the_leaderboard_says_over_how_many_inputs_a_median_is(tmp_path: Path):
    found = comparison_of(tmp_path, [far(1.0)] * 4, [far(2.0)] * 3 + [MASKED])
    table = leaderboard(found.contests)
    assert table.columns[: table.numeric] == ("rank", "run", "model")
    rows = {row[1]: row for row in table.rows}
    assert [row[0] for row in table.rows] == ["1", "2"] and rows["b"][0] == "1"
    assert rows["b"][3:7] == ("2.00", "75 %", "0 %", "25 %")
    assert rows["b"][7:] == ("0.100", "0.500 (3 of 4)", "2.00 (3 of 4)", "15")


def test_norm_and_target_have_columns_only_where_there_are_several(tmp_path: Path):
    one = comparison_of(tmp_path / "one", [far(1.0)], [far(2.0)])
    assert leaderboard(one.contests).columns[0] == "rank" and differences(one.contests).columns[0] == "run"
    runs = [records_of(tmp_path / name, [far(1.0)], norms=(1.0, 2.0)) for name in "ab"]
    several = compare(runs)
    assert leaderboard(several.contests).columns[:3] == ("target", "norm", "rank")
    assert [row[:2] for row in leaderboard(several.contests).rows[::2]] == [("untargeted", "l1"), ("untargeted", "l2")]


def test_a_difference_without_an_interval_has_none_to_show(tmp_path: Path):
    found = comparison_of(tmp_path, [bracket(0.1, 0.5, 1.0)] * 3, [bracket(0.2, 0.4, 1.0)] * 3)
    rows = {row[2]: row for row in differences(found.contests).rows}
    assert rows["certified radius"] == ("b", "a", "certified radius", "too few", "3 of 3", "0.100", "–", "100 %", "0 %")
    assert rows["estimated radius"][5:] == ("-0.100", "–", "0 %", "100 %")
    assert rows["attack distance"][5:] == ("0", "–", "0 %", "0 %")


def test_the_inputs_that_are_furthest_apart_come_first(tmp_path: Path):
    first = [far(1.0) for _ in range(30)]
    other = [far(1.0 + place % 25 / 8) for place in range(30)]  # places 0 and 25 differ by nothing
    table = furthest_apart(comparison_of(tmp_path, first, other))
    assert len(table.rows) == MOST_APART and table.columns == ("class", "input", "a", "b")
    assert [row[1] for row in table.rows[:3]] == ["24", "23", "22"] and table.rows[0][2:] == ("1.00", "4.00")
    near = furthest_apart(comparison_of(tmp_path / "near", first[:2], [far(1.0), WRONG]))
    assert [row[1:] for row in near.rows] == [("1", "1.00", "0 (misclassified)")]
