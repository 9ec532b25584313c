"""`model.pt2`: a program that `torch.export.save` wrote, as an ordinary module."""

from __future__ import annotations

import copy
import inspect
import logging
import warnings
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import cast

import torch
from torch import Tensor, fx, nn
from torch.export import ExportedProgram
from torch.fx.graph import CodeGen

from clearance.data.files import require_file
from clearance.errors import FileError
from clearance.zoo.batches import settle
from clearance.zoo.exported_archive import EXPORTED, refuse_code
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
    request.refuse_weights()
    request.accept_arguments()
    path = request.path
    require_file(path)
    if not request.trust_pickle:
        refuse_code(path)
    with _quiet():
        try:
            program = torch.export.load(path)
            whole = _module(program)
            network = _plain(whole)
        except FileError:
            raise
        except Exception as error:
            written = "written by another version of torch, damaged, or not " + EXPORTED
            raise FileError(f"{path}: {written} ({one_line(error)}); this is torch {torch.__version__}") from error
        x, size = _example(program, str(path))
        found = settle(
            network, lambda part: _first(whole(part)), tuple(x.shape[1:]), size=size, dtype=x.dtype, source=str(path)
        )
    notes = [f"inputs of shape {tuple(x.shape[1:])}", *filter(None, [found.note])]
    return LoadedNetwork(found.network, request.spec, weights=path, notes=(f"{path.name}: {'; '.join(notes)}",))


def _module(program: ExportedProgram) -> fx.GraphModule:
    """The program as a module; without guards, whose source text stands in the file, where torch has them (2.9)."""
    unguarded = "check_guards" in inspect.signature(program.module).parameters
    return cast("fx.GraphModule", program.module(check_guards=False) if unguarded else program.module())


def _plain(whole: fx.GraphModule) -> nn.Module:
    """The same steps with one tensor in and what the program returns out: an ordinary module."""  # noqa: DOC501
    graph = copy.deepcopy(whole.graph)
    graph.set_codegen(CodeGen())
    inputs = [node for node in graph.nodes if node.op == "placeholder"]
    if len(inputs) != 1:
        raise FileError(f"expected a network of one input, got one of {len(inputs)}")
    for node in graph.nodes:
        node.meta.clear()
        if node.op == "output":
            results = cast("Sequence[fx.Node] | Mapping[str, fx.Node]", node.args[0])
            if isinstance(results, list | tuple) and len(results) == 1:
                node.args = (results[0],)
    network = fx.GraphModule(whole, graph)
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    return network


def _first(answer: object) -> Tensor:
    while isinstance(answer, list | tuple) and len(cast("list[object]", answer)) == 1:
        answer = cast("list[object]", answer)[0]
    return cast("Tensor", answer)


def _example(program: ExportedProgram, source: str) -> tuple[Tensor, int | None]:
    """The input that the program was exported with, and the batch that it was exported for; `None` for any."""
    inputs = program.example_inputs
    tensors = [] if inputs is None else [*inputs[0], *inputs[1].values()]
    if len(tensors) != 1 or not isinstance(tensors[0], Tensor):
        raise FileError(f"{source}: expected a program of one input tensor, got {len(tensors)} inputs")
    x = tensors[0]
    if x.ndim < 2 or not x.dtype.is_floating_point:
        found = f"{str(x.dtype).removeprefix('torch.')} of shape {tuple(x.shape)}"
        raise FileError(f"{source}: expected floating inputs of shape (batch, *input), got {found}")
    name = program.graph_signature.user_inputs[0]
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
