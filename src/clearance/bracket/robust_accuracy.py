"""Robust accuracy at one radius, from both ends: what is proved, and what is not yet broken.

    share proved  <=  robust accuracy of these inputs  <=  share not yet broken

Attacks and certificates know nothing of each other; here they meet over a set of inputs, as they do in `bracket` over
one of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from scipy.special import betaincinv
from torch import Tensor

from clearance.attacks.fixed_radius import attack_within, passes_within
from clearance.attacks.result import AttackResult
from clearance.attacks.table import ENSEMBLE
from clearance.certificates import Certificate
from clearance.certificates.best import certify_inputs, check_package, check_time_limit
from clearance.certificates.table import method_names
from clearance.errors import InputError
from clearance.geometry.norms import as_norm
from clearance.model.classifier import Classifier, check_classifier
from clearance.model.cost import Cost
from clearance.model.inputs import prepare
from clearance.model.measured import in_input_units
from clearance.records import Word, in_words


class Robustness(Word):
    """The standing of one input at one radius: each member is its word and carries its `meaning` in a sentence."""

    PROVED = "proved", "correct, and proved: no adversarial example lies within the radius"
    NOT_BROKEN = "not_broken", "correct, no witness found within the radius and nothing proved"
    BROKEN = "broken", "correct, but a witness lies within the radius"
    MISCLASSIFIED = "misclassified", "the prediction differs from the label: it counts as broken"


@dataclass(frozen=True)
class Proportion:
    """A count out of a number of inputs, and the interval for the share of all inputs they were drawn from.

    Attributes:
        count: How many.
        of: Of how many.
        level: Confidence level of the interval.
    """

    count: int
    of: int
    level: float = 0.95

    @property
    def share(self) -> float:
        """`count / of`."""
        return self.count / self.of

    @property
    def interval(self) -> tuple[float, float]:
        """The Clopper-Pearson interval of the share: see `clopper_pearson`."""
        return clopper_pearson(self.count, self.of, self.level)

    def as_record(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "share": self.share, "interval": list(self.interval)}


@dataclass(frozen=True)
class RobustAccuracy:
    """Robust accuracy at one radius, from both ends.

    Robust accuracy is the share of inputs that are classified correctly and stay so within the radius (Croce and Hein
    2020, section 1): a misclassified input counts as broken.

    Attributes:
        radius: The radius `r` in input units: a witness at distance `r` itself breaks.
        norm: The norm `p` of distances.
        statuses: The standing of each input, in order.
        attacked: What the attacks found for each input, in order.
        certified: The certificate of each input; `None` where none was asked for or needed (the input is broken).
        with_certificates: Whether certificates were asked for.
        level: Confidence level of the intervals.
        cost: Of all inputs together.
    """

    radius: float
    norm: float
    statuses: tuple[Robustness, ...]
    attacked: tuple[AttackResult, ...]
    certified: tuple[Certificate | None, ...]
    with_certificates: bool
    level: float
    cost: Cost

    def __repr__(self) -> str:
        """The two ends in short."""
        proved = f"{self.proved.count} proved, " if self.with_certificates else ""
        return f"RobustAccuracy({proved}{self.not_broken.count} not broken of {len(self)} at {self.radius:g})"

    def __len__(self) -> int:
        """How many inputs there are."""
        return len(self.statuses)

    @property
    def correct(self) -> Proportion:
        """Inputs that are classified correctly: clean accuracy."""
        return self._of(set(Robustness) - {Robustness.MISCLASSIFIED})

    @property
    def broken(self) -> Proportion:
        """Correct inputs with a witness within the radius."""
        return self._of({Robustness.BROKEN})

    @property
    def not_broken(self) -> Proportion:
        """The upper end: correct inputs without a witness within the radius. Robust accuracy is that or less."""
        return self._of({Robustness.PROVED, Robustness.NOT_BROKEN})

    @property
    def proved(self) -> Proportion:
        """The lower end: correct inputs with a certified radius of at least the radius. Robust accuracy is not less."""
        return self._of({Robustness.PROVED})

    def _of(self, words: set[Robustness]) -> Proportion:
        return Proportion(sum(status in words for status in self.statuses), len(self), self.level)

    def as_record(self) -> dict[str, Any]:
        """Plain values for JSON; an infinite norm is a word."""
        return {
            "radius": self.radius,
            "norm": in_words(self.norm),
            "inputs": len(self),
            "correct": self.correct.as_record(),
            "broken": self.broken.as_record(),
            "not_broken": self.not_broken.as_record(),
            "proved": self.proved.as_record() if self.with_certificates else None,
            "cost": asdict(self.cost),
        }


def robust_accuracy(
    model: Classifier,
    x: Tensor,
    labels: Tensor | Sequence[int],
    radius: float,
    norm: float | str,
    *,
    budget: str | int = "standard",
    certificate: str = "best",
    time_limit: float = 60.0,
    level: float = 0.95,
    seed: int = 0,
) -> RobustAccuracy:
    """Which inputs are robust within a radius: the share that is proved, and the share that is not yet broken.

    First the attacks look for a witness of each correctly classified input (`attacks.fixed_radius`); then a certificate
    is asked for where none was found. The robust accuracy of these inputs lies between the two shares; each has a
    Clopper-Pearson interval for the share of all inputs from the same source, if these were drawn at random.
    Source: Croce and Hein (2020, AutoAttack) for the upper end, the definition of a certificate for the lower.

    Args:
        model: The classifier.
        x: Inputs `(batch, *input)`, within the bounds.
        labels: True classes, `(batch,)`; a misclassified input counts as broken.
        radius: The radius in input units, >= 0.
        norm: The norm `p` of distances, from 1 to infinity.
        budget: How hard the attacks try: a name of `model.budgets.BUDGETS`, such as `"quick"`, or the most forward and
            backward passes together that one input may cost.
        certificate: Method of `certify`, or `"none"`.
        time_limit: Seconds that the certificate of one input may take, on average.
        level: Confidence level of the intervals, between 0 and 1.
        seed: With each input's content, fixes every random number.

    Returns:
        Both ends, and what was found for each input.

    Raises:
        InputError: If the radius, the budget, the certificate or the level cannot be used.
        ClearanceError: If another argument or the network cannot be used.

    >>> import torch
    >>> line = torch.nn.Linear(2, 2, bias=False)
    >>> _ = line.weight.data.copy_(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
    >>> x = torch.tensor([[1.0, 0.5], [0.1, 0.1], [-1.0, 0.0]])  # at distances 1 and 0.14; misclassified
    >>> found = robust_accuracy(Classifier(line), x, [0, 0, 0], 0.5, 2, budget="quick")
    >>> found.proved.count, found.not_broken.count, [status.value for status in found.statuses]
    (1, 1, ['proved', 'broken', 'misclassified'])
    """
    check_classifier(model)
    passes = passes_within(radius, as_norm(norm), ENSEMBLE, budget)
    if certificate not in (known := (*method_names(), "none")):
        raise InputError(f"certificate: expected one of {', '.join(known)}, got {certificate!r}")
    check_package(certificate)
    check_time_limit(time_limit)
    check_level(level)
    started = model.meter.read()
    inputs = prepare(model, x, labels, target="untargeted", norm=norm, seed=seed, one_by_one=True)
    attacked = attack_within(inputs, radius, passes)
    left = [place for place in inputs.judged if not attacked[place].success]
    certified: list[Certificate | None] = [] if certificate == "none" else [None] * len(inputs)
    if certified and left:
        proofs = certify_inputs(inputs.rows(left), method=certificate, time_limit=time_limit)
        for place, proof in zip(left, proofs, strict=True):
            certified[place] = proof
    attacked = [in_input_units(model, found) for found in attacked]
    return judge(attacked, certified, radius=radius, norm=inputs.norm, level=level, cost=model.meter.since(started))


def judge(
    attacked: Sequence[AttackResult],
    certified: Sequence[Certificate | None],
    *,
    radius: float,
    norm: float,
    level: float = 0.95,
    cost: Cost,
) -> RobustAccuracy:
    """Robust accuracy from what attacks at the radius found, and what is proved where they found nothing.

    Args:
        attacked: The untargeted result of each input.
        certified: The certificate of each input, or `None`; empty where no certificate was asked for.
        radius: The radius.
        norm: The norm `p`.
        level: Confidence level of the intervals.
        cost: Of all of it.

    Returns:
        The record.
    """
    proofs = tuple(certified) or (None,) * len(attacked)
    statuses = [_status(found, proof, radius) for found, proof in zip(attacked, proofs, strict=True)]
    return RobustAccuracy(radius, norm, tuple(statuses), tuple(attacked), proofs, bool(certified), level, cost)


def _status(witness: AttackResult, proof: Certificate | None, radius: float) -> Robustness:
    if math.isnan(witness.distance):
        return Robustness.MISCLASSIFIED
    if witness.success:
        return Robustness.BROKEN
    proved = proof is not None and proof.status.has_radius and proof.radius >= radius
    return Robustness.PROVED if proved else Robustness.NOT_BROKEN


def clopper_pearson(count: int, of: int, level: float = 0.95) -> tuple[float, float]:
    """The exact two-sided interval of a binomial share: `P(X >= k | low) = P(X <= k | high) = (1 - level) / 2`.

    By quantiles of the beta distribution, `low = B(a / 2; k, n - k + 1)` and `high = B(1 - a / 2; k + 1, n - k)` with
    `a = 1 - level`; 0 where `k = 0`, 1 where `k = n`. It covers the share in at least that level of all samples.
    Source: Clopper and Pearson (1934).

    Args:
        count: `k`.
        of: `n`, at least 1.
        level: Between 0 and 1.

    Returns:
        The interval.

    >>> [round(end, 3) for end in clopper_pearson(8, 10)]
    [0.444, 0.975]
    """
    tail = (1 - level) / 2
    low = 0.0 if count == 0 else float(betaincinv(count, of - count + 1, tail))
    high = 1.0 if count == of else float(betaincinv(count + 1, of - count, 1 - tail))
    return low, high


def check_level(level: float) -> float:
    """The confidence level itself, if it lies between 0 and 1.

    Raises:
        InputError: If it does not.
    """
    if isinstance(level, bool) or not isinstance(level, int | float) or not 0 < level < 1:  # pyright: ignore
        raise InputError(f"level: expected a number between 0 and 1, got {level!r}")
    return float(level)
