"""The steps of an exported program as functions of torch, so that what reads networks by those knows them.

`torch.export` writes a network as calls of torch's operators (`torch.ops.aten.conv2d.default`). Certificates know the
functions that people write (`torch.nn.functional.conv2d`); most of them take the same arguments in the same order.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, fx
from torch.fx.graph import CodeGen
from torch.nn import functional

from clearance.errors import FileError

Function = Callable[..., Any]


FUNCTIONAL = (
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "avg_pool1d",
    "avg_pool2d",
    "celu",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "dropout",
    "elu",
    "gelu",
    "glu",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "layer_norm",
    "leaky_relu",
    "linear",
    "max_pool1d",
    "max_pool2d",
    "mish",
    "pad",
    "pixel_shuffle",
    "relu6",
    "selu",
    "silu",
    "softplus",
)
"""Operators that a function of `torch.nn.functional` of the same name and arguments stands for."""

PLAIN = (
    "abs",
    "add",
    "bmm",
    "cat",
    "clamp",
    "div",
    "exp",
    "flatten",
    "log",
    "log_softmax",
    "matmul",
    "maximum",
    "mean",
    "minimum",
    "mul",
    "neg",
    "permute",
    "pow",
    "relu",
    "reshape",
    "sigmoid",
    "softmax",
    "sqrt",
    "squeeze",
    "stack",
    "sub",
    "sum",
    "tanh",
    "transpose",
    "unsqueeze",
)
"""Operators that a function of `torch` of the same name and arguments stands for."""

FUNCTION_OF: dict[str, Function] = {
    **{name: getattr(functional, name) for name in FUNCTIONAL},
    **{name: getattr(torch, name) for name in PLAIN},
    "view": torch.reshape,
    "batch_norm": functional.batch_norm,
}
"""Operator -> function."""

ARGUMENTS: dict[str, tuple[int, ...]] = {
    "batch_norm": (0, 3, 4, 1, 2, 5, 6, 7),  # the operator has weight and bias before mean and variance
    "layer_norm": (0, 1, 2, 3, 4),  # the last one says which kernel
    "elu": (0, 1),  # scales, which are 1
}
"""Places of the function's arguments among those of the operator, where they are not the same."""


def as_module(whole: fx.GraphModule, x: Tensor) -> fx.GraphModule:
    """An exported program as an ordinary module: one tensor in, what it returns out.

    Args:
        whole: The program's module, without guards.
        x: An input.

    Returns:
        Its steps as functions of torch where that gives the same bits for `x`, else as torch's operators.

    Raises:
        FileError: If it takes another number of inputs than one, or was exported in training mode.
    """
    training = next((str(node.name) for node in whole.graph.nodes if _trains(node)), None)
    if training is not None:
        raise FileError(
            f"expected a program exported in evaluation mode, got {training} in training mode; "
            "call network.eval() before torch.export.export"
        )
    plain = _rewritten(whole, {})
    named = _rewritten(whole, FUNCTION_OF)
    with torch.no_grad():
        try:
            same = _equal(named.forward(x), plain.forward(x))
        except Exception:  # an argument that the function does not take
            same = False
    return named if same else plain


def _trains(node: fx.Node) -> bool:
    """Whether a step is a dropout or a batch normalisation in training mode."""
    place = {"dropout": 2, "batch_norm": 5}.get(_operator(node), len(node.args))
    return place < len(node.args) and node.args[place] is True


def _operator(node: fx.Node) -> str:
    """The name of torch's operator that a step calls, without the mark of one that works in place; else empty."""
    return str(getattr(getattr(node.target, "overloadpacket", None), "__name__", "")).removesuffix("_")


def _equal(one: object, other: object) -> bool:
    return isinstance(one, Tensor) and isinstance(other, Tensor) and torch.equal(one, other)


def _rewritten(whole: fx.GraphModule, functions: Mapping[str, Function]) -> fx.GraphModule:
    graph = copy.deepcopy(whole.graph)
    graph.set_codegen(CodeGen())
    inputs = [node for node in graph.nodes if node.op == "placeholder"]
    if len(inputs) != 1:
        raise FileError(f"expected a network of one input, got one of {len(inputs)}")
    for node in graph.nodes:
        node.meta.clear()
        if node.op == "output":
            _take_one(node)
        elif node.op == "call_function" and functions:
            _rename(node, functions)
    network = fx.GraphModule(whole, graph)
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    return network


def _take_one(node: fx.Node) -> None:
    """Return a single result as it is, not as a tuple of one."""
    results = cast("Sequence[Any]", node.args[0])
    if isinstance(results, list | tuple) and len(results) == 1:
        node.args = (results[0],)


def _rename(node: fx.Node, functions: Mapping[str, Function]) -> None:
    """Put a function of torch in the place of an operator, where there is one."""
    name = _operator(node)
    if name == "sym_size":
        node.op, node.target = "call_method", "size"
    elif name in functions:
        node.target = functions[name]
        places = ARGUMENTS.get(name, range(len(node.args)))
        node.args = tuple(node.args[place] for place in places if place < len(node.args))
