"""Weights from a file into a network: exactly what the file says, or one line that says why not.

A file is safetensors, or holds tensors that `torch.save` wrote (read by `zoo.state_dicts` without running code).

Names, shapes and kinds of values are compared before anything is written; afterwards the network is read back and held
against the file, so that nothing that stands between them (tied or overlapping tensors, a `meta` device, a hook) can
leave other values in the network.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from clearance.data.files import refuse_pickle, require_file
from clearance.errors import FileError
from clearance.model.placement import without_values
from clearance.zoo.loaded import one_line
from clearance.zoo.requests import CONVERSION, STATE_DICT_ENDINGS
from clearance.zoo.state_dicts import read_state_dict

READABLE = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
"""Floating types whose numbers are the weights. Narrower ones (float8) are codes that need a scale which the file does
not name, and torch does not compute with them."""

WRAPPERS = {"module.": "torch.nn.DataParallel", "_orig_mod.": "torch.compile"}
"""What writes a prefix before or within every name."""

COUNTER = "num_batches_tracked"
"""How many batches a batch normalisation was trained on: files written before torch 0.4.1 lack it."""


def load_weights(network: nn.Module, path: Path, *, trust_pickle: bool = False) -> dict[str, str]:
    """Fill a network with the values of a file. All or nothing: an error leaves the network as it was.

    The names must be those of the network, but for the prefixes of `WRAPPERS`, which are taken away where that makes
    all of them fit, and for the counters of batch normalisation, which old files lack and no evaluation reads.

    Args:
        network: Changed in place. Floating values are converted to its dtypes; a value of another kind is refused.
        path: A `.safetensors` file, or one of tensors that `torch.save` wrote (`.pt`, `.pth`, `.th`).
        trust_pickle: For the latter: read one that holds more than tensors too, which can run code.

    Returns:
        The text in the file's header (`metadata`), empty where there is none.

    Raises:
        FileError: If the file is missing or damaged; has other names, shapes or kinds of values; a value is not finite
            in the network's precision; or the network would not hold what the file says.
        PickleRefusedError: If it is a pickle of more than tensors.
    """
    saved_by_torch = path.suffix.lower() in STATE_DICT_ENDINGS
    if not saved_by_torch:
        refuse_pickle(path, instead=CONVERSION)
    require_file(path)
    lacking = without_values(network)
    if lacking:
        raise FileError(f"{path}: expected a network to fill, got one with nothing to fill: {lacking}")
    tensors, metadata = (read_state_dict(path, trust_pickle=trust_pickle), {}) if saved_by_torch else _read(path)
    expected = {name: value for name, value in network.state_dict().items() if not name.endswith("_extra_state")}
    tensors = _unprefixed(expected, tensors)
    _check_names(expected, tensors, path)
    converted = {name: _converted(name, expected[name], value, path) for name, value in tensors.items()}
    before = {name: value.detach().clone() for name, value in expected.items()}
    try:
        network.load_state_dict(converted, strict=False)
        _check_held(network, converted, path)
    except BaseException as error:
        with suppress(RuntimeError):  # a tensor that cannot be written was not written either; the others are
            network.load_state_dict(before, strict=False)
        if isinstance(error, FileError) or not isinstance(error, Exception):
            raise
        raise FileError(f"{path}: the network does not take these weights ({one_line(error)})") from error
    return metadata


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the text of a file; torch has no type for some that the format knows (float4)."""  # noqa: DOC501
    if not path.stat().st_size:
        raise FileError(f"{path}: damaged, or no safetensors file (it is empty)")
    try:
        tensors = load_file(path)
        with safe_open(path, framework="pt") as file:  # pyright: ignore[reportUnknownParameterType]
            metadata = cast("dict[str, str] | None", file.metadata())
    except (SafetensorError, OSError, KeyError, AttributeError, ValueError, RuntimeError) as error:
        raise FileError(f"{path}: damaged, or no safetensors file ({one_line(error)})") from None
    return tensors, metadata or {}


def _check_names(expected: Mapping[str, object], tensors: Mapping[str, Tensor], path: Path) -> None:
    packed = [name for name, value in expected.items() if not isinstance(value, Tensor)]
    if packed:
        raise FileError(
            f"{path}: expected a network whose values are tensors, got one that packs them ({_listed(packed)}), as "
            "quantised ones do; fill it in its factory, without --weights"
        )
    known = cast("Mapping[str, Tensor]", expected)
    # A tied parameter may stand under one of its names only, as safetensors stores it.
    filled = {_place(tensor) for name, tensor in known.items() if name in tensors}
    missing = [
        name
        for name, tensor in known.items()
        if name not in tensors and _place(tensor) not in filled and not name.endswith(COUNTER)
    ]
    unexpected = [name for name in tensors if name not in known]
    if missing or unexpected:
        named = f"missing: {_listed(missing)}; unexpected: {_listed(unexpected)}"
        raise FileError(f"{path}: the weights are of another network ({named}){_prefix(known, tensors)}")


def _unprefixed(expected: Mapping[str, object], tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors without the prefixes of `WRAPPERS`, where the names are those of the network then and not before."""
    found = {name: name for name in tensors}
    for marks in (("module.",), ("_orig_mod.",), tuple(WRAPPERS)):
        if set(found.values()) <= set(expected):
            break
        found = {name: _without(name, marks) for name in tensors}
    fits = set(found.values()) <= set(expected) and len(set(found.values())) == len(tensors)
    return {found[name]: value for name, value in tensors.items()} if fits else tensors


def _without(name: str, marks: Iterable[str]) -> str:
    for mark in marks:
        name = name.replace(mark, "")
    return name


def _place(tensor: Tensor) -> object:
    """What is equal for two names of one tensor, and for nothing else."""
    if tensor.layout != torch.strided or not tensor.numel():
        return id(tensor)
    return tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride()


def _prefix(expected: Iterable[str], names: Iterable[str]) -> str:
    """How the names of a file become those of the network, where a prefix is all that differs."""
    wanted, given = set(expected), set(names)
    if not given:
        return ""
    for mark, source in WRAPPERS.items():
        if mark in min(wanted) and {name.replace(mark, "") for name in wanted} >= given:
            return f"; the network's names have the prefix '{mark}' that {source} adds: return the one that it wraps"
    first = min(given)
    prefix = next((first.removesuffix(name) for name in wanted if first.endswith(f".{name}")), "")
    if prefix and {name.removeprefix(prefix) for name in given} <= wanted:
        return f"; its names begin with '{prefix}': save them without it"
    return ""


def _converted(name: str, expected: Tensor, value: Tensor, path: Path) -> Tensor:
    """One tensor in the network's own dtype."""  # noqa: DOC501
    if value.shape != expected.shape:
        raise FileError(f"{path}: expected shape {tuple(expected.shape)} for {name}, got {tuple(value.shape)}")
    if _kind(value.dtype) != _kind(expected.dtype):
        raise FileError(f"{path}: expected {_kind(expected.dtype)} values for {name}, got {_said(value.dtype)}")
    if value.dtype.is_floating_point and value.dtype not in READABLE:
        known = ", ".join(_said(dtype) for dtype in READABLE)
        raise FileError(f"{path}: expected {name} as {known}, got {_said(value.dtype)}; convert it, with its scale")
    if not _is_finite(value):
        raise FileError(f"{path}: {name} holds NaN or infinity")
    converted = value.to(expected.dtype)
    if not _is_finite(converted):
        raise FileError(f"{path}: {name} overflows {_said(expected.dtype)}, the network's precision")
    if not (value.dtype.is_floating_point or value.dtype.is_complex) and not torch.equal(
        converted.to(value.dtype), value
    ):
        raise FileError(f"{path}: {name} holds {_said(value.dtype)} numbers that do not fit {_said(expected.dtype)}")
    return converted


def _check_held(network: nn.Module, converted: Mapping[str, Tensor], path: Path) -> None:
    held = network.state_dict()
    for name, value in converted.items():
        if held[name].is_meta or not torch.equal(held[name].detach().cpu(), value):
            others = [other for other in converted if other != name and _share(held[name], held[other])]
            tied = f": it is tied to {_listed(others)}, which has other values in the file" if others else ""
            raise FileError(f"{path}: the network does not hold the values of {name} after loading{tied}")


def _share(one: Tensor, two: Tensor) -> bool:
    """Whether two tensors lie in the same memory, in whole or in part."""
    if one.layout != torch.strided or two.layout != torch.strided or one.is_meta:
        return False
    return one.untyped_storage().data_ptr() == two.untyped_storage().data_ptr()


def _is_finite(value: Tensor) -> bool:
    return bool(torch.isfinite(value).all()) if value.dtype.is_floating_point or value.dtype.is_complex else True


def _kind(dtype: torch.dtype) -> str:
    if dtype.is_complex:
        return "complex"
    return "floating" if dtype.is_floating_point else "bool" if dtype == torch.bool else "integer"


def _said(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:5]) or "none"
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown
