"""Gaussian data augmentation, which goes with bounded ReLU."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from clearance.training.defenses.defense import TrainingStep, check_settings


@dataclass(frozen=True)
class NoiseAugmentation:
    """The loss at inputs with Gaussian noise (Zantedeschi, Nicolae and Rawat 2017), clipped to the bounds.

    Their defence is this together with bounded activations: `zoo.activations.bounded_relu`. The noise of an input is
    new in every epoch; the inputs without noise are not trained on.

    Attributes:
        deviation: Standard deviation of the noise, in input units; 0.3 is the paper's on MNIST, 0.05 on CIFAR-10.
        bounds: The valid range of an input; `None` for no limit.
    """

    deviation: float = 0.3
    bounds: tuple[float, float] | None = (0.0, 1.0)

    def __post_init__(self) -> None:
        """Check the deviation."""
        check_settings({"deviation": self.deviation}, {})

    @property
    def label(self) -> str:
        """In one line."""
        return f"Gaussian noise of standard deviation {self.deviation:g}"

    @property
    def settled(self) -> float:
        """Every epoch counts."""
        return 0.0

    def losses(self, network: nn.Module, images: Tensor, labels: Tensor, step: TrainingStep) -> Iterator[Tensor]:
        """One loss. See `Defense.losses`.

        Yields:
            The loss.
        """
        noise = torch.randn(images.shape, generator=step.generator, device=images.device, dtype=images.dtype)
        moved = images + self.deviation * noise
        yield cross_entropy(network(moved if self.bounds is None else moved.clamp(*self.bounds)), labels)
