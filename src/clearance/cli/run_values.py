"""What the commands that read runs have in common: files that they write, lists of names."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from clearance.cli.checks import check_out_file
from clearance.errors import InputError
from clearance.runs.execute import refuse_run_files, require_run


def out_file(flag: str, name: str | None, *, runs: Iterable[str | None]) -> Path | None:
    """A file that a command is to write; it is checked before anything is computed.

    Args:
        flag: The flag that names it.
        name: Its name; `None` for no file.
        runs: The folders of the runs that are read.

    Returns:
        The file.

    Raises:
        FileError: If its folder is not there or cannot be written, it is a folder itself, or it belongs to one of the
            runs.
    """
    if name is None:
        return None
    file = check_out_file(flag, name)
    for run in runs:
        if run is not None:
            refuse_run_files(file, Path(run), name=flag)
    return file


def named_folder(text: str) -> tuple[str, str]:
    """A run's folder with the name that it is given, as in `before=runs/12`; an empty name where it is given none.

    Args:
        text: `FOLDER` or `NAME=FOLDER`; a folder whose own name has such a sign is itself.

    Returns:
        The name and the folder.

    >>> named_folder("before=runs/12"), named_folder("runs/12")
    (('before', 'runs/12'), ('', 'runs/12'))
    """
    name, sign, place = text.partition("=")
    return (name, place) if sign and name and not Path(text).exists() else ("", text)


def split_names(flag: str, text: str | None) -> list[str]:
    """The parts of a list with commas; none where the flag was not given.

    Args:
        flag: The flag.
        text: Its value.

    Returns:
        The parts.

    Raises:
        InputError: If a part is empty or comes twice.
    """
    parts = [] if text is None else [part.strip() for part in text.split(",")]
    if not all(parts) or len(set(parts)) < len(parts):
        raise InputError(f"{flag}: expected names with commas between them, each once, got {text!r}")
    return parts


def require_runs(*folders: str | None) -> None:
    """Raise unless each of these is the folder of a run; it is looked for before anything that takes long is imported.

    Args:
        *folders: The folders; `None` for none.
    """
    for folder in folders:
        if folder is not None:
            require_run(Path(folder))
