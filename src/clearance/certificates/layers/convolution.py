"""Convolutions of one, two and three dimensions, their transposes, and padding given as a word.

For how a function here is called see `shapes`. All of them are products with a constant matrix `J`: `J^T` of a
convolution is its gradient with respect to the input, that of a transposed one is the convolution, and `|J|` has `|W|`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.grad import conv1d_input, conv2d_input, conv3d_input

from clearance.certificates.builder import Builder, Ref
from clearance.certificates.operations import refuse
from clearance.certificates.rows import Rows, WindowRows, convolve_back, pair

CONVOLUTIONS: dict[int, Callable[..., Tensor]] = {
    1: functional.conv1d,
    2: functional.conv2d,
    3: functional.conv3d,
}
"""torch's convolutions by their number of dimensions."""
TRANSPOSED: dict[int, Callable[..., Tensor]] = {
    1: functional.conv_transpose1d,
    2: functional.conv_transpose2d,
    3: functional.conv_transpose3d,
}
"""torch's transposed convolutions by their number of dimensions."""
INPUT_GRADIENTS: dict[int, Callable[..., Tensor]] = {1: conv1d_input, 2: conv2d_input, 3: conv3d_input}
"""The transposes of the convolutions, by their number of dimensions."""


def sides(value: int | Sequence[int], count: int) -> list[int]:
    """One number for each dimension.

    >>> sides(3, 2), sides((1, 2), 2)
    ([3, 3], [1, 2])
    """
    return [value] * count if isinstance(value, int) else [*value] * (count // len(value))


def in_numbers(build: Builder, x: Ref, weight: Tensor, stride: Any, padding: Any, dilation: Any) -> tuple[Ref, Any]:
    """A padding of convolutions in numbers; `"same"` on sides of unequal size pads the value itself.

    Args:
        build: The graph.
        x: The value, `(batch, channels, *sides)`.
        weight: `(filters, channels, *kernel)`.
        stride: As torch takes it.
        padding: As torch takes it; `"same"` keeps the sides (its stride is 1), `"valid"` pads nothing.
        dilation: As torch takes it.

    Returns:
        The value, padded where that is needed, and the padding that is left for the convolution.
    """
    if not isinstance(padding, str):
        return x, padding
    count = weight.ndim - 2
    if padding == "valid":
        return x, 0
    if padding != "same" or set(sides(stride, count)) != {1}:
        refuse(f"padding {padding!r} with these strides")
    totals = [d * (k - 1) for d, k in zip(sides(dilation, count), weight.shape[2:], strict=True)]
    if all(total % 2 == 0 for total in totals):
        return x, tuple(total // 2 for total in totals)
    both = [part for total in reversed(totals) for part in (total // 2, total - total // 2)]
    return build.affine("padding", lambda t: functional.pad(t, both), x, entrywise=True), 0


def convolution(dimensions: int) -> Callable[..., Ref]:
    """What stands for a convolution: `(batch, channels, *sides)` to `(batch, filters, *sides')`."""
    forward, gradient = CONVOLUTIONS[dimensions], INPUT_GRADIENTS[dimensions]

    def handle(  # noqa: PLR0917
        build: Builder,
        x: Ref,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Ref:
        x, padding = in_numbers(build, x, weight, stride, padding, dilation)
        options = (stride, padding, dilation, groups)
        steps = [tuple(sides(part, dimensions)) for part in options[:3]]

        def back(rows: WindowRows) -> Rows:
            between, around, apart = (pair(part) for part in steps)
            return convolve_back(rows, weight, between, around, apart, groups, x.shape)

        return build.affine(
            "convolution",
            lambda t: forward(t, weight, bias, *options),
            x,
            absolute=lambda t: forward(t, weight.abs(), None, *options),
            transpose=lambda rows: gradient((len(rows), *x.shape), weight, rows, *options),
            mixes=True,
            windowed=back if dimensions == 2 else None,
            matrix=(weight, dimensions, *steps, groups),
        )

    return handle


def transposed(dimensions: int) -> Callable[..., Ref]:
    """What stands for a transposed convolution: `(batch, channels, *sides)` to `(batch, filters, *larger sides)`."""
    forward, back = TRANSPOSED[dimensions], CONVOLUTIONS[dimensions]

    def handle(  # noqa: PLR0917
        build: Builder,
        x: Ref,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        dilation: Any = 1,
    ) -> Ref:
        options, spread = (
            (stride, padding, output_padding, groups, dilation),
            (stride, padding, output_padding, dilation),
        )
        return build.affine(
            "transposed convolution",
            lambda t: forward(t, weight, bias, *options),
            x,
            absolute=lambda t: forward(t, weight.abs(), None, *options),
            transpose=lambda rows: back(rows, weight, None, stride, padding, dilation, groups),
            mixes=True,
            matrix=(weight, dimensions, *(tuple(sides(part, dimensions)) for part in spread), groups),
        )

    return handle


def convolution_module(build: Builder, layer: nn.Conv1d | nn.Conv2d | nn.Conv3d, x: Ref) -> Ref:
    """`nn.Conv1d`, `2d` and `3d`: see `convolution`."""
    _check_padding_mode(layer.padding_mode)
    options = (layer.stride, layer.padding, layer.dilation, layer.groups)
    return convolution(len(layer.kernel_size))(build, x, *build.constants(layer.weight, layer.bias), *options)


def transposed_module(
    build: Builder, layer: nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d, x: Ref
) -> Ref:
    """`nn.ConvTranspose1d`, `2d` and `3d`: see `transposed`."""
    _check_padding_mode(layer.padding_mode)
    options = (layer.stride, layer.padding, layer.output_padding, layer.groups, layer.dilation)
    return transposed(len(layer.kernel_size))(build, x, *build.constants(layer.weight, layer.bias), *options)


def _check_padding_mode(mode: str) -> None:
    if mode != "zeros":
        refuse(f"padding mode {mode}")
