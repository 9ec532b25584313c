"""A model spec, as given on the command line, to a network.

    a name of `zoo.table.BUNDLED`      a classifier that comes with the package, such as `digits-robust`
    a form of `zoo.table.SPECS`        a function of the user's, a file, a folder, or the name of an architecture

Nothing that a file holds is run: pickles, TorchScript and other code in files are refused unless `trust_pickle` says
that the file is trusted. A function of the user's, also in a `.py` file, is code that the user names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from clearance.data.files import path_kind
from clearance.errors import ClearanceError, FileError, InputError
from clearance.zoo.loaded import LoadedNetwork, ModelArgument, ModelRequest, methods_of_modules_kept, one_line
from clearance.zoo.requests import require_bundled
from clearance.zoo.table import BUNDLED, SPECS, SpecKind

if TYPE_CHECKING:
    from torch import nn

WEIGHTS_FOLDER = Path(__file__).parent / "weights"
"""Where the bundled weights lie."""


def load_model(
    spec: str,
    *,
    weights: str | Path | None = None,
    model_args: Mapping[str, ModelArgument] | None = None,
    bounds: tuple[float, float] | None = None,
    trust_pickle: bool = False,
) -> LoadedNetwork:
    """Make the network that a spec names.

    Args:
        spec: A name of `zoo.table.BUNDLED`, or of a form of `zoo.table.SPECS`.
        weights: A `.safetensors` file, or a `.pt`, `.pth` or `.th` file of tensors, with the values of a factory's
            network; the bundled ones and whole files of models have their own.
        model_args: Keyword arguments for the factory or the architecture.
        bounds: The valid range of an input. `None` takes what is known: (0, 1) for the bundled ones.
        trust_pickle: Load files that can run code: whole pickled networks, TorchScript.

    Returns:
        The network with its name.

    Raises:
        InputError: If the spec names nothing that can be made, or does not go with the other arguments.
        FileError: If a file is missing, damaged, or belongs to another network.
        PickleRefusedError: If a file is a pickle and not trusted.

    >>> loaded = load_model("digits-standard")
    >>> import torch
    >>> loaded.network(torch.zeros(1, 1, 8, 8)).shape, loaded.bounds
    (torch.Size([1, 10]), (0.0, 1.0))
    """
    asked = check_model(spec, weights=weights, model_args=model_args, trust_pickle=trust_pickle)
    found = _read_bundled(asked) if spec in BUNDLED else _read(asked)
    _evaluate(found.network, spec)
    return replace(found, bounds=bounds or found.bounds)


def check_model(
    spec: str,
    *,
    weights: str | Path | None = None,
    model_args: Mapping[str, ModelArgument] | None = None,
    trust_pickle: bool = False,
) -> ModelRequest:
    """Look whether what a spec asks for is there. Torch is not imported: a name that is mistyped is told at once.

    Args:
        spec: As in `load_model`, and so are the others.
        weights: A file of values.
        model_args: Keyword arguments.
        trust_pickle: Load files that can run code.

    Returns:
        What its reader is asked for.

    Raises:
        InputError: If the spec names nothing that can be made, or does not go with the other arguments.
        FileError: If a file or a folder is missing.

    >>> check_model("digits-standard").rest
    'digits-standard'
    """
    asked = ModelRequest(spec, spec, None if weights is None else Path(weights), dict(model_args or {}), trust_pickle)
    if spec in BUNDLED:
        require_bundled(asked)
        return asked
    kind = _kind(spec)
    asked = replace(asked, rest=spec.removeprefix(kind.prefix))
    kind.check_request(asked)
    return asked


def kind_of(spec: str) -> str:
    """What kind of spec it is: a line of `zoo.table.SPECS`, or `"bundled"`.

    Args:
        spec: A model spec.

    Returns:
        The line's name.

    >>> kind_of("digits-standard"), kind_of("net.py:make"), kind_of("hf:folder")
    ('bundled', 'FILE.py:FACTORY', 'hf:FOLDER')
    """
    if spec in BUNDLED:
        return "bundled"
    return next(name for name, kind in SPECS.items() if kind is _kind(spec))


def _read_bundled(request: ModelRequest) -> LoadedNetwork:
    from clearance.zoo.checkpoints import open_checkpoint

    return open_checkpoint(WEIGHTS_FOLDER / f"{request.spec}.safetensors", request.spec)


def _read(request: ModelRequest) -> LoadedNetwork:
    kind = _kind(request.spec)
    reader: Callable[[ModelRequest], LoadedNetwork] = kind.load()
    try:
        with methods_of_modules_kept():
            return reader(request)
    except ClearanceError:
        raise
    except Exception as error:  # a library that meets a damaged file fails in many ways
        if path_kind(request.path) == "none":
            raise InputError(f"model: {request.spec} cannot be made: {one_line(error)}") from error
        message = f"{request.spec}: damaged, or not what its kind promises, {kind.meaning} ({one_line(error)})"
        raise FileError(message) from error


def _kind(spec: str) -> SpecKind:
    """The line of the table that a spec belongs to."""  # noqa: DOC501
    for kind in SPECS.values():
        if kind.prefix and spec.startswith(kind.prefix) and spec != kind.prefix:
            return kind
    place, separator, name = spec.rpartition(":")
    if separator and place and name.isidentifier():
        return SPECS["FILE.py:FACTORY" if place.endswith(".py") else "PACKAGE.MODULE:FACTORY"]
    for kind in SPECS.values():
        if spec.lower().endswith(kind.endings or "\0"):
            return kind
    raise InputError(f"model: {_what_instead(spec)}")


def _what_instead(spec: str) -> str:
    """What to give in the place of something that is no spec."""
    path = Path(spec)
    if spec.endswith(".py"):
        return f"{spec} is a file of Python: name the function in it that makes the network, {spec}:FACTORY"
    if path_kind(path) == "folder" and (path / "config.json").is_file():
        return f"{spec} is a folder of Hugging Face: give hf:{spec}"
    return f"expected {', '.join((*BUNDLED, *SPECS))}, got {spec!r}"


def _evaluate(network: nn.Module, spec: str) -> None:
    """Put a network into evaluation mode; an exported one stays in the mode that it was exported in."""  # noqa: DOC501
    try:
        network.eval()
    except NotImplementedError:
        for module in network.modules():
            module.training = False
    except Exception as error:
        raise InputError(f"model: {spec} cannot be put into evaluation mode: {one_line(error)}") from error
