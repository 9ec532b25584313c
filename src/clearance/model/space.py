"""The scale that distances are measured in and the mask of fixed coordinates: read once, then held against inputs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from clearance.errors import DtypeError, InputError, ShapeError
from clearance.model.bounds import Bound, broadcasts, own_values

UNEVEN = 10.0
"""Where the widest range of a coordinate that moves is more than so many times the narrowest (euros beside shares), a
distance is mostly that of the widest, and an attack whose steps are as long in each coordinate may fail at any
distance on honest gradients."""


def read_scale(scale: Bound, *, device: torch.device, dtype: torch.dtype) -> Tensor:
    """The scale as a tensor.

    Args:
        scale: A number, or a tensor that broadcasts over one input; finite and positive.
        device: Where to put it.
        dtype: Its precision.

    Returns:
        The tensor, in its own shape.

    Raises:
        InputError: If it is no such thing.

    >>> read_scale(2, device=torch.device("cpu"), dtype=torch.float32)
    tensor(2.)
    """
    try:
        values = own_values(scale, dtype=dtype, device=device)
    except (TypeError, ValueError, RuntimeError):
        got = " ".join(repr(scale).split())
        way = f"; load_model(..., data=..., scale={got}) measures it, as --scale does" if isinstance(scale, str) else ""
        raise InputError(f"scale: expected a number, or a tensor with one for each feature, got {got}{way}") from None
    wrong = ~(values.isfinite() & (values > 0) & (1 / values).isfinite())
    if values.numel() == 0 or bool(wrong.any()):
        got = f"{values[wrong].flatten()[0].item():g}" if values.numel() else "none"
        raise InputError(f"scale: expected positive numbers, got {got}")
    return values


def read_fixed(fixed: Tensor, *, bounded: bool, device: torch.device) -> Tensor:
    """The mask of fixed coordinates.

    Args:
        fixed: True where a coordinate cannot move; a bool tensor that broadcasts over one input.
        bounded: Whether the classifier has bounds.
        device: Where to put it.

    Returns:
        The mask, in its own shape.

    Raises:
        DtypeError: If it is no bool tensor.
        InputError: If there are no bounds, or every coordinate is fixed.
    """
    if not isinstance(fixed, Tensor) or fixed.dtype != torch.bool:  # pyright: ignore[reportUnnecessaryIsInstance]
        got = fixed.dtype if isinstance(fixed, Tensor) else type(fixed).__name__  # pyright: ignore
        raise DtypeError(f"fixed: expected a bool tensor, true where a coordinate cannot move, got {got}")
    if not bounded:
        raise InputError("fixed: expected bounds with it, got none")
    if bool(fixed.all()):
        raise InputError("fixed: expected a coordinate that moves, got a mask that fixes all")
    return fixed.to(device).clone()


def moving_widths(bounds: tuple[Tensor, Tensor], fixed: Tensor | None, shape: Sequence[int]) -> Tensor:
    """How wide the valid range of each coordinate is, and 0 where it is fixed.

    Args:
        bounds: Low and high.
        fixed: The mask of fixed coordinates.
        shape: Of one input.

    Returns:
        The widths, in that shape.

    >>> moving_widths((torch.tensor(0.0), torch.tensor([1.0, 4.0])), torch.tensor([True, False]), (2,))
    tensor([0., 4.])
    """
    widths = (bounds[1] - bounds[0]).expand(tuple(shape))
    return widths if fixed is None else widths.masked_fill(fixed.expand_as(widths), 0.0)


def are_uneven(widths: Tensor) -> bool:
    """Whether the widest range of a coordinate that moves is more than `UNEVEN` times the narrowest.

    >>> are_uneven(torch.tensor([0.0, 1.0, 8.0])), are_uneven(torch.tensor([1.0, 1e5]))
    (False, True)
    """
    moving = widths[widths > 0]
    return len(moving) > 0 and float(moving.max()) > UNEVEN * float(moving.min())


def write_space(scale: Tensor | None, fixed: Tensor | None) -> list[str]:
    """Scale and fixed coordinates in words, where there are any.

    >>> write_space(torch.tensor([1.0, 2.0]), torch.tensor([True, False]))
    ['scale of each feature', '1 of 2 fixed']
    """
    found = [] if scale is None else ["scale of each feature" if scale.numel() > 1 else f"scale {scale.item():g}"]
    return found if fixed is None else [*found, f"{int(fixed.sum())} of {fixed.numel()} fixed"]


def check_space(x: Tensor, scale: Tensor | None, fixed: Tensor | None) -> None:
    """Check that scale and mask broadcast over one input.

    Args:
        x: `(batch, *input)`.
        scale: The scale.
        fixed: The mask.

    Raises:
        ShapeError: If one of them does not.
    """
    for name, value in (("scale", scale), ("fixed", fixed)):
        if value is not None and not broadcasts(value, x[:1]):
            raise ShapeError(f"{name}: expected {tuple(x.shape[1:])}, as one input, got shape {tuple(value.shape)}")
