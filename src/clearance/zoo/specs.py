"""A model spec, as given on the command line, to a network.

    a name of `zoo.table.BUNDLED`      a classifier that comes with the package, such as `digits-robust`
    package.module:factory             a function without arguments that returns an `nn.Module`, found from the current
                                       folder or on `sys.path`; `weights` names a `.safetensors` file with its values

Weights come from safetensors only. Pickles (`.pt`, `.pth`, `.pkl`) are refused, because loading one can run code.
"""

import importlib
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from torch import nn

from clearance.errors import InputError
from clearance.model.placement import without_values
from clearance.zoo.table import BUNDLED
from clearance.zoo.weight_files import load_weights, refuse_pickled_network

WEIGHTS_FOLDER = Path(__file__).parent / "weights"
"""Where the bundled weights lie."""


@dataclass(frozen=True)
class LoadedNetwork:
    """A network and what is known about it.

    Attributes:
        network: In evaluation mode, on the CPU.
        name: What it is called in results: the spec as it was given.
        bounds: The valid range of an input; `None` where it is not known.
        weights: The file that its values came from; `None` where the factory made them.
        metadata: The header of the weights file: text by name.
    """

    network: nn.Module
    name: str
    bounds: tuple[float, float] | None
    weights: Path | None
    metadata: Mapping[str, str]


def load_model(
    spec: str, *, weights: str | Path | None = None, bounds: tuple[float, float] | None = None
) -> LoadedNetwork:
    """Make the network that a spec names.

    Args:
        spec: A name of `zoo.table.BUNDLED`, or `package.module:factory`.
        weights: A `.safetensors` file with the values of the factory's network; the bundled ones have their own.
        bounds: The valid range of an input. `None` takes what is known: (0, 1) for the bundled ones.

    Returns:
        The network with its name.

    Raises:
        InputError: If the spec names nothing that can be made, or does not go with `weights`.
        FileError: If the weights are missing, damaged, or belong to another network.
        PickleRefusedError: If the weights are a pickle.

    >>> loaded = load_model("digits-standard")
    >>> import torch
    >>> loaded.network(torch.zeros(1, 1, 8, 8)).shape, loaded.bounds
    (torch.Size([1, 10]), (0.0, 1.0))
    """
    if spec in BUNDLED:
        if weights is not None:
            raise InputError(
                f"weights: {spec} has its own, got {weights}; name a factory, such as clearance.zoo.networks:digits_cnn"
            )
        network, known, file = BUNDLED[spec].load()(), (0.0, 1.0), WEIGHTS_FOLDER / f"{spec}.safetensors"
    else:
        network, known, file = make_network(spec), None, None if weights is None else Path(weights)
    metadata = {} if file is None else load_weights(network, file)
    _evaluate(network, spec)
    return LoadedNetwork(network, spec, bounds or known, file, metadata)


def make_network(spec: str) -> nn.Module:
    """Call the factory that `package.module:factory` names.

    Args:
        spec: The module, importable from the current folder or `sys.path`, and the function's name in it.

    Returns:
        The network as the factory made it.

    Raises:
        InputError: If the spec is not of this form, the import or the call fails, no `nn.Module` comes back, or one
            without values: a lazy layer that was never called, or a network on the device `meta`.
    """
    module, separator, name = spec.partition(":")
    if not (separator and module and name.isidentifier()):
        _refuse_file(spec)
        raise InputError(f"model: expected {', '.join(BUNDLED)} or package.module:factory, got {spec!r}")
    factory = _find_factory(module, name)
    try:
        network = factory()
    except (Exception, SystemExit) as error:
        raise InputError(f"model: calling {spec} without arguments failed: {_one_line(error)}") from error
    if not isinstance(network, nn.Module):
        raise InputError(f"model: expected {spec} to return an nn.Module, got {type(network).__name__}")
    try:
        lacking = without_values(network)
    except AttributeError as error:
        raise InputError(f"model: {spec} returned an unfinished nn.Module: {_one_line(error)}") from error
    if lacking:
        raise InputError(f"model: expected {spec} to return a network with values, got one without: {lacking}")
    return network


def _evaluate(network: nn.Module, spec: str) -> None:
    """Put a network into evaluation mode; an exported one stays in the mode that it was exported in."""  # noqa: DOC501
    try:
        network.eval()
    except NotImplementedError:
        for module in network.modules():
            module.training = False
    except Exception as error:
        raise InputError(f"model: {spec} cannot be put into evaluation mode: {_one_line(error)}") from error


def _find_factory(module: str, name: str) -> Callable[[], object]:
    try:
        with _current_folder_first():
            factory = getattr(importlib.import_module(module), name, None)
    except (Exception, SystemExit) as error:
        raise InputError(f"model: importing {module} failed: {_one_line(error)}") from error
    if not callable(factory):
        found = "there is nothing of that name" if factory is None else f"it is a {type(factory).__name__}"
        raise InputError(f"model: expected a function '{name}' in {module}; {found}")
    return cast("Callable[[], object]", factory)


@contextmanager
def _current_folder_first() -> Generator[None]:
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


def _refuse_file(spec: str) -> None:
    # A file instead of a spec is the usual slip: say what to do with it.
    path = Path(spec)
    refuse_pickled_network(path)
    if path.suffix == ".safetensors":
        raise InputError(
            f"model: {spec} holds values without a network; give package.module:factory and weights={spec}"
        )
    if path.suffix == ".pt2":
        raise InputError(
            f"model: {spec} is an exported program; name a factory that returns torch.export.load({spec!r}).module()"
        )


def _one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
