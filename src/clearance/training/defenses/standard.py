"""Standard training: the loss at the inputs themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from clearance.training.defenses.defense import TrainingStep, check_settings


@dataclass(frozen=True)
class Standard:
    """The cross-entropy of `softmax(f(x) / T)` with the labels.

    Attributes:
        temperature: `T`; 1 is usual. Defensive distillation trains its teacher at a high one (Papernot et al. 2016).
    """

    temperature: float = 1.0

    def __post_init__(self) -> None:
        """Check the temperature."""
        check_settings({"temperature": self.temperature}, {})

    @property
    def label(self) -> str:
        """In one line."""
        return "standard" if self.temperature == 1 else f"standard, temperature {self.temperature:g}"

    @property
    def settled(self) -> float:
        """Every epoch counts."""
        return 0.0

    def losses(
        self,
        network: nn.Module,
        images: Tensor,
        labels: Tensor,
        step: TrainingStep,  # noqa: ARG002
    ) -> Iterator[Tensor]:
        """One loss. See `Defense.losses`.

        Yields:
            The loss.
        """
        yield cross_entropy(network(images) / self.temperature, labels)
