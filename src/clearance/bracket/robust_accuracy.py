"""Robust accuracy at one radius, from both ends: what is proved, and what is not yet broken.

    share proved  <=  robust accuracy of these inputs  <=  share not yet broken

Attacks and certificates know nothing of each other; here they meet over a set of inputs, as they do in `bracket` over
one of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from torch import Tensor

from clearance.attacks.fixed_radius import attack_within, passes_within
from clearance.attacks.result import AttackResult
from clearance.attacks.table import ENSEMBLE
from clearance.certificates import Certificate
from clearance.certificates.best import certify_inputs, check_package
from clearance.certificates.table import check_time_limit, method_names
from clearance.errors import InputError
from clearance.geometry.exponents import as_norm
from clearance.model.classifier import Classifier, check_classifier
from clearance.model.cost import Cost
from clearance.model.inputs import prepare
from clearance.model.measured import in_input_units
from clearance.model.progress import Progress, following
from clearance.model.robustness import Robustness, RobustShares, check_level, standing


@dataclass(frozen=True, repr=False)
class RobustAccuracy(RobustShares):
    """Robust accuracy at one radius, from both ends, with what was found for each input.

    Source: `model.robustness.RobustShares`, which has the shares and their intervals.

    Attributes:
        attacked: What the attacks found for each input, in order.
        certified: The certificate of each input; `None` where none was asked for or needed (the input is broken).
        cost: Of all inputs together.
    """

    attacked: tuple[AttackResult, ...]
    certified: tuple[Certificate | None, ...]
    cost: Cost

    def __repr__(self) -> str:
        """The two ends in short, and where the upper one rests on attacks without a gradient."""
        without = f", no gradient at {self.zero_gradient}: they may be far too many" if self.zero_gradient else ""
        return f"{super().__repr__().removesuffix(')')}{without})"

    def __add__(self, others: object) -> RobustShares:
        """Of the inputs of both, as shares add up; with what was found for each where both have it.

        Raises:
            InputError: As there.
        """
        both = super().__add__(others)
        if not isinstance(others, RobustAccuracy):
            return both
        found = {name: getattr(self, name) + getattr(others, name) for name in ("attacked", "certified", "cost")}
        return replace(self, statuses=both.statuses, doubted=both.doubted, **found)

    @property
    def zero_gradient(self) -> int:
        """Inputs at which the margin's gradient is zero or not finite: `not_broken` may be far too large there."""
        return sum(found.zero_gradient for found in self.attacked)

    def as_record(self) -> dict[str, Any]:
        """Plain values for JSON; an infinite norm is a word."""
        return {**super().as_record(), "zero_gradient": self.zero_gradient, "cost": asdict(self.cost)}


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
    progress: Progress = False,
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
        progress: As in `attack` and `certify`, first for the attacks, then for the certificates.

    Returns:
        Both ends, and what was found for each input.

    Raises:
        InputError: If the radius, the budget, the certificate or the level cannot be used.
        ClearanceError: If another argument or the network cannot be used.

    >>> import torch
    >>> import clearance as cl
    >>> line = torch.nn.Linear(2, 2, bias=False)
    >>> _ = line.weight.data.copy_(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
    >>> x = torch.tensor([[1.0, 0.5], [0.1, 0.1], [-1.0, 0.0]])  # at distances 1 and 0.14; misclassified
    >>> found = cl.robust_accuracy(cl.Classifier(line), x, [0, 0, 0], 0.5, 2, budget="quick")
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
    with following(progress, "attacking", len(inputs.judged)) as advance:
        attacked = attack_within(inputs, radius, passes, advance=advance)
    left = [place for place in inputs.judged if not attacked[place].success]
    certified: list[Certificate | None] = [] if certificate == "none" else [None] * len(inputs)
    if certified and left:
        with following(progress, "certifying", len(left)) as advance:
            proofs = certify_inputs(inputs.rows(left), method=certificate, time_limit=time_limit, advance=advance)
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
    return RobustAccuracy(radius, norm, tuple(statuses), bool(certified), level, tuple(attacked), proofs, cost)


def _status(found: AttackResult, proof: Certificate | None, radius: float) -> Robustness:
    witness = radius if found.success else found.distance  # it was looked for within the radius, and nowhere else
    return standing(radius, witness=witness, proved=proof.radius if proof and proof.status.has_radius else None)
