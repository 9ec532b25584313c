"""What records and tables are made of: words with a meaning, lines of a table, values that JSON can hold."""

from __future__ import annotations

import ast
import importlib
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self, cast


class Word(StrEnum):
    """A word, such as `"ok"`, that carries its `meaning` in a sentence."""

    _value_: str
    meaning: str

    def __new__(cls, value: str, meaning: str) -> Self:
        """A member: its word, with its meaning attached."""
        member = str.__new__(cls, value)
        member._value_, member.meaning = value, meaning
        return member


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
