"""Tables in CSV files: a line of column names, then a line for each input; commas, semicolons or tabs between values.

Quoted values may hold anything, line ends as well. Text is UTF-8, with or without a byte-order mark, or UTF-16 with
one. Numbers have a point as their decimal mark.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from clearance.data.columns import ANY_NUMBER, DataTable
from clearance.data.dataset import Source
from clearance.data.features import tabular_source
from clearance.data.files import read_bytes, refuse_pickle
from clearance.data.options import Options
from clearance.errors import FileError

SEPARATORS = ",;\t"
"""What may stand between values; the one that cuts the first line into most values is taken."""

UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
"""First bytes of text in UTF-16."""


def open_csv(place: str, options: Options) -> Source:
    """A table as a set of inputs, one for each line (`data.features` says what becomes of the columns).

    Args:
        place: The file.
        options: `label`, `fixed`, `movable`, `bounds_file` and `class_names` are read.

    Returns:
        Inputs of shape `(count, features)`, named after the file.
    """
    return tabular_source(read_csv(Path(place)), Path(place).stem, options, bounds_of=read_csv)


def read_csv(path: Path) -> DataTable:
    """Read a CSV file as columns of text.

    Args:
        path: The file.

    Returns:
        The table.

    Raises:
        FileError: If the file is missing, is no text in UTF-8, has no line of column names or none below it, names a
            column twice or not at all, or has lines of different lengths.
    """
    refuse_pickle(path, instead="write the table as CSV")
    records = _records(_text(path), path)
    header_line, header = next(records, (1, []))
    names = [name.strip() for name in header]
    _check_header(names, path, header_line)
    lines, rows = list[int](), list[list[str]]()
    for line, values in records:
        if len(values) != len(names):
            wanted = f"{len(names)} value{'' if len(names) == 1 else 's'}, one for each column"
            raise FileError(f"{path}, line {line}: expected {wanted}, got {len(values)}")
        lines.append(line)
        rows.append(values)
    if not rows:
        raise FileError(f"{path}: expected a line of values below the column names, got none")
    columns = {
        name: np.array(column, dtype=object) for name, column in zip(names, zip(*rows, strict=True), strict=True)
    }
    return DataTable(str(path), columns, lines)


def _text(path: Path) -> str:
    data = read_bytes(path)
    encoding = "utf-16" if data.startswith(UTF16_MARKS) else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        got = f"the byte {data[error.start]:02x}" if error.start < len(data) else "its end"
        raise FileError(f"{path}, line {line}: expected text in UTF-8, got {got}") from None


def _records(text: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    """The records that are not empty, each with the line that it begins on."""  # noqa: DOC402, DOC501
    separator = max(SEPARATORS, key=lambda one: len(_first(text, one)))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    line = 1
    try:
        for record in reader:
            if record:
                yield line, record
            line = reader.line_num + 1
    except csv.Error as error:
        raise FileError(f"{path}, line {line}: expected values with commas between them ({error})") from None


def _first(text: str, separator: str) -> list[str]:
    """The first record that is not empty, if values are separated so."""
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        return next((record for record in reader if record), [])
    except csv.Error:
        return []


def _check_header(names: list[str], path: Path, line: int) -> None:
    if not names:
        raise FileError(f"{path}: expected a line of column names, got an empty file")
    if "" in names:
        place = names.index("") + 1
        raise FileError(f"{path}, line {line}: expected a name for each column, got none for column {place}")
    if len(set(names)) < len(names):
        twice = Counter(names).most_common(1)[0][0]
        raise FileError(f"{path}, line {line}: expected each column name once, got {twice[:80]!r} again")
    if all(ANY_NUMBER.fullmatch(name) for name in names):
        raise FileError(f"{path}, line {line}: expected a line of column names, got numbers")
