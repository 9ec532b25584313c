"""`model.onnx`: a graph converted by onnx2torch, and held against onnxruntime on random inputs."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from clearance.data.files import path_kind
from clearance.errors import FileError, InputError
from clearance.zoo.batches import CHECKED_INPUTS, Converted, settle
from clearance.zoo.loaded import LoadedNetwork, ModelRequest, bring, one_line
from clearance.zoo.onnx_rewrites import choose_opset, rewritten

LARGEST_GRAPH = 2**31 - 1
"""Bytes of a graph at most: what a message of Protocol Buffers can hold. Values of larger ones lie beside it."""

LARGEST_INPUT = 2**27
"""Numbers in the random inputs of the check at most: a file that declares larger ones is refused before they exist."""

LARGEST_VALUE = 2**28
"""Numbers in one value of the graph at most, for one batch: 1 GiB in float32. A few bytes can ask for any size."""

INPUT_TYPES = {1: torch.float32, 11: torch.float64}
"""Codes of ONNX for the kinds of numbers that distances and gradients are defined for."""


def read_onnx(request: ModelRequest) -> LoadedNetwork:
    """The network of an ONNX graph with one input, whose first dimension is the batch.

    Args:
        request: The file; `--model-args input_shape=C,H,W` where the graph leaves sizes open, `output=NAME` where it
            has several outputs.

    Returns:
        The network, with the largest difference from onnxruntime in its notes.

    Raises:
        InputError: If the extra `onnx` is not installed, or the graph has to be told more.
        FileError: If the file is missing, damaged, cannot be converted, or answers otherwise once converted.
    """
    path = request.path
    graph = _read(path, request)
    asked = request.arguments.get("output")
    output = _output(graph, None if asked is None else str(asked), path)
    shape, size, dtype = _input(graph, request)
    network = _converted(graph, request)
    reference = _reference(graph, output, request)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # onnx2torch's steps warn about the dtypes of constants
        found = settle(network, reference, shape, size=size, dtype=dtype, source=str(path))
    flat = [side for side in shape if side != 1]
    notes = [
        f"largest difference from onnxruntime over {CHECKED_INPUTS} random inputs: {found.difference:.1e}",
        *filter(None, [found.note]),
    ]
    network = found.network
    if len(flat) <= 1:
        network = (
            nn.Sequential(nn.Flatten(), nn.Unflatten(1, shape), network)
            if len(shape) > 1
            else (nn.Sequential(nn.Flatten(), network))
        )
        notes.append(f"inputs of {math.prod(shape)} numbers in any shape are reshaped to {shape}")
    return LoadedNetwork(
        network, request.spec, weights=path, input_shape=shape, notes=(f"{path.name}: {'; '.join(notes)}",)
    )


def _read(path: Path, request: ModelRequest) -> Any:
    """The graph with its values, checked by ONNX's own checker."""  # noqa: DOC501
    onnx = bring("onnx", extra="onnx", spec=request.spec)
    size = path.stat().st_size
    if not size:
        raise FileError(f"{path}: expected an ONNX graph, got an empty file")
    if size > LARGEST_GRAPH:
        raise FileError(
            f"{path}: expected an ONNX graph of at most {LARGEST_GRAPH:,} bytes, got {size:,}; save its values as "
            "external data"
        )
    try:
        graph = onnx.load_model_from_string(path.read_bytes())
    except Exception as error:
        raise FileError(f"{path}: expected an ONNX graph, got a file that is damaged or of another kind") from error
    _check_external(graph, path, onnx)
    try:
        onnx.external_data_helper.load_external_data_for_model(graph, str(path.parent))
        onnx.checker.check_model(graph)
    except Exception as error:
        raise FileError(f"{path}: expected a valid ONNX graph, got one that is not ({one_line(error)})") from error
    _check_values(graph, path, onnx)
    known = onnx.defs.onnx_opset_version()
    for opset in graph.opset_import:
        if opset.domain in ("", "ai.onnx") and not 1 <= opset.version <= known:
            raise FileError(f"{path}: expected an opset from 1 to {known}, got {opset.version}")
    return graph


def _check_external(graph: Any, path: Path, onnx: Any) -> None:
    """Raise unless values outside the file lie in plain files beside it that are large enough."""  # noqa: DOC501
    for tensor in onnx.external_data_helper._get_all_tensors(graph):
        if not onnx.external_data_helper.uses_external_data(tensor):
            continue
        where = {entry.key: entry.value for entry in tensor.external_data}
        name = where.get("location", "")
        file = path.parent / name
        beside = bool(name) and file.resolve().is_relative_to(path.parent.resolve()) and not file.is_symlink()
        if not beside or path_kind(file) != "file":
            raise FileError(f"{path}: expected its values in a file beside it, got {name!r}")
        end = _whole(where.get("offset")) + _whole(where.get("length"))
        if end > file.stat().st_size:
            raise FileError(f"{path}: expected {end:,} bytes of values in {name}, got {file.stat().st_size:,}")


def _check_values(graph: Any, path: Path, onnx: Any) -> None:
    """Raise where a step makes a value that is larger than any network's, such as a constant of 10 GB."""  # noqa: DOC501
    try:
        inferred = onnx.shape_inference.infer_shapes(graph, data_prop=True).graph
    except Exception:  # graphs above 2 GB have no inference; steps that do not fit fail in onnxruntime
        return
    for value in (*inferred.value_info, *inferred.output):
        sides = [max(1, dimension.dim_value) for dimension in value.type.tensor_type.shape.dim]
        if math.prod(sides) > LARGEST_VALUE:
            raise FileError(
                f"{path}: expected values of at most {LARGEST_VALUE:,} numbers, got {value.name} of {sides}"
            )


def _whole(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 0


def _output(graph: Any, asked: str | None, path: Path) -> str:
    """The output that holds the logits; the graph keeps no other."""  # noqa: DOC501
    names = [value.name for value in graph.graph.output]
    if asked is not None and asked not in names:
        raise InputError(f"model-args: expected output={' or '.join(names)} for {path}, got {asked!r}")
    if asked is None and len(names) != 1:
        raise InputError(
            f"model: expected {path} to have one output, got {', '.join(names) or 'none'}; "
            "say which holds the logits: --model-args output=NAME"
        )
    chosen = asked or names[0]
    kept = [value for value in graph.graph.output if value.name == chosen][:1]
    del graph.graph.output[:]
    graph.graph.output.extend(kept)
    return chosen


def _input(graph: Any, request: ModelRequest) -> tuple[tuple[int, ...], int | None, torch.dtype]:
    """Shape of one input, the batch that the graph is written for (`None` for any), and the kind of numbers."""  # noqa: DOC501
    values = {value.name for value in graph.graph.initializer}
    inputs = [value for value in graph.graph.input if value.name not in values]
    if len(inputs) != 1:
        raise FileError(f"{request.path}: expected a graph of one input, got {len(inputs)}")
    kind = inputs[0].type.tensor_type
    if kind.elem_type not in INPUT_TYPES:
        raise FileError(f"{request.path}: expected inputs of float32 or float64, got ONNX's type {kind.elem_type}")
    sizes = [dimension.dim_value for dimension in kind.shape.dim]  # 0 where it is open
    if len(sizes) < 2 and "input_shape" not in request.arguments:
        raise InputError(
            f"model: expected {request.path} to declare the shape of its input, (batch, ...), got {tuple(sizes)}; give "
            "the shape of one input: --model-args input_shape=C,H,W"
        )
    shape = _asked_shape(request, tuple(sizes[1:]))
    if min(shape, default=0) < 1:
        declared = ", ".join(dimension.dim_param or str(dimension.dim_value or "?") for dimension in kind.shape.dim)
        raise InputError(
            f"model: {request.path} leaves sizes of its input open ({declared}); give the shape of one input: "
            "--model-args input_shape=C,H,W"
        )
    size = sizes[0] if sizes and sizes[0] > 0 else None
    if math.prod(shape) * max(CHECKED_INPUTS, size or 1) > LARGEST_INPUT:
        raise FileError(f"{request.path}: expected inputs of a size that can be checked, got {(size, *shape)}")
    return shape, size, INPUT_TYPES[kind.elem_type]


def _asked_shape(request: ModelRequest, declared: tuple[int, ...]) -> tuple[int, ...]:
    """The declared shape of one input, or the one that was asked for where it agrees with that."""  # noqa: DOC501
    asked = request.arguments.get("input_shape")
    if asked is None:
        return declared
    sides = str(asked).replace("x", ",").strip("()").split(",")
    shape = tuple(int(side) for side in sides if side.strip().isdecimal())
    fits = not declared or len(shape) == len(declared)
    if (
        len(shape) != len(sides)
        or not fits
        or any(own not in (0, side) for own, side in zip(declared, shape, strict=False))
    ):
        raise InputError(f"model-args: expected input_shape to be like {declared} (0: open), got {asked!r}")
    return shape


def _converted(graph: Any, request: ModelRequest) -> nn.Module:
    """The network that onnx2torch makes of a graph; what it has no converter for is named."""  # noqa: DOC501
    onnx2torch = bring("onnx2torch", extra="onnx", spec=request.spec)
    path = request.path
    opset = choose_opset(graph, bring("onnx", extra="onnx", spec=request.spec))
    if opset.lacking:
        way = "torch.onnx.export(..., opset_version=17) may write it in steps that have one"
        raise FileError(f"{path}: onnx2torch has no converter for {', '.join(opset.lacking)}; {way}")
    try:
        with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):  # layers draw values before they are filled
            warnings.simplefilter("ignore")
            network = Converted(onnx2torch.convert(rewritten(graph, opset)))
    except Exception as error:
        way = "exports made with dynamo=True are often like that: torch.onnx.export(..., dynamo=False)"
        raise FileError(f"{path}: onnx2torch cannot convert it ({one_line(error)}); {way}") from error
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    return network


def _reference(graph: Any, output: str, request: ModelRequest) -> Callable[[Tensor], Tensor]:
    """The graph as onnxruntime computes it, on one thread for each of torch's."""  # noqa: DOC501
    onnxruntime = bring("onnxruntime", extra="onnx", spec=request.spec)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        session = onnxruntime.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise FileError(f"{request.path}: onnxruntime does not take it ({one_line(error)})") from error
    name = next(value.name for value in session.get_inputs())

    def logits(x: Tensor) -> Tensor:
        (found,) = session.run([output], {name: x.numpy()})
        return torch.from_numpy(np.array(found))

    return logits
