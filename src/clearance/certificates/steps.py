"""The layers, functions and methods that are known, and what stands for each of them."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from clearance.certificates import activations
from clearance.certificates.activations import Activation
from clearance.certificates.builder import Builder, Ref, Size
from clearance.certificates.number_steps import (
    adaptive_average_pool,
    add,
    average_pool,
    batch_norm,
    clip,
    conv2d,
    divide,
    linear,
    matmul,
    max_pool,
    mean,
    multiply,
    negative,
    subtract,
    times,
)
from clearance.certificates.operations import refuse
from clearance.certificates.shape_steps import attribute, concatenate, dropout, item, keep, pad, rank, reshaped, size
from clearance.model.preprocessing import Normalize


def double(value: Tensor | None) -> Tensor | None:
    """A constant in float64."""
    return None if value is None else value.detach().double()


def activation(make: Callable[..., Activation]) -> Callable[..., Ref]:
    """An activation: `make` takes the step's own options."""

    def handle(build: Builder, x: Ref, *args: Any, **kwargs: Any) -> Ref:
        return build.add(make(*args, **kwargs), x)

    return handle


def normalise(build: Builder, module: Normalize, x: Ref) -> Ref:
    """`(x - mean) / std` per channel."""
    mean, std = module.get_buffer("mean").double(), module.get_buffer("std").double()
    shape = (1, -1) + (1,) * (len(x.shape) - 1)
    return times(build, x, (1 / std).reshape(shape), (-mean / std).reshape(shape))


def convolution_layer(build: Builder, layer: nn.Conv2d, x: Ref) -> Ref:
    """`nn.Conv2d`."""
    if layer.padding_mode != "zeros":
        refuse(f"padding mode {layer.padding_mode}")
    weight, options = double(layer.weight), (layer.stride, layer.padding, layer.dilation, layer.groups)
    return conv2d(build, x, weight, double(layer.bias), *options)  # type: ignore[arg-type]


def batch_norm_layer(build: Builder, layer: Any, x: Ref) -> Ref:
    """`nn.BatchNorm1d` and `nn.BatchNorm2d`."""
    mean, variance = double(layer.running_mean), double(layer.running_var)
    return batch_norm(build, x, mean, variance, double(layer.weight), double(layer.bias), eps=layer.eps)


MODULES: dict[type[nn.Module], Callable[[Builder, Any, Ref], Ref]] = {
    Normalize: normalise,
    nn.Linear: lambda b, m, x: linear(b, x, m.weight.detach().double(), double(m.bias)),
    nn.Conv2d: convolution_layer,
    nn.BatchNorm1d: batch_norm_layer,
    nn.BatchNorm2d: batch_norm_layer,
    nn.ReLU: lambda b, _, x: b.add(activations.relu(), x),
    nn.LeakyReLU: lambda b, m, x: b.add(activations.leaky_relu(m.negative_slope), x),
    nn.Hardtanh: lambda b, m, x: b.add(activations.hardtanh(m.min_val, m.max_val), x),
    nn.Tanh: lambda b, _, x: b.add(activations.tanh(), x),
    nn.Sigmoid: lambda b, _, x: b.add(activations.sigmoid(), x),
    nn.Softplus: lambda b, m, x: b.add(activations.smooth_relu(m.beta, m.threshold), x),
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


def on_sizes(compute: Callable[[Any, Any], Any], otherwise: Callable[..., Any]) -> Callable[..., Any]:
    """Arithmetic on sizes stays a size; on values it is the given step."""

    def handle(build: Builder, a: Any, b: Any) -> Any:
        if any(isinstance(part, Size) for part in (a, b)) and not any(isinstance(part, Ref) for part in (a, b)):
            return Size(compute(*(part.value if isinstance(part, Size) else part for part in (a, b))))
        if compute is operator.floordiv:
            refuse("a division that rounds")
        return otherwise(build, a, b)

    return handle


RESHAPES = ("flatten", "reshape", "squeeze", "unsqueeze", "view")
RELU, SIGMOID, TANH = (activation(make) for make in (activations.relu, activations.sigmoid, activations.tanh))
METHODS: dict[str, Callable[..., Any]] = {
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
FUNCTIONS: dict[Any, Callable[..., Any]] = {
    **{getattr(torch, name): METHODS[name] for name in METHODS if hasattr(torch, name)},
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
    functional.softplus: activation(activations.smooth_relu),
    functional.max_pool2d: max_pool,
    functional.avg_pool2d: average_pool,
    functional.adaptive_avg_pool2d: adaptive_average_pool,
    functional.dropout: dropout,
    functional.pad: pad,
}
