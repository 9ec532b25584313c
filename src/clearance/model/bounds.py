"""The valid range of an input: read once, then held against every batch."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from clearance.errors import BoundsError, InputError, ShapeError

NORMALISED = (
    "; values so far below 0 look normalised: give pixel values, and preprocessing=clearance.Normalize(mean, std)"
)
"""What most who meet this error have done."""
OFF_BY_ROUNDING = 1e-4
"""Share of the range by which values may lie outside by arithmetic on them, and not for another reason."""
BYTE = 255.0
"""The largest value of an 8-bit picture."""

Bound = float | Tensor


def own_values(given: object, *, device: torch.device, dtype: torch.dtype | None = None) -> Tensor:
    """A copy of numbers as a tensor, from what makes one: what a caller writes into its array later changes nothing.

    Args:
        given: A number, a list, an array or a tensor.
        device: Where to put it.
        dtype: Its precision; `None`: its own.

    Returns:
        The tensor.

    >>> import numpy as np
    >>> array = np.array([1.0, 2.0])
    >>> array.setflags(write=False)  # as those of a table often are
    >>> own_values(array, device=torch.device("cpu"))
    tensor([1., 2.], dtype=torch.float64)
    """
    array = hasattr(given, "__array__") and not isinstance(given, Tensor)
    return torch.as_tensor(np.array(given) if array else given, dtype=dtype, device=device).detach().clone()


def read_bounds(bounds: tuple[Bound, Bound], *, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """The bounds as tensors.

    Args:
        bounds: `(low, high)`, numbers or tensors that broadcast against each other.
        device: Where to put them.
        dtype: Their precision.

    Returns:
        `low` and `high`, each in its own shape.

    Raises:
        InputError: If they are no two numbers or tensors, or not in order.

    >>> read_bounds((0, 1), device=torch.device("cpu"), dtype=torch.float32)
    (tensor(0.), tensor(1.))
    """
    try:
        low, high = (own_values(bound, dtype=dtype, device=device) for bound in bounds)
        lows, highs = torch.broadcast_tensors(low, high)
        worst = int((lows - highs).argmax())
    except (TypeError, ValueError, RuntimeError, IndexError):
        raise InputError(f"bounds: expected (low, high), got {' '.join(repr(bounds).split())}") from None
    if not bool((lows <= highs).all() and (lows < highs).any()):
        got = ", ".join(f"{bound.flatten()[worst].item():g}" for bound in (lows, highs))
        raise InputError(f"bounds: expected low < high, or equal where fixed, got ({got})")
    return low, high


def enclose(bounds: tuple[Tensor, Tensor] | None) -> bool:
    """Whether bounds enclose a box: no coordinate may go on for ever.

    >>> enclose(None), enclose((torch.zeros(2), torch.ones(2))), enclose((torch.zeros(1), torch.tensor([torch.inf])))
    (False, True, False)
    """
    return bounds is not None and bool((bounds[1] - bounds[0]).isfinite().all())


def points_between(bounds: tuple[Tensor, Tensor], shares: Tensor, otherwise: Tensor) -> Tensor:
    """Points within the bounds by their shares of the way from the lowest to the highest value.

    Args:
        bounds: Lowest and highest values; each may be infinite.
        shares: `(batch, *input)`, from 0 to 1.
        otherwise: `(batch, *input)`, points for the coordinates in which there is no end on one side; they are clipped.

    Returns:
        `(batch, *input)`.

    >>> bounds = torch.zeros(2), torch.tensor([4.0, torch.inf])
    >>> points_between(bounds, torch.full((1, 2), 0.5), torch.full((1, 2), 7.0))
    tensor([[2., 7.]])
    """
    low, high = bounds
    ends = (high - low).isfinite()
    start, width = torch.where(ends, low, 0.0), torch.where(ends, high - low, 0.0)
    return torch.where(ends, start + width * shares, otherwise.clamp(low, high))


def write_bounds(bounds: tuple[Tensor, Tensor] | None) -> str:
    """The bounds in words.

    >>> write_bounds((torch.tensor(0.0), torch.tensor(1.0))), write_bounds(None)
    ('bounds 0 to 1', 'no bounds')
    """
    if bounds is None:
        return "no bounds"
    if max(bound.numel() for bound in bounds) > 1:
        return "bounds of each feature"
    return "bounds {:g} to {:g}".format(*(float(bound) for bound in bounds))


def check_within(x: Tensor, low: Tensor, high: Tensor) -> None:
    """Check that a batch lies within the bounds.

    Args:
        x: `(batch, *input)`.
        low: Smallest values; broadcasts over the batch.
        high: Largest values, as `low`.

    Raises:
        ShapeError: If the bounds do not broadcast over one input.
        BoundsError: If a value lies outside.
    """
    for bound in (low, high):
        if not broadcasts(bound, x[:1]):
            expected = f"numbers, or tensors that broadcast over one input {tuple(x.shape[1:])}"
            raise ShapeError(f"bounds: expected {expected}, got shape {tuple(bound.shape)}")
    outside = torch.maximum(low - x, x - high).flatten(1).amax(1) > 0
    if bool(outside.any()):
        span = f"[{low.min().item():g}, {high.max().item():g}]"
        hint = _what_was_done(x, low, high)
        raise BoundsError(
            f"inputs: expected values in {span}, got {_outside(x, low, high)} ({name_inputs(outside)}){hint}"
        )


def _what_was_done(x: Tensor, low: Tensor, high: Tensor) -> str:
    """A hint at why values lie outside: normalised, grey levels, or rounding."""
    least, most = float(low.min()), float(high.max())
    if float(torch.maximum(low - x, x - high).amax()) <= OFF_BY_ROUNDING * (most - least):
        ends = f"{least:g}, {most:g}" if low.numel() == high.numel() == 1 else "*bounds"
        return f"; so little is rounding: x.clamp({ends})"
    if least == 0 and float(x.min()) < -0.1 * most:
        return NORMALISED
    grey = x.ndim > 2 and (least, most) == (0, 1) and float(x.min()) >= 0 and 2 < float(x.max()) <= BYTE
    return "; values up to 255 look like grey levels: x / 255, or bounds=(0, 255)" if grey else ""


def _outside(x: Tensor, low: Tensor, high: Tensor) -> str:
    """What lies outside: the range of all values or, where bounds of their own say no to it, the worst value."""
    least, most, lowest, highest = (float(t) for t in (x.min(), x.max(), low.min(), high.max()))
    if least < lowest or most > highest:
        return f"[{_told_apart(least, lowest)}, {_told_apart(most, highest)}]"
    worst = int(torch.maximum(low - x, x - high).argmax())
    value, least, most = (float(t.expand_as(x).flatten()[worst]) for t in (x, low, high))
    bound, side = (least, "below") if value < least else (most, "above")
    return f"{_told_apart(value, bound)}, {side} its bound of {bound:g}"


def _told_apart(value: float, bound: float) -> str:
    """A value with as many digits as it takes to see that it is not the bound."""
    digits = next((count for count in range(6, 18) if f"{value:.{count}g}" != f"{bound:.{count}g}"), 6)
    return f"{value:.{digits}g}"


def name_inputs(mask: Tensor, most: int = 5) -> str:
    """Which inputs of a batch are meant, in words.

    Args:
        mask: `(batch,)`, true where one is meant.
        most: How many are named one by one.

    Returns:
        `"input 3"`, or `"inputs 0, 3, …"` with their number where not all are named.

    >>> name_inputs(torch.tensor([False, True])), name_inputs(torch.ones(7) > 0, most=2)
    ('input 1', 'inputs 0, 1, … (7 in all)')
    """
    rows = mask.nonzero().flatten().tolist()
    shown = ", ".join(map(str, rows[:most]))
    if len(rows) > most:
        shown += f", … ({len(rows)} in all)"
    return f"{'input' if len(rows) == 1 else 'inputs'} {shown}"


def broadcasts(value: Tensor, one: Tensor) -> bool:
    """Whether a tensor fits `(1, *input)` without making it larger.

    Args:
        value: A bound, a scale or a mask.
        one: One input, `(1, *input)`.

    Returns:
        Whether it does.

    >>> broadcasts(torch.zeros(3), torch.zeros(1, 2, 3)), broadcasts(torch.zeros(2), torch.zeros(1, 2, 3))
    (True, False)
    """
    try:
        return torch.broadcast_shapes(value.shape, one.shape) == one.shape
    except RuntimeError:
        return False
