"""`model.pt2`: a program that `torch.export.save` wrote, as an ordinary module."""

from __future__ import annotations

import inspect
import logging
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, fx
from torch.export import ExportedProgram

from clearance.errors import FileError
from clearance.zoo.batches import Converted, settle
from clearance.zoo.exported_archive import EXPORTED, refuse_code
from clearance.zoo.exported_steps import as_module
from clearance.zoo.loaded import LoadedNetwork, ModelRequest, one_line


def read_exported(request: ModelRequest) -> LoadedNetwork:
    """The network of an exported program.

    Its graph is used without torch's guards, so that the network can be copied, sent to other processes, and looked
    into by certificates; instead it is compared with the program on random inputs, alone and in a batch.

    Args:
        request: The file.

    Returns:
        The network, with notes on how it takes batches.

    Raises:
        FileError: If the file is missing, damaged, of another version, or no network of one input and one output.
        PickleRefusedError: If it could run code, and is not trusted.
    """
    path = request.path
    if not request.trust_pickle:
        refuse_code(path)
    with _quiet():
        try:
            program = torch.export.load(path)
            whole = _module(program)
        except Exception as error:
            written = "written by another version of torch, damaged, or not " + EXPORTED
            raise FileError(f"{path}: {written} ({one_line(error)}); this is torch {torch.__version__}") from error
        x, size = _example(program, str(path))
        try:
            network = as_module(whole)
        except FileError as error:
            raise FileError(f"{path}: {error}") from None
        found = settle(
            Converted(network),
            lambda part: _first(whole.forward(part)),
            tuple(x.shape[1:]),
            size=size,
            dtype=x.dtype,
            source=str(path),
        )
    notes = [f"inputs of shape {tuple(x.shape[1:])}", *filter(None, [found.note])]
    return LoadedNetwork(
        found.network,
        request.spec,
        weights=path,
        input_shape=tuple(x.shape[1:]),
        notes=(f"{path.name}: {'; '.join(notes)}",),
    )


def _module(program: ExportedProgram) -> fx.GraphModule:
    """The program as a module; without guards, whose source text stands in the file, where torch has them (2.9)."""
    unguarded = "check_guards" in inspect.signature(program.module).parameters
    return program.module(check_guards=False) if unguarded else program.module()


def _first(answer: object) -> Tensor:
    """The one tensor that a program returns, by itself or in a tuple of one."""  # noqa: DOC501
    while isinstance(answer, list | tuple) and len(cast("list[object]", answer)) == 1:
        answer = cast("list[object]", answer)[0]
    if not isinstance(answer, Tensor):
        raise TypeError(f"it returns a {type(answer).__name__}, not one tensor of logits")
    return answer


def _example(program: ExportedProgram, source: str) -> tuple[Tensor, int | None]:
    """The input that the program was exported with, and the batch that it was exported for; `None` for any."""  # noqa: DOC501
    inputs: Any = program.example_inputs
    found: list[object] = [] if inputs is None else [*inputs[0], *inputs[1].values()]
    x = found[0] if len(found) == 1 else None
    if not isinstance(x, Tensor):
        raise FileError(f"{source}: expected a program of one input tensor, got {len(found)} inputs")
    if x.ndim < 2 or not x.dtype.is_floating_point:
        got = f"{str(x.dtype).removeprefix('torch.')} of shape {tuple(x.shape)}"
        raise FileError(f"{source}: expected floating inputs of shape (batch, *input), got {got}")
    name = next(iter(program.graph_signature.user_inputs))
    node = next(node for node in program.graph.nodes if node.name == name)
    size = cast("Tensor", node.meta["val"]).shape[0]
    return x, size if isinstance(size, int) else None  # pyright: ignore[reportUnnecessaryIsInstance]


@contextmanager
def _quiet() -> Generator[None]:
    """Without the tracebacks that torch logs, and the warnings that it gives, about files of other versions."""
    before = logging.root.manager.disable
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.CRITICAL)
        try:
            yield
        finally:
            logging.disable(before)
