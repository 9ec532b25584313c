"""Files that are written whole or not at all, and read only up to a limit."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from clearance.data.files import path_kind, require_file
from clearance.errors import FileError


@contextmanager
def replacing(path: Path, *, force: bool) -> Generator[BinaryIO]:
    """A stream to a new file, which takes the place of `path` when the block ends without an error.

    The data are on the disk before the name changes: whoever reads `path`, at any moment and after any crash, finds all
    of the old file or all of the new one.

    Args:
        path: The file.
        force: Replace a file that is there.

    Yields:
        The stream.

    Raises:
        FileError: If the file is there and `force` is false, if it is no plain file, or if it cannot be written.
    """
    kind = path_kind(path)
    if kind not in ("none", "file") or (kind == "file" and not force):
        what = "is there already" if kind == "file" else f"is a {kind}" if kind == "folder" else "is no plain file"
        raise FileError(f"{path}: expected a new file, got a name that {what}")
    part = path.with_name(f".{path.name}.part")
    try:
        part.unlink(missing_ok=True)
        with part.open("xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise FileError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        _discard(part)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk, where the system can."""
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def read_limited(path: Path, *, limit: int) -> bytes:
    """The bytes of a file that is no larger than a limit; of a larger one nothing is kept.

    Args:
        path: The file.
        limit: The most bytes it may have.

    Returns:
        The bytes.

    Raises:
        FileError: If it is missing, not readable, no plain file, or larger.
    """
    require_file(path)
    try:
        with path.open("rb") as stream:
            data = stream.read(limit + 1) if path.stat().st_size <= limit else None
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error.strerror or error})") from error
    if data is None or len(data) > limit:
        raise FileError(f"{path}: expected at most {limit:,} bytes, got {path.stat().st_size:,}")
    return data


def _discard(part: Path) -> None:
    try:
        part.unlink(missing_ok=True)
    except OSError:
        return
