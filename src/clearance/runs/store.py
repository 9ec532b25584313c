"""The results of a run: one SQLite file, one transaction for each finished task, one writer.

A result is a JSON document and any number of named arrays, or the error of a task that failed for good. Each carries a
digest of all of it, because SQLite does not notice a flipped bit in a value. The file is in WAL mode: a kill at any
moment leaves every finished transaction, and others may read while a run goes on.
"""

from __future__ import annotations

import hashlib
import json
import math
import sqlite3
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from clearance.data.files import require_file
from clearance.errors import FileError, InputError
from clearance.runs.arrays import PackedArray, pack_array, unpack_array
from clearance.runs.database import explained, open_database, transaction

TASK_FIELDS = ("task", "input", "label", "norm", "target", "order", "error", "seconds")
"""What a record has besides the values of its result, when it is exported."""


def _no_arrays() -> Mapping[str, NDArray[np.generic]]:
    return {}


@dataclass(frozen=True)
class Result:
    """What a task function returns.

    Attributes:
        values: Plain values by name: text, numbers (NumPy's too), truth values, `None`, lists and dicts of them.
            Names of durations end in `seconds`; none is one of `TASK_FIELDS`.
        arrays: Arrays by name, such as a witness.
    """

    values: Mapping[str, Any]
    arrays: Mapping[str, NDArray[np.generic]] = field(default_factory=_no_arrays)


@dataclass(frozen=True)
class Record:
    """A finished task.

    Attributes:
        key: The task's key.
        values: Plain values by name; empty where it failed.
        arrays: Arrays by name.
        error: Why it failed, on one line; `None` where it did not.
        traceback: Where it failed.
        attempts: How often it was tried.
        seconds: Duration of the last attempt; `None` where it was lost.
    """

    key: str
    values: Mapping[str, Any]
    arrays: Mapping[str, NDArray[np.generic]]
    error: str | None
    traceback: str
    attempts: int
    seconds: float | None


class Store:
    """The open results of one run. Use `open` or `read_only`, and close it.

    Args:
        path: The SQLite file.
        connection: Its open connection.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path, self._connection = path, connection

    @classmethod
    def open(cls, path: Path, plan_id: str) -> Self:
        """Open a store to add results. The caller holds the lock (`database.take_lock`).

        All that lies in it is read and checked first, by a reader: a damaged file stays as it is.

        Args:
            path: The SQLite file.
            plan_id: Id of the plan that it must belong to.

        Returns:
            The store.

        Raises:
            FileError: If it is missing, damaged, or of another version or plan.
        """
        with closing(cls.read_only(path, plan_id)) as reader:
            reader.check()
        store = cls(path, open_database(path, plan_id, mode="rw"))
        try:
            with explained(path):
                store._connection.execute("PRAGMA journal_mode = WAL")
                store._connection.execute("PRAGMA synchronous = FULL")
        except BaseException:
            store.close()
            raise
        return store

    @classmethod
    def read_only(cls, path: Path, plan_id: str) -> Self:
        """Open a store to read results, also while a driver adds to it.

        Args:
            path: The SQLite file.
            plan_id: Id of the plan that it must belong to.

        Returns:
            The store.

        Raises:
            FileError: If it is missing, damaged, or of another version or plan.
        """
        require_file(path)
        return cls(path, open_database(path, plan_id, mode="ro"))

    def close(self) -> None:
        """Close the file. A writer leaves one file, not in WAL mode, which can be read wherever it is copied to."""
        # A reader may be at work, or the disk full: then the log stays beside the file. A reader cannot change it.
        with suppress(sqlite3.Error):
            self._connection.execute("PRAGMA busy_timeout = 0")
            self._connection.execute("PRAGMA journal_mode = DELETE")
        self._connection.close()

    def finished(self) -> dict[str, bool]:
        """The keys of all finished tasks, and whether each failed."""
        with explained(self.path):
            rows = self._connection.execute("SELECT key, error IS NOT NULL FROM results").fetchall()
        return {key: bool(failed) for key, failed in rows}

    def belong_to(self, plan_id: str) -> None:
        """Let the results belong to one more plan, whose tasks have the keys that they have in the plans before it.

        Args:
            plan_id: Id of the plan.
        """
        with explained(self.path), transaction(self._connection) as execute:
            execute("INSERT INTO run SELECT ? WHERE ? NOT IN (SELECT plan_id FROM run)", (plan_id, plan_id))

    def add(
        self, key: str, result: Result, *, error: str | None = None, traceback: str = "", attempts: int, seconds: float
    ) -> Record:
        """Add one finished task, in one transaction. A task that failed may be replaced, a result never.

        Args:
            key: The task's key.
            result: What it returned; empty where it failed.
            error: Why it failed.
            traceback: Where it failed.
            attempts: How often it was tried.
            seconds: How long the last attempt took; NaN where that is not known.

        Returns:
            The record, as it will be read again.

        Raises:
            InputError: If the result cannot be stored: values that are no JSON, or arrays of other data or too large.
            FileError: If it cannot be written, or there is a result for this key.
        """
        document = _as_json(result.values)
        packed = {name: pack_array(array, name=name) for name, array in sorted(result.arrays.items())}
        duration = None if math.isnan(seconds) else float(seconds)
        reason, trace = None if error is None else _as_text(error), _as_text(traceback)
        row = (key, document, reason, trace, attempts, duration)
        with explained(self.path), transaction(self._connection) as execute:
            execute("DELETE FROM results WHERE key = ? AND error IS NOT NULL", (key,))
            execute("INSERT INTO results VALUES (?, ?, ?, ?, ?, ?, ?)", (*row, _digest(row, packed)))
            for name, array in packed.items():
                execute("INSERT INTO arrays VALUES (?, ?, ?, ?, ?)", (key, name, array.dtype, array.shape, array.data))
        arrays = {name: unpack_array(array) for name, array in packed.items()}
        return Record(key, json.loads(document), arrays, reason, trace, attempts, duration)

    def read(self, key: str) -> Record | None:
        """One finished task, checked against its digest.

        Args:
            key: The task's key.

        Returns:
            The record; `None` if the task is not finished.

        Raises:
            FileError: If it is damaged.
        """
        names = "key, record, error, traceback, attempts, seconds, digest"
        with explained(self.path):
            found = self._connection.execute(f"SELECT {names} FROM results WHERE key = ?", (key,)).fetchone()
            if found is None:
                return None
            select = "SELECT name, dtype, shape, data FROM arrays WHERE key = ? ORDER BY name"
            packed = {name: PackedArray(*rest) for name, *rest in self._connection.execute(select, (key,))}
        *row, claimed = found
        if _digest(row, packed) != claimed:
            raise FileError(f"{self.path}: damaged, the result of task {key} does not match its digest")
        try:
            arrays = {name: unpack_array(array) for name, array in packed.items()}
            return Record(key, json.loads(row[1]), arrays, *row[2:])
        except (TypeError, ValueError, RecursionError, FileError) as error:
            raise FileError(f"{self.path}: damaged, the result of task {key} cannot be read ({error})") from None

    def check(self) -> None:
        """Read everything once.

        Raises:
            FileError: If anything is damaged.
        """
        for key in self.finished():
            self.read(key)


def _as_json(values: Mapping[str, Any]) -> str:
    try:
        return json.dumps(dict(values), default=_plain)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"result: expected values that JSON can hold, got others ({error})") from None


def _as_text(text: str) -> str:
    """The text, without the half characters that a file name may hold and UTF-8 cannot."""
    return text.encode(errors="replace").decode()


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Enum):
        return value.value
    raise TypeError(f"a {type(value).__name__}")


def _digest(row: Any, packed: Mapping[str, PackedArray]) -> str:
    digest = hashlib.blake2b(repr(tuple(row)).encode(), digest_size=16)
    for name, array in packed.items():
        digest.update(repr((name, array.dtype, array.shape, len(array.data))).encode())
        digest.update(array.data)
    return digest.hexdigest()
