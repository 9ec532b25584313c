"""A run in a few lines: medians and shares for each norm, target and order.

The median of estimates is over those that count: they may be read, and nothing larger is proved of their input. Where
they are fewer than half of the judged inputs there is none: a median over the few would stand beside medians over all.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from clearance.estimates.status import Status
from clearance.records import in_words

READABLE_SHARE = 0.5
"""Smallest share of the judged inputs (correctly classified, with a result) that a median may rest on."""


@dataclass(frozen=True)
class SummaryRow:
    """The tasks of one norm, target and order. Medians are `None` where there is nothing to take one of.

    Attributes:
        norm: The norm of distances.
        target: Class to move to.
        order: Order of the estimate.
        tasks: How many tasks are finished.
        failed: How many of them failed.
        misclassified: How many inputs the network misclassifies.
        target_is_predicted: How many inputs have the target class already: there is nothing to measure.
        refuted: How many estimates a witness or a slope contradicts.
        masked: How many estimates the audit takes away.
        certified: Median certified radius, 0 where nothing is proved, over correctly classified inputs; `None` where
            no certificate was asked for.
        estimated: Median estimated radius, over the estimates that count: those that may be read and lie above what is
            proved. `None` where these are fewer than half of the judged inputs.
        readable: How many count.
        attacked: Median attack distance, over the inputs with a witness, and as infinite over those without one of
            which it is proved that there is none.
        witnesses: How many inputs have a witness.
        forward: Forward passes.
        backward: Backward passes.
        seconds: Seconds of computation.
        below_proof: How many estimates are in no median because more is proved.
        absent: Of how many inputs it is proved that there is no adversarial example.
    """

    norm: float
    target: str | int
    order: int
    tasks: int
    failed: int
    misclassified: int
    target_is_predicted: int
    refuted: int
    masked: int
    certified: float | None
    estimated: float | None
    readable: int
    attacked: float | None
    witnesses: int
    forward: int
    backward: int
    seconds: float
    below_proof: int = 0
    absent: int = 0

    @property
    def judged(self) -> int:
        """What every count is out of: inputs with a result, classified correctly and not as the target."""
        return self.tasks - self.failed - self.misclassified - self.target_is_predicted

    def as_record(self) -> dict[str, Any]:
        """Plain values for JSON; infinity is `"inf"`."""
        return in_words(asdict(self))


def summarise(records: Iterable[Mapping[str, Any]]) -> list[SummaryRow]:
    """One row for each norm, target and order, in the order in which they first appear.

    Args:
        records: As `clearance.runs.export.iterate_records` gives them.

    Returns:
        The rows.
    """
    groups: dict[tuple[Any, Any, Any], list[Mapping[str, Any]]] = {}
    for record in records:
        groups.setdefault((record["norm"], record["target"], record["order"]), []).append(record)
    return [_row(*key, records=group) for key, group in groups.items()]


def _row(norm: Any, target: Any, order: Any, *, records: list[Mapping[str, Any]]) -> SummaryRow:
    done = [record for record in records if record["error"] is None]
    judged = [record for record in done if Status(record["status"]).measured]
    readable = [number(record["estimated"]["radius"]) for record in judged]
    known = sum(value is not None for value in readable)
    attacked = [attack_distance(record) for record in judged]
    absent = sum(value == math.inf for value in attacked)
    proofs = [record["certified"] for record in judged if record["certified"] is not None]
    certified = [number(proof.get("radius")) or 0.0 for proof in proofs]
    costs = [record["cost"] for record in done]
    return SummaryRow(
        norm=float(norm),
        target=target,
        order=order,
        tasks=len(records),
        failed=len(records) - len(done),
        misclassified=sum(record["status"] == Status.MISCLASSIFIED for record in done),
        target_is_predicted=sum(record["status"] == Status.TARGET_IS_PREDICTED for record in done),
        refuted=sum(record["status"] == Status.REFUTED for record in judged),
        masked=sum(record["status"] == Status.MASKED for record in judged),
        certified=_middle(certified),
        estimated=_middle(readable) if known >= READABLE_SHARE * len(judged) else None,
        readable=known,
        attacked=_middle(attacked),
        witnesses=sum(value is not None for value in attacked) - absent,
        forward=sum(cost["forward"] for cost in costs),
        backward=sum(cost["backward"] for cost in costs),
        seconds=sum(cost["seconds"] for cost in costs),
        below_proof=sum(record["estimated"].get("below_proof", False) for record in judged),
        absent=absent,
    )


def number(value: Any) -> float | None:
    """A number of a record: `None` stays, `"inf"` is read."""
    return None if value is None else float(value)


def attack_distance(record: Mapping[str, Any]) -> float | None:
    """The attack distance; infinite where it is proved that there is no adversarial example."""
    met, proof = number(record["attacked"]["distance"]), record["certified"] or {}
    return math.inf if met is None and proof.get("radius") == "inf" else met


def _middle(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return middle(known) if known else None


def middle(values: ArrayLike) -> float:
    """The median; of an even number the mean of the two in the middle, or the lower where one of them is infinite.

    >>> middle([1.0, 3.0, 2.0]), middle([1.0, 2.0]), middle([1.0, math.inf])
    (2.0, 1.5, 1.0)
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    low, high = float(ordered[(len(ordered) - 1) // 2]), float(ordered[len(ordered) // 2])
    return (low + high) / 2 if math.isfinite(low) and math.isfinite(high) else low
