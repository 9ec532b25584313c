"""Whether what a model spec asks for is there: files, folders, packages, arguments. Without torch, so that it is quick.

Each kind of spec has one function here, named in its line of `zoo.table.SPECS`; `zoo.specs` calls it before the reader.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from clearance.data.files import path_kind, refuse_pickle, require_file
from clearance.data.presets import PRESETS
from clearance.errors import FileError, InputError, ShapeError
from clearance.zoo.headers import require_architecture

if TYPE_CHECKING:
    from clearance.zoo.loaded import ModelRequest

STATE_DICT_ENDINGS = (".pt", ".pth", ".th", ".ckpt", ".bin")
"""Endings of files of tensors that `torch.save` writes."""
CONVERSION = (
    "use safetensors; to convert weights that you trust: "
    "safetensors.torch.save_file(torch.load(FILE, weights_only=True), 'weights.safetensors')"
)
"""What to do with a pickle, for messages: `weights_only=True` runs no code of the file."""


def require_bundled(request: ModelRequest) -> None:
    """Raise where a classifier that comes with the package is given weights or arguments.

    Args:
        request: Its name.

    Raises:
        InputError: If it is: it has its own.
    """
    if request.weights is not None:
        other = "name a factory, such as clearance.zoo.networks:digits_cnn"
        raise InputError(f"weights: {request.spec} has its own, got {request.weights}; {other}")
    request.accept_arguments()


def require_whole_file(request: ModelRequest) -> None:
    """Raise unless a file that brings its own values is there, and nothing else was given.

    Args:
        request: The file.
    """
    request.refuse_weights()
    request.accept_arguments()
    require_file(request.path)


def require_checkpoint(request: ModelRequest) -> None:
    """Raise unless a file of `clearance train` is there, and its header names a network.

    Args:
        request: The file.
    """
    require_whole_file(request)
    require_architecture(request.path)


def require_graph(request: ModelRequest) -> None:
    """Raise unless an ONNX graph is there; it may be told a shape and an output.

    Args:
        request: The file.

    Raises:
        FileError: If it is absent or empty.
    """
    request.refuse_weights()
    request.accept_arguments("input_shape", "output")
    require_file(request.path)
    if not request.path.stat().st_size:
        raise FileError(f"{request.path}: expected an ONNX graph, got an empty file")


def require_pickled(request: ModelRequest) -> None:
    """Raise unless a file that torch wrote is there.

    Args:
        request: The file.

    Raises:
        FileError: If it is absent or empty.
    """
    require_file(request.path)
    if not request.path.stat().st_size:
        raise FileError(f"{request.path}: expected a network that torch saved, got an empty file")


def require_folder(request: ModelRequest) -> None:
    """Raise unless a folder of transformers is there, with settings and values.

    Args:
        request: The folder.

    Raises:
        FileError: If it is absent, or lacks one of them.
    """
    request.refuse_weights()
    request.accept_arguments()
    folder, kind = request.path, path_kind(request.path)
    if kind != "folder":
        found = "a file" if kind == "file" else "nothing there"
        raise FileError(f"{folder}: expected a folder that transformers saved, got {found}; nothing is downloaded")
    if not (folder / "config.json").is_file():
        raise FileError(f"{folder}: expected a folder that transformers saved, got one without config.json")
    if any(folder.glob("*.safetensors")):
        return
    pickled = next(folder.glob("pytorch_model*.bin"), None)
    if pickled is None:
        raise FileError(f"{folder}: expected the network's values in model.safetensors, got none")
    if not request.trust_pickle:
        refuse_pickle(pickled.with_suffix(".pt"), instead="save the model anew: its values become safetensors")


def require_factory(request: ModelRequest) -> None:
    """Raise unless the file or the package of a function is there, and the file of its weights.

    Args:
        request: `FILE.py:FACTORY` or `PACKAGE.MODULE:FACTORY`.

    Raises:
        InputError: If no package of that name is found from the current folder or on Python's path.
    """
    place = request.spec.rpartition(":")[0]
    if place.endswith(".py"):
        require_file(Path(place))
    else:
        package = place.partition(".")[0]
        here = any(path_kind(Path(f"{package}{ending}")) != "none" for ending in ("", ".py"))
        if not (here or package in sys.modules or (package.isidentifier() and find_spec(package))):
            raise InputError(f"model: importing {place} failed: ModuleNotFoundError: No module named {package!r}")
    require_weights(request)


def require_weights(request: ModelRequest) -> None:
    """Raise unless the file of weights that was given is there, and is no pickle of another kind than torch's.

    Args:
        request: The weights may be absent.
    """
    if request.weights is not None:
        if request.weights.suffix.lower() not in STATE_DICT_ENDINGS:
            refuse_pickle(request.weights, instead=CONVERSION)
        require_file(request.weights)


def check_bounds(bounds: tuple[float, float] | None, *, no_bounds: bool) -> None:
    """Check the bounds that were given.

    Args:
        bounds: Low and high; `None` for none given.
        no_bounds: Whether there are to be none, whatever is known.

    Raises:
        InputError: If both bounds and none were asked for, they are not finite, or not in order.
    """
    if bounds is None:
        return
    if no_bounds:
        raise InputError("bounds: expected either bounds (low, high) or no-bounds, got both")
    if not all(map(math.isfinite, bounds)):
        got = " and ".join(f"{bound:g}" for bound in bounds)
        raise InputError(f"bounds: expected two finite numbers, low < high, got {got}; no-bounds for none")
    if not bounds[0] < bounds[1]:
        raise InputError(f"bounds: expected low < high, or equal where fixed, got ({bounds[0]:g}, {bounds[1]:g})")


def check_normalisation(mean: Sequence[float] | None, std: Sequence[float] | None, preset: str | None) -> None:
    """Check what is subtracted and divided by per channel.

    Args:
        mean: Subtracted.
        std: Divided by, after that.
        preset: A name for both.

    Raises:
        InputError: If one is missing, all three were given, a divisor is not positive, or there is no such preset.
        ShapeError: If they are of different lengths.
    """
    numbers = [name for name, values in (("mean", mean), ("std", std)) if values is not None]
    if preset is not None and numbers:
        raise InputError(f"preset: expected either a preset or mean and std, got {numbers[0]} as well")
    if preset is not None and preset not in PRESETS:
        raise InputError(f"preset: expected one of {', '.join(PRESETS)}, got {preset!r}")
    if len(numbers) == 1:
        raise InputError("mean: expected both mean and std, got one of them")
    if mean is None or std is None:
        return
    if not all(value > 0 for value in std):
        raise InputError(f"std: expected positive numbers, got {list(std)}")
    if len(mean) != len(std):
        raise ShapeError(f"std: expected as many numbers as in mean ({len(mean)}), got {len(std)}")
