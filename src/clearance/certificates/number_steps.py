"""Steps that compute: products, sums, pooling, clipping. For how a function here is called see `shape_steps`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.grad import conv2d_input

from clearance.certificates import activations
from clearance.certificates.builder import Builder, Ref, Size
from clearance.certificates.max_pool import Pair, make_max_pool
from clearance.certificates.operations import refuse


def linear(build: Builder, x: Ref, weight: Tensor, bias: Tensor | None = None) -> Ref:
    """`x W^T + b`."""
    return build.affine(
        "linear",
        lambda t: functional.linear(t, weight, bias),
        x,
        absolute=lambda t: functional.linear(t, weight.abs()),
        transpose=lambda rows: rows @ weight,
        mixes=True,
    )


def conv2d(  # noqa: PLR0917
    build: Builder,
    x: Ref,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Ref:
    """A two-dimensional convolution."""
    if isinstance(padding, str):
        refuse(f"padding {padding!r}")

    def convolve(t: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
        return functional.conv2d(t, w, b, stride, padding, dilation, groups)

    return build.affine(
        "convolution",
        lambda t: convolve(t, weight, bias),
        x,
        absolute=lambda t: convolve(t, weight.abs()),
        transpose=lambda rows: conv2d_input((len(rows), *x.shape), weight, rows, stride, padding, dilation, groups),
        mixes=True,
    )


def matmul(build: Builder, x: Ref, matrix: Tensor) -> Ref:
    """`x W` with a constant matrix."""
    if not isinstance(matrix, Tensor) or matrix.ndim != 2:  # pyright: ignore[reportUnnecessaryIsInstance]
        refuse("a product of two values")
    return linear(build, x, matrix.T)


def batch_norm(  # noqa: PLR0917
    build: Builder,
    x: Ref,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,  # noqa: ARG001
    eps: float = 1e-5,
) -> Ref:
    """Batch normalisation in evaluation: a scale and a shift for each channel."""
    if training or running_mean is None or running_var is None:
        refuse("batch statistics instead of running ones")
    scale = (running_var + eps).rsqrt() * (1.0 if weight is None else weight)
    shift = (0.0 if bias is None else bias) - running_mean * scale
    shape = (1, -1) + (1,) * (len(x.shape) - 1)
    return times(build, x, scale.reshape(shape), shift.reshape(shape))


def times(build: Builder, x: Ref, scale: Any, shift: Any = 0.0) -> Ref:
    """`scale x + shift` with constants that broadcast over one input."""
    scale, shift = (torch.as_tensor(value, dtype=torch.float64, device=build.device) for value in (scale, shift))
    if any(value.ndim > len(x.shape) and value.shape[0] != 1 for value in (scale, shift)):
        refuse("a constant with a batch of its own")
    return build.affine(
        "scaling",
        lambda t: t * scale + shift,
        x,
        absolute=lambda t: t * scale.abs() + torch.zeros_like(shift),
    )


def add(build: Builder, a: Any, b: Any) -> Any:
    """`a + b`, values or constants."""
    if isinstance(a, Ref) and isinstance(b, Ref):
        _same_rank(a, b)
        return build.combine("addition", torch.add, a, b)
    return _with_constant(build, a, b, lambda x, c: times(build, x, 1.0, c))


def subtract(build: Builder, a: Any, b: Any) -> Any:
    """`a - b`, values or constants."""
    if isinstance(a, Ref) and isinstance(b, Ref):
        _same_rank(a, b)
        return build.combine("subtraction", torch.sub, a, b, absolute=torch.add)
    if isinstance(a, Ref):
        return _with_constant(build, a, b, lambda x, c: times(build, x, 1.0, -c))
    return _with_constant(build, a, b, lambda x, c: times(build, x, -1.0, c))


def multiply(build: Builder, a: Any, b: Any) -> Any:
    """`a b`, one of them a constant."""
    return _with_constant(build, a, b, lambda x, c: times(build, x, c))


def divide(build: Builder, x: Any, constant: Any) -> Ref:
    """`x / c`."""
    if not isinstance(x, Ref):
        refuse("a division by a value")
    return _with_constant(build, x, constant, lambda x, c: times(build, x, 1 / c))


def negative(build: Builder, x: Ref) -> Ref:
    """`-x`."""
    return times(build, x, -1.0)


def _same_rank(a: Ref, b: Ref) -> None:
    if len(a.shape) != len(b.shape):
        refuse("two values of different rank")


def _with_constant(build: Builder, a: Any, b: Any, function: Callable[[Ref, Tensor], Ref]) -> Any:
    if isinstance(a, Size) or isinstance(b, Size):
        refuse("a value that depends on the batch")
    value, constant = (a, b) if isinstance(a, Ref) else (b, a)
    if isinstance(constant, Ref) or not isinstance(value, Ref):
        refuse("a product of two values")
    return function(value, torch.as_tensor(constant, dtype=torch.float64, device=build.device))


def average_pool(  # noqa: PLR0917
    build: Builder,
    x: Ref,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Ref:
    """Average pooling."""
    options: Any = (kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)
    return build.affine("average pooling", lambda t: functional.avg_pool2d(t, *options), x)


def adaptive_average_pool(build: Builder, x: Ref, output_size: Any) -> Ref:
    """Average pooling to a given size."""
    return build.affine("average pooling", lambda t: functional.adaptive_avg_pool2d(t, output_size), x)


def mean(build: Builder, x: Ref, dim: int | Sequence[int], keepdim: bool = False) -> Ref:
    """The mean over dimensions other than the batch's."""
    dims = [dim] if isinstance(dim, int) else list(dim)
    if not dims or any(d % (len(x.shape) + 1) == 0 for d in dims):
        refuse("a mean over the batch")
    return build.affine("mean", lambda t: t.mean(dims, keepdim=keepdim), x)


def max_pool(  # noqa: PLR0917
    build: Builder,
    x: Ref,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    dilation: Pair = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Ref:
    """Max pooling."""
    if return_indices:
        refuse("indices of the largest values")
    return build.add(make_max_pool(x.shape, kernel_size, stride, padding, dilation, ceil_mode, build.device), x)


def clip(build: Builder, x: Ref, min: float | None = None, max: float | None = None) -> Ref:  # noqa: A002
    """`x` clipped to `[min, max]`; from 0 upwards it is ReLU."""
    if max is None and min == 0:
        return build.add(activations.relu(), x)
    if not (isinstance(min, int | float) and isinstance(max, int | float)):
        refuse("clipping without two numbers")
    return build.add(activations.hardtanh(min, max), x)
