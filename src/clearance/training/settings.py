"""What training is asked to do, and what it did."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from clearance.errors import InputError
from clearance.model.seeds import check_seed
from clearance.records import Word
from clearance.training.accuracies import check_inputs
from clearance.training.perturbations import PerturbationSet

OPTIMISERS = ("adam", "sgd")
"""Adam (Kingma and Ba 2015), and stochastic gradient descent with Nesterov's momentum of .9."""
AUGMENTATIONS = ("none", "crop-flip")
"""Changes of training inputs: none, or shifts by up to four pixels (zeros come in) and mirror images."""


@dataclass(frozen=True)
class TrainingSettings:
    """How a network is trained, whatever the defence. The learning rate falls to zero along a half cosine.

    Attributes:
        epochs: Passes over the inputs.
        batch_size: Inputs in one step.
        learning_rate: At the start.
        seed: Fixes the order of the inputs, what a defence draws, and dropout.
        optimiser: One of `OPTIMISERS`.
        weight_decay: Factor of `weights^2 / 2` in the loss.
        augmentation: One of `AUGMENTATIONS`.
        patience: Stop after so many epochs without a better robust accuracy (with `Validation` only); `None` never.
    """

    epochs: int
    batch_size: int = 128
    learning_rate: float = 1e-3
    seed: int = 0
    optimiser: str = "adam"
    weight_decay: float = 0.0
    augmentation: str = "none"
    patience: int | None = None

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InputError: If one is not positive, or no known word.
        """
        check_seed(self.seed)
        for name in ("epochs", "batch_size", "learning_rate"):
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(f"{name}: expected a positive number, got {getattr(self, name)}")
        if not 0 <= self.weight_decay < math.inf:
            raise InputError(f"weight_decay: expected a number >= 0, got {self.weight_decay}")
        if self.patience is not None and self.patience < 1:
            raise InputError(f"patience: expected at least 1, got {self.patience}")
        for name, known in (("optimiser", OPTIMISERS), ("augmentation", AUGMENTATIONS)):
            if getattr(self, name) not in known:
                raise InputError(f"{name}: expected one of {', '.join(known)}, got {getattr(self, name)!r}")


@dataclass(frozen=True)
class Validation:
    """Inputs apart from the training inputs, on which each epoch is judged: the best epoch's weights are kept.

    Robust training overfits: robust accuracy on other inputs falls long before training ends (Rice, Wong and Kolter
    2020), so that early stopping is worth more than most changes of method.

    Attributes:
        images: `(count, *input)`.
        labels: `(count,)`.
        perturbations: What the adversary may do; `None` judges by clean accuracy.
        steps: Ascent steps of the adversary.
        by_intervals: Judge by the share that interval bounds keep right, for certified training.
    """

    images: Tensor
    labels: Tensor
    perturbations: PerturbationSet | None = None
    steps: int = 20
    by_intervals: bool = False

    def __post_init__(self) -> None:
        """Check that every input has a label."""
        check_inputs(self.images, self.labels, steps=self.steps)


class TrainingStatus(Word):
    """How training ended."""

    FINISHED = "finished", "all epochs were done"
    STOPPED_EARLY = "stopped_early", "no better epoch for as many epochs as the patience allows"
    OVERFITTED = (
        "catastrophic_overfitting",
        "robust accuracy collapsed from one epoch to the next, as single-step training can (Wong et al. 2020)",
    )


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to.

    Attributes:
        loss: The mean loss over its batches.
        clean: Accuracy on the validation inputs; `None` without them.
        robust: Robust accuracy there; `None` without them or without an adversary.
        bounded: The share there that interval bounds keep right; `None` where it is not asked for.
    """

    loss: float
    clean: float | None = None
    robust: float | None = None
    bounded: float | None = None

    @property
    def score(self) -> tuple[float, ...]:
        """What epochs are compared by: what is bounded, then robust accuracy, then clean accuracy."""
        return (self.bounded or 0.0, self.robust or 0.0, self.clean or 0.0)


@dataclass(frozen=True)
class History:
    """How training went.

    Attributes:
        epochs: One record for each epoch that was done.
        best: Which of them the network's weights are of: the best on the validation inputs, or the last one.
        status: How it ended.
    """

    epochs: tuple[Epoch, ...]
    best: int
    status: TrainingStatus

    @property
    def losses(self) -> tuple[float, ...]:
        """The mean loss of each epoch."""
        return tuple(epoch.loss for epoch in self.epochs)
