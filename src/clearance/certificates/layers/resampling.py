"""Images made larger or smaller: interpolation and the rearrangement of pixels and channels.

For how a function here is called see `shapes`. The modes here have nonnegative weights only; bicubic ones have not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from clearance.certificates.builder import Builder, Ref
from clearance.certificates.operations import refuse

MODES = ("nearest", "nearest-exact", "linear", "bilinear", "trilinear", "area")
"""Modes of interpolation whose weights are not negative."""


def interpolate(  # noqa: PLR0917
    build: Builder,
    x: Ref,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Ref:
    """Means of neighbouring entries: `(batch, channels, *sides)` to other sides."""
    if mode not in MODES or antialias:
        refuse(f"interpolation mode {mode}{' with antialias' if antialias else ''}")

    def resized(t: Tensor) -> Tensor:
        return functional.interpolate(t, size, scale_factor, mode, align_corners, recompute_scale_factor)

    return build.affine("interpolation", resized, x)


def upsample_module(build: Builder, layer: nn.Upsample, x: Ref) -> Ref:
    """`nn.Upsample`: see `interpolate`."""
    options = (layer.size, layer.scale_factor, layer.mode, layer.align_corners, layer.recompute_scale_factor)
    return interpolate(build, x, *options)


def shuffled(function: Callable[[Tensor, int], Tensor]) -> Callable[..., Ref]:
    """What stands for `pixel_shuffle`, `pixel_unshuffle` or `channel_shuffle`."""

    def handle(build: Builder, x: Ref, factor: int) -> Ref:
        if len(x.shape) != 3:
            refuse("expected images (batch, channels, height, width)")
        return build.affine("permutation", lambda t: function(t, factor), x, entrywise=True)

    return handle


def pixel_shuffle(build: Builder, x: Ref, upscale_factor: int) -> Ref:
    """`(batch, channels r^2, height, width)` to `(batch, channels, height r, width r)`."""
    return shuffled(functional.pixel_shuffle)(build, x, upscale_factor)


def pixel_unshuffle(build: Builder, x: Ref, downscale_factor: int) -> Ref:
    """`(batch, channels, height r, width r)` to `(batch, channels r^2, height, width)`."""
    return shuffled(functional.pixel_unshuffle)(build, x, downscale_factor)


def channel_shuffle(build: Builder, x: Ref, groups: int) -> Ref:
    """Channels of each group in turn."""
    return shuffled(functional.channel_shuffle)(build, x, groups)
