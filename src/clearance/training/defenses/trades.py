"""TRADES: a trade between the loss at the inputs and how much the answer changes around them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, kl_div, log_softmax

from clearance.training.accuracies import mode
from clearance.training.defenses.adversarial import InnerMaximisation
from clearance.training.defenses.defense import TrainingStep, check_settings


@dataclass(frozen=True)
class Trades(InnerMaximisation):
    """TRADES (Zhang, Yu, Jiao, Xing, El Ghaoui and Jordan 2019, algorithm 1).

    `loss(f(x), y) + beta max over x' of KL(softmax f(x) || softmax f(x'))`; the maximisation is `ascend` on the
    divergence, in evaluation mode as in the paper's code, from a random point of the set (there: from Gaussian noise of
    deviation 0.001). The batch of inputs and perturbed inputs goes through the network at once.

    Attributes:
        beta: Weight of robustness against accuracy; the paper's `1 / lambda`, 6 in its experiments.
    """

    beta: float = 6.0

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        check_settings({"beta": self.beta}, {})

    @property
    def label(self) -> str:
        """In one line."""
        return f"TRADES, {self.steps} steps, beta {self.beta:g} ({self.perturbations.in_words()})"

    def losses(self, network: nn.Module, images: Tensor, labels: Tensor, step: TrainingStep) -> Iterator[Tensor]:
        """One loss. See `Defense.losses`.

        Yields:
            The loss.
        """
        with mode(network, training=False), torch.no_grad():
            reference = log_softmax(network(images), 1)

        def divergence(logits: Tensor, _: Tensor) -> Tensor:
            return kl_div(log_softmax(logits, 1), reference, reduction="sum", log_target=True)

        x = self.ascended(network, images, labels, step, divergence)
        here, there = network(torch.cat([images, x])).chunk(2)
        robust = kl_div(log_softmax(there, 1), log_softmax(here, 1), reduction="batchmean", log_target=True)
        yield cross_entropy(here, labels) + self.beta * robust
