"""What an experiment has measured so far: an append-only file of JSON lines that survives a kill at any moment.

The first line holds the settings that all measurements depend on; each line after it is one finished measurement, on
the disk before the next one begins. A last line that a kill has cut short is dropped when the journal is opened again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Generator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from clearance.errors import FileError
from clearance.runs.database import take_lock
from clearance.runs.files import read_limited

JOURNAL_FILE = "journal.jsonl"
"""The journal's name in the folder of its experiment."""
JOURNAL_LIMIT = 2**28
"""Largest journal that is read, in bytes: 256 MB, far more than any experiment writes."""

Key = tuple[str | int | float, ...]
"""What a measurement is called: words and numbers that tell it from every other one of its experiment."""
Value = TypeVar("Value")


class Journal:
    """The measurements of one experiment. Made by `open_journal`.

    Args:
        path: The file.
        entries: Finished measurements, by key.
    """

    def __init__(self, path: Path, entries: dict[Key, Any]) -> None:
        self.path, self._entries = path, entries

    def __len__(self) -> int:
        """How many measurements are finished."""
        return len(self._entries)

    def __contains__(self, key: Key) -> bool:
        """Whether a measurement is finished."""
        return key in self._entries

    def measured(self, key: Key, compute: Callable[[], Value]) -> Value:
        """A measurement: what the journal holds, or else computed now and written down.

        Args:
            key: What it is called.
            compute: Makes it: numbers (NaN and infinity as well), text, lists and dicts of them.

        Returns:
            The value as JSON gives it back, so that it is the same in the first sitting and in a later one: a tuple has
            become a list, and a key of a dict is text.
        """
        if key not in self._entries:
            line = json.dumps({"key": key, "value": compute()})
            with self.path.open("a", encoding="utf-8") as stream:
                stream.write(f"{line}\n")
                stream.flush()
                os.fsync(stream.fileno())
            self._entries[key] = json.loads(line)["value"]
        return self._entries[key]


@contextmanager
def open_journal(folder: Path, settings: Mapping[str, Any]) -> Generator[Journal]:
    """Begin a journal, or go on with the one that is there. It is this process's alone until the block ends.

    Args:
        folder: Where it lies; made where it is not there.
        settings: What every measurement depends on: experiment, scale, seed, device, versions. JSON holds it.

    Yields:
        The journal.

    Raises:
        FileError: If the journal there has other settings, is damaged or in use, or cannot be written.
    """
    path, wanted = folder / JOURNAL_FILE, json.loads(json.dumps(settings))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{folder}: cannot be used as a folder ({error.strerror or error})") from error
    with closing(take_lock(path)):
        lines = _whole_lines(path)
        if lines:
            _check_settings(path, _read(path, lines[0], "settings"), wanted)
        else:
            lines = [json.dumps({"settings": wanted})]
            path.write_text(f"{lines[0]}\n", encoding="utf-8")
        yield Journal(path, dict(_entry(path, line) for line in lines[1:]))


def _whole_lines(path: Path) -> list[str]:
    """The lines of a journal; what follows the last line's end is cut off, from the file as well."""
    if not path.is_file():
        return []
    data = read_limited(path, limit=JOURNAL_LIMIT)
    whole, end, rest = data.rpartition(b"\n")
    if rest:
        os.truncate(path, len(whole) + len(end))
    return whole.decode(errors="replace").split("\n") if end else []


def _entry(path: Path, line: str) -> tuple[Key, Any]:
    key = _read(path, line, "key")
    return tuple(key), _read(path, line, "value")


def _read(path: Path, line: str, name: str) -> Any:
    try:
        return json.loads(line)[name]
    except (ValueError, KeyError, TypeError) as error:
        raise FileError(
            f"{path}: damaged: expected lines of JSON that this program wrote, got {line[:40]!r}"
        ) from error


def _check_settings(path: Path, found: Any, wanted: Mapping[str, Any]) -> None:
    """Raise where a journal was begun with other settings."""  # noqa: DOC501
    known = found if isinstance(found, dict) else {}
    other = [f"{name} {known.get(name)!r}, not {value!r}" for name, value in wanted.items() if known.get(name) != value]
    if other or set(known) != set(wanted):
        said = "; ".join(other) or "other settings"
        raise FileError(f"{path}: was begun with {said}: choose another --out, or begin again with --force")
