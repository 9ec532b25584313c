"""The folder in which `clearance train` keeps what is done, beside the checkpoint: one writer at a time."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from clearance.data.files import path_kind
from clearance.errors import FileError
from clearance.runs.database import take_lock
from clearance.training.loop import STATE_FILE

NAMES = ("teacher", "labeller", "network")
"""What is trained, in this order: each has a folder of its own."""
LOCK = "training"
"""What the lock's name begins with."""


def state_folder(out: Path) -> Path:
    """The folder of the state of a checkpoint's training."""
    return out.with_suffix(".training")


@contextmanager
def locked_state(folder: Path, *, anew: bool) -> Generator[None]:
    """Hold the folder of a state; it is deleted in the end if there is no state in it.

    Args:
        folder: The folder; it is made, so that a place that cannot be written is told at once.
        anew: Delete the state that is there.

    Yields:
        Nothing.

    Raises:
        FileError: If it cannot be written, or another process trains there.
    """
    if path_kind(folder) not in ("none", "folder"):
        raise FileError(f"{folder}: expected a folder for the state of training, or nothing, got a file")
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise FileError(f"{folder}: cannot be written ({error.strerror or error})") from error
    lock = take_lock(folder / LOCK)
    try:
        if anew:
            discard_state(folder)
        yield
    finally:
        lock.close()
        for ending in ("-lock", "-lock-journal"):
            with suppress(OSError):
                (folder / f"{LOCK}{ending}").unlink(missing_ok=True)
        with suppress(OSError):
            folder.rmdir()


def discard_state(folder: Path) -> None:
    """Delete the states of training in a folder, and no other file."""
    for name in NAMES:
        for file in (folder / name / STATE_FILE, (folder / name / STATE_FILE).with_suffix(".partial")):
            file.unlink(missing_ok=True)
        with suppress(OSError):
            (folder / name).rmdir()
