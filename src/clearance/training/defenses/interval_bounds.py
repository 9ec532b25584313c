"""Certified training: the loss at the worst logits that interval bounds cannot exclude."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from clearance.errors import InputError
from clearance.training.defenses.adversarial import grown
from clearance.training.defenses.defense import TrainingStep, check_settings
from clearance.training.intervals import interval_margins, linear_margins
from clearance.training.perturbations import PerturbationSet


@dataclass(frozen=True)
class IntervalBounds:
    """Interval bound propagation (Gowal et al. 2018), started by CROWN-IBP (Zhang et al. 2020).

    With lower bounds `m_j` of the margins `f_y - f_j` over the box, the loss is `kappa CE(f(x), y) + (1 - kappa)
    CE(-m, y)`, where `m = beta m_CROWN + (1 - beta) m_IBP`. While the radius grows over the share `ramp` of training,
    after `warmup` of standard training, `kappa` falls from 1 to `kappa` and `beta` from `crown` to 0.

    Attributes:
        perturbations: The box that is proved against: `l_inf`.
        warmup: Share of training without a box.
        ramp: Share of training at which the radius is full.
        kappa: Weight of the ordinary loss in the end.
        crown: `beta` at the start: 1 as in CROWN-IBP, 0 for intervals alone, which also know poolings, bounded ReLU and
            other monotone activations.
    """

    perturbations: PerturbationSet
    warmup: float = 0.05
    ramp: float = 0.5
    kappa: float = 0.5
    crown: float = 1.0

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            InputError: If the norm is not infinity, or a share is not one.
        """
        if not math.isinf(self.perturbations.norm):
            raise InputError(f"norm: interval bounds are of l_inf boxes, got {self.perturbations.norm:g}")
        check_settings({}, {name: getattr(self, name) for name in ("warmup", "ramp", "kappa", "crown")})
        if self.warmup >= self.ramp:
            raise InputError(f"ramp: expected more than the warm-up of {self.warmup:g}, got {self.ramp:g}")

    @property
    def label(self) -> str:
        """In one line."""
        kind = "CROWN-IBP" if self.crown else "interval bounds"
        return f"{kind}, kappa {self.kappa:g}, ramp {self.ramp:g} ({self.perturbations.in_words()})"

    @property
    def settled(self) -> float:
        """After the ramp."""
        return self.ramp

    def losses(self, network: nn.Module, images: Tensor, labels: Tensor, step: TrainingStep) -> Iterator[Tensor]:
        """One loss. See `Defense.losses`.

        Yields:
            The loss.
        """
        natural = cross_entropy(network(images), labels)
        if step.fraction < self.warmup:
            yield natural
            return
        done = min((step.fraction - self.warmup) / (self.ramp - self.warmup), 1.0)
        low, high = grown(self.perturbations, 1.0, done).box(images)
        beta = self.crown * (1 - done)
        margins = interval_margins(network, low, high, labels)
        if beta:
            margins = beta * linear_margins(network, low, high, labels) + (1 - beta) * margins
        kappa = 1 - (1 - self.kappa) * done
        yield kappa * natural + (1 - kappa) * cross_entropy(-margins, labels)
