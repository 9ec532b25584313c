"""Tables of a report, in the form of those of Weng et al. 2018: as text, and as Markdown, CSV and LaTeX to copy."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from clearance.report import statistics
from clearance.report.marks import name_norm, write_number, write_share
from clearance.report.records import Entry, RunRecords
from clearance.report.statistics import Group
from clearance.runs.export import FORMULA_STARTS

LATEX_SIGNS = {
    "\\": r"\textbackslash{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "∞": r"$\infty$",
    "–": "--",
}
"""Characters that are commands of LaTeX, or not in its fonts, and what is written in their place."""


@dataclass(frozen=True)
class Table:
    """One table, all text.

    Attributes:
        name: A short name, for addresses.
        title: What it shows.
        note: How to read it.
        columns: Headings.
        rows: One text for each column.
        numeric: Index of the first column that holds numbers.
    """

    name: str
    title: str
    note: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: int

    def as_markdown(self) -> str:
        """A pipe table of GitHub-flavoured Markdown; no text in it is markup."""
        rule = ["---" if place < self.numeric else "---:" for place in range(len(self.columns))]
        lines = [self.columns, rule, *self.rows]
        return "".join(f"| {' | '.join(map(_markdown_cell, line))} |\n" for line in lines)

    def as_csv(self) -> str:
        """Comma-separated values; no text in it is a spreadsheet's formula."""
        stream = io.StringIO()
        csv.writer(stream, lineterminator="\n").writerows(
            [f"'{cell}" if cell.startswith(FORMULA_STARTS) and not _is_number(cell) else cell for cell in line]
            for line in (self.columns, *self.rows)
        )
        return stream.getvalue()

    def as_latex(self) -> str:
        """A `tabular` with the rules of the booktabs package; no text in it is a command."""
        form = "l" * self.numeric + "r" * (len(self.columns) - self.numeric)
        head, *body = (f"{' & '.join(map(_latex_cell, line))} \\\\\n" for line in (self.columns, *self.rows))
        return (
            f"\\begin{{tabular}}{{{form}}}\n\\toprule\n{head}\\midrule\n{''.join(body)}\\bottomrule\n\\end{{tabular}}\n"
        )


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def make_tables(runs: Sequence[RunRecords]) -> list[Table]:
    """The tables of one run or of several, which then have their models in the first column.

    Args:
        runs: The runs.

    Returns:
        Averages (tables 2 and 3 of Weng et al. 2018), contradicted and doubted estimates (table 4), and fits that are
        not rejected (table 5).
    """
    return [average_table(runs), doubt_table(runs), fit_table(runs)]


def average_table(runs: Sequence[RunRecords]) -> Table:
    """Average certified radius, estimate and attack distance by target and norm."""

    def cells(entries: Sequence[Entry]) -> list[tuple[Group, tuple[str, ...]]]:
        return [
            (
                row.group,
                (
                    f"{row.paired} of {row.inputs}",
                    write_number(row.certified, "certified"),
                    write_number(row.estimated),
                    write_number(row.attacked, "attacked"),
                ),
            )
            for row in statistics.averages(entries)
        ]

    return _table(
        "averages",
        "Averages by target and norm",
        "Tables 2 and 3 of Weng et al. 2018, with a proof beside them. Averages are over the inputs that have both an "
        "estimate that may be read, with no larger proof in its place, and a witness; the first number says how many "
        "of the correctly classified ones these are. Certified: 0 where nothing is proved.",
        ("inputs", "certified (proof)", "estimated", "attacked (witness)"),
        runs,
        cells,
    )


def doubt_table(runs: Sequence[RunRecords]) -> Table:
    """Share of inputs whose estimate is contradicted or doubted."""

    def cells(entries: Sequence[Entry]) -> list[tuple[Group, tuple[str, ...]]]:
        return [
            (row.group, (str(row.inputs), *map(write_share, (row.exceeded, row.refuted, row.masked, row.flagged))))
            for row in statistics.doubts(entries)
        ]

    return _table(
        "doubts",
        "Share of inputs whose estimate must not be read",
        "Of the correctly classified inputs. The estimate exceeds a witness: table 4 of Weng et al. 2018. Refuted: a "
        "witness, a slope or a certificate contradicts a part. Masked: the audit warns of something else; it outranks "
        "refuted, so an estimate that is both counts as masked. Flagged: the audit raised a warning or an error.",
        ("inputs", "exceeds a witness", "refuted", "masked", "flagged"),
        runs,
        cells,
    )


def fit_table(runs: Sequence[RunRecords]) -> Table:
    """Share of fits that the Kolmogorov-Smirnov test does not reject."""

    def cells(entries: Sequence[Entry]) -> list[tuple[Group, tuple[str, ...]]]:
        return [
            (row.group, (str(row.fits), write_share(row.share))) for row in statistics.fit_shares(entries) if row.fits
        ]

    return _table(
        "fits",
        "Share of fits with a K-S p-value above 0.05",
        "Table 5 of Weng et al. 2018. The distribution was fitted to the same maxima, which makes these p-values too "
        "large: a low share speaks against the fits, a high one says little for them.",
        ("fits", "p > 0.05"),
        runs,
        cells,
    )


def _table(
    name: str,
    title: str,
    note: str,
    columns: tuple[str, ...],
    runs: Sequence[RunRecords],
    cells: Callable[[Sequence[Entry]], list[tuple[Group, tuple[str, ...]]]],
) -> Table:
    """Every run's rows under common headings; model and order only where there are several."""
    several, orders = len(runs) > 1, len({order for run in runs for order in run.plan.orders}) > 1
    before = (*(["run"] if several else []), "target", "norm", *(["order"] if orders else []))
    rows = [
        (
            *([run.name] if several else []),
            group.target,
            name_norm(group.norm),
            *([str(group.order)] if orders else []),
            *rest,
        )
        for run in runs
        for group, rest in cells(run.entries)
    ]
    return Table(name, title, note, (*before, *columns), tuple(rows), len(before))


def _markdown_cell(text: str) -> str:
    line = " ".join(text.split())
    return "".join(f"\\{sign}" if sign in "\\`*_[]<>|" else sign for sign in line)


def _latex_cell(text: str) -> str:
    return "".join(LATEX_SIGNS.get(sign, sign) for sign in " ".join(text.split()))
