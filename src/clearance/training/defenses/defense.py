"""What a defence is to the training loop: where the losses of one batch come from."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from clearance.errors import InputError


@dataclass(frozen=True)
class TrainingStep:
    """Where in training a batch stands.

    Attributes:
        generator: The only source of randomness of a defence; on the images' device.
        fraction: The share of all batches that are done, in [0, 1): for what grows or falls over training.
    """

    generator: torch.Generator
    fraction: float


class Defense(Protocol):
    """A way to train. Instances are frozen dataclasses whose fields are their settings."""

    @property
    def label(self) -> str:
        """What the defence is and its settings, in one line, for the model card."""
        ...

    @property
    def settled(self) -> float:
        """The share of training after which the radius is full: epochs before it are not compared with later ones."""
        ...

    def losses(self, network: nn.Module, images: Tensor, labels: Tensor, step: TrainingStep) -> Iterator[Tensor]:
        """The losses of one batch, each the mean over its inputs.

        The loop takes one step of the optimiser for each loss, before it asks for the next one: a defence that makes
        several (`free`) sees the gradients that the step left.

        Args:
            network: In training mode.
            images: `(batch, *input)`.
            labels: `(batch,)`.
            step: Randomness, and how far training is.
        """
        ...


def check_settings(positive: Mapping[str, float | None], shares: Mapping[str, float]) -> None:
    """Refuse settings of a defence that cannot be used.

    Args:
        positive: Settings that have to be positive; `None` where one is left to the defence.
        shares: Settings that have to lie in [0, 1].

    Raises:
        InputError: If one does not.
    """
    for name, value in positive.items():
        if value is not None and not 0 < value < math.inf:
            raise InputError(f"{name}: expected a positive number, got {value}")
    for name, value in shares.items():
        if not 0 <= value <= 1:
            raise InputError(f"{name}: expected a share in [0, 1], got {value}")
