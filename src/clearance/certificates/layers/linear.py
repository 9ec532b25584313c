"""Products with constant matrices: linear layers, convolutions, batch normalisation.

For how a function here is called see `shapes`. In evaluation all of them are affine, `y = J x + c`, so their bounds are
exact for one layer (interval arithmetic: Gowal et al. 2018).
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.grad import conv2d_input

from clearance.certificates.builder import Builder, Ref
from clearance.certificates.layers.arithmetic import times
from clearance.certificates.layers.convolution import in_numbers
from clearance.certificates.operations import refuse
from clearance.certificates.rows import convolve_back, pair
from clearance.model.preprocessing import Normalize


def linear(build: Builder, x: Ref, weight: Tensor, bias: Tensor | None = None) -> Ref:
    """`x W^T + b`: `(batch, *, inputs)` to `(batch, *, outputs)` with `W` `(outputs, inputs)`."""
    return build.affine(
        "linear",
        lambda t: functional.linear(t, weight, bias),
        x,
        absolute=lambda t: functional.linear(t, weight.abs()),
        transpose=lambda rows: rows @ weight,
        mixes=True,
        matrix=(weight,),
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
    """A two-dimensional convolution: `(batch, channels, height, width)` to `(batch, filters, height', width')`.

    Its transpose `J^T` is the gradient with respect to its input; `|J|` is the convolution with `|W|`.
    """
    x, padding = in_numbers(build, x, weight, stride, padding, dilation)

    sides = (pair(stride), pair(padding), pair(dilation))

    def convolve(t: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
        return functional.conv2d(t, w, b, stride, padding, dilation, groups)

    return build.affine(
        "convolution",
        lambda t: convolve(t, weight, bias),
        x,
        absolute=lambda t: convolve(t, weight.abs()),
        transpose=lambda rows: conv2d_input((len(rows), *x.shape), weight, rows, stride, padding, dilation, groups),
        mixes=True,
        windowed=lambda rows: convolve_back(rows, weight, *sides, groups, x.shape),
        matrix=(weight, *sides, groups),
    )


def matmul(build: Builder, x: Ref, matrix: Tensor) -> Ref:
    """`x W` with a constant matrix: `(batch, *, inputs)` to `(batch, *, outputs)` with `W` `(inputs, outputs)`."""
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
    """Batch normalisation in evaluation: `(x - mean) / sqrt(variance + eps) weight + bias` for each channel.

    `(batch, channels, *)` to the same; an affine step, as mean and variance are constants.
    """
    if training or running_mean is None or running_var is None:
        refuse("batch statistics instead of running ones")
    scale = (running_var + eps).rsqrt() * (1.0 if weight is None else weight)
    shift = (0.0 if bias is None else bias) - running_mean * scale
    shape = (1, -1) + (1,) * (len(x.shape) - 1)
    return times(build, x, scale.reshape(shape), shift.reshape(shape))


def linear_layer(build: Builder, layer: nn.Linear, x: Ref) -> Ref:
    """`nn.Linear`: see `linear`."""
    return linear(build, x, *build.constants(layer.weight, layer.bias))


def convolution_layer(build: Builder, layer: nn.Conv2d, x: Ref) -> Ref:
    """`nn.Conv2d`: see `conv2d`."""
    if layer.padding_mode != "zeros":
        refuse(f"padding mode {layer.padding_mode}")
    options = (layer.stride, layer.padding, layer.dilation, layer.groups)
    weight, bias = build.constants(layer.weight, layer.bias)
    return conv2d(build, x, weight, bias, *options)


def batch_norm_layer(build: Builder, layer: nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d, x: Ref) -> Ref:
    """`nn.BatchNorm1d`, `2d` and `3d`: see `batch_norm`."""
    mean, variance = build.constants(layer.running_mean, layer.running_var)
    weight, bias = build.constants(layer.weight, layer.bias)
    return batch_norm(build, x, mean, variance, weight, bias, eps=layer.eps)


def normalise(build: Builder, module: Normalize, x: Ref) -> Ref:
    """`(x - mean) / std` for each channel: `(batch, channels, *)` to the same."""
    mean, std = build.constants(module.get_buffer("mean"), module.get_buffer("std"))
    shape = (1, -1) + (1,) * (len(x.shape) - 1)
    return times(build, x, (1 / std).reshape(shape), (-mean / std).reshape(shape))
