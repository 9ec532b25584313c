"""Where a plan comes from: when it was made, the flags that make it again, and the files that were read.

None of this determines a result (the plan has digests of the contents), so that it is no part of a plan's id.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from clearance.data.files import PICTURES, path_kind
from clearance.runs.threat import PlanPart

MOST_HASHED = 2**30
"""Bytes of a folder of pictures that are read for its digest, at most: about a second or two."""
FOLDER_COMMAND = "in it: find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum"
"""How the digest of a folder is computed again."""


class SourceFile(PlanPart):
    """A file that a run was made from.

    Attributes:
        role: What it was, such as `data`.
        name: Where it lay, as it was given.
        sha256: Its SHA-256 (hex), as `sha256sum` prints it; of a folder of pictures that of the list of its files
            (`folder_digest`); empty where `note` says why there is none.
        note: How a folder's was computed, or why there is none; empty for a file.
    """

    role: str
    name: str
    sha256: str = ""
    note: str = ""


class Origin(PlanPart):
    """Where a plan comes from.

    Attributes:
        started: When it was made, in UTC (ISO 8601).
        flags: What was said of the model and of the data, as flags of the command line; `None` where it is not known.
        files: The files that were read. Of folders those of pictures alone are here; what was in memory has none.
        total: How many inputs the whole set has; `None` where it is not known.
    """

    started: str
    flags: tuple[str, ...] | None = None
    files: tuple[SourceFile, ...] = ()
    total: int | None = None


def make_origin(flags: Iterable[str] | None, files: Iterable[tuple[str, str]], *, total: int | None = None) -> Origin:
    """The origin of a plan that is made now.

    Args:
        flags: As in `Origin`.
        files: The role and the place of each thing that was read; what is no file is left out.
        total: As in `Origin`.

    Returns:
        The origin.
    """
    said = None if flags is None else tuple(flags)
    found = dict.fromkeys((role, name, path_kind(Path(name))) for role, name in files)
    hashed = [
        SourceFile(role=role, name=name, sha256=_sha256(Path(name))) for role, name, kind in found if kind == "file"
    ]
    hashed += [_folder(name) for role, name, kind in found if kind == "folder" and role == PICTURES]
    return Origin(started=now_in_utc(), flags=said, files=tuple(hashed), total=total)


def now_in_utc() -> str:
    """The time now, in UTC (ISO 8601)."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _folder(name: str) -> SourceFile:
    sha256 = folder_digest(Path(name))
    most = f"{MOST_HASHED / 2**30:g} GiB"
    note = FOLDER_COMMAND if sha256 else f"not hashed: more than {most} of files, or links among them"
    return SourceFile(role=PICTURES, name=name, sha256=sha256, note=note)


def folder_digest(top: Path) -> str:
    """SHA-256 of the sorted list of a folder's files with the SHA-256 of each: what `FOLDER_COMMAND` prints there.

    Args:
        top: The folder.

    Returns:
        The digest (hex); empty where there are links, or more than `MOST_HASHED` bytes.
    """
    inside = [path for path in top.rglob("*") if path.is_symlink() or not path.is_dir()]
    if not all(path_kind(path) == "file" and not path.is_symlink() for path in inside):
        return ""
    if sum(path.stat().st_size for path in inside) > MOST_HASHED:
        return ""
    names = sorted(os.fsencode(f"./{path.relative_to(top).as_posix()}") for path in inside)
    lines = (_sha256(top / os.fsdecode(name)).encode() + b"  " + name + b"\n" for name in names)
    return hashlib.sha256(b"".join(lines)).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
