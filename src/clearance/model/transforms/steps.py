"""Steps: functions that look like the identity from afar and are flat from near, so that no gradient passes."""

from __future__ import annotations

from torch import Tensor, nn

from clearance.errors import InputError
from clearance.model.transforms.pixels import check_count, check_range, from_pixels, to_pixels


class Staircase(nn.Module):
    """`h(x) = ceil(c x) / c`, with `c = levels` stairs in each unit of the input.

    Source: Goodfellow (2018), section 3. The derivative is zero almost everywhere, and that is what autograd returns
    everywhere.

    Args:
        levels: Stairs `c` in an interval of length 1.

    Raises:
        InputError: If `levels` is not a whole number of at least 1.

    >>> import torch
    >>> Staircase(4)(torch.tensor([[0.0, 0.1, 0.25, 0.26]]))
    tensor([[0.0000, 0.2500, 0.2500, 0.5000]])
    """

    def __init__(self, levels: int) -> None:
        super().__init__()
        self.levels = check_count("levels", levels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Round every value up to a stair."""
        return (x * self.levels).ceil() / self.levels

    def extra_repr(self) -> str:
        """The arguments."""
        return f"levels={self.levels}"


class Ramp(nn.Module):
    """The staircase made Lipschitz continuous: every stair is reached by a linear ramp.

    With `u = c x`, `k = ceil(u) - 1`: `h(x) = (k + min(1, (u - k) / width)) / c`. It equals `Staircase(levels)` except
    on the ramps, which start where the staircase jumps and take up the share `width` of a stair. The derivative is
    `1 / width` on a ramp and 0 elsewhere (at the foot of a ramp 0, the one from the left): one coordinate, drawn
    uniformly, meets a gradient with probability `width`, one of `d` of them with `1 - (1 - width)^d`. The Lipschitz
    constant is `1 / width`; `width=1` is the identity.

    Source: Goodfellow (2018), section 3 and figure 1 (`levels=255`, `width=1/5`).

    Args:
        levels: Stairs `c` in an interval of length 1.
        width: Width of a ramp, as a share of a stair, in (0, 1].

    Raises:
        InputError: If an argument lies outside its range.

    >>> import torch
    >>> Ramp(2, 0.5)(torch.tensor([[0.0, 0.125, 0.25, 0.4, 0.625]]))
    tensor([[0.0000, 0.2500, 0.5000, 0.5000, 0.7500]])
    """

    def __init__(self, levels: int, width: float) -> None:
        super().__init__()
        self.levels = check_count("levels", levels, 1)
        if not 0 < width <= 1:
            raise InputError(f"width: expected a share of a stair in (0, 1], got {width!r}")
        self.width = float(width)

    def forward(self, x: Tensor) -> Tensor:
        """Move every value up its ramp."""
        position = x * self.levels
        stair = position.detach().ceil() - 1
        return (stair + ((position - stair) / self.width).clamp(max=1)) / self.levels

    def extra_repr(self) -> str:
        """The arguments."""
        return f"levels={self.levels}, width={self.width:g}"


class BitDepth(nn.Module):
    """8-bit pixel values whose lower bits are set to 0, so that `bits` bits remain.

    Source: Weng, Zhang, Chen, Lozano, Hsieh and Daniel (2018), section 5.2 (3 bits). A value is first rounded to one of
    256 pixel values, as an image file stores it. No gradient passes.

    Args:
        bits: Bits that remain, 1 to 8.
        bounds: What the pixel values 0 and 255 stand for, in input units; values outside saturate.

    Raises:
        InputError: If an argument lies outside its range.

    >>> import torch
    >>> BitDepth(3)(torch.tensor([[0.0, 31 / 255, 32 / 255, 1.0]])).mul(255).round()  # multiples of 32
    tensor([[  0.,   0.,  32., 224.]])
    """

    def __init__(self, bits: int, *, bounds: tuple[float, float] = (0.0, 1.0)) -> None:
        super().__init__()
        self.bits = check_count("bits", bits, 1, 8)
        self.bounds = check_range(bounds)

    def forward(self, x: Tensor) -> Tensor:
        """Clear the lower bits of every value."""
        step = 2 ** (8 - self.bits)
        return from_pixels((to_pixels(x, self.bounds) / step).floor() * step, self.bounds)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"bits={self.bits}, bounds={self.bounds}"
