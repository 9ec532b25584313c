"""Brackets as a chart: their order, their axis, the size of their marks, and the texts beside them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from clearance.report.figures import write_figure
from clearance.report.figures.brackets import (
    LARGEST_DOT,
    MOST_TICKS,
    RANK_STEPS,
    SMALLEST_DOT,
    bracket_rows,
    dot_size,
    rank_step,
    rank_ticks,
)
from clearance.report.read import read_records
from clearance.report.records import RunRecords
from report_runs import make_plan, make_result, write_run


def test_brackets_are_ranked_and_refusals_have_no_estimate(run: RunRecords):
    rows = bracket_rows(run.entries)
    assert [row["rank"] for row in rows] == list(range(1, 17))
    assert {row["unread"] for row in rows if row["status"] == "refuted"} == {0}
    assert all((row["estimated"] is None) == (row["unread"] == 0) for row in rows)


def test_inputs_without_a_witness_come_last_and_infinite_certificates_have_no_mark(tmp_path: Path):
    distances = {0: None, 1: 0.9, 2: 0.3}

    def result(task):
        return make_result(task, certified="inf" if task.index == 0 else 0.2, attacked=distances[task.index])

    rows = bracket_rows(read_records(write_run(tmp_path / "run", make_plan(3), result)).entries)
    assert [row["name"] for row in rows] == ["input 2", "input 1", "input 0"]
    assert [row["certified"] for row in rows] == [0.2, 0.2, None] and rows[2]["tips"]["certified"] == "∞"


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_axis_of_ranks_has_whole_numbers_once(tmp_path: Path, count: int):
    folder = write_run(tmp_path / "run", make_plan(count))
    write_figure([read_records(folder)], "brackets", tmp_path / "figure.svg")
    text = (tmp_path / "figure.svg").read_text()
    assert re.findall(r">(\d+)</text>", text) == [str(rank) for rank in range(1, count + 1)]
    assert ">rank of the input, by attack distance</text>" in text


@pytest.mark.parametrize("count", [*range(1, 60), 99, 100, 101, 1000, 2999])
def test_an_axis_names_few_ranks(count: int):
    ticks = rank_ticks(count)
    assert 1 <= len(ticks) <= 10 and ticks[-1] <= count
    assert len(set(np.diff([0, *ticks]))) == 1


@pytest.mark.parametrize("count", [0, 1, 10, 11, 20, 21, 50, 51, 100, 101, 5000, 5001, 10**9])
def test_the_step_is_the_smallest_that_leaves_few_enough(count: int):
    step = rank_step(count)
    assert -(-count // step) <= MOST_TICKS
    assert all(count > MOST_TICKS * smaller for smaller in RANK_STEPS if smaller < step)


def test_marks_shrink_where_they_are_many_and_stay_visible():
    sizes = [dot_size(count) for count in (0, 1, 100, 218, 219, 1000, 1500, 1501, 100_000)]
    assert sizes == sorted(sizes, reverse=True) and sizes[:4] == [LARGEST_DOT] * 4 and sizes[-2:] == [SMALLEST_DOT] * 2
    assert sizes[4] < LARGEST_DOT and dot_size(400) == 2 * dot_size(800)


def test_texts_beside_a_mark_are_rounded_the_safe_way(tmp_path: Path):
    plan = make_plan(1)
    folder = write_run(tmp_path / "run", plan, lambda task: make_result(task, certified=0.23096, attacked=0.8602))
    entries = read_records(folder).entries
    assert bracket_rows(entries)[0]["tips"] == {"certified": "0.230", "estimated": "0.500", "attacked": "0.861"}
