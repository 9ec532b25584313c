"""What a list of scores amounts to: a median over the numbers, and a count of everything else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from clearance.estimates.scores import Score
from clearance.model.cost import Cost


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
    numbers = [score.radius for score in scores if score.status.has_number]
    counts = Counter(score.status for score in scores)
    statuses = {status.value: counts[status] for status in sorted(counts, key=lambda status: status.severity)}
    middle = median(numbers) if numbers else None
    return Summary(len(scores), len(numbers), middle, statuses, sum((score.cost for score in scores), Cost()))
