"""Fast adversarial training: one ascent step from a random start."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from clearance.geometry.norms import steepest
from clearance.training.defenses.adversarial import grown
from clearance.training.defenses.defense import TrainingStep, check_settings
from clearance.training.perturbations import PerturbationSet, loss_gradient


@dataclass(frozen=True)
class Fast:
    """FGSM with a random start (Wong, Rice and Kolter 2020, algorithm 3).

    One step of `step` radii from a random point of the set, back into the set, then the loss there: two backward passes
    a batch. Such training can fail all at once (**catastrophic overfitting**): it stays robust to its own single step
    and to nothing else. The training loop looks for that after every epoch, where it is given inputs to do so with, and
    goes back to the epoch before (`training.loop`).

    Attributes:
        perturbations: What the adversary may do.
        step: Length of the step in radii; 1.25 is the paper's.
        ramp: The share of training over which the radius grows; 0 for the full radius at once.
    """

    perturbations: PerturbationSet
    step: float = 1.25
    ramp: float = 0.0

    def __post_init__(self) -> None:
        """Check the settings."""
        check_settings({"step": self.step}, {"ramp": self.ramp})

    @property
    def label(self) -> str:
        """In one line."""
        return f"fast adversarial, a step of {self.step:g} radii ({self.perturbations.in_words()})"

    @property
    def settled(self) -> float:
        """After the ramp."""
        return self.ramp

    def losses(self, network: nn.Module, images: Tensor, labels: Tensor, step: TrainingStep) -> Iterator[Tensor]:
        """One loss. See `Defense.losses`.

        Yields:
            The loss.
        """
        current = grown(self.perturbations, self.ramp, step.fraction)
        start = current.draw(images, step.generator)
        direction = steepest(loss_gradient(network, start, labels), current.norm)
        yield cross_entropy(network(current.restrict(start + self.step * current.radius * direction, images)), labels)
