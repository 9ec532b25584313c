"""What is asked of a release, and the part of a run that it is asked of."""

from __future__ import annotations

from dataclasses import dataclass

from clearance.report.paired import threat_name
from clearance.report.records import Entry, FailedTask, RunRecords
from clearance.report.statistics import Group


@dataclass(frozen=True)
class Limits:
    """What is asked of a release; `None` for nothing.

    Attributes:
        min_median: Smallest median estimated radius.
        min_certified: Smallest median certified radius.
        min_attacked: Smallest median attack distance.
        max_flagged: Largest share of correctly classified inputs whose estimate must not be read.
        max_misclassified: Largest share of inputs that are misclassified.
        max_failed: Most tasks that may have failed.
        max_drop: Largest relative drop of a median from the baseline's.
        drop_of: Of which of `paired.QUANTITIES`.
        allow_unfinished: Judge a run that is not finished by what there is.
    """

    min_median: float | None = None
    min_certified: float | None = None
    min_attacked: float | None = None
    max_flagged: float | None = None
    max_misclassified: float | None = None
    max_failed: int = 0
    max_drop: float | None = None
    drop_of: tuple[str, ...] = ("attacked",)
    allow_unfinished: bool = False

    def of(self, name: str) -> float | None:
        """The limit of a criterion (`criteria.CRITERIA`); `None` where it is not asked for.

        >>> Limits(min_median=0.5).of("min_median"), Limits().of("max_drop")
        (0.5, None)
        """
        return getattr(self, name)


@dataclass(frozen=True)
class Part:
    """The tasks of one norm, target and order.

    Attributes:
        group: Norm, target and order.
        threat: The same in words.
        entries: The finished brackets.
        failures: The tasks that failed.
        planned: How many tasks there are.
        target_is_predicted: How many of them have no bracket because the input has the target class already.
    """

    group: Group
    threat: str
    entries: tuple[Entry, ...]
    failures: tuple[FailedTask, ...]
    planned: int
    target_is_predicted: int = 0

    @property
    def failed(self) -> int:
        """How many tasks failed."""
        return len(self.failures)

    @property
    def judged(self) -> list[Entry]:
        """The entries with something to measure."""
        return [entry for entry in self.entries if entry.judged]


def part_of(run: RunRecords, group: Group) -> Part:
    """The tasks of a run for one norm, target and order."""
    return Part(
        group,
        threat_name(group, run),
        tuple(entry for entry in run.entries if Group(entry.norm, entry.target, entry.order) == group),
        tuple(lost for lost in run.failures if Group(lost.norm, lost.target, lost.order) == group),
        run.plan.data.count,
        sum(row.target_is_predicted for row in run.rows if Group(row.norm, str(row.target), row.order) == group),
    )
