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
from torch import Tensor

from clearance.certificates.agreement import AGREEMENT, TF32_AGREEMENT
from clearance.certificates.translate import Whole
from clearance.errors import ClearanceError, InputError, NetworkError
from clearance.model.classifier import Classifier
from clearance.model.memory import is_out_of_memory

OPSET = 13
"""Version of the ONNX operators: that of most benchmarks of the VNN-COMP, which provers read; later ones have layers as
single operators (LayerNormalization, Gelu) that this one writes as arithmetic."""
ONNX_INPUT, ONNX_OUTPUT = "input", "logits"
"""Names of the file's input and output."""
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
                Whole(model).eval(),
                (one.clone(),),
                file,
                input_names=[ONNX_INPUT],
                output_names=[ONNX_OUTPUT],
                opset_version=OPSET,
                dynamo=False,
            )
        data = file.read_bytes()
        onnx.checker.check_model(data)
    return data


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
    backends = (torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32)
    return TF32_AGREEMENT if points.is_cuda and any(backends) else AGREEMENT


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
