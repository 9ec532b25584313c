"""Tables that fit their terminal: no text is ever cut."""

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from clearance.cli.grid import Grid, GridColumn

WORDS = st.text("abcdefgh0123456789.", min_size=1, max_size=12)


def shown(grid: Grid, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    grid.print(console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def scores() -> Grid:
    columns = [
        GridColumn("input", right=True),
        GridColumn("label", drop=2),
        GridColumn("estimated\nradius", right=True),
        GridColumn("interval", drop=1),
        GridColumn("flags", wraps=True, drop=3),
    ]
    grid = Grid(columns, more="--json")
    grid.add_row("0", "frog", "0.123", "0.101 to 0.123", "flat, cliff")
    grid.add_section()
    grid.add_row("1234567", "-", "1.23e+08", "0 to 1.23e+08", "")
    return grid


def test_a_wide_terminal_shows_all_and_says_nothing():
    text = shown(scores(), 80)
    assert "flat, cliff" in text and "0.101 to 0.123" in text and "Left out" not in text


@pytest.mark.parametrize(
    ("width", "left_out"), [(54, ""), (43, "flags"), (38, "label, flags"), (24, "label, interval, flags")]
)
def test_a_narrow_one_leaves_columns_out_in_their_order_and_names_them(width: int, left_out: str):
    text = " ".join(shown(scores(), width).split())
    assert ("1234567" in text and "1.23e+08" in text) and "…" not in text
    assert (f"Left out at {width} columns: {left_out} (" in text) == bool(left_out), text
    assert not left_out or "columns show all, --json too" in text


def test_columns_stand_closer_before_one_is_left_out():
    text = shown(scores(), 50)
    assert "Left out" not in text and "flat, cliff" in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 50 < max(map(len, shown(scores(), 80).splitlines()))


def test_the_width_that_is_named_shows_all():
    found = re.search(r"\((\d+) columns show all", " ".join(shown(scores(), 20).split()))
    assert found is not None
    assert "Left out" not in shown(scores(), int(found[1])) and "Left out" in shown(scores(), int(found[1]) - 1)


def test_where_nothing_more_can_go_the_lines_are_longer():
    lines = shown(scores(), 12).splitlines()
    assert any(line.endswith("1.23e+08") for line in lines)


def test_text_is_folded_between_words_before_a_column_goes():
    grid = Grid([GridColumn("criterion", wraps=True), GridColumn("got", right=True, drop=1)])
    grid.add_row("share of misclassified inputs", "0.3333")
    text = shown(grid, 24)
    assert "0.3333" in text and "misclassified" in text and "Left out" not in text


def test_in_parts_every_column_comes_and_the_keys_come_again():
    text = io.StringIO()
    scores().print_in_parts(Console(file=text, width=30, color_system=None), keys=1)
    said = text.getvalue()
    assert said.count("1234567") >= 2 and "Left out" not in said
    for cell in ("frog", "1.23e+08", "0.101 to 0.123", "cliff"):
        assert cell in said
    assert all(len(line.rstrip()) <= 30 for line in said.splitlines())


@given(
    st.lists(st.tuples(WORDS, WORDS, WORDS), min_size=1, max_size=4),
    st.integers(5, 90),
    st.tuples(*[st.integers(0, 3)] * 3),
)
def test_a_cell_that_is_shown_is_whole(rows: list[tuple[str, str, str]], width: int, drops: tuple[int, int, int]):
    grid = Grid([GridColumn(f"c{place}", drop=drop) for place, drop in enumerate(drops)])
    for row in rows:
        grid.add_row(*row)
    body = shown(grid, width).partition("\n\n")[0]  # what is left out follows after a blank line
    kept = [place for place in range(3) if f"c{place}" in body.splitlines()[0].split()]
    assert kept, "a table without a column"
    assert [line.split() for line in body.splitlines()[2:] if line.strip()] == [[row[i] for i in kept] for row in rows]
