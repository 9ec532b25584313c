"""The Python batches of CIFAR-10, read without running a pickle.

A pickle is a program for a small stack machine. This module follows such a program without ever calling anything: it
knows the operations that build dictionaries, lists, numbers and text, and for a named function it only notes that name
and its arguments. Any other operation, and any name that an array of unsigned bytes does not need, is refused. What is
noted down must then be a dictionary with an array `data` of uint8 and a list `labels`.

Source: the operations of pickle protocols 2 to 5 as Python's own `pickletools` documents them (the official files are
protocol 2, written by Python 2); the form of an array is that of `numpy.ndarray.__reduce__`.
"""

from __future__ import annotations

import math
import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from clearance.data.files import read_bytes, reason_of
from clearance.errors import FileError, PickleRefusedError

ARRAY_MAKERS = {"numpy.core.multiarray _reconstruct", "numpy._core.multiarray _reconstruct"}
"""What makes an empty array, in NumPy 1 and 2."""

BUFFER_READERS = {"numpy.core.numeric _frombuffer", "numpy._core.numeric _frombuffer"}
"""What makes an array of bytes in protocol 5."""

ALLOWED_NAMES = {*ARRAY_MAKERS, *BUFFER_READERS, "numpy ndarray", "numpy dtype", "_codecs encode"}
"""The names that the array of a batch needs; the last is how Python 3 writes bytes in protocol 2."""

CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
"""Operations that put one value on the stack."""

LITERALS = {
    *("BININT", "BININT1", "BININT2", "LONG1"),
    *("BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINUNICODE", "SHORT_BINUNICODE", "BYTEARRAY8"),
}
"""Operations that put their own argument on the stack."""

SKIPPED = {"PROTO", "FRAME"}
"""Operations that change nothing."""

EMPTY: dict[str, Callable[[], object]] = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}
"""Operations that put an empty collection on the stack."""


MOST_SIZES = 8
"""Dimensions of an array at most: a batch has two, and a message that shows them stays one line."""


class _DamageError(Exception):
    """The program is not of the form that a batch has."""


@dataclass(frozen=True)
class _Named:
    """A function or class that the program names; it is never looked up."""

    name: str


@dataclass
class _Noted:
    """A call that the program asks for, noted and not made, and the state that it gives to the result."""

    name: str
    arguments: tuple[object, ...]
    state: object = None


_MARK = object()
"""Where a group of values begins on the stack."""


@dataclass
class _Machine:
    """The stack and the memory of the program."""

    stack: list[object] = field(default_factory=list[object])
    memory: dict[int, object] = field(default_factory=dict[int, object])

    def step(self, operation: str, argument: object) -> None:
        """Follow one operation."""  # noqa: DOC501
        if operation in CONSTANTS:
            self.stack.append(CONSTANTS[operation])
        elif operation in LITERALS:
            self.stack.append(argument)
        elif operation in EMPTY:
            self.stack.append(EMPTY[operation]())
        elif operation not in SKIPPED:
            steps = self._steps()
            if operation not in steps:
                raise PickleRefusedError(f"the operation {operation}")
            steps[operation](argument)

    def _steps(self) -> dict[str, Callable[[object], None]]:
        return {
            "MARK": lambda _: self.stack.append(_MARK),
            "TUPLE": lambda _: self.stack.append(tuple(self._group())),
            "TUPLE1": lambda _: self._tuple(1),
            "TUPLE2": lambda _: self._tuple(2),
            "TUPLE3": lambda _: self._tuple(3),
            "BINPUT": self._put,
            "LONG_BINPUT": self._put,
            "MEMOIZE": lambda _: self._put(len(self.memory)),
            "BINGET": self._get,
            "LONG_BINGET": self._get,
            "GLOBAL": self._name,
            "STACK_GLOBAL": lambda _: self._name(" ".join(map(_as_text, self._taken(2)))),
            "REDUCE": lambda _: self._note(),
            "BUILD": lambda _: self._state(),
            "APPEND": lambda _: self._list(self._taken(1)),
            "APPENDS": lambda _: self._list(self._group()),
            "SETITEM": lambda _: self._dictionary(self._taken(2)),
            "SETITEMS": lambda _: self._dictionary(self._group()),
        }

    def _taken(self, count: int) -> list[object]:
        if len(self.stack) < count:
            raise _DamageError("it takes more than there is")
        taken = self.stack[-count:]
        del self.stack[-count:]
        return taken

    def _group(self) -> list[object]:
        place = next((at for at in reversed(range(len(self.stack))) if self.stack[at] is _MARK), None)
        if place is None:
            raise _DamageError("it takes more than there is")
        group = self.stack[place + 1 :]
        del self.stack[place:]
        return group

    def _tuple(self, count: int) -> None:
        self.stack.append(tuple(self._taken(count)))

    def _put(self, argument: object) -> None:
        if not self.stack:
            raise _DamageError("it takes more than there is")
        self.memory[cast("int", argument)] = self.stack[-1]

    def _get(self, argument: object) -> None:
        if argument not in self.memory:
            raise _DamageError("it takes what was never put there")
        self.stack.append(self.memory[cast("int", argument)])

    def _name(self, argument: object) -> None:
        if argument not in ALLOWED_NAMES:
            raise PickleRefusedError(f"the name {str(argument)[:80].replace(' ', '.')!r}")
        self.stack.append(_Named(str(argument)))

    def _note(self) -> None:
        function, arguments = self._taken(2)
        if not isinstance(function, _Named) or not isinstance(arguments, tuple):
            raise _DamageError("it calls what is no function")
        self.stack.append(_Noted(function.name, cast("tuple[object, ...]", arguments)))

    def _state(self) -> None:
        (state,) = self._taken(1)
        if not self.stack or not isinstance(self.stack[-1], _Noted):
            raise _DamageError("it gives a state to what has none")
        self.stack[-1].state = state

    def _list(self, items: list[object]) -> None:
        if not self.stack or not isinstance(self.stack[-1], list):
            raise _DamageError("it appends to what is no list")
        self.stack[-1].extend(items)

    def _dictionary(self, items: list[object]) -> None:
        if not self.stack or not isinstance(self.stack[-1], dict) or len(items) % 2:
            raise _DamageError("it fills what is no dictionary")
        entries = cast("dict[str, object]", self.stack[-1])
        entries.update(zip(map(_as_text, items[::2]), items[1::2], strict=True))


def read_batch(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Read one Python batch of CIFAR-10. Nothing that the file names is looked up, imported or called.

    Args:
        path: The file, a pickle of a dictionary with `data` (an array of uint8) and `labels` (a list of numbers).

    Returns:
        The array, in its own shape, and the labels.

    Raises:
        PickleRefusedError: If it asks for an operation or names something that such a dictionary does not need.
        FileError: If it is missing or damaged, or holds something else.
    """
    entries = _follow(read_bytes(path), path)
    try:
        return _as_array(entries.get("data")), _as_labels(entries.get("labels"))
    except _DamageError as error:
        expected = "a dictionary with an array 'data' of uint8 and a list 'labels'"
        raise FileError(f"{path}: expected a Python batch of CIFAR-10, {expected}; {error}") from None


def _follow(program: bytes, path: Path) -> dict[str, object]:
    machine, last = _Machine(), ""
    try:
        for operation, argument, _ in pickletools.genops(program):
            last = operation.name
            if last != "STOP":
                machine.step(last, argument)
    except PickleRefusedError as error:
        what = f"{error}, which a batch of CIFAR-10 does not need"
        raise PickleRefusedError(f"{path}: is a pickle that could run code: it asks for {what}") from None
    except Exception as error:  # a damaged program fails in many ways, and all mean the same
        said = reason_of(error)
        raise FileError(f"{path}: expected a Python batch of CIFAR-10, got a damaged one ({said})") from None
    found = machine.stack[-1] if len(machine.stack) == 1 else None
    return cast("dict[str, object]", found) if isinstance(found, dict) else {}


def _as_text(value: object) -> str:
    if isinstance(value, _Noted) and value.name == "_codecs encode":
        value = value.arguments[0] if value.arguments else value
    return value.decode("latin-1") if isinstance(value, bytes) else str(value) if isinstance(value, str) else ""


def _as_bytes(value: object) -> bytes:
    """The bytes of an array: bytes, text whose characters are bytes, or the noted call that encodes such text."""  # noqa: DOC501
    if isinstance(value, _Noted) and value.name == "_codecs encode" and value.arguments[1:] == ("latin1",):
        value = value.arguments[0]
    if isinstance(value, str) and all(ord(character) < 256 for character in value):
        value = value.encode("latin-1")
    if not isinstance(value, bytes | bytearray):
        raise _DamageError("its array has no bytes")
    return bytes(value)


def _as_array(value: object) -> NDArray[np.uint8]:
    shape, dtype, content = _parts_of_array(value)
    sizes = cast("tuple[object, ...]", shape) if isinstance(shape, tuple) else ()
    if not 1 <= len(sizes) <= MOST_SIZES or not all(isinstance(size, int) and size >= 0 for size in sizes):
        raise _DamageError("its array has no shape")
    if not isinstance(dtype, _Noted) or _as_text(dtype.arguments[0] if dtype.arguments else None) not in ("u1", "|u1"):
        raise _DamageError("its array is not of uint8")
    data, whole = _as_bytes(content), cast("tuple[int, ...]", sizes)
    if len(data) != math.prod(whole):
        raise _DamageError(f"its array has the shape {whole} and {len(data):,} bytes")
    return np.frombuffer(data, dtype=np.uint8).reshape(whole)


def _parts_of_array(value: object) -> tuple[object, object, object]:
    """Shape, type and content of an array in C order."""  # noqa: DOC501
    state = value.state if isinstance(value, _Noted) else None
    match value:
        case _Noted(name, (content, dtype, shape, "C")) if name in BUFFER_READERS:
            return shape, dtype, content
        case _Noted(name, _) if name in ARRAY_MAKERS and isinstance(state, tuple):
            match cast("tuple[object, ...]", state):
                case (_, shape, dtype, False | 0, content):
                    return shape, dtype, content
                case _:
                    pass
        case _:
            pass
    raise _DamageError("'data' is no array")


def _as_labels(value: object) -> NDArray[np.int64]:
    labels = cast("list[object]", value) if isinstance(value, list) else []
    if not labels or not all(isinstance(label, int) and not isinstance(label, bool) for label in labels):
        raise _DamageError("'labels' is no list of whole numbers")
    numbers = cast("list[int]", labels)
    if min(numbers) < 0 or max(numbers) > 255:
        raise _DamageError("a label is below 0 or above 255")
    return np.array(numbers, dtype=np.int64)
