"""Zip archives that models come in: nothing is unpacked whose size the archive does not show to be sane."""

from __future__ import annotations

import zipfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from clearance.data.files import require_file
from clearance.errors import FileError
from clearance.zoo.loaded import one_line

LARGEST_UNPACKED = 2**30
"""Bytes that a compressed archive may hold: 1 GiB, far above any model of scikit-learn that is translated here."""


@contextmanager
def opened_archive(path: Path, expected: str, *, compressed: bool = False) -> Generator[zipfile.ZipFile]:
    """Open an archive after its table of contents has been held against the file's size.

    Args:
        path: The file.
        expected: What it should be, for messages.
        compressed: Whether its parts may be compressed; those that torch writes are stored as they are, so that
            together they are no larger than the file.

    Yields:
        The archive.

    Raises:
        FileError: If the file is absent, no archive, damaged, or its parts are larger than they may be.
    """
    require_file(path)
    size = path.stat().st_size
    if not size:
        raise FileError(f"{path}: expected {expected}, got an empty file")
    if not is_archive(path):
        raise FileError(f"{path}: expected {expected}, got a file that is damaged or of another kind")
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
            most = LARGEST_UNPACKED if compressed else size
            if unpacked > most:
                said = f"{unpacked:,} bytes of content in {size:,} bytes, more than {most:,}"
                raise FileError(f"{path}: expected {expected}, got an archive that says it holds {said}")
            yield archive
    except (zipfile.BadZipFile, NotImplementedError, EOFError, KeyError, ValueError, OverflowError) as error:
        raise FileError(f"{path}: expected {expected}, got a damaged archive ({one_line(error)})") from error


def is_archive(path: Path) -> bool:
    """Whether a file is a zip archive, as torch writes since release 1.6."""
    try:
        return path.is_file() and zipfile.is_zipfile(path)
    except zipfile.BadZipFile:  # one that says it spans several disks
        return True
