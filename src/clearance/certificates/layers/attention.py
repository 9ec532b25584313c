"""Attention, put together from products of matrices and softmax: `softmax(Q K^T / sqrt d) V` (Vaswani et al. 2017).

For how a function here is called see `shapes`. Masks, dropout and causal attention have no bounds here.
"""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor, nn

from clearance.certificates.builder import Builder, Ref
from clearance.certificates.layers.arithmetic import times
from clearance.certificates.layers.average_pool import mean
from clearance.certificates.layers.linear import linear
from clearance.certificates.layers.normalisation import softmax
from clearance.certificates.layers.two_values import matmul
from clearance.certificates.operations import refuse


def scaled_dot_product_attention(  # noqa: PLR0917
    build: Builder,
    query: Ref,
    key: Ref,
    value: Ref,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Ref:
    """`softmax(Q K^T scale) V`: `(batch, *, n, d)`, `(batch, *, m, d)` and `(batch, *, m, e)` to `(batch, *, n, e)`."""
    if attn_mask is not None or dropout_p or is_causal or enable_gqa:
        refuse("attention with a mask, dropout, causal or grouped")
    return matmul(build, _weights(build, query, key, scale), value)


def inside_a_layer(_: Builder, *__: Any, **___: Any) -> Ref:
    """The function behind `nn.MultiheadAttention`; on its own it has no bounds.

    Raises:
        NotSupportedError: Always.
    """
    refuse("known as a layer only")


def _weights(build: Builder, query: Ref, key: Ref, scale: float | None = None) -> Ref:
    """`softmax(Q K^T scale)`; the scale is `1 / sqrt d` where none is given."""
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = matmul(build, times(build, query, factor), _transposed(build, key))
    return softmax(build, scores, len(scores.shape))


def _transposed(build: Builder, x: Ref) -> Ref:
    return build.affine("permutation", lambda t: t.mT, x, entrywise=True)


def multihead_attention(  # noqa: PLR0917
    build: Builder,
    layer: nn.MultiheadAttention,
    query: Ref,
    key: Any = None,
    value: Any = None,
    key_padding_mask: Any = None,
    need_weights: bool = True,
    attn_mask: Any = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Ref, Ref | None]:
    """`nn.MultiheadAttention`, the batch first: `(batch, n, embedding)` to the same, and the weights if asked for."""
    if not (isinstance(key, Ref) and isinstance(value, Ref)):
        refuse("attention to what is not a value")
    if not layer.batch_first or len(query.shape) != 2:
        refuse("attention without batch_first=True")
    if key_padding_mask is not None or attn_mask is not None or is_causal:
        refuse("attention with a mask")
    if layer.bias_k is not None or layer.bias_v is not None or layer.add_zero_attn:
        refuse("attention with keys of its own")
    if layer.training and layer.dropout:
        refuse("dropout that stays on in evaluation")
    heads = [
        _heads(build, linear(build, x, weight, bias), layer.num_heads)
        for x, (weight, bias) in zip((query, key, value), _projections(build, layer), strict=True)
    ]
    weights = _weights(build, heads[0], heads[1])
    mixed = build.affine("permutation", lambda t: t.transpose(1, 2), matmul(build, weights, heads[2]))
    flat = build.reshape(mixed, mixed.meta.flatten(2))
    out = linear(build, flat, *build.constants(layer.out_proj.weight, layer.out_proj.bias))
    if not need_weights:
        return out, None
    return out, mean(build, weights, 1) if average_attn_weights else weights


def _projections(build: Builder, layer: nn.MultiheadAttention) -> list[tuple[Tensor, Tensor | None]]:
    """Weight and offset of queries, keys and values; in one tensor, or three where their sizes differ."""
    weights, offsets = build.constants(getattr(layer, "in_proj_weight", None), getattr(layer, "in_proj_bias", None))
    own = build.constants(layer.q_proj_weight, layer.k_proj_weight, layer.v_proj_weight)
    parts = own if weights is None else list(weights.chunk(3))
    return list(zip(parts, [None] * 3 if offsets is None else offsets.chunk(3), strict=True))


def _heads(build: Builder, x: Ref, count: int) -> Ref:
    """`(batch, n, heads d)` as `(batch, heads, n, d)`."""
    split = build.reshape(x, x.meta.unflatten(2, (count, -1)))
    return build.affine("permutation", lambda t: t.transpose(1, 2), split)
