"""Files that run code when they are loaded: TorchScript and whole pickled networks, refused unless they are trusted."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from clearance.data.files import require_file
from clearance.errors import FileError, InputError, PickleRefusedError
from clearance.zoo.archives import is_archive, opened_archive
from clearance.zoo.loaded import LoadedNetwork, ModelRequest, one_line

TORCHSCRIPT_NOTE = (
    "TorchScript: it runs code of the file; no certificate sees into it, and it cannot be sent to workers of Ray"
)
"""What a person should know of a TorchScript network."""

PICKLE_NOTE = "a pickled network: loading it ran code of the file"
"""What a person should know of a network that was unpickled."""
BEFORE_ARCHIVES = b"l\xfc\x9cF\xf9 j\xa8P\x19."
"""In the first bytes of what `torch.save` wrote before its files were archives: its magic number, pickled."""


def read_pickled(request: ModelRequest) -> LoadedNetwork:
    """A whole network from a file that can run code: `torch.jit.save` or `torch.save(network, FILE)`.

    Args:
        request: The file, and whether it is trusted.

    Returns:
        The network, with a note.

    Raises:
        PickleRefusedError: If the file is not trusted.
        FileError: If it is missing, damaged, or holds values without a network.
        InputError: If it is an exported program.
    """
    path = request.path
    kind = _kind_of(path)
    if kind == "other":
        raise PickleRefusedError(
            f"{path}: expected what torch saved, got a pickle of another library, which is not loaded; a scikit-learn "
            f"model: skops.io.dump(model, {path.with_suffix('.skops').name!r})"
        )
    if kind == "export":
        raise InputError(f"model: {path} is an exported program; its name has to end in .pt2")
    if kind != "TorchScript" and _holds_values(path):
        raise FileError(
            f"{path}: holds values without a network; give the network as FILE.py:FACTORY and --weights {path}"
        )
    if not request.trust_pickle:
        what = "is TorchScript, which runs" if kind == "TorchScript" else "is a pickle, which can run"
        raise PickleRefusedError(
            f"{path}: {what} code when loaded; give the network as FILE.py:FACTORY with its values in --weights, or, "
            "if you trust the file, add --trust-pickle"
        )
    request.refuse_weights()
    request.accept_arguments()
    network = _scripted(path) if kind == "TorchScript" else _unpickled(path)
    note = TORCHSCRIPT_NOTE if kind == "TorchScript" else PICKLE_NOTE
    return LoadedNetwork(network, request.spec, weights=path, notes=(note,))


def _kind_of(path: Path) -> str:
    require_file(path)
    if not path.stat().st_size:
        raise FileError(f"{path}: expected a network that torch saved, got an empty file")
    if not is_archive(path):
        with path.open("rb") as file:
            start = file.read(32)
        return "other" if start.startswith(b"\x80") and BEFORE_ARCHIVES not in start else "pickle"
    with opened_archive(path, "a network that torch saved", compressed=True) as archive:
        names = archive.namelist()
    if any(name.endswith("/constants.pkl") for name in names):
        return "TorchScript"
    return "export" if any(name.endswith("models/model.json") for name in names) else "pickle"


def _holds_values(path: Path) -> bool:
    """Whether a file holds tensors and plain values only; what is damaged does not."""
    try:
        torch.load(path, map_location="cpu", weights_only=True)
    except Exception:
        return False
    return True


def _scripted(path: Path) -> nn.Module:
    try:
        return torch.jit.load(path, map_location="cpu")
    except Exception as error:
        raise FileError(f"{path}: expected TorchScript, got a damaged file ({one_line(error)})") from error


def _unpickled(path: Path) -> nn.Module:
    try:
        network: object = torch.load(path, map_location="cpu", weights_only=False)
    except Exception as error:
        raise FileError(f"{path}: expected a network that torch saved, got {one_line(error)}") from error
    if not isinstance(network, nn.Module):
        raise FileError(f"{path}: expected a whole nn.Module, got {type(network).__name__}")
    return network
