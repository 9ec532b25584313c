"""What happens to an input before the network sees it; distances stay in the input's own units."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from clearance.errors import InputError


class Normalize(nn.Module):
    """`(x - mean) / std` per channel: preprocessing for a `Classifier`.

    Args:
        mean: One number per channel, or one for all.
        std: As `mean`, all positive.

    Raises:
        InputError: If a standard deviation is not positive.

    >>> Normalize([0.5], [0.25])(torch.ones(1, 1, 2, 2)).unique()
    tensor([2.])
    """

    def __init__(self, mean: float | Sequence[float], std: float | Sequence[float]) -> None:
        super().__init__()
        mean_tensor, std_tensor = torch.as_tensor(mean).float(), torch.as_tensor(std).float()
        if not bool((std_tensor > 0).all()):
            raise InputError(f"std: expected positive numbers, got {std}")
        self.register_buffer("mean", mean_tensor)
        self.register_buffer("std", std_tensor)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise `(batch, channels, *rest)`."""
        shape = (1, -1) + (1,) * (x.ndim - 2)
        mean, std = self.get_buffer("mean").to(x), self.get_buffer("std").to(x)
        return (x - mean.reshape(shape)) / std.reshape(shape)
