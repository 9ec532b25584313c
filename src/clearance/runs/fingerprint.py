"""The digest of a network: its values, its other attributes and its code, so that a changed network is another plan.

A digest sees what a program can see: parameters, buffers (persistent or not), what `state_dict` holds, every attribute
of every module (tensors, arrays, numbers, text, lists and dicts of them, functions put on an instance, hooks), and the
source of the files that define its classes, with the files beside them that those import. It does not see what a
network reads while it runs (a file, a global variable): `runs.answers` records what it answers as well.
"""

from __future__ import annotations

import hashlib
import inspect
import re
import sys
from argparse import Namespace
from collections.abc import Iterable, Mapping
from enum import Enum
from functools import partial
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType, SimpleNamespace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

DEEPEST = 60
"""Attributes of attributes are followed so far: deeper than any network nests its modules, and short of Python's
recursion limit."""

VERSIONED = frozenset({"torch", "clearance", *sys.stdlib_module_names})
"""Packages whose versions are in the plan: their sources are not read again."""

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_PLAIN = (bool, int, float, complex, str, bytes, torch.dtype, torch.device, Path, Enum, type(None), range, slice)
_CONFIGURATIONS = (SimpleNamespace, Namespace)


def fingerprint(*parts: object) -> str:
    """Digest of a network, or of several parts such as a network and its preprocessing.

    Args:
        *parts: Modules, or functions and other values that belong to a network.

    Returns:
        32 hexadecimal digits: the same in another process, for the same values and code.

    >>> one, other = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    >>> fingerprint(one) == fingerprint(one), fingerprint(one) == fingerprint(other)
    (True, False)
    """
    return _Digest().of(parts)


class _Digest:
    """What has been read so far."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=16)
        self._met: dict[int, tuple[int, object]] = {}  # id → its number; the object is kept so that no id is used twice
        self._tensors: dict[tuple[object, ...], str] = {}  # equal memory is read once
        self._modules: set[str] = set()

    def of(self, parts: Iterable[object]) -> str:
        for part in parts:
            if isinstance(part, nn.Module):
                self._say(_shown(part))
                self.add(_state(part))
            self.add(part)
        for name, source in _sources(self._modules):
            self._say("source", name, source)
        return self._hash.hexdigest()

    def add(self, value: object, depth: int = 0) -> None:
        """Read one value and what it consists of."""
        if isinstance(value, Tensor):
            return self._say(self._tensor(value))
        if isinstance(value, _PLAIN):
            return self._say(type(value).__name__, repr(value))
        if isinstance(value, np.ndarray | np.generic):
            array = np.asarray(value)
            data = b"" if array.dtype.hasobject else np.ascontiguousarray(array).tobytes()
            return self._say(str(array.dtype), str(array.shape), data)
        if id(value) in self._met:
            return self._say("again", str(self._met[id(value)][0]))
        self._met[id(value)] = (len(self._met), value)
        self._say(_name(value))
        return self._parts(value, depth + 1) if depth < DEEPEST else None

    def _parts(self, value: object, depth: int) -> None:
        for part in self._consists_of(value):
            self.add(part, depth)

    def _consists_of(self, value: object) -> Iterable[object]:
        parts: Iterable[object]
        match value:
            case nn.Module():
                parts = self._module(value)
            case FunctionType():
                self._modules.add(str(value.__module__))
                cells = [_content(cell) for cell in value.__closure__ or ()]
                parts = [value.__code__, value.__defaults__, value.__kwdefaults__, *cells]
            case CodeType():
                parts = [value.co_code, value.co_names, *value.co_consts]
            case MethodType():
                parts = [value.__func__, value.__self__]
            case partial():
                found = cast("partial[object]", value)
                parts = [found.func, found.args, found.keywords]
            case set() | frozenset():
                parts = sorted(repr(item) for item in cast("set[object]", value))
            case list() | tuple():
                parts = cast("list[object]", value)
            case Mapping():
                parts = cast("Mapping[object, object]", value).items()
            case _:
                parts = self._object(value)
        return parts

    def _module(self, module: nn.Module) -> Iterable[object]:
        self._modules.add(str(type(module).__module__))
        attributes = {name: value for name, value in vars(module).items() if name != "training"}
        for name in sorted(attributes):
            # A hook's number counts all hooks of the process.
            hooks = name.endswith("_hooks") and isinstance(attributes[name], Mapping)
            yield name
            yield list(attributes[name].values()) if hooks else attributes[name]
        yield _code(module)

    def _object(self, value: object) -> Iterable[object]:
        kind = type(value)
        if isinstance(value, _CONFIGURATIONS):
            return sorted(vars(value).items())
        if isinstance(value, type | ModuleType | BuiltinFunctionType) or not _is_own(str(kind.__module__)):
            return []
        self._modules.add(str(kind.__module__))
        attributes: dict[str, object] = getattr(value, "__dict__", {})
        return [(name, attributes[name]) for name in sorted(attributes)]

    def _tensor(self, tensor: Tensor) -> str:
        plain = type(tensor) in (Tensor, nn.Parameter) and tensor.layout == torch.strided and not tensor.is_quantized
        if not plain or tensor.is_meta:
            return _tensor_digest(tensor)
        place = (tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride(), tensor.is_conj(), tensor.is_neg())
        if place not in self._tensors:
            self._tensors[place] = _tensor_digest(tensor)
        return self._tensors[place]

    def _say(self, *words: str | bytes) -> None:
        for word in words:
            data = word.encode(errors="replace") if isinstance(word, str) else word
            self._hash.update(len(data).to_bytes(8, "little") + data)


def _tensor_digest(tensor: Tensor) -> str:
    """Digest of a tensor of any dtype and layout; of one without values (not initialised, `meta`) its kind alone."""
    digest = hashlib.blake2b(f"{tensor.dtype} {tensor.layout}".encode(), digest_size=16)
    try:
        digest.update(str(tuple(tensor.shape)).encode())
        for part in [] if tensor.is_meta else _as_plain(tensor.detach()):
            digest.update(
                part.cpu().resolve_conj().resolve_neg().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
            )
    except (RuntimeError, NotImplementedError, TypeError, ValueError):
        digest.update(type(tensor).__qualname__.encode())
    return digest.hexdigest()


def _as_plain(tensor: Tensor) -> list[Tensor]:
    """Ordinary tensors that hold what a tensor of another kind holds."""
    if tensor.is_quantized:
        per_channel = tensor.qscheme() in (torch.per_channel_affine, torch.per_channel_affine_float_qparams)
        if per_channel:
            return [tensor.int_repr(), tensor.q_per_channel_scales(), tensor.q_per_channel_zero_points()]
        return [tensor.int_repr(), torch.tensor([tensor.q_scale(), tensor.q_zero_point()], dtype=torch.float64)]
    return [tensor.to_dense() if tensor.layout != torch.strided else tensor]


def _state(network: nn.Module) -> list[tuple[str, object]]:
    """What `state_dict` holds: packed values and `get_extra_state` stand only there."""
    try:
        return sorted(network.state_dict().items(), key=lambda item: item[0])
    except Exception:  # a stranger's code; a network that cannot be saved still has attributes
        return []


def _shown(network: nn.Module) -> str:
    """How a network prints itself, without the addresses of a process."""
    try:
        return _ADDRESS.sub("", repr(network))
    except Exception:  # a stranger's code
        return type(network).__qualname__


def _code(module: nn.Module) -> str:
    """The code of a scripted or traced module, which is in no file."""
    if not isinstance(module, torch.jit.ScriptModule | torch.fx.GraphModule):
        return ""
    try:
        return str(module.code)
    except (RuntimeError, AttributeError):  # a scripted module without a forward has none
        return ""


def _content(cell: Any) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # empty: the name is not bound yet
        return None


def _name(value: object) -> str:
    named = value if isinstance(value, type | FunctionType | BuiltinFunctionType | ModuleType) else type(value)
    return f"{getattr(named, '__module__', '')}.{getattr(named, '__qualname__', named.__name__)}"


def _sources(names: set[str]) -> list[tuple[str, str]]:
    """The sources of modules outside of `VERSIONED`, with those of the user's own modules that they import."""
    waiting, found = sorted(names), dict[str, str]()
    while waiting:
        name = waiting.pop()
        module = sys.modules.get(name)
        if name in found or module is None or name.split(".", maxsplit=1)[0] in VERSIONED:
            continue
        found[name] = _source(module)
        if _is_own(name):
            waiting += [other for value in list(vars(module).values()) if _is_own(other := _home(value))]
    return sorted(found.items())


def _home(value: object) -> str:
    """The module that a value of a module's namespace comes from."""
    name: object = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", "")
    return name if isinstance(name, str) else ""


def _is_own(name: str) -> bool:
    """Whether a module is the user's own: loaded from a file, and not installed."""
    file = getattr(sys.modules.get(name), "__file__", None)
    if not file or name.split(".", maxsplit=1)[0] in VERSIONED:
        return False
    place = Path(file).resolve()
    return not any(place.is_relative_to(Path(prefix).resolve()) for prefix in {sys.prefix, sys.base_prefix})


def _source(module: ModuleType) -> str:
    try:
        return inspect.getsource(module)
    except (OSError, TypeError):
        return ""
