"""A table on a screen in which no number is ever cut: on a narrow terminal columns are left out, and named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

NARROWEST_TEXT = 9
"""Characters to which a column of text is folded before a number would be cut."""

Cell = str | Text
"""What stands in a table."""


@dataclass(frozen=True)
class GridColumn:
    """One column.

    Attributes:
        name: Its heading; it may have two lines.
        right: Whether it is flushed right, as numbers are.
        drop: When it is left out: the largest number first, 0 never.
        wraps: Whether its text may go on in a second line, between words. Numbers never do.
    """

    name: str
    right: bool = False
    drop: int = 0
    wraps: bool = False


@dataclass
class Grid:
    """A table that fits its terminal.

    Attributes:
        columns: From left to right.
        gap: Blanks between two columns, and one more; none more than that one where all columns fit so, and only so.
        more: Where to find what is left out, beside a wider terminal, such as "--json"; empty for nowhere.

    >>> grid = Grid([GridColumn("input"), GridColumn("radius", right=True), GridColumn("status", drop=1)])
    >>> grid.add_row("0", "0.123", "misclassified")
    >>> grid.print(Console(width=20, color_system=None))  # doctest: +NORMALIZE_WHITESPACE
    input  radius
    ─────────────
    0       0.123
    <BLANKLINE>
    Left out at 20
    columns: status (26
    columns show all)
    """

    columns: list[GridColumn]
    gap: int = 1
    more: str = ""
    _rows: list[tuple[Cell, ...] | None] = field(default_factory=list[tuple[Cell, ...] | None])

    def add_row(self, *cells: Cell) -> None:
        """One more row.

        Args:
            *cells: A cell for each column.
        """
        assert len(cells) == len(self.columns), "a cell for each column"
        self._rows.append(cells)

    def add_section(self) -> None:
        """A blank line after the rows so far."""
        self._rows.append(None)

    def print(self, console: Console) -> None:
        """Print the columns that the terminal has room for, and name the others.

        Args:
            console: Where to. Where even the columns that are never left out do not fit, the lines are longer.
        """
        places, tight = list(range(len(self.columns))), replace(self, gap=0)
        widest = tight._least(places)
        if self._least(places) > console.width >= widest:
            tight._show(console, places)
            return
        while self._least(places) > console.width:
            droppable = [place for place in places if self.columns[place].drop]
            if not droppable or len(places) == 1:
                break
            places.remove(max(droppable, key=lambda place: self.columns[place].drop))
        self._show(console, places)
        left_out = [self._heading(place) for place in range(len(self.columns)) if place not in places]
        if left_out:
            also = f", {self.more} too" if self.more else ""
            told = f"Left out at {console.width} columns: {', '.join(left_out)} ({widest} columns show all{also})"
            console.print(Text(f"\n{told}", "dim"))

    def print_in_parts(self, console: Console, *, keys: int) -> None:
        """Print all columns: those that there is no room for follow below, with the first ones again.

        Args:
            console: Where to.
            keys: How many columns say what a row is about.
        """
        first, rest = list(range(keys)), list(range(keys, len(self.columns)))
        while rest:
            part = rest[:1]
            while len(part) < len(rest) and self._least([*first, *rest[: len(part) + 1]]) <= console.width:
                part = rest[: len(part) + 1]
            self._show(console, [*first, *part])
            rest = rest[len(part) :]
            if rest:
                console.print()

    def _heading(self, place: int) -> str:
        return " ".join(self.columns[place].name.split())

    def _texts(self, place: int) -> list[str]:
        """The lines of a column's cells, its heading among them."""
        cells = [self.columns[place].name, *(row[place] for row in self._rows if row is not None)]
        return [line for cell in cells for line in str(cell).split("\n")]

    def _ends(self, place: int, *, folded: bool) -> tuple[int, int]:
        """The least width of a column and the one at which nothing wraps."""
        lines = self._texts(place)
        widest = max(map(cell_len, lines))
        if not self.columns[place].wraps:
            return widest, widest
        longest = max(cell_len(word) for line in lines for word in (line.split() or [""]))
        return min(longest, NARROWEST_TEXT) if folded else longest, widest

    def _least(self, places: Sequence[int], *, folded: bool = False) -> int:
        """The least width of some columns."""
        least = sum(self._ends(place, folded=folded)[0] for place in places)
        return least + (len(places) - 1) * (self.gap + 1)

    def _widths(self, places: Sequence[int], room: int, *, folded: bool) -> list[int]:
        """The width of each column: columns of text share what room there is, one character at a time."""
        ends = [self._ends(place, folded=folded) for place in places]
        widths = [least for least, _ in ends]
        for _ in range(room - self._least(places, folded=folded)):
            lacks = [most - width for (_, most), width in zip(ends, widths, strict=True)]
            if max(lacks) <= 0:
                break
            widths[lacks.index(max(lacks))] += 1
        return widths

    def _show(self, console: Console, places: Sequence[int]) -> None:
        """Some columns; where they do not fit, texts are folded within their words, and then the lines are longer."""
        folded = self._least(places) > console.width
        before, least = console.width, self._least(places, folded=folded)
        console.width = max(before, least)
        widths = self._widths(places, console.width, folded=folded)
        console.print(self._table(places, widths), crop=False)
        console.width = before

    def _table(self, places: Sequence[int], widths: Sequence[int]) -> Table:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, self.gap, 0, 0))
        for place, width in zip(places, widths, strict=True):
            column = self.columns[place]
            side: Literal["left", "right"] = "right" if column.right else "left"
            table.add_column(column.name, justify=side, width=width, overflow="fold")
        for row in self._rows:
            if row is None:
                table.add_section()
            else:
                table.add_row(*(row[place] for place in places))
        return table
