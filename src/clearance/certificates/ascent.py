"""Steps of gradient ascent that are about as long in every entry (Adam, Kingma and Ba 2015)."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

ADAM = (0.9, 0.99, 1e-12)
"""Decay rates of the two moments and the constant added to the root of the second (Kingma and Ba 2015); fewer steps
than usual are taken, so the second moment forgets sooner than by default."""


@dataclass
class Moments:
    """Moving averages of a gradient and of its square, entry by entry.

    Source: Kingma and Ba (2015), algorithm 1.

    >>> Moments().direction(torch.tensor([3.0, -0.1]))
    tensor([ 1.0000, -1.0000])
    """

    _first: Tensor = field(default_factory=lambda: torch.zeros(()))
    _second: Tensor = field(default_factory=lambda: torch.zeros(()))
    _taken: int = 0

    def direction(self, gradient: Tensor) -> Tensor:
        """Where to go, of the gradient's shape: at first its signs.

        Args:
            gradient: The next gradient.

        Returns:
            The quotient of the averages, both freed of their start at zero.
        """
        self._taken += 1
        self._first = ADAM[0] * self._first + (1 - ADAM[0]) * gradient
        self._second = ADAM[1] * self._second + (1 - ADAM[1]) * gradient.square()
        root = (self._second / (1 - ADAM[1] ** self._taken)).sqrt()
        return self._first / (1 - ADAM[0] ** self._taken) / (root + ADAM[2])
