"""What happens to an input before the network sees it; distances stay in the input's own units."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from clearance.errors import InputError, ShapeError
from clearance.model.bounds import own_values
from clearance.model.outputs import CHANNELS_ASKED, CHANNELS_FIRST
from clearance.records import range_of


class Normalize(nn.Module):
    """`(x - mean) / std` per channel: preprocessing for a `Classifier`.

    Args:
        mean: One number per channel, or one for all.
        std: As `mean`, all positive.

    Raises:
        InputError: If they are no finite numbers, or a standard deviation is not positive.
        ShapeError: If they are lists of different lengths.

    >>> Normalize([0.5], [0.25])(torch.ones(1, 1, 2, 2)).unique()
    tensor([2.])
    """

    def __init__(self, mean: float | Sequence[float], std: float | Sequence[float]) -> None:
        super().__init__()
        mean_tensor, std_tensor = _as_numbers("mean", mean), _as_numbers("std", std)
        if not bool((std_tensor > 0).all()):
            raise InputError(f"std: expected positive numbers, got {std_tensor.tolist()}")
        count, given = mean_tensor.numel(), std_tensor.numel()
        if mean_tensor.ndim and std_tensor.ndim and count != given:
            raise ShapeError(f"std: expected as many numbers as in mean ({count}), got {given}")
        self.register_buffer("mean", mean_tensor)
        self.register_buffer("std", std_tensor)

    def extra_repr(self) -> str:
        """Both, as they were given; of more than a few numbers how many they are and between which they lie.

        >>> Normalize([0.5, 0.25], 1), Normalize([float(i) for i in range(30)], 1)
        (Normalize(mean=[0.5, 0.25], std=1.0), Normalize(mean=30 numbers from 0 to 29, std=1.0))
        """
        return ", ".join(f"{name}={_shown(self.get_buffer(name))}" for name in ("mean", "std"))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise `(batch, channels, *rest)`.

        Raises:
            ShapeError: If there is not one number per channel, nor one for all.
        """
        shape = (1, -1) + (1,) * (x.ndim - 2)
        mean, std = self.get_buffer("mean").to(x), self.get_buffer("std").to(x)
        for name, values in (("mean", mean), ("std", std)):
            if values.numel() not in (1, x.shape[1]):
                expected = f"1 value or one per channel ({x.shape[1]})"
                raise ShapeError(f"{name}: expected {expected}, got {values.numel()}{_shape_hint(x, values.numel())}")
        return (x - mean.reshape(shape)) / std.reshape(shape)


def _shape_hint(x: Tensor, channels: int) -> str:
    """What may be wrong with the inputs where the numbers do not go with their channels."""
    found = f" (the inputs have shape {tuple(x.shape[1:])}"
    if x.ndim == 4 and x.shape[3] == channels:
        return f"{found}: are channels last? {CHANNELS_FIRST})"
    if x.ndim == 4 and x.shape[1] == 1 and channels == 3:
        return f"{found}; {CHANNELS_ASKED.format(channels)})"
    if x.ndim == 3 and x.shape[0] == channels:
        return f"{found}: is it one input? a batch of it is x[None])"
    return f"{found})"


class Rescale(nn.Module):
    """`scale x`, entry by entry: from units in which distances are measured to those of the network's input.

    Args:
        scale: A tensor that broadcasts over one input.

    >>> Rescale(torch.tensor([2.0, 10.0]))(torch.ones(1, 2))
    tensor([[ 2., 10.]])
    """

    def __init__(self, scale: Tensor) -> None:
        super().__init__()
        self.register_buffer("scale", scale)

    def forward(self, x: Tensor) -> Tensor:
        """`(batch, *input)` to the same."""
        return x * self.get_buffer("scale")


def _as_numbers(name: str, given: float | Sequence[float]) -> Tensor:
    """A finite number, or a list of them, in float32."""  # noqa: DOC501
    try:
        numbers = own_values(given, device=given.device if isinstance(given, Tensor) else torch.device("cpu")).float()
    except (TypeError, ValueError, RuntimeError):
        numbers = torch.tensor([], device="cpu")
    if numbers.numel() == 0 or not bool(numbers.isfinite().all()):
        got = " ".join(repr(given).split())
        raise InputError(f"{name}: expected a finite number, or a list of one per channel, got {got}")
    return numbers


def _shown(values: Tensor) -> str:
    return range_of(values.flatten().tolist()) or str(values.double().round(decimals=6).tolist())
