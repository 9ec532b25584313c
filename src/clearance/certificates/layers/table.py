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
from clearance.certificates.layers import activations, curves, piecewise, powers
from clearance.certificates.layers import rearrangement as moves
from clearance.certificates.layers.arithmetic import add, divide, multiply, negative, on_sizes, raised, subtract
from clearance.certificates.layers.attention import inside_a_layer, multihead_attention, scaled_dot_product_attention
from clearance.certificates.layers.average_pool import (
    adaptive_average_pool,
    adaptive_average_pool_1d,
    average_pool,
    average_pool_1d,
    mean,
    total,
)
from clearance.certificates.layers.convolution import convolution, convolution_module, transposed, transposed_module
from clearance.certificates.layers.linear import (
    batch_norm,
    batch_norm_layer,
    linear,
    linear_layer,
    normalise,
    rescale,
)
from clearance.certificates.layers.max_pool import adaptive_max_pool, adaptive_max_pool_1d, max_pool, max_pool_1d
from clearance.certificates.layers.normalisation import (
    group_norm,
    group_norm_module,
    instance_norm,
    instance_norm_module,
    layer_norm,
    layer_norm_module,
    log_softmax,
    rms_norm,
    rms_norm_module,
    softmax,
)
from clearance.certificates.layers.resampling import (
    channel_shuffle,
    interpolate,
    pixel_shuffle,
    pixel_unshuffle,
    upsample_module,
)
from clearance.certificates.layers.shapes import attribute, concatenate, dropout, item, keep, pad, rank, reshaped, size
from clearance.certificates.layers.two_values import gated, largest, matmul, maximum, minimum, smallest
from clearance.certificates.operations import Operation, refuse
from clearance.model.preprocessing import Normalize, Rescale


def activation(make: Callable[..., Operation]) -> Callable[..., Ref]:
    """What stands for a function of one number: `make` takes the step's own options, such as `negative_slope`."""

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


def activation_module(make: Callable[..., Operation], *options: str) -> Callable[[Builder, Any, Ref], Ref]:
    """What stands for the layer of a function of one number, whose attributes are the options."""
    return lambda build, layer, x: build.add(make(*(getattr(layer, name) for name in options)), x)


MODULES: dict[type[nn.Module], Callable[[Builder, Any, Ref], Any]] = {
    Normalize: normalise,
    Rescale: rescale,
    nn.Linear: linear_layer,
    nn.Conv1d: convolution_module,
    nn.Conv2d: convolution_module,
    nn.Conv3d: convolution_module,
    nn.ConvTranspose1d: transposed_module,
    nn.ConvTranspose2d: transposed_module,
    nn.ConvTranspose3d: transposed_module,
    nn.BatchNorm1d: batch_norm_layer,
    nn.BatchNorm2d: batch_norm_layer,
    nn.BatchNorm3d: batch_norm_layer,
    nn.ReLU: activation_module(activations.relu),
    nn.LeakyReLU: activation_module(piecewise.leaky, "negative_slope"),
    nn.Hardtanh: activation_module(activations.hardtanh, "min_val", "max_val"),
    nn.Tanh: activation_module(activations.tanh),
    nn.Sigmoid: activation_module(activations.sigmoid),
    nn.Softplus: activation_module(activations.softplus, "beta", "threshold"),
    nn.GELU: activation_module(curves.gelu, "approximate"),
    nn.SiLU: activation_module(curves.silu),
    nn.Mish: activation_module(curves.mish),
    nn.ELU: activation_module(curves.elu, "alpha"),
    nn.SELU: activation_module(curves.selu),
    nn.CELU: activation_module(curves.celu, "alpha"),
    nn.Softsign: activation_module(curves.softsign),
    nn.LogSigmoid: activation_module(curves.log_sigmoid),
    nn.Tanhshrink: activation_module(curves.tanhshrink),
    nn.Hardsigmoid: activation_module(piecewise.hardsigmoid),
    nn.Hardswish: activation_module(piecewise.hardswish),
    nn.Softshrink: activation_module(piecewise.softshrink, "lambd"),
    nn.Hardshrink: activation_module(piecewise.hardshrink, "lambd"),
    nn.GLU: lambda b, m, x: gated(b, x, m.dim),
    nn.Softmax: lambda b, m, x: softmax(b, x, m.dim),
    nn.Softmax2d: lambda b, _, x: softmax(b, x, -3),
    nn.LogSoftmax: lambda b, m, x: log_softmax(b, x, m.dim),
    nn.LayerNorm: layer_norm_module,
    nn.RMSNorm: rms_norm_module,
    nn.GroupNorm: group_norm_module,
    nn.InstanceNorm1d: instance_norm_module,
    nn.InstanceNorm2d: instance_norm_module,
    nn.InstanceNorm3d: instance_norm_module,
    nn.MultiheadAttention: multihead_attention,
    nn.PReLU: lambda b, m, x: piecewise.prelu(b, x, m.weight),
    nn.MaxPool2d: lambda b, m, x: max_pool(
        b, x, m.kernel_size, m.stride, m.padding, m.dilation, m.ceil_mode, m.return_indices
    ),
    nn.MaxPool1d: lambda b, m, x: max_pool_1d(
        b, x, m.kernel_size, m.stride, m.padding, m.dilation, m.ceil_mode, m.return_indices
    ),
    nn.AdaptiveMaxPool1d: lambda b, m, x: adaptive_max_pool_1d(b, x, m.output_size, m.return_indices),
    nn.AdaptiveMaxPool2d: lambda b, m, x: adaptive_max_pool(b, x, m.output_size, m.return_indices),
    nn.AvgPool1d: lambda b, m, x: average_pool_1d(
        b, x, m.kernel_size, m.stride, m.padding, m.ceil_mode, m.count_include_pad
    ),
    nn.AvgPool2d: lambda b, m, x: average_pool(
        b, x, m.kernel_size, m.stride, m.padding, m.ceil_mode, m.count_include_pad, m.divisor_override
    ),
    nn.AdaptiveAvgPool2d: lambda b, m, x: adaptive_average_pool(b, x, m.output_size),
    nn.AdaptiveAvgPool1d: lambda b, m, x: adaptive_average_pool_1d(b, x, m.output_size),
    nn.ZeroPad1d: lambda b, m, x: pad(b, x, m.padding),
    nn.ZeroPad2d: lambda b, m, x: pad(b, x, m.padding),
    nn.ZeroPad3d: lambda b, m, x: pad(b, x, m.padding),
    nn.ConstantPad1d: lambda b, m, x: pad(b, x, m.padding, value=m.value),
    nn.ConstantPad2d: lambda b, m, x: pad(b, x, m.padding, value=m.value),
    nn.ConstantPad3d: lambda b, m, x: pad(b, x, m.padding, value=m.value),
    nn.Upsample: upsample_module,
    nn.UpsamplingNearest2d: upsample_module,
    nn.UpsamplingBilinear2d: upsample_module,
    nn.PixelShuffle: lambda b, m, x: pixel_shuffle(b, x, m.upscale_factor),
    nn.PixelUnshuffle: lambda b, m, x: pixel_unshuffle(b, x, m.downscale_factor),
    nn.ChannelShuffle: lambda b, m, x: channel_shuffle(b, x, m.groups),
    nn.Flatten: lambda b, m, x: b.reshape(x, x.meta.flatten(m.start_dim, m.end_dim)),
    nn.Unflatten: lambda b, m, x: b.reshape(x, x.meta.unflatten(m.dim, m.unflattened_size)),
    nn.Identity: lambda b, _, x: keep(b, x),
    nn.Dropout: lambda b, _, x: keep(b, x),
    nn.Dropout1d: lambda b, _, x: keep(b, x),
    nn.Dropout2d: lambda b, _, x: keep(b, x),
    nn.Dropout3d: lambda b, _, x: keep(b, x),
}
"""What stands for a layer: from the builder, the module and the value that it takes."""

RESHAPES = ("flatten", "reshape", "squeeze", "unflatten", "unsqueeze", "view")
"""Methods of a tensor that only give its numbers another shape."""
MOVES = ("movedim", "moveaxis", "permute", "swapaxes", "swapdims", "transpose")
"""Methods of a tensor that put its sides in another order."""
RELU = activation(activations.relu)
"""What stands for a ReLU, by whatever name."""
SIGMOID = activation(activations.sigmoid)
"""What stands for a logistic function, by whatever name."""
TANH = activation(activations.tanh)
"""What stands for a hyperbolic tangent, by whatever name."""
TENSOR_METHODS: dict[str, Callable[..., Any]] = {
    **{name: reshaped(name) for name in RESHAPES},
    **{name: moves.moved(name) for name in MOVES},
    "contiguous": keep,
    "chunk": moves.chunk,
    "split": moves.split,
    "unbind": moves.unbind,
    "select": moves.select,
    "narrow": moves.narrow,
    "expand": moves.expand,
    "repeat": moves.repeat,
    "roll": moves.roll,
    "flip": moves.flip,
    "size": size,
    "dim": rank,
    "relu": RELU,
    "sigmoid": SIGMOID,
    "tanh": TANH,
    "clamp": clip,
    "clip": clip,
    "clamp_min": clip,
    "mean": mean,
    "sum": total,
    "abs": activation(piecewise.absolute),
    "absolute": activation(piecewise.absolute),
    "exp": activation(powers.exponential),
    "log": activation(powers.logarithm),
    "square": activation(powers.square),
    "sqrt": activation(powers.square_root),
    "rsqrt": activation(powers.inverse_square_root),
    "reciprocal": activation(powers.reciprocal),
    "erf": activation(curves.erf),
    "hardshrink": activation(piecewise.hardshrink),
    "prelu": piecewise.prelu,
    "pow": raised,
    "add": add,
    "sub": subtract,
    "mul": multiply,
    "div": divide,
    "neg": negative,
    "matmul": matmul,
    "bmm": matmul,
    "maximum": maximum,
    "minimum": minimum,
    "max": largest,
    "min": smallest,
    "softmax": softmax,
    "log_softmax": log_softmax,
}
"""What stands for a method of a tensor, by its name: from the builder and the method's arguments."""
FUNCTIONS: dict[Any, Callable[..., Any]] = {
    **{getattr(torch, name): TENSOR_METHODS[name] for name in TENSOR_METHODS if hasattr(torch, name)},
    torch.selu: activation(curves.selu),
    torch.celu: activation(curves.celu),
    torch.relu_: RELU,
    torch.selu_: activation(curves.selu),
    torch.celu_: activation(curves.celu),
    torch.max_pool1d: max_pool_1d,
    torch.max_pool2d: max_pool,
    torch.layer_norm: layer_norm,
    torch.rms_norm: rms_norm,
    torch.group_norm: group_norm,
    torch.stack: moves.stack,
    abs: activation(piecewise.absolute),
    operator.abs: activation(piecewise.absolute),
    operator.pow: raised,
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
    functional.conv1d: convolution(1),
    functional.conv2d: convolution(2),
    functional.conv3d: convolution(3),
    functional.conv_transpose1d: transposed(1),
    functional.conv_transpose2d: transposed(2),
    functional.conv_transpose3d: transposed(3),
    functional.batch_norm: batch_norm,
    functional.relu: RELU,
    functional.relu6: activation(activations.relu6),
    functional.hardtanh: activation(activations.hardtanh),
    functional.leaky_relu: activation(piecewise.leaky),
    functional.sigmoid: SIGMOID,
    functional.tanh: TANH,
    functional.softplus: activation(activations.softplus),
    functional.glu: gated,
    functional.softmax: softmax,
    functional.log_softmax: log_softmax,
    functional.layer_norm: layer_norm,
    functional.rms_norm: rms_norm,
    functional.group_norm: group_norm,
    functional.instance_norm: instance_norm,
    functional.scaled_dot_product_attention: scaled_dot_product_attention,
    functional.multi_head_attention_forward: inside_a_layer,
    functional.gelu: activation(curves.gelu),
    functional.silu: activation(curves.silu),
    functional.mish: activation(curves.mish),
    functional.elu: activation(curves.elu),
    functional.selu: activation(curves.selu),
    functional.celu: activation(curves.celu),
    functional.softsign: activation(curves.softsign),
    functional.logsigmoid: activation(curves.log_sigmoid),
    functional.tanhshrink: activation(curves.tanhshrink),
    functional.hardsigmoid: activation(piecewise.hardsigmoid),
    functional.hardswish: activation(piecewise.hardswish),
    functional.softshrink: activation(piecewise.softshrink),
    functional.max_pool1d: max_pool_1d,
    functional.max_pool2d: max_pool,
    functional.adaptive_max_pool1d: adaptive_max_pool_1d,
    functional.adaptive_max_pool2d: adaptive_max_pool,
    functional.avg_pool1d: average_pool_1d,
    functional.avg_pool2d: average_pool,
    functional.adaptive_avg_pool2d: adaptive_average_pool,
    functional.adaptive_avg_pool1d: adaptive_average_pool_1d,
    functional.interpolate: interpolate,
    functional.pixel_shuffle: pixel_shuffle,
    functional.pixel_unshuffle: pixel_unshuffle,
    functional.channel_shuffle: channel_shuffle,
    functional.dropout: dropout,
    functional.dropout1d: dropout,
    functional.dropout2d: dropout,
    functional.dropout3d: dropout,
    functional.pad: pad,
}
"""What stands for a function: from the builder and the function's arguments."""
