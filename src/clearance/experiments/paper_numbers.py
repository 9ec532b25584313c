"""The papers' numbers, from the tables in `numbers/`: a file of tab-separated text for each table, as it is printed."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

PaperNumbers = dict[str, dict[str, str]]
"""Row -> column -> the cell as it is printed, such as `5 (8.028)`."""


@cache
def read_numbers(name: str) -> PaperNumbers:
    """A table of a paper.

    Args:
        name: Of its file, such as `weng-2018-table-2`.

    Returns:
        Its rows by their first cell, each with its cells by column; a dash stands for nothing and is left out.

    >>> read_numbers("weng-2018-table-2")["MNIST-MLP"]["CLEVER l2"]
    '0.819'
    """
    text = (files("clearance.experiments") / "numbers" / f"{name}.tsv").read_text(encoding="utf-8")
    head, *lines = (line.split("\t") for line in text.splitlines())
    return {
        line[0]: {column: cell for column, cell in zip(head[1:], line[1:], strict=True) if cell != "-"}
        for line in lines
    }


def paper_cell(name: str, row: str, column: str) -> str | None:
    """A cell as it is printed; `None` where the paper has none.

    Args:
        name: Of the table's file.
        row: Its row.
        column: Its column.

    Returns:
        The text.

    >>> paper_cell("weng-2018-table-3b", "MNIST-MLP", "random SLOPE")
    '5 (8.102)'
    """
    return read_numbers(name).get(row, {}).get(column)


def as_number(cell: str | None) -> float | None:
    """The number that a cell means: in `5 (8.028)` the one in brackets, which was cut to 5; of a share its per cent.

    Args:
        cell: As it is printed.

    Returns:
        The number; `None` for none.

    >>> as_number("5 (8.028)"), as_number("0.819"), as_number("4%"), as_number(None)
    (8.028, 0.819, 4.0, None)
    """
    if cell is None:
        return None
    within = re.search(r"\(([^)]*)\)", cell)
    return float((within[1] if within else cell).rstrip("%"))
