"""Robust training with more inputs, whose labels a network guessed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from clearance.training.accuracies import check_inputs, mode
from clearance.training.defenses.defense import Defense, TrainingStep, check_settings


@dataclass(frozen=True)
class PseudoLabels:
    """Robust self-training (Carmon, Raghunathan, Schmidt, Liang and Duchi 2019, algorithm 1).

    Each batch of labelled inputs goes with as many others, whose labels a standard classifier guessed
    (`guessed_labels`); the loss is `loss(labelled) + weight loss(guessed)`, both by the same defence.

    Attributes:
        defense: How both are trained on.
        images: `(count, *input)`, the inputs without labels, on the device of training.
        labels: `(count,)`, their guessed labels.
        weight: Of the second loss; 1 is the paper's.
    """

    defense: Defense
    images: Tensor
    labels: Tensor
    weight: float = 1.0

    def __post_init__(self) -> None:
        """Check that every input has a label, and the weight."""
        check_inputs(self.images, self.labels)
        check_settings({"weight": self.weight}, {})

    @property
    def label(self) -> str:
        """In one line."""
        return f"{self.defense.label}; {len(self.images)} inputs with guessed labels, weight {self.weight:g}"

    @property
    def settled(self) -> float:
        """As the defence's."""
        return self.defense.settled

    def losses(self, network: nn.Module, images: Tensor, labels: Tensor, step: TrainingStep) -> Iterator[Tensor]:
        """The losses of the defence, each with its counterpart on other inputs. See `Defense.losses`.

        Yields:
            The sums.
        """
        chosen = torch.randint(len(self.images), (len(images),), generator=step.generator, device=images.device)
        known = self.defense.losses(network, images, labels, step)
        guessed = self.defense.losses(network, self.images[chosen], self.labels[chosen], step)
        for one, two in zip(known, guessed, strict=True):
            yield one + self.weight * two


def guessed_labels(classifier: nn.Module, images: Tensor, *, batch_size: int = 1024) -> Tensor:
    """The predicted class of each input: pseudo-labels.

    Args:
        classifier: Maps `(batch, *input)` to logits. Its mode is put back at the end.
        images: `(count, *input)`.
        batch_size: Inputs in one forward pass.

    Returns:
        `(count,)`, int64.
    """
    with mode(classifier, training=False), torch.no_grad():
        return torch.cat([classifier(part).argmax(1) for part in images.split(batch_size)])
