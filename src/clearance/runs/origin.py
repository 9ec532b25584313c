"""Where a plan comes from: when it was made, the flags that make it again, and the files that were read.

None of this determines a result (the plan has digests of the contents), so that it is no part of a plan's id.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from clearance.data.files import path_kind
from clearance.runs.threat import PlanPart


class SourceFile(PlanPart):
    """A file that a run was made from.

    Attributes:
        role: What it was, such as `data`.
        name: Where it lay, as it was given.
        sha256: Its SHA-256 (hex), as `sha256sum` prints it.
    """

    role: str
    name: str
    sha256: str


class Origin(PlanPart):
    """Where a plan comes from.

    Attributes:
        started: When it was made, in UTC (ISO 8601).
        flags: What was said of the model and of the data, as flags of the command line; `None` where it is not known.
        files: The files that were read. Folders are not hashed, and what was in memory has none.
    """

    started: str
    flags: tuple[str, ...] | None = None
    files: tuple[SourceFile, ...] = ()


def make_origin(flags: Iterable[str] | None, files: Iterable[tuple[str, str]]) -> Origin:
    """The origin of a plan that is made now.

    Args:
        flags: As in `Origin`.
        files: The role and the place of each thing that was read; what is no file is left out.

    Returns:
        The origin.
    """
    found = dict.fromkeys((role, name) for role, name in files if path_kind(Path(name)) == "file")
    hashed = [SourceFile(role=role, name=name, sha256=_sha256(Path(name))) for role, name in found]
    started = datetime.now(UTC).isoformat(timespec="seconds")
    return Origin(started=started, flags=None if flags is None else tuple(flags), files=tuple(hashed))


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
