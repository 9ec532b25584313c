"""What is wrong with a request for VNN-LIB files, as far as it can be told without the network and without torch."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

from clearance.data.files import path_kind
from clearance.errors import FileError, InputError
from clearance.geometry.exponents import as_norm


def check_questions(norm: float | str, radius: float | Sequence[float], timeout: float) -> tuple[float, ...]:
    """The radii of the questions, each once.

    Args:
        norm: `inf`, the only one: provers read boxes.
        radius: One radius or several.
        timeout: Seconds for each question.

    Returns:
        The radii.

    Raises:
        InputError: If one of them cannot be used.
    """
    if not math.isinf(as_norm(norm)):
        raise InputError(f"norm: expected inf, as provers read boxes alone, got {norm!r}: its ball is no box")
    try:
        radii = tuple(dict.fromkeys(map(float, radius if isinstance(radius, Sequence) else (radius,))))
    except (TypeError, ValueError):
        radii = ()
    if not radii or not all(0 < size < math.inf for size in radii):
        raise InputError(f"radius: expected one finite number > 0 or several, got {radius!r}")
    if not (isinstance(timeout, int | float) and 0 < timeout < math.inf):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InputError(f"timeout: expected a finite number of seconds > 0, got {timeout!r}")
    return radii


def free_folder(out: Path) -> Path:
    """The folder of the questions, if it can be made or is empty.

    Args:
        out: As it was given.

    Returns:
        The folder, without links.

    Raises:
        FileError: If it holds something, or cannot be made.
    """
    folder = Path(os.path.realpath(out))
    kind = path_kind(folder)
    if kind == "folder" and any(folder.iterdir()):
        raise FileError(f"out: expected a new or an empty folder, got {out}, which is not empty")
    if kind not in ("none", "folder"):
        raise FileError(f"out: expected a new or an empty folder, got {out}, which is a file")
    if path_kind(folder.parent) != "folder":
        raise FileError(f"out: expected a folder in one that exists, got {out}")
    return folder
