"""The text in the header of a safetensors file, which names the network of its values. Without torch."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from safetensors import SafetensorError, safe_open

from clearance.data.files import require_file
from clearance.errors import FileError
from clearance.zoo.loaded import one_line
from clearance.zoo.table import ARCHITECTURES


def read_header(path: Path) -> dict[str, str]:
    """The text in a safetensors file.

    Args:
        path: The file.

    Returns:
        Text by name; empty where there is none.

    Raises:
        FileError: If the file is missing or damaged.
    """
    require_file(path)
    try:
        with safe_open(path, framework="numpy") as file:  # pyright: ignore[reportUnknownParameterType]
            return cast("dict[str, str] | None", file.metadata()) or {}
    except (SafetensorError, OSError, ValueError) as error:
        raise FileError(f"{path}: damaged, or no safetensors file ({one_line(error)})") from error


def require_architecture(path: Path) -> dict[str, str]:
    """The text in a safetensors file that names a network of `zoo.table.ARCHITECTURES`.

    Args:
        path: The file.

    Returns:
        Text by name, `architecture` among them.

    Raises:
        FileError: If the file is missing or damaged, or names no such network.
    """
    header = read_header(path)
    if header.get("architecture") not in ARCHITECTURES:
        raise FileError(
            f"{path}: holds values without a network that `clearance train` knows; give package.module:factory or "
            f"FILE.py:factory, and --weights {path}"
        )
    return header
