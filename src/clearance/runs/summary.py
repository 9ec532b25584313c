"""A run in a few lines: medians and shares for each norm, target and order."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from clearance.status import Status


@dataclass(frozen=True)
class Row:
    """The tasks of one norm, target and order. Medians are `None` where there is nothing to take one of.

    Attributes:
        norm: The norm of distances.
        target: Class to move to.
        order: Order of the estimate.
        tasks: How many tasks are finished.
        failed: How many of them failed.
        misclassified: How many inputs the network misclassifies.
        refuted: How many estimates a witness or a slope contradicts.
        masked: How many estimates the audit takes away.
        certified: Median certified radius, 0 where nothing is proved, over correctly classified inputs; `None` where
            no certificate was asked for.
        estimated: Median estimated radius, over those that may be read.
        readable: How many estimates may be read.
        attacked: Median attack distance, over correctly classified inputs; infinite for one without a witness.
        witnesses: How many inputs have a witness.
        forward: Forward passes.
        backward: Backward passes.
        seconds: Seconds of computation.
    """

    norm: float
    target: str | int
    order: int
    tasks: int
    failed: int
    misclassified: int
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

    def as_record(self) -> dict[str, Any]:
        """Plain values for JSON."""
        record = {**asdict(self), "norm": "inf" if math.isinf(self.norm) else self.norm}
        return record | {"attacked": "inf" if self.attacked == math.inf else self.attacked}


def summarise(records: Iterable[Mapping[str, Any]]) -> list[Row]:
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


def _row(norm: Any, target: Any, order: Any, *, records: list[Mapping[str, Any]]) -> Row:
    done = [record for record in records if record["error"] is None]
    judged = [record for record in done if record["status"] != Status.MISCLASSIFIED]
    readable = [number(record["estimated"]["radius"]) for record in judged]
    attacked = [number(record["attacked"]["distance"]) for record in judged]
    proofs = [record["certified"] for record in judged if record["certified"] is not None]
    certified = [number(proof.get("radius")) or 0.0 for proof in proofs]
    costs = [record["cost"] for record in done]
    return Row(
        norm=float(norm),
        target=target,
        order=order,
        tasks=len(records),
        failed=len(records) - len(done),
        misclassified=len(done) - len(judged),
        refuted=sum(record["status"] == Status.REFUTED for record in judged),
        masked=sum(record["status"] == Status.MASKED for record in judged),
        certified=median(certified) if certified else None,
        estimated=_median(readable),
        readable=sum(value is not None for value in readable),
        attacked=_median([math.inf if value is None else value for value in attacked]),
        witnesses=sum(value is not None for value in attacked),
        forward=sum(cost["forward"] for cost in costs),
        backward=sum(cost["backward"] for cost in costs),
        seconds=sum(cost["seconds"] for cost in costs),
    )


def number(value: Any) -> float | None:
    """A number of a record: `None` stays, `"inf"` is read."""
    return None if value is None else float(value)


def _median(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
