"""Average pooling, adaptive average pooling, means and sums over sides. For how a function is called see `shapes`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


def average_pool_1d(
    build: Builder,
    x: Ref,
    kernel_size: Sides,
    stride: Sides | None = None,
    padding: Sides = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Ref:
    """The mean over each window: `(batch, channels, length)` to `(batch, channels, length')`."""
    options: Any = (kernel_size, stride, padding, ceil_mode, count_include_pad)
    return build.affine("average pooling", lambda t: functional.avg_pool1d(t, *options), x)


def adaptive_average_pool(build: Builder, x: Ref, output_size: Any) -> Ref:
    """The mean over windows that give images of `output_size`: `(batch, channels, height, width)` to that size."""
    return build.affine("average pooling", lambda t: functional.adaptive_avg_pool2d(t, output_size), x)


def adaptive_average_pool_1d(build: Builder, x: Ref, output_size: Any) -> Ref:
    """The mean over windows that give `output_size` of them: `(batch, channels, length)` to that length."""
    return build.affine("average pooling", lambda t: functional.adaptive_avg_pool1d(t, output_size), x)


def over_sides(name: str, reduce: Callable[..., Tensor]) -> Callable[..., Ref]:
    """What stands for a mean or a sum over the sides `dim` of `(batch, *shape)`, none of them the batch."""

    def handle(build: Builder, x: Ref, dim: int | Sequence[int], keepdim: bool = False) -> Ref:
        dims = [dim] if isinstance(dim, int) else list(dim)
        if not dims or any(d % (len(x.shape) + 1) == 0 for d in dims):
            refuse(f"a {name} over the batch")
        return build.affine(name, lambda t: reduce(t, dims, keepdim=keepdim), x)

    return handle


mean = over_sides("mean", Tensor.mean)
"""What stands for a mean over sides."""
total = over_sides("sum", Tensor.sum)
"""What stands for a sum over sides."""
