"""The steps of an exported program as an ordinary module, which can be copied, sent to other processes and traced.

What `torch.export` gives back has an input and an output that are packed into trees, functions that cannot be pickled,
and `train` and `eval` that raise. Its steps are calls of torch's operators (`torch.ops.aten.conv2d.default`).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, cast

from torch import fx
from torch.fx.graph import CodeGen

from clearance.errors import FileError

TRAINING = {"dropout": 2, "batch_norm": 5}
"""Operators that do something else in training, and where among their arguments they are told so."""


def as_module(whole: fx.GraphModule) -> fx.GraphModule:
    """An exported program as an ordinary module: one tensor in, what it returns out.

    Args:
        whole: The program's module, without guards.

    Returns:
        Its steps, with frozen parameters.

    Raises:
        FileError: If it takes another number of inputs than one, or was exported in training mode.
    """
    training = next((str(node.name) for node in whole.graph.nodes if _trains(node)), None)
    if training is not None:
        raise FileError(
            f"expected a program exported in evaluation mode, got {training} in training mode; call network.eval() "
            "before torch.export.export"
        )
    graph = copy.deepcopy(whole.graph)
    graph.set_codegen(CodeGen())
    inputs = [node for node in graph.nodes if node.op == "placeholder"]
    if len(inputs) != 1:
        raise FileError(f"expected a network of one input, got one of {len(inputs)}")
    for node in graph.nodes:
        node.meta.clear()
        if node.op == "output":
            _take_one(node)
    network = fx.GraphModule(whole, graph)
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    return network


def _trains(node: fx.Node) -> bool:
    """Whether a step is a dropout or a batch normalisation in training mode."""
    name = str(getattr(getattr(node.target, "overloadpacket", None), "__name__", "")).removesuffix("_")
    place = TRAINING.get(name, len(node.args))
    return place < len(node.args) and node.args[place] is True


def _take_one(node: fx.Node) -> None:
    """Return a single result as it is, not as a tuple of one."""
    results = cast("Sequence[Any]", node.args[0])
    if isinstance(results, list | tuple) and len(results) == 1:
        node.args = (results[0],)
