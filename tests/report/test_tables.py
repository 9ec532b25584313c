"""Tables as they are copied: read back by readers of each form, with names that try to be something else."""

from __future__ import annotations

import csv
import io
import math
import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from clearance.report.read import read_records
from clearance.report.tables import Table, make_tables
from report_runs import HOSTILE, make_plan, make_result, write_run

names = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=30)


def table(*cells: str) -> Table:
    return Table("x", "t", "n", tuple(f"c{place}" for place in range(len(cells))), (cells,), numeric=1)


@given(st.lists(names, min_size=2, max_size=4))
def test_csv_reads_back(cells: list[str]):
    head, row = csv.reader(io.StringIO(table(*cells).as_csv()))
    assert all(cell in (original, f"'{original}") for cell, original in zip(row, cells, strict=True))
    assert not any(cell.startswith(("=", "@")) or re.match(r"[+-](?![\d.]|inf|nan)", cell, re.I) for cell in row)
    assert len(head) == len(cells)


def test_numbers_stay_numbers_in_csv():
    cells = ("x", "-0.0100", "-1e-3", "-0.0100 to 0.2", "-2+cmd")
    assert table(*cells).as_csv().splitlines()[1] == "x,-0.0100,-1e-3,'-0.0100 to 0.2,'-2+cmd"


@given(st.lists(names, min_size=2, max_size=4))
def test_markdown_has_one_cell_for_each(cells: list[str]):
    lines = table(*cells).as_markdown().splitlines()
    assert len(lines) == 3
    unescaped = lines[2].replace("\\\\", "").replace("\\|", "")
    assert unescaped.count("|") == len(cells) + 1
    assert "<" not in unescaped.replace("\\<", "")


def test_latex_has_no_command_of_the_names():
    text = table("a&b_c%d$e#f{g}h~i^j\\k", "1").as_latex()
    line = next(line for line in text.splitlines() if line.startswith("a"))
    expected = r"a\&b\_c\%d\$e\#f\{g\}h\textasciitilde{}i\textasciicircum{}j\textbackslash{}k & 1 \\"
    assert line == expected
    assert text.startswith("\\begin{tabular}{lr}\n\\toprule\n") and text.endswith("\\bottomrule\n\\end{tabular}\n")


def test_the_tables_of_a_run(tmp_path: Path):
    plan = make_plan(2, targets=("untargeted", 3), norms=(2.0, math.inf))
    run = read_records(write_run(tmp_path / "run", plan))
    averages, doubts, fits = make_tables([run])
    assert averages.columns[:2] == ("target", "norm") and averages.numeric == 2
    assert averages.rows[0] == ("untargeted", "l2", "2 of 2", "0.200", "0.500", "0.800")
    assert [row[:2] for row in averages.rows] == [
        ("untargeted", "l2"),
        ("3", "l2"),
        ("untargeted", "linf"),
        ("3", "linf"),
    ]
    assert doubts.rows[0] == ("untargeted", "l2", "2", "0 %", "0 %", "0 %", "0 %")
    assert fits.rows[0][:3] == ("untargeted", "l2", "2")


def test_several_runs_and_orders_have_columns_of_their_own(tmp_path: Path):
    first = read_records(write_run(tmp_path / "first", make_plan(1, orders=(1, 2))))
    second = read_records(write_run(tmp_path / "second", make_plan(1)))
    averages, *_ = make_tables([first, second])
    assert averages.columns[:4] == ("run", "target", "norm", "order") and averages.numeric == 4
    assert [row[:4] for row in averages.rows] == [
        ("first", "runner-up", "l2", "1"),
        ("first", "runner-up", "l2", "2"),
        ("second", "runner-up", "l2", "1"),
    ]


def test_a_hostile_target_is_no_markup(tmp_path: Path):
    run = read_records(write_run(tmp_path / "run", make_plan(1, targets=(HOSTILE,)), make_result))
    text = make_tables([run])[0].as_markdown()
    assert "\\<script\\>" in text and "<script>" not in text and len(text.splitlines()) == 3
