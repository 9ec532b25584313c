"""`FILE.safetensors` as `clearance train` writes it: values, with the network that they belong to in the header.

The header names a function of `zoo.table.ARCHITECTURES` and its arguments as JSON. No other function is ever called, so
that the file cannot run code.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from clearance.errors import ClearanceError, FileError, InputError
from clearance.zoo.headers import require_architecture
from clearance.zoo.loaded import LoadedNetwork, ModelRequest, one_line
from clearance.zoo.table import ARCHITECTURES
from clearance.zoo.weight_files import load_weights

Argument = int | float | str | bool | tuple[int, ...]
"""A value that an architecture takes."""

DIGITS_SHAPE = (1, 8, 8)
"""Shape of one input of the architecture that takes no shape, `digits_cnn`."""


SPARE = 10**6
"""Values that a network may have beyond the bytes of its file before it is refused unmade: networks that differ by less
are made, and told apart by the shapes of their values."""


def make_architecture(name: str, arguments: Mapping[str, Argument]) -> nn.Module:
    """Call a function of `zoo.table.ARCHITECTURES`.

    Args:
        name: Its name there.
        arguments: Its keyword arguments.

    Returns:
        The network, with values from its seed.

    Raises:
        InputError: If the name or an argument is unknown, or a value cannot be used.
    """
    if name not in ARCHITECTURES:
        raise InputError(f"network: expected one of {', '.join(ARCHITECTURES)}, got {name!r}")
    try:
        return ARCHITECTURES[name].load()(**arguments)
    except TypeError as error:
        raise InputError(f"network: {name} does not take these arguments: {one_line(error)}") from error


def architecture_header(
    name: str,
    arguments: Mapping[str, Argument],
    *,
    input_shape: tuple[int, ...],
    bounds: tuple[float, float] | None,
    class_names: tuple[str, ...] = (),
) -> dict[str, str]:
    """What a file's header says of its network, for `read_checkpoint`.

    Args:
        name: A name of `zoo.table.ARCHITECTURES`.
        arguments: Its arguments.
        input_shape: Shape of one input.
        bounds: The valid range of an input.
        class_names: A name for each class.
    """
    return {
        "architecture": name,
        "arguments": json.dumps(dict(arguments)),
        "input_shape": json.dumps(input_shape),
        "bounds": json.dumps(bounds),
        "class_names": json.dumps(class_names),
    }


def read_checkpoint(request: ModelRequest) -> LoadedNetwork:
    """The network that a file's header names, with its values.

    Args:
        request: `FILE.safetensors`.

    Returns:
        The network, with the shape and the valid range of its inputs.

    Raises:
        FileError: If the file is missing or damaged, names no network, or holds the values of another one.
    """
    return open_checkpoint(request.path, request.spec)


def open_checkpoint(path: Path, name: str) -> LoadedNetwork:
    """As `read_checkpoint`, from a path.

    Args:
        path: The file.
        name: What the network is called in results.

    Returns:
        The network.

    Raises:
        FileError: As there.
    """
    header = require_architecture(path)
    try:
        arguments = {key: _argument(value) for key, value in json.loads(header.get("arguments", "{}")).items()}
        _check_size(header["architecture"], arguments, path)
        network = make_architecture(header["architecture"], arguments)
        shape = tuple(int(side) for side in json.loads(header.get("input_shape", json.dumps(DIGITS_SHAPE))))
        bounds = _range(json.loads(header.get("bounds", "null")))
        names = _names(json.loads(header.get("class_names", "[]")), network)
    except ClearanceError as error:
        raise FileError(f"{path}: its header does not describe a network ({error})") from error
    except Exception as error:  # torch too refuses sizes, in many ways
        raise FileError(f"{path}: its header does not describe a network ({one_line(error)})") from error
    metadata = load_weights(network, path)
    return LoadedNetwork(network, name, bounds, path, metadata, shape, class_names=names)


def _check_size(name: str, arguments: Mapping[str, Argument], path: Path) -> None:
    """Refuse a network that needs far more memory than the file, before it is made."""  # noqa: DOC501
    with torch.device("meta"):
        values = sum(parameter.numel() for parameter in make_architecture(name, arguments).parameters())
    if values > path.stat().st_size + SPARE:  # the file has at least two bytes for each value
        raise ValueError(f"it names a network of {values:,} values, the file has {path.stat().st_size:,} bytes")


def _range(limits: Any) -> tuple[float, float] | None:
    """The valid range of an input."""  # noqa: DOC501
    if limits is None:
        return None
    low, high = limits
    if not -math.inf < float(low) < float(high) < math.inf:
        raise ValueError(f"bounds: expected two numbers, the lower one first, got {limits}")
    return float(low), float(high)


def _names(given: Any, network: nn.Module) -> tuple[str, ...]:
    """A name for each class: each architecture ends with the biases of its logits."""  # noqa: DOC501
    classes = len(list(network.parameters())[-1])
    if not isinstance(given, list) or len(cast("list[Any]", given)) not in (0, classes):
        raise ValueError(f"class_names: expected a name for each of {classes} classes, or none")
    return tuple(str(each) for each in cast("list[Any]", given))


def _argument(value: Any) -> Argument:
    return tuple(int(each) for each in value) if isinstance(value, list) else value  # pyright: ignore[reportUnknownVariableType]
