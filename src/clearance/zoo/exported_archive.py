"""What in a `.pt2` file could run code when it is loaded, found before torch loads it.

An exported program is a graph of torch's operators in JSON, with tensors beside it. But `torch.export.load` also
unpickles parts that say they are pickles, evaluates the sizes in the JSON as Python expressions (sympy), looks up
operators by any name, imports the types of its arguments, and writes names of the JSON into source text that it runs.
So the file is held against what `torch.export.save` writes for a plain network; what is more than that needs trust.
"""

from __future__ import annotations

import io
import json
import math
import re
import zipfile
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import cast

import torch

from clearance.errors import FileError, PickleRefusedError
from clearance.zoo.archives import opened_archive
from clearance.zoo.loaded import one_line

EXPORTED = "an exported program, as torch.export.save writes it"
"""What is expected, for messages."""

PROGRAMS = ("models/model.json", "serialized_exported_program.json")
"""Where the graph stands in the archive: since torch 2.8, and before."""

NAME = re.compile(r"[\w./:+\-]*")
"""Names that are safe in source text: none has quotes, brackets or line ends."""

WORDS = frozenset(
    (
        "Symbol",
        "integer",
        "positive",
        "nonnegative",
        "negative",
        "True",
        "False",
        "Integer",
        "Rational",
        "Float",
        "Max",
        "Min",
        "Mod",
        "PythonMod",
        "FloorDiv",
        "CleanDiv",
        "CeilDiv",
        "IntTrueDiv",
        "ModularIndexing",
        "PowByNatural",
        "Add",
        "Mul",
        "Pow",
        "Eq",
        "Ne",
        "Lt",
        "Le",
        "Gt",
        "Ge",
        "And",
        "Or",
        "Not",
        "oo",
        "int_oo",
    )
)
"""Words of expressions of sizes, besides the sizes' own names."""

TOKEN = re.compile(r"[A-Za-z_]\w*|\d+(?:\.\d+)?|[-+*/%(),=<>&|~!\s]|'\w*'|\"\w*\"")
"""A word, a number, a sign or a name in quotes: an expression of sizes has nothing else."""

SIZE_NAME = re.compile(r"[a-z]{1,2}\d+")
"""A size in an expression, as torch names them: `s31`, `u0`. No function has such a name."""

OPERATOR = re.compile(
    r"torch\.ops\.(?:aten|prims)\.(?!from_file|save|_?load)\w+(?:\.\w+)?"
    r"|torch\.sym_(?:int|float|min|max|not|ite|sum)|math\.(?:ceil|floor|trunc|sqrt)"
    r"|_operator\.(?:add|sub|mul|truediv|floordiv|mod|pow|neg|pos|eq|ne|lt|le|gt|ge|and_|or_|getitem)"
)
"""Operators of a network: torch's own on tensors, and arithmetic of sizes."""

LARGEST_SIZES = 2**28
"""Product of a list of whole numbers in the graph at most: 1 GiB for a tensor of that shape in float32."""

TREES = frozenset({None, "builtins.tuple", "builtins.list", "builtins.dict"})
"""Kinds of containers that arguments and results may come in."""


def refuse_code(path: Path) -> None:
    """Raise if loading an exported program could run code that its file holds.

    Args:
        path: The file.

    Raises:
        FileError: If it is absent, damaged, or no exported program.
        PickleRefusedError: If something in it could run code.
    """
    with opened_archive(path, EXPORTED) as archive:
        found = next(_code(archive, path), None)
    if found is not None:
        raise PickleRefusedError(
            f"{path}: {found}, which could run code or take all memory when loaded; export the network anew, or, if "
            "you trust the file, add --trust-pickle"
        )


def _code(archive: zipfile.ZipFile, path: Path) -> Generator[str]:
    """What could run code, in words."""  # noqa: DOC402, DOC501
    parts = {_inner(name): name for name in archive.namelist()}
    program = next((parts[name] for name in PROGRAMS if name in parts), None)
    if program is None:
        raise FileError(f"{path}: expected {EXPORTED}, got an archive without {PROGRAMS[0]}")
    yield from (f"holds a library, {name}" for name in parts if "aotinductor" in name or name.endswith(".so"))
    for inner, name in parts.items():
        if inner.endswith(".pt") and not _is_of_tensors(archive.read(name)):
            yield f"holds a pickle of more than tensors, {inner}"
        if inner.endswith("_config.json"):
            yield from _payloads(_json(archive, name, path), archive, parts, inner.rpartition("/")[0])
    yield from _strange(_json(archive, program, path), "")


def _inner(name: str) -> str:
    """The name of a part without the folder that torch writes around all of them."""
    folder, _, rest = name.partition("/")
    known = ("models", "data", "serialized_exported_program.json")
    return name if folder in known or not rest else rest


def _json(archive: zipfile.ZipFile, name: str, path: Path) -> object:
    try:
        return cast("object", json.loads(archive.read(name)))
    except (ValueError, RecursionError) as error:
        raise FileError(f"{path}: expected {EXPORTED}, got a damaged {name} ({one_line(error)})") from error


def _is_of_tensors(data: bytes) -> bool:
    if not data:
        return True
    try:
        torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception:
        return False
    return True


def _payloads(config: object, archive: zipfile.ZipFile, parts: Mapping[str, str], folder: str) -> Generator[str]:
    """Weights and constants that are pickles."""  # noqa: DOC402
    entries = cast("Mapping[str, object]", config).get("config", {}) if isinstance(config, Mapping) else {}
    for name, entry in cast("Mapping[str, object]", entries).items():
        found = cast("Mapping[str, object]", entry)
        file = str(found.get("path_name", ""))
        if file.startswith(("custom_obj", "opaque_obj")):
            yield f"holds an object that is no tensor, {name}"
        pickled = bool(found.get("use_pickle")) and f"{folder}/{file}" in parts
        if pickled and not _is_of_tensors(archive.read(parts[f"{folder}/{file}"])):
            yield f"holds a pickle of more than tensors, {name}"


def _strange(value: object, key: str) -> Generator[str]:
    """Texts of the JSON that a plain network does not have at their place."""  # noqa: DOC402
    if isinstance(value, Mapping):
        for name, inner in cast("Mapping[str, object]", value).items():
            if not NAME.fullmatch(name):
                yield f"has the odd name {name[:80]!r}"
            if name == "as_ints" and _product(inner) > LARGEST_SIZES:
                yield f"asks for a tensor of shape {str(inner)[:80]}"
            if name not in ("metadata", "guards_code", "as_string", "as_strings"):
                yield from _strange(inner, name)
    elif isinstance(value, list):
        for inner in cast("list[object]", value):
            yield from _strange(inner, key)
    elif isinstance(value, str) and not _is_plain(value, key):
        yield f"has the odd {key} {value[:80]!r}"


def _product(sizes: object) -> int:
    """The product of whole numbers without their signs and zeros."""
    numbers = cast("list[object]", sizes) if isinstance(sizes, list) else []
    return math.prod(abs(size) for size in numbers if isinstance(size, int) and size)


def _is_plain(text: str, key: str) -> bool:
    if key == "expr_str":
        return _is_size(text)
    if key in ("target", "as_operator"):
        return OPERATOR.fullmatch(text) is not None
    if key in ("in_spec", "out_spec"):
        return not text or _is_tree(json.loads(text))
    return NAME.fullmatch(text) is not None


def _is_size(text: str) -> bool:
    """Whether a text is arithmetic of named sizes."""
    tokens = TOKEN.findall(text)
    words = [token for token in tokens if token[0].isalpha() or token[0] == "_"]
    known = all(word in WORDS or SIZE_NAME.fullmatch(word) for word in words)
    return "".join(tokens) == text and known


def _is_tree(spec: object) -> bool:
    """Whether a description of nested containers names tuples, lists and dicts alone."""
    if isinstance(spec, list):
        return all(map(_is_tree, cast("list[object]", spec)))
    if isinstance(spec, Mapping):
        tree = cast("Mapping[str, object]", spec)
        return tree.get("type") in TREES and _is_tree(tree.get("children_spec", []))
    return isinstance(spec, int)
