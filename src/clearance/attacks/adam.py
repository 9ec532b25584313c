"""Adam (Kingma and Ba 2015, algorithm 1), for attacks that minimise over a tensor they step themselves."""

from __future__ import annotations

import torch
from torch import Tensor

DECAY, SQUARE_DECAY, SMALL = 0.9, 0.999, 1e-8
"""`beta_1`, `beta_2` and `epsilon` of the paper, and its values."""


class Adam:
    """Running moments of a gradient; `direction` gives the step of unit learning rate.

    Source: Kingma and Ba (2015), algorithm 1.

    `m <- b_1 m + (1 - b_1) w`, `v <- b_2 v + (1 - b_2) w^2`; the step of the `k`-th gradient is
    `m / (1 - b_1^k) / (sqrt(v / (1 - b_2^k)) + e)`.

    Args:
        like: A tensor of the gradient's shape.

    >>> Adam(torch.zeros(2)).direction(torch.tensor([3.0, -4.0]))
    tensor([ 1., -1.])
    """

    def __init__(self, like: Tensor) -> None:
        self._mean, self._square, self._count = torch.zeros_like(like), torch.zeros_like(like), 0

    def direction(self, gradient: Tensor) -> Tensor:
        """Take in a gradient; the corrected mean over the root of the corrected second moment, in its shape."""
        self._count += 1
        self._mean = DECAY * self._mean + (1 - DECAY) * gradient
        self._square = SQUARE_DECAY * self._square + (1 - SQUARE_DECAY) * gradient**2
        mean = self._mean / (1 - DECAY**self._count)
        square = self._square / (1 - SQUARE_DECAY**self._count)
        return mean / (square.sqrt() + SMALL)
