"""What comes out of an experiment: tables, figures, and findings that hold or do not. Nothing here brings in torch."""

from __future__ import annotations

from dataclasses import dataclass, field

from clearance.report.charts import Spec
from clearance.report.marks import MISSING, write_number
from clearance.report.tables import Table

Cell = str | int | float | None
"""Of a table: text, a count, a measured number (three significant digits), or nothing."""


@dataclass(frozen=True)
class PaperTable:
    """One table: what the paper says beside what was measured here.

    Attributes:
        title: Which table of which paper, and what it shows.
        columns: Headings; those of the paper's numbers say so.
        rows: One cell for each column.
        note: One honest sentence: where paper and measurement differ, and why.
        names: How many columns hold names; `None`: those before the first number.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    names: int | None = None

    def as_table(self) -> Table:
        """The same as text, in the form of a report's table: Markdown, CSV, LaTeX.

        >>> print(PaperTable("Table 2", ("network", "paper", "here"), (("MLP", 0.819, None),)).as_table().as_markdown())
        | network | paper | here |
        | --- | ---: | ---: |
        | MLP | 0.819 | – |
        <BLANKLINE>
        """
        texts = len(self._leading()) if self.names is None else self.names
        rows = tuple(tuple(write_cell(cell) for cell in row) for row in self.rows)
        return Table(self.title, self.title, self.note, self.columns, rows, texts)

    def _leading(self) -> range:
        """Places of the first columns, as long as they hold text only."""
        numbers = [place for row in self.rows for place, cell in enumerate(row) if not isinstance(cell, str)]
        return range(min(numbers, default=len(self.columns)))


@dataclass(frozen=True)
class PaperFigure:
    """One figure.

    Attributes:
        name: Of its file, such as `figure-4`.
        title: Which figure of which paper, and what it shows.
        specification: Of Vega-Lite, with its data (`report.charts.for_file`).
        note: How to read it.
    """

    name: str
    title: str
    specification: Spec = field(repr=False)
    note: str = ""


@dataclass(frozen=True)
class Finding:
    """Something that the paper claims, and whether it was seen here.

    Attributes:
        sentence: The claim.
        holds: Whether it was seen; `None` where this scale cannot tell.
        evidence: The numbers that say so, or why it cannot be told.
    """

    sentence: str
    holds: bool | None
    evidence: str

    @property
    def verdict(self) -> str:
        """Whether it holds, in words.

        >>> Finding("a", True, "").verdict, Finding("a", None, "").verdict
        ('holds', 'cannot be told at this scale')
        """
        words = {True: "holds", False: "does not hold", None: "cannot be told at this scale"}
        return words[self.holds]


@dataclass(frozen=True)
class Reproduction:
    """Everything that came out.

    Attributes:
        tables: The tables.
        figures: The figures.
        findings: What the paper claims, and whether it was seen.
        settings: How it was measured, in sentences: networks, inputs, samples.
    """

    tables: tuple[PaperTable, ...] = ()
    figures: tuple[PaperFigure, ...] = ()
    findings: tuple[Finding, ...] = ()
    settings: tuple[str, ...] = ()


def write_cell(cell: Cell) -> str:
    """The text of a cell.

    >>> write_cell(0.12345), write_cell(12), write_cell("MLP"), write_cell(None)
    ('0.123', '12', 'MLP', '–')
    """
    if cell is None:
        return MISSING
    return write_number(cell) if isinstance(cell, float) else str(cell)
