"""Which function stands for which layer, function or method of torch.

A new one is a line here and a function in the file of its family. `torch.fx` names the steps of a network;
`translate` looks them up: a module by its class, a function by itself, a method of a tensor by its name.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from clearance.certificates.builder import Builder, Ref
from clearance.certificates.layers import activations
from clearance.certificates.layers.activations import Activation
from clearance.certificates.layers.arithmetic import add, divide, multiply, negative, on_sizes, subtract
from clearance.certificates.layers.average_pool import adaptive_average_pool, average_pool, mean
from clearance.certificates.layers.linear import (
    batch_norm,
    batch_norm_layer,
    conv2d,
    convolution_layer,
    linear,
    linear_layer,
    matmul,
    normalise,
)
from clearance.certificates.layers.max_pool import max_pool
from clearance.certificates.layers.shapes import attribute, concatenate, dropout, item, keep, pad, rank, reshaped, size
from clearance.certificates.operations import refuse
from clearance.model.preprocessing import Normalize


def activation(make: Callable[..., Activation]) -> Callable[..., Ref]:
    """What stands for an activation: `make` takes the step's own options, such as `negative_slope`."""

    def handle(build: Builder, x: Ref, *args: Any, **kwargs: Any) -> Ref:
        return build.add(make(*args, **kwargs), x)

    return handle


def clip(build: Builder, x: Ref, min: float | None = None, max: float | None = None) -> Ref:  # noqa: A002
    """`min(max(x, low), high)`, `(batch, *shape)` to the same; `max(x, 0)` is ReLU."""
    if max is None and min == 0:
        return build.add(activations.relu(), x)
    if not (isinstance(min, int | float) and isinstance(max, int | float)):
        refuse("clipping without two numbers")
    return build.add(activations.hardtanh(min, max), x)


MODULES: dict[type[nn.Module], Callable[[Builder, Any, Ref], Ref]] = {
    Normalize: normalise,
    nn.Linear: linear_layer,
    nn.Conv2d: convolution_layer,
    nn.BatchNorm1d: batch_norm_layer,
    nn.BatchNorm2d: batch_norm_layer,
    nn.ReLU: lambda b, _, x: b.add(activations.relu(), x),
    nn.LeakyReLU: lambda b, m, x: b.add(activations.leaky_relu(m.negative_slope), x),
    nn.Hardtanh: lambda b, m, x: b.add(activations.hardtanh(m.min_val, m.max_val), x),
    nn.Tanh: lambda b, _, x: b.add(activations.tanh(), x),
    nn.Sigmoid: lambda b, _, x: b.add(activations.sigmoid(), x),
    nn.Softplus: lambda b, m, x: b.add(activations.softplus(m.beta, m.threshold), x),
    nn.MaxPool2d: lambda b, m, x: max_pool(
        b, x, m.kernel_size, m.stride, m.padding, m.dilation, m.ceil_mode, m.return_indices
    ),
    nn.AvgPool2d: lambda b, m, x: average_pool(
        b, x, m.kernel_size, m.stride, m.padding, m.ceil_mode, m.count_include_pad, m.divisor_override
    ),
    nn.AdaptiveAvgPool2d: lambda b, m, x: adaptive_average_pool(b, x, m.output_size),
    nn.ZeroPad2d: lambda b, m, x: pad(b, x, m.padding),
    nn.Flatten: lambda b, m, x: b.reshape(x, x.meta.flatten(m.start_dim, m.end_dim)),
    nn.Unflatten: lambda b, m, x: b.reshape(x, x.meta.unflatten(m.dim, m.unflattened_size)),
    nn.Identity: lambda b, _, x: keep(b, x),
    nn.Dropout: lambda b, _, x: keep(b, x),
    nn.Dropout2d: lambda b, _, x: keep(b, x),
}
"""What stands for a layer: from the builder, the module and the value that it takes."""

RESHAPES = ("flatten", "reshape", "squeeze", "unsqueeze", "view")
"""Methods of a tensor that only give its numbers another shape."""
RELU = activation(activations.relu)
"""What stands for a ReLU, by whatever name."""
SIGMOID = activation(activations.sigmoid)
"""What stands for a logistic function, by whatever name."""
TANH = activation(activations.tanh)
"""What stands for a hyperbolic tangent, by whatever name."""
TENSOR_METHODS: dict[str, Callable[..., Any]] = {
    **{name: reshaped(name) for name in RESHAPES},
    "contiguous": keep,
    "size": size,
    "dim": rank,
    "relu": RELU,
    "sigmoid": SIGMOID,
    "tanh": TANH,
    "clamp": clip,
    "clip": clip,
    "clamp_min": clip,
    "mean": mean,
    "add": add,
    "sub": subtract,
    "mul": multiply,
    "div": divide,
    "neg": negative,
    "matmul": matmul,
}
"""What stands for a method of a tensor, by its name: from the builder and the method's arguments."""
FUNCTIONS: dict[Any, Callable[..., Any]] = {
    **{getattr(torch, name): TENSOR_METHODS[name] for name in TENSOR_METHODS if hasattr(torch, name)},
    getattr: attribute,
    operator.getitem: item,
    operator.add: on_sizes(operator.add, add),
    operator.iadd: add,
    operator.sub: subtract,
    operator.isub: subtract,
    operator.mul: on_sizes(operator.mul, multiply),
    operator.floordiv: on_sizes(operator.floordiv, divide),
    operator.imul: multiply,
    operator.truediv: divide,
    operator.itruediv: divide,
    operator.neg: negative,
    operator.matmul: matmul,
    torch.cat: concatenate,
    torch.concat: concatenate,
    functional.linear: linear,
    functional.conv2d: conv2d,
    functional.batch_norm: batch_norm,
    functional.relu: RELU,
    functional.relu6: activation(activations.relu6),
    functional.hardtanh: activation(activations.hardtanh),
    functional.leaky_relu: activation(activations.leaky_relu),
    functional.sigmoid: SIGMOID,
    functional.tanh: TANH,
    functional.softplus: activation(activations.softplus),
    functional.max_pool2d: max_pool,
    functional.avg_pool2d: average_pool,
    functional.adaptive_avg_pool2d: adaptive_average_pool,
    functional.dropout: dropout,
    functional.pad: pad,
}
"""What stands for a function: from the builder and the function's arguments."""
