"""Free adversarial training: each backward pass serves the parameters and the perturbation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from clearance.geometry.norms import steepest
from clearance.training.defenses.defense import TrainingStep, check_settings
from clearance.training.perturbations import PerturbationSet


@dataclass(frozen=True)
class Free:
    """Free adversarial training (Shafahi, Najibi, Ghiasi, Xu, Dickerson, Studer, Davis, Taylor and Goldstein 2019).

    Algorithm 1: each batch is replayed `replays` times. One backward pass gives the gradient for the parameters and the
    one for the perturbation, which takes a step of the whole radius; so `m` replays of `E / m` epochs cost what `E`
    epochs of standard training cost. The perturbation starts at a random point of each batch's set; the paper keeps it
    from one batch to the next.

    Attributes:
        perturbations: What the adversary may do.
        replays: `m`, how many times a batch is used.
    """

    perturbations: PerturbationSet
    replays: int = 8

    def __post_init__(self) -> None:
        """Check the settings."""
        check_settings({"replays": self.replays}, {})

    @property
    def label(self) -> str:
        """In one line."""
        return f"free adversarial, {self.replays} replays ({self.perturbations.in_words()})"

    @property
    def settled(self) -> float:
        """Every epoch counts."""
        return 0.0

    def losses(self, network: nn.Module, images: Tensor, labels: Tensor, step: TrainingStep) -> Iterator[Tensor]:
        """One loss for each replay. See `Defense.losses`.

        Yields:
            The losses.
        """
        x = self.perturbations.draw(images, step.generator)
        for _ in range(self.replays):
            moved = x.clone().requires_grad_(True)
            yield cross_entropy(network(moved), labels)
            if moved.grad is not None:
                ascent = self.perturbations.radius * steepest(moved.grad, self.perturbations.norm)
                x = self.perturbations.restrict(torch.nan_to_num(x + ascent), images)
