"""The SQLite file of a run: its tables, lock and transactions, and what is said when something is wrong with it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from clearance.errors import FileError
from clearance.runs.arrays import MAX_ARRAY_BYTES

DATABASE_VERSION = 1
"""Version of the tables."""

APPLICATION = 0x436C7231
"""SQLite's application id of a store: `Clr1`."""

TABLES = (
    "CREATE TABLE run (plan_id TEXT NOT NULL)",
    "CREATE TABLE results (key TEXT NOT NULL PRIMARY KEY, record TEXT NOT NULL, error TEXT, traceback TEXT NOT NULL, "
    "attempts INTEGER NOT NULL, seconds REAL, digest TEXT NOT NULL)",
    "CREATE TABLE arrays (key TEXT NOT NULL, name TEXT NOT NULL, dtype TEXT NOT NULL, shape TEXT NOT NULL, "
    "data BLOB NOT NULL, PRIMARY KEY (key, name))",
)
"""The whole schema, as it stands in the file."""


def create_database(path: Path, plan_id: str) -> None:
    """Make an empty store, all at once.

    Args:
        path: The SQLite file; it must not be there.
        plan_id: Id of the plan that it belongs to.

    Raises:
        FileError: If it is there, or cannot be written.
    """
    if path.exists():
        raise FileError(f"{path}: expected a new file, got a name that is there already")
    part = path.with_name(f".{path.name}.part")
    with explained(path):
        for leftover in (part, part.with_name(f"{part.name}-journal")):
            leftover.unlink(missing_ok=True)
        connection = _connect(part)
        try:
            with transaction(connection):
                for table in TABLES:
                    connection.execute(table)
                connection.execute("INSERT INTO run VALUES (?)", (plan_id,))
                connection.execute(f"PRAGMA application_id = {APPLICATION}")
                connection.execute(f"PRAGMA user_version = {DATABASE_VERSION}")
        finally:
            connection.close()
        part.replace(path)


def take_lock(path: Path) -> sqlite3.Connection:
    """Lock a store for one writer, until the connection is closed or the process ends, however it ends.

    The lock is SQLite's own, on an empty file beside the store: it works wherever SQLite does.

    Args:
        path: The store.

    Returns:
        The connection that holds the lock.

    Raises:
        FileError: If another writer holds it, or the folder cannot be written.
    """
    file = path.with_name(f"{path.name}-lock")
    with explained(file):
        lock = sqlite3.connect(file, timeout=0, isolation_level=None)
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except BaseException:
            lock.close()
            raise
    return lock


def open_database(path: Path, plan_id: str, *, mode: str) -> sqlite3.Connection:
    """A connection to a store that is sound and belongs to a plan.

    Args:
        path: The SQLite file.
        plan_id: Id of the plan.
        mode: SQLite's `rw` or `ro`.

    Returns:
        The connection.
    """
    with explained(path):
        connection = _connect(path, mode=mode)
        try:
            _check_kind(path, connection, plan_id)
        except BaseException:
            connection.close()
            raise
    return connection


def _check_kind(path: Path, connection: sqlite3.Connection, plan_id: str) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION:
        what = "an empty file" if path.stat().st_size == 0 else "another file"
        raise FileError(f"{path}: expected the results of a run, got {what}")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version != DATABASE_VERSION:
        raise FileError(f"{path}: expected results of version {DATABASE_VERSION}, got version {version}")
    tables = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    if sorted(sql for (sql,) in tables) != sorted(TABLES):
        raise FileError(f"{path}: damaged, expected other tables")
    (answer,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if answer != "ok":
        raise FileError(f"{path}: damaged ({' '.join(str(answer).split()).removeprefix('*** in database main *** ')})")
    plans = connection.execute("SELECT plan_id FROM run").fetchall()
    if (plan_id,) not in plans:
        raise FileError(f"{path}: expected the results of plan {plan_id}, got those of another")


def _connect(path: Path, *, mode: str = "rwc") -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode={mode}", uri=True, timeout=10, isolation_level=None)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_ARRAY_BYTES + 2**20)
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Generator[Callable[..., object]]:
    """All that happens in the block, or nothing of it.

    Args:
        connection: The open database.

    Yields:
        The function that executes a statement.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection.execute
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def explained(path: Path) -> Generator[None]:
    """Turn whatever SQLite or the system says in the block into one line.

    Args:
        path: The file that it is about.

    Yields:
        Nothing.

    Raises:
        FileError: Where anything went wrong.
    """
    try:
        yield
    except FileError:
        raise
    except sqlite3.Error as error:
        code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
        raise FileError(f"{path}: {_MEANINGS.get(code, 'damaged, or cannot be used')} ({error})") from error
    except OSError as error:
        raise FileError(f"{path}: cannot be written ({error.strerror or error})") from error


_MEANINGS = {
    sqlite3.SQLITE_FULL: "the disk is full; every finished result is kept, resume when there is room",
    sqlite3.SQLITE_BUSY: "in use by another run of this program",
    sqlite3.SQLITE_LOCKED: "in use by another run of this program",
    sqlite3.SQLITE_READONLY: "cannot be written",
    sqlite3.SQLITE_PERM: "no permission",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened or written",
    sqlite3.SQLITE_IOERR: "cannot be read or written; every finished result is kept",
    sqlite3.SQLITE_CONSTRAINT: "there is a result for this task already",
}
