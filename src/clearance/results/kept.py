"""Records in one file that holds no code: a safetensors file, with the rest as JSON in its header.

Only the records that are named here are made from a file. A version, and a digest of everything, tell a file of another
kind, another version or a damaged one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from clearance.data.files import require_file
from clearance.errors import FileError
from clearance.records import PublicRecord
from clearance.results.coded import decode, encode
from clearance.results.setup import CallSetup
from clearance.runs.files import replacing
from clearance.zoo.loaded import one_line

KEPT_VERSION = 1
"""Version of the form of a file of results."""
KEPT_KIND = "clearance results"
"""What such a file says of itself in its header."""


@dataclass(frozen=True)
class KeptResults:
    """What a file holds.

    Attributes:
        records: The records.
        setup: What was asked.
    """

    records: Sequence[PublicRecord]
    setup: CallSetup


def write_results(found: KeptResults, path: Path) -> None:
    """Write records to a file, all at once; an older file is replaced.

    Args:
        found: The records.
        path: The file.
    """
    tensors: dict[str, Tensor] = {}
    content = {"setup": encode(found.setup, tensors), "records": [encode(one, tensors) for one in found.records]}
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    header = {"kind": KEPT_KIND, "version": str(KEPT_VERSION), "content": text, "digest": _digest(text, tensors)}
    data = save(tensors, metadata=header)
    with replacing(path, force=True) as stream:
        stream.write(data)


def read_results(path: Path) -> KeptResults:
    """Read what `write_results` wrote. Nothing in the file is run.

    Args:
        path: The file.

    Returns:
        The records.

    Raises:
        FileError: If the file is missing, damaged, of another kind or of another version.
    """
    if path.is_dir():
        raise FileError(f"{path}: expected a file that save() wrote, got a folder; cl.read_run reads that of a run")
    header, tensors = _read(path)
    if header.get("kind") != KEPT_KIND:
        raise FileError(f"{path}: expected results that save() wrote, got another safetensors file")
    if header.get("version") != str(KEPT_VERSION):
        raise FileError(
            f"{path}: expected results of version {KEPT_VERSION}, got version {header.get('version', '')[:20]}"
        )
    text = header.get("content", "")
    if header.get("digest") != _digest(text, tensors):
        raise FileError(f"{path}: damaged, its content does not match its digest")
    try:
        content = json.loads(text)
        setup, records = decode(content["setup"], tensors), [decode(one, tensors) for one in content["records"]]
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, ValidationError) as error:
        raise FileError(f"{path}: damaged, or written by another version ({one_line(error)})") from None
    if not isinstance(setup, CallSetup) or not all(isinstance(one, PublicRecord) for one in records):
        raise FileError(f"{path}: damaged, expected results, got other records")
    return KeptResults(records, setup)


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """The text and the tensors of a safetensors file."""  # noqa: DOC501
    require_file(path)
    try:
        with safe_open(path, framework="pt") as file:  # pyright: ignore[reportUnknownParameterType]
            header = cast("dict[str, str] | None", file.metadata())
            tensors = {name: cast("Tensor", file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, KeyError, AttributeError, ValueError, RuntimeError) as error:
        raise FileError(f"{path}: damaged, or no file of results ({one_line(error)})") from None
    return header or {}, tensors


def _digest(text: str, tensors: Mapping[str, Tensor]) -> str:
    found = hashlib.blake2b(text.encode(), digest_size=16)
    for name in sorted(tensors):
        tensor = tensors[name]
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(tensor.contiguous().view(-1).view(dtype=torch.uint8).numpy().tobytes() if tensor.numel() else b"")
    return found.hexdigest()
