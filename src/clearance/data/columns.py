"""Columns of tables: truth values, whole numbers, other numbers, or text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from clearance.errors import InputError

TRUE_WORDS, FALSE_WORDS = frozenset({"true", "yes", "1"}), frozenset({"false", "no", "0"})
"""How a table spells truth values, in small letters. A column of nothing else holds truth values."""

MISSING_WORDS = frozenset({"", "na", "n/a", "nan", "null", "none", "?"})
"""How a table spells a missing value, in small letters."""

WHOLE_NUMBER = re.compile(r"\s*[+-]?[0-9]{1,18}(\.0*)?\s*")
"""A whole number; programs that hold missing values write them with a point."""

ANY_NUMBER = re.compile(r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?\s*")
"""A number with a point as its decimal mark."""


@dataclass(frozen=True)
class Column:
    """The numbers of a column.

    Attributes:
        kind: What its values are.
        values: `(rows,)`, float32, finite; truth values are 0 and 1.
    """

    kind: Literal["bool", "whole", "number"]
    values: NDArray[np.float32]


@dataclass(frozen=True)
class DataTable:
    """A table as it was read.

    Attributes:
        source: Where it comes from, for messages.
        columns: The columns in the order of the file: arrays of text (of a CSV file) or of their own type.
        lines: The number of each row as a person finds it: the line of a CSV file, the row of others.
        unit: What such a number counts.
    """

    source: str
    columns: Mapping[str, NDArray[np.generic]]
    lines: Sequence[int]
    unit: Literal["line", "row"] = "line"

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(self.columns)

    def at(self, row: int) -> str:
        """A row in words, for messages."""
        return f"{self.source}, {self.unit} {self.lines[row]}"

    def texts(self, name: str) -> list[str]:
        """The values of a column as text; truth values as `false` and `true`.

        Args:
            name: The column.

        Returns:
            A text for each row.

        Raises:
            InputError: If there is no such column, or a value is missing.
        """
        values = self._column(name)
        texts = [str(value).strip() for value in values.tolist()]
        if values.dtype == np.bool_:
            texts = [text.lower() for text in texts]
        self._refuse_missing(name, texts)
        return texts

    def is_whole(self, name: str) -> bool:
        """Whether all values of a column are whole numbers; truth values are none."""
        values = self._column(name)
        if values.dtype.kind == "O":
            return all(isinstance(value, str) and WHOLE_NUMBER.fullmatch(value) for value in values.tolist())
        if values.dtype.kind == "f":
            numbers = values.astype(np.float64)
            return bool((np.isfinite(numbers) & (numbers == np.round(numbers)) & (np.abs(numbers) < 2**53)).all())
        return values.dtype.kind in "iu"

    def is_numeric(self, name: str) -> bool:
        """Whether all values of a column are numbers."""
        values = self._column(name)
        if values.dtype.kind == "O":
            return all(isinstance(value, str) and ANY_NUMBER.fullmatch(value) for value in values.tolist())
        return values.dtype.kind in "iuf"

    def is_text(self, name: str) -> bool:
        """Whether no value of a column is a number."""
        values = self._column(name)
        return values.dtype.kind == "O" and not any(ANY_NUMBER.fullmatch(str(value)) for value in values.tolist())

    def whole(self, name: str) -> NDArray[np.int64]:
        """A column of whole numbers (`is_whole`)."""
        values = self._column(name)
        if values.dtype.kind == "O":
            return np.array([int(str(value).partition(".")[0]) for value in values.tolist()], dtype=np.int64)
        return values.astype(np.int64)

    def numbers(self, name: str) -> Column:
        """A column as numbers.

        Args:
            name: The column.

        Returns:
            Its kind and values.

        Raises:
            InputError: If there is no such column, or a value is missing, no number, or no finite float32.
        """
        values = self._column(name)
        kind, numbers = self._read(name, self.texts(name)) if values.dtype.kind == "O" else _typed(values)
        if kind is None:
            raise InputError(f"{self.source}: expected numbers in the column {name!r}, got {values.dtype}")
        with np.errstate(over="ignore", invalid="ignore"):
            read = numbers.astype(np.float32)
        wrong = np.flatnonzero(~np.isfinite(read))
        if wrong.size:
            got = "a missing value" if np.isnan(numbers[wrong[0]]) else f"{numbers[wrong[0]]:g}"
            raise InputError(f"{self.at(int(wrong[0]))}: expected a finite number in the column {name!r}, got {got}")
        return Column(kind, read)

    def _read(
        self, name: str, texts: list[str]
    ) -> tuple[Literal["bool", "whole", "number"] | None, NDArray[np.float64]]:
        if all(_word(text) in TRUE_WORDS | FALSE_WORDS for text in texts):
            return "bool", np.array([_word(text) in TRUE_WORDS for text in texts], dtype=np.float64)
        wrong = [row for row, text in enumerate(texts) if not ANY_NUMBER.fullmatch(text)]
        others = [row for row in wrong if texts[row].lower() not in TRUE_WORDS | FALSE_WORDS]
        if others and len(others) < len(wrong):  # truth values, and what is none
            got = texts[others[0]][:40]
            raise InputError(f"{self.at(others[0])}: expected yes or no in the column {name!r}, got {got!r}")
        if len(wrong) == len(texts):
            advice = "write it as numbers, such as one column of 0 and 1 for each value, or leave it out"
            raise InputError(
                f"{self.at(0)}: expected numbers in the column {name!r}, got text such as {texts[0][:40]!r}; {advice}"
            )
        if wrong:
            got = texts[wrong[0]][:40]
            raise InputError(f"{self.at(wrong[0])}: expected a number in the column {name!r}, got {got!r}")
        whole = all(WHOLE_NUMBER.fullmatch(text) for text in texts)
        return "whole" if whole else "number", np.array([float(text) for text in texts], dtype=np.float64)

    def _refuse_missing(self, name: str, texts: Sequence[str]) -> None:
        if MISSING_WORDS.isdisjoint({text.lower() for text in set(texts)}):
            return
        row = next(row for row, text in enumerate(texts) if text.lower() in MISSING_WORDS)
        got = f"{texts[row]!r}, a missing one" if texts[row] else "none"
        raise InputError(f"{self.at(row)}: expected a value in the column {name!r}, got {got}")

    def _column(self, name: str) -> NDArray[np.generic]:
        if name not in self.columns:
            shown = ", ".join(self.names[:8]) + (", …" if len(self.names) > 8 else "")
            raise InputError(f"{self.source}: expected a column {name!r}, got {shown}")
        return self.columns[name]


def _word(text: str) -> str:
    """A value in small letters, a whole number without its point: programs write 0 and 1 as 0.0 and 1.0."""
    return str(int(text.partition(".")[0])) if WHOLE_NUMBER.fullmatch(text) else text.lower()


def _typed(values: NDArray[np.generic]) -> tuple[Literal["bool", "whole", "number"] | None, NDArray[np.float64]]:
    if values.dtype.kind not in "biuf":
        return None, np.zeros(0)
    numbers = values.astype(np.float64)
    if values.dtype.kind == "b" or bool(np.isin(numbers, (0, 1)).all()):
        return "bool", numbers
    return "whole" if values.dtype.kind in "iu" else "number", numbers
