"""Softmax, its logarithm, and normalisation by an input's own mean and variance, put together from known steps.

For how a function here is called see `shapes`. Softmax is `1 / sum_j exp(x_j - x_i)`: differences do not depend on a
shift of all entries, and the sum is at least `exp(0) = 1`, so the values stay in (0, 1]. Layer, group and instance
normalisation are `y / sqrt(mean(y^2) + eps)` with `y = x - mean(x)`, a product of two values.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from clearance.certificates.builder import Builder, LogProbabilities, Ref
from clearance.certificates.layers.arithmetic import times
from clearance.certificates.layers.average_pool import mean, total
from clearance.certificates.layers.linear import batch_norm
from clearance.certificates.layers.powers import exponential, inverse_square_root, logarithm, reciprocal, square
from clearance.certificates.layers.products import product
from clearance.certificates.operations import refuse


def softmax(build: Builder, x: Ref, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Ref:
    """`exp(x_i) / sum_j exp(x_j)` along a side, `(batch, *shape)` to the same."""
    return build.add(reciprocal(), _partition(build, x, _side(x, dim, dtype or _as_dtype(_stacklevel))))


def log_softmax(build: Builder, x: Ref, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Ref:
    """`x_i - log sum_j exp(x_j)` along a side; as the last step its margins are those of `x`, which take its place."""
    logarithms = build.add(logarithm(), _partition(build, x, _side(x, dim, dtype or _as_dtype(_stacklevel))))
    value = times(build, logarithms, -1.0)
    return LogProbabilities(value.index, value.shape, x) if len(x.shape) == 1 else value


def _as_dtype(third: Any) -> Any:
    """The third argument where it is a dtype, as in `torch.softmax`: in `torch.nn.functional` it is another one."""
    return third if isinstance(third, torch.dtype) else None


def _side(x: Ref, dim: int | None, dtype: Any) -> int:
    if dim is None or dtype not in (None, torch.float32, torch.float64) or dim % (len(x.shape) + 1) == 0:
        refuse("over the batch, over no given side, or in another dtype")
    return dim % (len(x.shape) + 1)


def _partition(build: Builder, x: Ref, side: int) -> Ref:
    """`sum_j exp(x_j - x_i)` for each `i`."""
    return total(build, build.add(exponential(), differences(build, x, side)), side + 1)


def differences(build: Builder, x: Ref, side: int) -> Ref:
    """`x_j - x_i` for all `i` and `j` along a side: `(batch, *, n, *)` to `(batch, *, n, n, *)`, `i` before `j`."""
    apart = 1 - torch.eye(x.shape[side - 1], dtype=build.like.dtype, device=build.device)
    apart = apart.reshape(*apart.shape, *[1] * (len(x.shape) - side))
    return build.affine(
        "differences",
        lambda t: t.unsqueeze(side) - t.unsqueeze(side + 1),
        x,
        absolute=lambda t: (t.unsqueeze(side) + t.unsqueeze(side + 1)) * apart,
        transpose=lambda rows: rows.sum(side) - rows.sum(side + 1),
    )


def standardised(build: Builder, x: Ref, sides: Sequence[int], eps: float, *, centred: bool = True) -> Ref:
    """`y / sqrt(mean(y^2) + eps)` over some sides, `y = x - mean(x)` or `x` itself; `(batch, *shape)` to the same."""
    if not eps > 0:
        refuse(f"expected eps > 0, got {eps:g}")
    y = _centred(build, x, sides) if centred else x
    variance = mean(build, build.add(square(), y), sides, keepdim=True)
    return product(build, y, build.add(inverse_square_root(), times(build, variance, 1.0, eps)))


def _centred(build: Builder, x: Ref, sides: Sequence[int]) -> Ref:
    """`x - mean(x)` over some sides: `1 - 1/n` of an entry less `1/n` of the others."""
    given = list(sides)
    n = math.prod(x.shape[side - 1] for side in given)
    return build.affine(
        "centring",
        lambda t: t - t.mean(given, keepdim=True),
        x,
        absolute=lambda t: (1 - 2 / n) * t + t.mean(given, keepdim=True),
        transpose=lambda rows: rows - rows.mean(given, keepdim=True),
    )


def layer_norm(
    build: Builder,
    x: Ref,
    normalized_shape: Any,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Ref:
    """Normalisation over the last sides, `(batch, *, *normalized_shape)` to the same."""
    return _weighted(build, standardised(build, x, _last(x, normalized_shape), eps), weight, bias)


def rms_norm(
    build: Builder, x: Ref, normalized_shape: Any, weight: Tensor | None = None, eps: float | None = None
) -> Ref:
    """`x / sqrt(mean(x^2) + eps)` over the last sides, `(batch, *, *normalized_shape)` to the same."""
    if eps is None:
        refuse("an eps that depends on the dtype")
    return _weighted(build, standardised(build, x, _last(x, normalized_shape), eps, centred=False), weight, None)


def _last(x: Ref, shape: Any) -> list[int]:
    given = [shape] if isinstance(shape, int) else list(shape)
    if not given or tuple(given) != x.shape[-len(given) :]:
        refuse(f"expected a value whose last sides are {tuple(given)}, got {x.shape}")
    return list(range(len(x.shape) + 1 - len(given), len(x.shape) + 1))


def _weighted(build: Builder, x: Ref, weight: Tensor | None, bias: Tensor | None) -> Ref:
    return times(build, x, 1.0 if weight is None else weight, 0.0 if bias is None else bias)


def group_norm(
    build: Builder,
    x: Ref,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Ref:
    """Normalisation of groups of channels, `(batch, channels, *)` to the same."""
    groups = build.reshape(x, x.meta.reshape(len(x.meta), num_groups, -1))
    scaled = standardised(build, groups, [2], eps)
    shape = (1, -1) + (1,) * (len(x.shape) - 1)
    parts = (None if part is None else part.reshape(shape) for part in (weight, bias))
    return _weighted(build, build.reshape(scaled, x.meta), *parts)


def instance_norm(  # noqa: PLR0917
    build: Builder,
    x: Ref,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,  # noqa: ARG001
    eps: float = 1e-5,
) -> Ref:
    """Normalisation of each channel by itself, or by running statistics: `(batch, channels, *)` to the same."""
    if not use_input_stats:
        return batch_norm(build, x, running_mean, running_var, weight, bias, eps=eps)
    if len(x.shape) < 2:
        refuse("expected (batch, channels, *)")
    return group_norm(build, x, x.shape[0], weight, bias, eps)


def layer_norm_module(build: Builder, layer: nn.LayerNorm, x: Ref) -> Ref:
    """`nn.LayerNorm`: see `layer_norm`."""
    weight, bias = build.constants(layer.weight, layer.bias)
    return layer_norm(build, x, layer.normalized_shape, weight, bias, layer.eps)


def rms_norm_module(build: Builder, layer: nn.RMSNorm, x: Ref) -> Ref:
    """`nn.RMSNorm`: see `rms_norm`."""
    return rms_norm(build, x, layer.normalized_shape, build.constants(layer.weight)[0], layer.eps)


def group_norm_module(build: Builder, layer: nn.GroupNorm, x: Ref) -> Ref:
    """`nn.GroupNorm`: see `group_norm`."""
    weight, bias = build.constants(layer.weight, layer.bias)
    return group_norm(build, x, layer.num_groups, weight, bias, layer.eps)


def instance_norm_module(
    build: Builder, layer: nn.InstanceNorm1d | nn.InstanceNorm2d | nn.InstanceNorm3d, x: Ref
) -> Ref:
    """`nn.InstanceNorm1d`, `2d` and `3d`: see `instance_norm`."""
    sides = 1 if isinstance(layer, nn.InstanceNorm1d) else 2 if isinstance(layer, nn.InstanceNorm2d) else 3
    if len(x.shape) != 1 + sides:
        refuse("expected (batch, channels, *) with the layer's number of sides")
    statistics = build.constants(layer.running_mean, layer.running_var, layer.weight, layer.bias)
    own = layer.training or not layer.track_running_stats
    return instance_norm(build, x, *statistics, use_input_stats=own, eps=layer.eps)
