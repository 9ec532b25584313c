"""Average pooling, adaptive average pooling, means over dimensions. For how a function here is called see `shapes`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.nn import functional

from clearance.certificates.builder import Builder, Ref
from clearance.certificates.layers.max_pool import Sides
from clearance.certificates.operations import refuse


def average_pool(  # noqa: PLR0917
    build: Builder,
    x: Ref,
    kernel_size: Sides,
    stride: Sides | None = None,
    padding: Sides = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Ref:
    """The mean over each window: `(batch, channels, height, width)` to `(batch, channels, height', width')`.

    All its weights have the sign of the divisor, which torch takes negative too.
    """
    options: Any = (kernel_size, stride, padding, ceil_mode, count_include_pad)

    def pool(t: Tensor, divisor: int | None) -> Tensor:
        return functional.avg_pool2d(t, *options, divisor_override=divisor)

    size = None if divisor_override is None else abs(divisor_override)
    return build.affine("average pooling", lambda t: pool(t, divisor_override), x, absolute=lambda t: pool(t, size))


def adaptive_average_pool(build: Builder, x: Ref, output_size: Any) -> Ref:
    """The mean over windows that give images of `output_size`: `(batch, channels, height, width)` to that size."""
    return build.affine("average pooling", lambda t: functional.adaptive_avg_pool2d(t, output_size), x)


def mean(build: Builder, x: Ref, dim: int | Sequence[int], keepdim: bool = False) -> Ref:
    """The mean over the sides `dim` of `(batch, *shape)`, none of them the batch."""
    dims = [dim] if isinstance(dim, int) else list(dim)
    if not dims or any(d % (len(x.shape) + 1) == 0 for d in dims):
        refuse("a mean over the batch")
    return build.affine("mean", lambda t: t.mean(dims, keepdim=keepdim), x)
