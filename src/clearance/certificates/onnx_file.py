"""The network of a classifier, preprocessing included, as one ONNX file for a batch of one input.

The file is written by torch's exporter that records one forward pass, not by the one on `torch.export`: it writes the
operators of the benchmarks of the VNN-COMP (Gemm, Conv, Relu, ...) and versions of them that provers read. What a
recording cannot hold, such as a branch that depends on the input, shows in the answers: the file's are held against the
network's at points of the caller's choice. Points prove nothing: they can only refute the file.

The packages `onnx` and `onnxruntime` (the extra `onnx`) are imported where they are used.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import sys
import tempfile
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from clearance.certificates.agreement import AGREEMENT, TF32_AGREEMENT
from clearance.certificates.translate import Whole
from clearance.errors import ClearanceError, InputError, NetworkError
from clearance.model.classifier import Classifier
from clearance.model.memory import is_out_of_memory
from clearance.model.placement import rounds_to_tf32
from clearance.model.preprocessing import Normalize

OPSET = 13
"""Version of the ONNX operators: that of most benchmarks of the VNN-COMP, which provers read; later ones have layers as
single operators (LayerNormalization, Gelu) that this one writes as arithmetic."""
ONNX_INPUT, ONNX_OUTPUT = "input", "logits"
"""Names of the file's input and output."""
NO_VARIANCE = 1e-12
"""Added to the variance 1 of a batch normalisation, as torch takes no 0: far below the rounding of float32."""
ONLY_ERRORS = 3
"""ONNX Runtime's level of messages at which it writes errors alone to the terminal."""


def import_onnx(name: str) -> Any:
    """A package of the extra `onnx`.

    Args:
        name: `"onnx"` or `"onnxruntime"`.

    Returns:
        The module.

    Raises:
        InputError: If it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        said = f"no {name}; pip install 'clearance[onnx]'"
        raise InputError(f"export_vnnlib: expected the extra 'onnx' to be installed, got {said}") from error


def to_onnx(model: Classifier, one: Tensor) -> bytes:
    """The network as an ONNX file: `input`, of the shape of `one`, to `logits`, `(1, classes)`.

    It computes in the classifier's precision. Weights lie in the file.

    Source: this project; torch's exporter.

    Args:
        model: The classifier.
        one: One input, `(1, *input)`.

    Returns:
        The file's content.

    Raises:
        InputError: If a package is missing.
        NetworkError: If torch cannot export the network, or what it writes is no valid file.
    """
    onnx = import_onnx("onnx")
    with tempfile.TemporaryDirectory() as folder, _explaining("expected one that torch.onnx can export"):
        file = Path(folder) / "network.onnx"
        with model.frozen(), torch.no_grad(), warnings.catch_warnings(), _native_output_dropped():
            warnings.simplefilter("ignore")  # the exporter's own words are for those who call it themselves
            model.meter.forward += 1
            torch.onnx.export(
                _layers(model, one).eval(),
                (one.clone(),),
                file,
                input_names=[ONNX_INPUT],
                output_names=[ONNX_OUTPUT],
                opset_version=OPSET,
                dynamo=False,
            )
        data = _with_flatten(onnx, onnx.load(file)).SerializeToString()
        onnx.checker.check_model(data)
    return data


class NormalizeLayer(nn.Module):
    """`Normalize` as batch normalisation with fixed statistics, `(x - mean) / sqrt(1 + eps) * (1 / std)`.

    Provers know it as a layer; some have no division, or none by one number for each channel. Source: this project.

    Args:
        normalize: What it stands for.
        one: One input, `(1, channels, *rest)`.
    """

    def __init__(self, normalize: Normalize, one: Tensor) -> None:
        super().__init__()
        ones = one.new_ones(one.shape[1])
        self.register_buffer("mean", ones * normalize.get_buffer("mean").to(ones))
        self.register_buffer("variance", ones)
        self.register_buffer("scale", ones / normalize.get_buffer("std").to(ones))
        self.register_buffer("shift", 0 * ones)

    def forward(self, x: Tensor) -> Tensor:
        """The input, normalised."""
        mean, variance, scale, shift = map(self.get_buffer, ("mean", "variance", "scale", "shift"))
        return nn.functional.batch_norm(x, mean, variance, scale, shift, eps=NO_VARIANCE)


def _layers(model: Classifier, one: Tensor) -> nn.Module:
    """Preprocessing and network in one, as layers that provers know."""
    whole = Whole(model)
    given = model.preprocessing
    if isinstance(given, Normalize) and type(given) is Normalize:  # a subclass may do anything
        whole.preprocessing = NormalizeLayer(given, one)
    return whole


def _with_flatten(onnx: Any, file: Any) -> Any:
    """The file with `Flatten` in place of each `Reshape` from `(1, ...)` to `(1, n)`: the same for one input.

    A recording of `x.view(len(x), -1)` has the batch of one as a constant; a prover that computes several points at a
    time would run into it.
    """
    graph, inferred = file.graph, onnx.shape_inference.infer_shapes(file).graph
    known = (*inferred.input, *inferred.value_info, *inferred.output)
    shapes = {value.name: [side.dim_value for side in value.type.tensor_type.shape.dim] for value in known}
    for node in graph.node:
        if node.op_type != "Reshape":
            continue
        before, after = shapes.get(node.input[0], []), shapes.get(node.output[0], [])
        if before[:1] == after[:1] == [1] and len(after) == 2:
            flat = onnx.helper.make_node("Flatten", node.input[:1], node.output, name=node.name, axis=1)
            node.CopyFrom(flat)
    used = {name for node in graph.node for name in node.input} | {value.name for value in graph.output}
    for node in [node for node in graph.node if node.op_type == "Constant" and node.output[0] not in used]:
        graph.node.remove(node)
    return file


def check_onnx(data: bytes, model: Classifier, points: Tensor) -> None:
    """Hold the answers of an ONNX file against the network's.

    `|file's logit - network's logit|` may be a share `AGREEMENT` of the point's largest logit, or of 1 where that is
    more.

    Source: this project.

    Args:
        data: The file's content.
        model: The classifier.
        points: `(batch, *input)`, on its device and in its precision.

    Raises:
        InputError: If a package is missing.
        NetworkError: If the file cannot be run, or answers otherwise at one of the points.
    """
    logits = model.logits_of_each(points).double().cpu()
    difference = (onnx_logits(data, points) - logits).abs().amax(1)
    wrong = ~(difference <= _tolerance(points) * logits.abs().amax(1).clamp_min(1.0))
    if bool(wrong.any()):
        largest = float(difference[wrong].max())
        raise NetworkError(f"network: expected an ONNX file with its logits, got others: they differ by {largest:.2g}")


def onnx_logits(data: bytes, points: Tensor) -> Tensor:
    """The logits of an ONNX file by ONNX Runtime on the CPU, one point at a time.

    Source: this project.

    Args:
        data: The file's content.
        points: `(batch, *input)`.

    Returns:
        `(batch, classes)`, float64, on the CPU.

    Raises:
        InputError: If a package is missing.
        NetworkError: If the file cannot be run.
    """
    runtime = import_onnx("onnxruntime")
    options = runtime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = ONLY_ERRORS, 1
    with _explaining("expected an ONNX file that ONNX Runtime computes"):
        session = runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        rows = [session.run(None, {ONNX_INPUT: point.numpy()})[0] for point in points.detach().cpu().split(1)]
    return torch.cat([torch.from_numpy(row) for row in rows]).double()


def _tolerance(points: Tensor) -> float:
    """The share of the largest logit by which the file's logits may differ."""
    return TF32_AGREEMENT if rounds_to_tf32(points) else AGREEMENT


@contextmanager
def _native_output_dropped() -> Generator[None]:
    """Nothing that compiled code prints meanwhile: the exporter prints its graph where it fails, verbose or not."""
    flush = (ctypes.CDLL(None) if os.name == "posix" else ctypes.CDLL("ucrtbase")).fflush
    sys.stdout.flush()
    flush(None)
    kept = os.dup(1)
    try:
        with Path(os.devnull).open("wb") as sink:
            os.dup2(sink.fileno(), 1)
        yield
    finally:
        flush(None)
        os.dup2(kept, 1)
        os.close(kept)


@contextmanager
def _explaining(expected: str) -> Generator[None]:
    """Errors of the exporter, of ONNX Runtime and of a stranger's network, of any kind, as one line."""  # noqa: DOC501
    try:
        yield
    except Exception as error:
        if isinstance(error, ClearanceError) or is_out_of_memory(error):
            raise
        first = next((line.strip() for line in str(error).splitlines() if line.strip()), "no message")
        raise NetworkError(f"network: {expected}, got {type(error).__name__}: {first}") from error
