"""Adversarial training: the loss at the points that projected gradient ascent finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from clearance.training.accuracies import mode
from clearance.training.defenses.defense import TrainingStep, check_settings
from clearance.training.perturbations import PerturbationSet, ascend


@dataclass(frozen=True)
class InnerMaximisation:
    """What defences share that train where gradient ascent ends.

    Attributes:
        perturbations: What the adversary may do.
        steps: Ascent steps for each batch: training costs `steps + 1` times as many passes as standard training.
        step_size: Length of one, in input units; `None` is `2.5 radius / steps`.
        ramp: The radius grows in proportion to time over this share of training, which a large radius needs to get away
            from a constant answer; 0 for the full radius at once.
    """

    perturbations: PerturbationSet
    steps: int = 10
    step_size: float | None = None
    ramp: float = 0.0

    def __post_init__(self) -> None:
        """Check the settings."""
        check_settings({"steps": self.steps, "step_size": self.step_size}, {"ramp": self.ramp})

    @property
    def settled(self) -> float:
        """After the ramp."""
        return self.ramp

    def ascended(
        self,
        network: nn.Module,
        images: Tensor,
        labels: Tensor,
        step: TrainingStep,
        loss: Callable[[Tensor, Tensor], Tensor] | None = None,
    ) -> Tensor:
        """Where the ascent ends within the radius of now, `(batch, *input)`; arguments as of `ascend` and `losses`."""
        with mode(network, training=False):  # batch statistics of the ascent are not those of the data
            return ascend(
                network,
                images,
                labels,
                grown(self.perturbations, self.ramp, step.fraction),
                steps=self.steps,
                step_size=self.step_size,
                generator=step.generator,
                loss=loss,
            )


@dataclass(frozen=True)
class Adversarial(InnerMaximisation):
    """Adversarial training (Madry, Makelov, Schmidt, Tsipras and Vladu 2018, equation 2.1).

    The gradient of the loss at the worst perturbation is the gradient of the robust loss by Danskin's theorem, if the
    ascent finds the maximiser; it finds a point with a large loss, so this is a heuristic (`training.perturbations`).
    """

    @property
    def label(self) -> str:
        """In one line."""
        length = "" if self.step_size is None else f" of {self.step_size:g}"
        return f"adversarial, {self.steps} steps{length} ({self.perturbations.in_words()})"

    def losses(self, network: nn.Module, images: Tensor, labels: Tensor, step: TrainingStep) -> Iterator[Tensor]:
        """One loss. See `Defense.losses`.

        Yields:
            The loss.
        """
        yield cross_entropy(network(self.ascended(network, images, labels, step)), labels)


def grown(perturbations: PerturbationSet, ramp: float, fraction: float) -> PerturbationSet:
    """The set whose radius grew in proportion to time up to `ramp`, in shares of training.

    Args:
        perturbations: The full set.
        ramp: The share of training after which the radius is full.
        fraction: The share of training that is done.

    Returns:
        The set with its radius of now; never less than a hundredth of the full one.

    >>> grown(PerturbationSet(norm=2.0, radius=1.0), 0.5, 0.25).radius
    0.5
    """
    share = 1.0 if fraction >= ramp else max(fraction / ramp, SMALLEST_SHARE)
    return PerturbationSet(perturbations.norm, perturbations.radius * share, perturbations.bounds)


SMALLEST_SHARE = 0.01
"""Of the radius, at the start of a ramp: a set needs a positive radius."""
