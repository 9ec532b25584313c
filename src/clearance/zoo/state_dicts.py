"""Tensors by name from a file that `torch.save` wrote, without running any code that it may hold."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from clearance.data.files import require_file
from clearance.errors import FileError, PickleRefusedError
from clearance.zoo.archives import is_archive, opened_archive
from clearance.zoo.loaded import one_line

HOLDERS = ("state_dict", "model", "model_state_dict", "net")
"""Keys under which training scripts keep the network's values, beside those of the optimiser."""

WHAT = "a dict of tensors, as torch.save(network.state_dict(), FILE) writes it"
"""What is expected, for messages."""


def read_state_dict(path: Path, *, trust_pickle: bool = False) -> dict[str, Tensor]:
    """Read the tensors of a `.pt`, `.pth` or `.th` file, of a dict or of one under a key of `HOLDERS`.

    Args:
        path: The file.
        trust_pickle: Read files that hold more than tensors and plain values too; that can run code.

    Returns:
        The tensors by name, on the CPU.

    Raises:
        FileError: If the file is missing, damaged, or holds no dict of tensors.
        PickleRefusedError: If it holds objects that could run code, and is not trusted.
    """
    require_file(path)
    if not path.stat().st_size:
        raise FileError(f"{path}: expected {WHAT}, got an empty file")
    if is_archive(path):
        with opened_archive(path, WHAT) as archive:
            if any(name.endswith("/constants.pkl") for name in archive.namelist()):
                raise FileError(f"{path}: expected {WHAT}, got TorchScript; give it as MODEL, with --trust-pickle")
    return _unwrapped(_load(path, trust_pickle), path)


def _load(path: Path, trust_pickle: bool) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        if not _is_refusal(error):
            raise FileError(f"{path}: damaged, or not {WHAT} ({one_line(error)})") from None
        if not trust_pickle:
            raise PickleRefusedError(
                f"{path}: is a pickle of more than tensors, which can run code when loaded; save the state_dict() "
                "alone, or, if you trust the file, add --trust-pickle"
            ) from None
    try:
        return cast("object", torch.load(path, map_location="cpu", weights_only=False))
    except Exception as error:
        raise FileError(f"{path}: damaged, or not {WHAT} ({one_line(error)})") from error


def _is_refusal(error: Exception) -> bool:
    """Whether `weights_only=True` met an object that it does not make, and not damage."""
    said = str(error)
    return "Unsupported global" in said or "Unsupported class" in said or "not an allowed global" in said


def _unwrapped(content: object, path: Path) -> dict[str, Tensor]:
    """The dict of tensors in what a file holds."""  # noqa: DOC501
    named = content
    if isinstance(named, Mapping):
        holder = cast("Mapping[object, object]", named)
        key = next((key for key in HOLDERS if _is_holder(holder.get(key))), None)
        named = named if key is None else holder[key]
    if isinstance(named, list | tuple) and len(cast("list[object]", named)) == 1:  # a cascade of one network
        named = cast("list[object]", named)[0]
    if isinstance(named, torch.nn.Module):
        named = named.state_dict()
    if not isinstance(named, Mapping) or not named:
        raise FileError(f"{path}: expected {WHAT}, got {_described(named)}")
    values = cast("Mapping[object, object]", named)
    others = [str(name) for name, value in values.items() if not (isinstance(name, str) and isinstance(value, Tensor))]
    if others:
        raise FileError(
            f"{path}: expected {WHAT}, or one under the key {', '.join(HOLDERS)}; got other values under "
            f"{', '.join(others[:5])}"
        )
    return {str(name): cast("Tensor", value).detach() for name, value in values.items()}


def _is_holder(value: object) -> bool:
    return isinstance(value, Mapping | list | tuple | torch.nn.Module)


def _described(value: object) -> str:
    if isinstance(value, list | tuple):
        return f"a {type(value).__name__} of {len(cast('list[object]', value))}"
    return "an empty dict" if isinstance(value, Mapping) else f"a {type(value).__name__}"
