"""What a defence is to the training loop: where the losses of one batch come from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn


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
