"""Defensive distillation: a student learns its teacher's soft answers at a high temperature."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, softmax

from clearance.training.accuracies import mode
from clearance.training.defenses.defense import TrainingStep, check_settings


@dataclass(frozen=True)
class Distillation:
    """Defensive distillation (Papernot, McDaniel, Wu, Jha and Swami 2016, section IV).

    The student's loss is the cross-entropy of `softmax(f(x) / T)` with the teacher's `softmax(F(x) / T)`; the teacher
    was trained at the same `T` on the labels (`Standard(temperature=T)`). At the temperature 1 the student's logits are
    about `T` times as large as usual, so that the gradients of its softmax vanish in float32: a mask, not a defence
    (Carlini and Wagner 2017); gradients of logits are as useful as before.

    Attributes:
        teacher: Maps `(batch, *input)` to logits; used in evaluation mode and left as it is.
        temperature: `T`; 100 is that of Weng et al. (2018) and of the paper's strongest form.
    """

    teacher: nn.Module
    temperature: float = 100.0

    def __post_init__(self) -> None:
        """Check the temperature."""
        check_settings({"temperature": self.temperature}, {})

    @property
    def label(self) -> str:
        """In one line."""
        return f"defensive distillation, temperature {self.temperature:g}"

    @property
    def settled(self) -> float:
        """Every epoch counts."""
        return 0.0

    def losses(
        self,
        network: nn.Module,
        images: Tensor,
        labels: Tensor,  # noqa: ARG002
        step: TrainingStep,  # noqa: ARG002
    ) -> Iterator[Tensor]:
        """One loss. See `Defense.losses`.

        Yields:
            The loss.
        """
        with mode(self.teacher, training=False), torch.no_grad():
            soft = softmax(self.teacher(images) / self.temperature, 1)
        yield cross_entropy(network(images) / self.temperature, soft)
