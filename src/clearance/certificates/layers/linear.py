"""Products with constant matrices: linear layers and batch normalisation.

For how a function here is called see `shapes`. In evaluation all of them are affine, `y = J x + c`, so their bounds are
exact for one layer (interval arithmetic: Gowal et al. 2018).
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from clearance.certificates.builder import Builder, Ref
from clearance.certificates.layers.arithmetic import times
from clearance.certificates.operations import refuse
from clearance.model.preprocessing import Normalize, Rescale


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


def rescale(build: Builder, module: Rescale, x: Ref) -> Ref:
    """`scale x`, entry by entry: `(batch, *shape)` to the same."""
    return times(build, x, *build.constants(module.get_buffer("scale")))
