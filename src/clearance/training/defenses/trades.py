"""TRADES: a trade between the loss at the inputs and how much the answer changes around them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, kl_div, log_softmax

from clearance.training.accuracies import mode
from clearance.training.defenses.adversarial import grown
from clearance.training.defenses.defense import TrainingStep, check_settings
from clearance.training.perturbations import PerturbationSet, ascend


@dataclass(frozen=True)
class Trades:
    """TRADES (Zhang, Yu, Jiao, Xing, El Ghaoui and Jordan 2019, algorithm 1).

    `loss(f(x), y) + beta max over x' of KL(softmax f(x) || softmax f(x'))`; the maximisation is `ascend` on the
    divergence, in evaluation mode as in the paper's code, from a random point of the set (there: from Gaussian noise of
    deviation 0.001). The batch of inputs and perturbed inputs goes through the network at once.

    Attributes:
        perturbations: What the adversary may do.
        steps: Ascent steps.
        step_size: Length of one, in input units; `None` is `2.5 radius / steps`.
        beta: Weight of robustness against accuracy; the paper's `1 / lambda`, 6 in its experiments.
        ramp: The share of training over which the radius grows; 0 for the full radius at once.
    """

    perturbations: PerturbationSet
    steps: int = 10
    step_size: float | None = None
    beta: float = 6.0
    ramp: float = 0.0

    def __post_init__(self) -> None:
        """Check the settings."""
        check_settings({"steps": self.steps, "step_size": self.step_size, "beta": self.beta}, {"ramp": self.ramp})

    @property
    def label(self) -> str:
        """In one line."""
        return f"TRADES, {self.steps} steps, beta {self.beta:g} ({self.perturbations.in_words()})"

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
        with mode(network, training=False):
            with torch.no_grad():
                reference = log_softmax(network(images), 1)

            def divergence(logits: Tensor, _: Tensor) -> Tensor:
                return kl_div(log_softmax(logits, 1), reference, reduction="sum", log_target=True)

            x = ascend(
                network,
                images,
                labels,
                current,
                steps=self.steps,
                step_size=self.step_size,
                generator=step.generator,
                loss=divergence,
            )
        here, there = network(torch.cat([images, x])).chunk(2)
        robust = kl_div(log_softmax(there, 1), log_softmax(here, 1), reduction="batchmean", log_target=True)
        yield cross_entropy(here, labels) + self.beta * robust
