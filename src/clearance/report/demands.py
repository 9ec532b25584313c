"""What is asked of a release, and the part of a run that it is asked of."""

from __future__ import annotations

from dataclasses import dataclass, replace

from clearance.report.paired import threat_name
from clearance.report.records import Entry, FailedTask, RunRecords
from clearance.report.statistics import Group

CLASS_INPUTS = 5
"""How many inputs a class needs to be judged, unless another number is asked for: the median of five is none of its
two smallest values, so that one input alone does not decide it."""


@dataclass(frozen=True)
class Limits:
    """What is asked of a release; `None` for nothing.

    Attributes:
        min_median: Smallest median estimated radius.
        min_certified: Smallest median certified radius.
        min_attacked: Smallest median attack distance.
        min_readable: Smallest share of correctly classified inputs whose estimate may be read.
        max_flagged: Largest share of correctly classified inputs whose estimate must not be read.
        max_misclassified: Largest share of inputs that are misclassified.
        max_failed: Most tasks that may have failed.
        max_drop: Largest relative drop of a median from the baseline's.
        min_proved: Smallest robust accuracy that is proved.
        min_not_broken: Smallest robust accuracy that no witness contradicts.
        min_class_median: Smallest median estimated radius of a class.
        min_class_certified: Smallest median certified radius of a class.
        min_class_attacked: Smallest median attack distance of a class.
        min_class_proved: Smallest robust accuracy of a class that is proved.
        min_class_not_broken: Smallest robust accuracy of a class that no witness contradicts.
        at: Radii at which robust accuracy is judged.
        class_inputs: How many inputs a class needs at least to be judged.
        drop_of: Of which of `paired.QUANTITIES`.
        allow_unfinished: Judge a run that is not finished by what there is.
    """

    min_median: float | None = None
    min_certified: float | None = None
    min_attacked: float | None = None
    min_readable: float | None = None
    max_flagged: float | None = None
    max_misclassified: float | None = None
    max_failed: int = 0
    max_drop: float | None = None
    min_proved: float | None = None
    min_not_broken: float | None = None
    min_class_median: float | None = None
    min_class_certified: float | None = None
    min_class_attacked: float | None = None
    min_class_proved: float | None = None
    min_class_not_broken: float | None = None
    at: tuple[float, ...] = ()
    class_inputs: int = CLASS_INPUTS
    drop_of: tuple[str, ...] = ("attacked",)
    allow_unfinished: bool = False

    def of(self, name: str) -> float | None:
        """The limit of a criterion (`criteria.CRITERIA`); `None` where it is not asked for.

        >>> Limits(min_median=0.5).of("min_median"), Limits().of("max_drop")
        (0.5, None)
        """
        return getattr(self, name)

    def asked(self, name: str) -> float:
        """The limit of a criterion that is asked for."""
        limit = self.of(name)
        assert limit is not None
        return limit


@dataclass(frozen=True)
class Part:
    """The tasks of one norm, target and order.

    Attributes:
        run: The run.
        group: Norm, target and order.
        threat: The same in words.
        entries: The finished brackets.
        failures: The tasks that failed.
        planned: How many tasks there are.
        target_is_predicted: How many of them have no bracket because the input has the target class already.
    """

    run: RunRecords
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

    @property
    def by_class(self) -> dict[int, Part]:
        """The tasks of each class of the run's inputs; the class that is the target has nothing to measure."""
        labels = self.run.plan.data.labels
        return {
            label: replace(
                self,
                entries=tuple(entry for entry in self.entries if entry.label == label),
                failures=tuple(lost for lost in self.failures if lost.label == label),
                planned=labels.count(label),
                target_is_predicted=0,
            )
            for label in sorted(set(labels))
            if str(label) != self.group.target
        }


def part_of(run: RunRecords, group: Group) -> Part:
    """The tasks of a run for one norm, target and order."""
    return Part(
        run,
        group,
        threat_name(group, run),
        tuple(entry for entry in run.entries if Group(entry.norm, entry.target, entry.order) == group),
        tuple(lost for lost in run.failures if Group(lost.norm, lost.target, lost.order) == group),
        run.plan.data.count,
        sum(row.target_is_predicted for row in run.rows if Group(row.norm, str(row.target), row.order) == group),
    )
