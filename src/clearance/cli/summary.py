"""What a list of scores amounts to: a median over the numbers, and a count of everything else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from clearance.estimates.scores import Score
from clearance.model.cost import Cost
from clearance.results.short import summarise_results


@dataclass(frozen=True)
class Summary:
    """Scores in short.

    Attributes:
        inputs: How many inputs.
        with_number: How many of them have an estimated radius.
        median_radius: Median of those; `None` where there is none.
        statuses: How many inputs have each status; those that occur only.
        cost: Of all of them together.
    """

    inputs: int
    with_number: int
    median_radius: float | None
    statuses: Mapping[str, int]
    cost: Cost

    def as_record(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def summarise(scores: Sequence[Score]) -> Summary:
    """The summary of some scores.

    Args:
        scores: Any number of them.

    Returns:
        Their median and counts.
    """
    found = summarise_results(scores)
    return Summary(found.inputs, found.readable, found.estimated, found.statuses, found.cost)
