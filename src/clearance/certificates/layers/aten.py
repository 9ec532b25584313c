"""What stands for an operator of ATen, as programs of `torch.export` and converted networks call them.

Most have the name and the arguments of a function of torch, and are looked up by it; those that differ are here. For
how a function here is called see `shapes`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.nn import functional

from clearance.certificates.builder import Builder, Ref
from clearance.certificates.layers import rearrangement as moves
from clearance.certificates.layers.arithmetic import multiply, subtract
from clearance.certificates.layers.linear import batch_norm, linear
from clearance.certificates.layers.max_pool import adaptive_max_pool
from clearance.certificates.layers.normalisation import group_norm, instance_norm, layer_norm
from clearance.certificates.layers.resampling import interpolate
from clearance.certificates.layers.shapes import concatenate, dropout, item, keep, pad, size
from clearance.certificates.layers.table import FUNCTIONS, TENSOR_METHODS
from clearance.certificates.operations import refuse

LARGEST_INDEX = 2**63 - 1
"""What stands for no end in a slice."""


def handler(operator: OpOverload) -> Callable[..., Any] | None:
    """What stands for an operator; `None` where nothing does.

    Args:
        operator: An operator, such as `torch.ops.aten.conv2d.default`.

    Returns:
        A function of the builder and the operator's arguments.
    """
    base = operator_name(operator).removesuffix("_")
    if operator.namespace != "aten":
        return None
    if base in ATEN:
        return ATEN[base]
    for home in (torch, functional):
        found = FUNCTIONS.get(getattr(home, base, None))
        if found is not None:
            return found
    return TENSOR_METHODS.get(base)


def operator_name(operator: OpOverload) -> str:
    """The name of an operator without its namespace and overload; one that works in place ends in `_`.

    >>> operator_name(torch.ops.aten.add_.Tensor)
    'add_'
    """
    return operator.name().partition("::")[2].partition(".")[0]


def _batch_norm(build: Builder, x: Ref, weight: Tensor | None, bias: Tensor | None, *rest: Any) -> Ref:
    mean, variance, training, momentum, eps = rest[:5]
    return batch_norm(build, x, mean, variance, weight, bias, training, momentum, eps)


def _first(count: int, handle: Callable[..., Ref]) -> Callable[..., Ref]:
    """The step without what follows its first arguments: which code of an accelerator computes it."""

    def handle_first(build: Builder, *given: Any) -> Ref:
        return handle(build, *given[:count])

    return handle_first


def _instance_norm(build: Builder, x: Ref, weight: Tensor | None, bias: Tensor | None, *rest: Any) -> Ref:
    mean, variance, own_statistics, momentum, eps = rest[:5]
    return instance_norm(build, x, mean, variance, weight, bias, own_statistics, momentum, eps)


def _slice(
    build: Builder, x: Ref, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Ref:
    rank = len(x.shape) + 1
    last = None if end is None or end >= LARGEST_INDEX else end
    part = slice(start or None, last, step)
    if dim % rank == 0:
        if part not in (slice(None, None, 1), slice(None)):
            refuse("along the batch")
        return keep(build, x)
    return item(build, x, (*(slice(None),) * (dim % rank), part))


def _addmm(build: Builder, bias: Tensor, x: Ref, matrix: Tensor, *, beta: float = 1.0, alpha: float = 1.0) -> Ref:
    if isinstance(matrix, Ref) or isinstance(bias, Ref):
        refuse("a product of two values")
    return linear(build, x, alpha * matrix.T, beta * bias)


def _transposed(_: Builder, x: Any) -> Tensor:
    return x.t() if isinstance(x, Tensor) else refuse("along the batch")


def _pad(build: Builder, x: Ref, sides: Sequence[int], value: float = 0.0) -> Ref:
    return pad(build, x, sides, value=value)


def _nearest(build: Builder, x: Ref, size: Sequence[int] | None, scales: Sequence[float] | None = None) -> Ref:
    return interpolate(build, x, size, _only_scales(size, scales), "nearest")


def _bilinear(
    build: Builder, x: Ref, size: Sequence[int] | None, align_corners: bool, scales: Sequence[float] | None = None
) -> Ref:
    return interpolate(build, x, size, _only_scales(size, scales), "bilinear", align_corners)


def _only_scales(size: object, scales: Any) -> Any:
    """The scales where there is no size; both together mean something else than either."""
    if size and scales is not None:
        refuse("a size and scales")
    return scales


def _pooled_and_places(build: Builder, x: Ref, size: Any) -> tuple[Ref, None]:
    return adaptive_max_pool(build, x, size), None  # the places of the maxima are no value of the graph


def _rsub(build: Builder, x: Any, other: Any, alpha: float = 1.0) -> Any:
    return subtract(build, other, x if alpha == 1 else multiply(build, x, alpha))


ATEN: dict[str, Callable[..., Any]] = {
    "batch_norm": _batch_norm,
    "layer_norm": _first(5, layer_norm),
    "group_norm": _first(5, group_norm),
    "instance_norm": _instance_norm,
    "slice": _slice,
    "select": moves.select,
    "addmm": _addmm,
    "t": _transposed,
    "rsub": _rsub,
    "log_sigmoid": FUNCTIONS[functional.logsigmoid],
    "upsample_nearest2d": _nearest,
    "upsample_bilinear2d": _bilinear,
    "adaptive_max_pool2d": _pooled_and_places,
    "dropout": dropout,
    "feature_dropout": dropout,
    "pad": pad,
    "constant_pad_nd": _pad,
    "cat": concatenate,
    "sym_size": size,
    "contiguous": keep,
    "clone": keep,
    "detach": keep,
    "alias": keep,
}
"""What stands for an operator whose arguments are not those of the function of torch with its name."""
