"""Whose number an estimated radius is: a larger proof in its place is in no column and no median of estimates."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from clearance.cli import bracket_tables
from clearance.report.demands import Limits
from clearance.report.gate import judge
from clearance.report.statistics import averages
from clearance.runs.execute import read_run
from clearance.runs.export import as_table, export_run, iterate_records
from clearance.runs.summary import summarise
from made_runs import MASKED, bracket, records_of

BELOW = bracket(0.7, 0.7, 1.0, flags=[("below_certificate", "info")])
"""A bracket of which 0.7 is proved, more than was estimated."""
UNREAD = {**MASKED, "audit": BELOW["audit"]}
"""A masked one: its estimate would not be read anyway."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    records_of(tmp_path / "run", [bracket(estimated=0.5), BELOW, BELOW, UNREAD])
    return tmp_path / "run"


def test_columns_have_the_estimates_own_numbers(folder: Path, tmp_path: Path):
    with read_run(folder) as run:
        names, rows = as_table(list(iterate_records(run)))
        export_run(run, tmp_path / "out.json", kind="json")
    assert "estimated.below_proof" in names
    assert [row["estimated.radius"] for row in rows] == [0.5, None, None, None]
    assert [row["estimated.below_proof"] for row in rows] == [False, True, True, False]
    written = json.loads((tmp_path / "out.json").read_text())
    assert [one["estimated"]["interval"] for one in written] == [[0.45, 0.55], None, None, None]


def test_medians_and_means_leave_out_proofs_and_count_them(folder: Path):
    with read_run(folder) as run:
        (row,) = summarise(iterate_records(run))
    assert (row.estimated, row.readable, row.below_proof, row.judged) == (None, 1, 2, 4)


@pytest.mark.parametrize(("below", "median"), [(1, 0.5), (2, 0.5), (3, None)])
def test_a_median_of_fewer_than_half_is_none(tmp_path: Path, below: int, median: float | None):
    records_of(tmp_path / "run", [bracket(estimated=0.5)] * 2 + [BELOW] * below)
    with read_run(tmp_path / "run") as run:
        (row,) = summarise(iterate_records(run))
    assert (row.estimated, row.readable, row.below_proof) == (median, 2, below)


def test_the_gate_reads_the_larger_and_says_so(tmp_path: Path):
    run = records_of(tmp_path / "run", [bracket(estimated=0.5), BELOW, BELOW])
    (found,) = (one for one in judge(run, Limits(min_median=0.6)).checks if one.flag == "min-median")
    assert found.passed and found.got == "0.7 (3 of 3 inputs, the larger proof at 2)"
    (mean,) = averages(run.entries)
    assert (mean.paired, mean.estimated) == (1, 0.5)


def test_the_gate_rounds_a_proof_down_and_a_witness_up_and_names_none(tmp_path: Path):
    run = records_of(tmp_path / "run", [bracket(0.234567, 0.5, 1.06541)])
    limits = Limits(min_certified=0.1, min_attacked=0.1)
    assert [one.got.split(" (")[0] for one in judge(run, limits).checks if one.flag.startswith("min")] == [
        "0.2345",
        "1.066",
    ]
    none = judge(records_of(tmp_path / "none", [bracket("inf", 5.0, None)]), Limits(min_attacked=0.1))
    assert [one.got for one in none.checks if one.flag == "min-attacked"] == ["none exists (1 of 1 input)"]


def test_the_terminal_says_it_in_the_cell_and_in_words(folder: Path):
    with read_run(folder) as run:
        records = list(iterate_records(run))
    out = io.StringIO()
    console = Console(file=out, width=100)
    bracket_tables.print_records(console, records, ())
    bracket_tables.print_rows(console, summarise(records))
    bracket_tables.print_reading(console, records, summarise(records), "input values")
    text = " ".join(out.getvalue().split())
    assert text.count(bracket_tables.BELOW) == 3 and "- (1 of 4)" in text
    assert "More is proved than estimated in 2 of 4 brackets (below proof)" in text
