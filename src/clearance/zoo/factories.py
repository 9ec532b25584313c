"""`package.module:factory` and `file.py:factory`: call a function of the user's that returns a network."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from types import ModuleType

import torch
from torch import nn

from clearance.data.files import require_file
from clearance.errors import InputError
from clearance.model.placement import without_values
from clearance.zoo.loaded import LoadedNetwork, ModelArgument, ModelRequest, one_line
from clearance.zoo.weight_files import load_weights

RANDOM_VALUES = "{} makes other values each time it is called: they are random (--weights FILE has trained ones)"
"""What a person should know of a network without a file of weights."""

MADE_TWICE = 2**24
"""Numbers in the largest network that is made twice, to see whether its values are random: 64 MiB."""


def read_factory(request: ModelRequest) -> LoadedNetwork:
    """The network that a factory makes, with the values of a file where one is given.

    Args:
        request: `PACKAGE.MODULE:FACTORY` or `FILE.py:FACTORY`, with arguments and weights.

    Returns:
        The network.

    Raises:
        FileError: If the weights are missing, damaged, or belong to another network.
    """
    before = torch.get_rng_state()
    network = make_network(request.spec, request.arguments)
    if request.weights is None:
        drawn = not torch.equal(before, torch.get_rng_state()) and _is_random(network, request)
        return LoadedNetwork(network, request.spec, notes=(RANDOM_VALUES.format(request.spec),) if drawn else ())
    metadata = load_weights(network, request.weights, trust_pickle=request.trust_pickle)
    return LoadedNetwork(network, request.spec, weights=request.weights, metadata=metadata)


def _is_random(network: nn.Module, request: ModelRequest) -> bool:
    """Whether a factory that drew numbers makes other values each time; not asked of large networks."""
    values = dict(network.named_parameters())
    if sum(value.numel() for value in values.values()) > MADE_TWICE:
        return False
    with torch.random.fork_rng(devices=[]):
        try:
            again = dict(make_network(request.spec, request.arguments).named_parameters())
        except InputError:  # it can be called once
            return False
    return any(name in again and not _equal(value, again[name]) for name, value in values.items())


def _equal(one: torch.Tensor, two: torch.Tensor) -> bool:
    return one.shape == two.shape and one.dtype == two.dtype and torch.equal(one, two)


def make_network(spec: str, arguments: Mapping[str, ModelArgument] | None = None) -> nn.Module:
    """Call the factory that a spec names.

    Args:
        spec: `PACKAGE.MODULE:FACTORY`, importable from the current folder or `sys.path`, or `FILE.py:FACTORY`.
        arguments: The factory's keyword arguments.

    Returns:
        The network as the factory made it.

    Raises:
        InputError: If the import or the call fails, no `nn.Module` comes back, or one without values: a lazy layer that
            was never called, or a network on the device `meta`.
    """
    place, _, name = spec.rpartition(":")
    factory = _find_factory(place, name)
    _check_arguments(factory, arguments or {}, spec)
    try:
        with _first_on_path(Path(place).parent if place.endswith(".py") else Path.cwd()):
            network = factory(**(arguments or {}))
    except (Exception, SystemExit) as error:
        raise InputError(f"model: calling {spec} {_with(arguments)} failed: {one_line(error)}") from error
    if not isinstance(network, nn.Module):
        raise InputError(f"model: expected {spec} to return an nn.Module, got {type(network).__name__}")
    try:
        lacking = without_values(network)
    except AttributeError as error:
        raise InputError(f"model: {spec} returned an unfinished nn.Module: {one_line(error)}") from error
    if lacking:
        raise InputError(f"model: expected {spec} to return a network with values, got one without: {lacking}")
    return network


def _with(arguments: Mapping[str, ModelArgument] | None) -> str:
    return (
        f"with {', '.join(f'{name}={value!r}' for name, value in arguments.items())}"
        if arguments
        else ("without arguments")
    )


def _check_arguments(factory: Callable[..., object], arguments: Mapping[str, ModelArgument], spec: str) -> None:
    """Raise if the factory has no parameter of a name that was given."""  # noqa: DOC501
    try:
        parameters = inspect.signature(factory).parameters
    except (TypeError, ValueError):  # a callable of C has no signature: its call says what is wrong
        return
    if any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values()):
        return
    unknown = [name for name in arguments if name not in parameters]
    if unknown:
        known = ", ".join(parameters) or "none"
        raise InputError(f"model-args: {spec} has no parameter {', '.join(unknown)}; its parameters: {known}")


def _find_factory(place: str, name: str) -> Callable[..., object]:
    module = _import_file(Path(place)) if place.endswith(".py") else _import_module(place)
    factory = getattr(module, name, None)
    if not callable(factory):
        found = "there is nothing of that name" if factory is None else f"it is a {type(factory).__name__}"
        raise InputError(f"model: expected a function '{name}' in {place}; {found}")
    return factory


def _import_module(name: str) -> ModuleType:
    try:
        with _first_on_path(Path.cwd()):
            return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        raise InputError(f"model: importing {name} failed: {one_line(error)}") from error


def _import_file(path: Path) -> ModuleType:
    """The module that a file holds, under the file's own name, so that its classes can be pickled and found again.

    A file that was imported before is imported again only where its text has changed: the classes stay the same.
    """  # noqa: DOC501
    require_file(path)
    place, source = path.resolve(), path.read_bytes()
    name = _module_name(place)
    known = sys.modules.get(name)
    if known is not None and getattr(known, "__clearance_source__", None) == source:
        return known
    found = importlib.util.spec_from_file_location(name, place)
    if found is None or found.loader is None:
        raise InputError(f"model: {path} is no file of Python source")
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module
    try:
        with _first_on_path(place.parent):
            found.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise InputError(f"model: importing {path} failed: {one_line(error)}") from error
    module.__clearance_source__ = source  # pyright: ignore[reportAttributeAccessIssue]
    return module


def _module_name(place: Path) -> str:
    """The file's name without its ending, as `import` would have it; with a digest where another module has that name.

    A name that does not depend on the folder keeps the digest of a network the same wherever the folder lies.
    """
    name = place.stem
    if name in sys.modules:
        known = getattr(sys.modules[name], "__file__", None)
        free = known is not None and Path(known).resolve() == place
    else:
        try:
            other = importlib.util.find_spec(name) if name.isidentifier() else None
        except (ImportError, ValueError):
            other = None
        free = other is None or (other.origin is not None and Path(other.origin).resolve() == place)
    return name if free else f"{name}_{blake2b(str(place).encode(), digest_size=4).hexdigest()}"


@contextmanager
def _first_on_path(folder: Path) -> Generator[None]:
    entry = str(folder.resolve())
    sys.path.insert(0, entry)
    try:
        yield
    finally:
        if entry in sys.path:
            sys.path.remove(entry)
