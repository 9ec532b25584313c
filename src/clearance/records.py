"""What records and tables are made of: words with a meaning, lines of a table, values that JSON can hold."""

from __future__ import annotations

import ast
import importlib
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from enum import Enum, StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self, cast

SIGNIFICANT_DIGITS = 3
"""Significant digits of a number in text and tables: no more, and no fewer."""

PLAIN_POWERS = (-4, 6)
"""Powers of ten: from the first, and below the second, a number is written without an exponent."""

MOST_CHANNELS = 4
"""Numbers, such as means, that are written one by one: as many as an image has channels."""

MISSING = "–"
"""In place of a number that is not there."""

SAFE_ROUNDING = {"certified": ROUND_FLOOR, "estimated": ROUND_HALF_EVEN, "attacked": ROUND_CEILING}
"""How each number of a bracket is rounded: a proof never up, a witness never down."""


class Word(StrEnum):
    """A word, such as `"ok"`, that carries its `meaning` in a sentence."""

    _value_: str
    meaning: str

    def __new__(cls, value: str, meaning: str) -> Self:
        """A member: its word, with its meaning attached."""
        member = str.__new__(cls, value)
        member._value_, member.meaning = value, meaning
        return member

    def __repr__(self) -> str:
        """As it is written in code."""
        return f"{type(self).__name__}.{self.name}"


@dataclass(frozen=True)
class Choice:
    """One line of a table of choices, such as the attacks: its function is imported when it is first used.

    A table is a `dict` from names to choices. What a command, an argument's check or a page of the docs lists is read
    from it, without importing what the choices need.

    Attributes:
        meaning: What it does, in one sentence, for `--help` and the docs.
        where: Where its function or class lies, as `package.module:name`.

    >>> Choice("the square root", "math:sqrt").load()(9.0)
    3.0
    """

    meaning: str
    where: str

    def load(self) -> Any:
        """What the line names."""
        module, _, name = self.where.partition(":")
        return getattr(importlib.import_module(module), name)

    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters of the function that the line names, read from its source: nothing is imported.

        >>> Choice("", "clearance.records:plain").parameters()
        ('value', 'infinity')
        """
        module, _, name = self.where.partition(":")
        found = find_spec(module)
        source = Path(found.origin).read_text(encoding="utf-8") if found is not None and found.origin else ""
        for node in ast.parse(source).body:
            if isinstance(node, ast.FunctionDef) and node.name == name:
                return tuple(one.arg for one in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs))
        return ()


def on_first_use(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """A package's `__getattr__` that imports its public names when they are first used (PEP 562).

    Args:
        package: The package's full name.
        homes: Name -> the module in the package that defines it.

    Returns:
        From a name to its value; it raises `AttributeError` for any other name.
    """

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{package}.{homes[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return find


def plain(value: Any, *, infinity: str | None = None) -> Any:
    """A number, a word or a tuple of them in a form that JSON can hold.

    Args:
        value: What to write down.
        infinity: What stands for an infinite number.

    Returns:
        NaN as `None`, infinity as `infinity`, a tuple as a list, a member of an enumeration as its value; anything else
        as it is.

    >>> plain((1.5, float("nan"), float("inf"))), plain(float("inf"), infinity="inf")
    ([1.5, None, None], 'inf')
    """
    if isinstance(value, tuple):
        return [plain(item, infinity=infinity) for item in cast("tuple[Any, ...]", value)]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float) and not math.isfinite(value):
        return infinity if math.isinf(value) else None
    return value


def in_words(value: Any) -> Any:
    """A nested value with its infinite and undefined numbers as words: `"inf"`, `"-inf"`, `"nan"`.

    Args:
        value: Numbers, words, lists, tuples, mappings.

    Returns:
        The same, for strict JSON; tuples become lists.

    >>> in_words({"distances": (1.5, float("inf"))})
    {'distances': [1.5, 'inf']}
    """
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {name: in_words(item) for name, item in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [in_words(item) for item in cast("list[Any]", value)]
    return value


def write_number(value: float | None, kind: str = "estimated") -> str:
    """A number with three significant digits, rounded the safe way for its kind; an exact 0 is `0`.

    The page's script writes numbers in the same way (`show` in `assets/common.js`).

    Args:
        value: The number; `None` or not a number where there is none.
        kind: A key of `SAFE_ROUNDING`.

    Returns:
        Its text.

    >>> write_number(0.2304, "certified"), write_number(0.8603, "attacked"), write_number(None)
    ('0.230', '0.861', '–')
    >>> write_number(1.0), write_number(0.0), write_number(1234.5), write_number(1.5e-7)
    ('1.00', '0', '1230', '1.50e-7')
    """
    if value is None or math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if value == 0:
        return "0"
    exact = Decimal(repr(float(value)))
    rounded = exact.quantize(_last_digit(exact), rounding=SAFE_ROUNDING[kind])
    rounded = rounded.quantize(_last_digit(rounded))  # 0.9996 is rounded up to 1.000, and written 1.00
    plain = PLAIN_POWERS[0] <= rounded.adjusted() < PLAIN_POWERS[1]
    return f"{rounded:f}" if plain else f"{rounded:.{SIGNIFICANT_DIGITS - 1}e}"


def _last_digit(number: Decimal) -> Decimal:
    return Decimal(1).scaleb(number.adjusted() - SIGNIFICANT_DIGITS + 1)


def range_of(values: Sequence[float]) -> str:
    """How many numbers there are and between which they lie, where they are more than the channels of an image.

    >>> range_of([0.0, 7.0, 2.5] * 10), range_of([0.5, 0.25])
    ('30 numbers from 0 to 7', '')
    """
    return f"{len(values)} numbers from {min(values):.4g} to {max(values):.4g}" if len(values) > MOST_CHANNELS else ""


def name_norm(norm: float) -> str:
    """A norm in prose.

    >>> name_norm(2.0), name_norm(math.inf)
    ('l2', 'linf')
    """
    return f"l{norm:g}"


@dataclass(frozen=True)
class CallInput:
    """What a call was given for one of its records.

    Attributes:
        place: Place of the input in the call, or in the set that a run took it from.
        label: Its true class; `None` where no labels were given.
    """

    place: int
    label: int | None


class PublicRecord:
    """What a public function returns for one input: a frozen dataclass with a short `repr`, compared by content."""

    given: CallInput | None = None

    def in_short(self) -> str:
        """Its numbers and its standing, in a few words."""
        raise NotImplementedError

    def __repr__(self) -> str:
        """Its kind, and what is in it in short: no tensor is printed."""
        return f"{type(self).__name__}({self.in_short()})"

    def __eq__(self, other: object) -> bool:
        """Whether all fields are equal: tensors by their values, NaN equal to NaN."""
        return same(self, other) if type(self) is type(other) else NotImplemented

    def __hash__(self) -> int:
        """Equal records are shown alike."""
        return hash(repr(self))


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal, field by field and number by number; NaN equals NaN.

    Args:
        one: Numbers, words, tensors, arrays, records, lists, tuples, mappings of them.
        other: Likewise.

    Returns:
        Whether they are.

    >>> same({"radius": (1.0, math.nan)}, {"radius": (1.0, math.nan)}), same([1.0], [2.0])
    (True, False)
    """
    if is_dataclass(one) and type(one) is type(other):
        compared = (field.name for field in fields(one) if field.compare)
        return all(same(getattr(one, name), getattr(other, name)) for name in compared)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)  # pyright: ignore
    if isinstance(one, list | tuple):
        pairs = isinstance(other, type(one)) and len(one) == len(other)  # pyright: ignore
        return pairs and all(same(a, b) for a, b in zip(one, other, strict=True))  # pyright: ignore
    if hasattr(one, "shape") and hasattr(one, "dtype"):  # a tensor or an array
        return _same_array(one, other)
    return bool(one == other) or (_is_nan(one) and _is_nan(other))


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _same_array(one: Any, other: Any) -> bool:
    if type(one) is not type(other) or one.shape != other.shape or one.dtype != other.dtype:
        return False
    one, other = (value.cpu() if hasattr(value, "cpu") else value for value in (one, other))
    return bool(((one == other) | ((one != one) & (other != other))).all())  # noqa: PLR0124 - NaN of any kind of array


def count(number: int, noun: str, plural: str | None = None) -> str:
    """A number of things.

    >>> count(1, "input"), count(1200, "input")
    ('1 input', '1,200 inputs')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
