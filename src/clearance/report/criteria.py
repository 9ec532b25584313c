"""The table of the gate's criteria, and what judges shares: a new one is an entry, a field of `Limits` and a flag.

**What may be read.** A criterion on a median (`medians`) takes it over the correctly classified inputs whose number may
be read: no refuted or masked estimate, no attack distance that the audit doubts, no certificate that a witness
contradicts. Where these are fewer than half of the correctly classified inputs, failed tasks included, the criterion
fails whatever the median is. So a model whose gradients are masked cannot pass by what is left over. Robust accuracy
(`accuracy_limits`) counts what may be read out of all inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from clearance.estimates.status import Status
from clearance.report.accuracy_limits import JudgeAtRadius, accuracy_at_least, worst_accuracy_at_least
from clearance.report.demands import Limits, Part
from clearance.report.marks import count
from clearance.report.medians import Judge, median_at_least, nothing, worst_median_at_least
from clearance.report.outcome import GateCheck, flag_of, precise
from clearance.report.paired import readable
from clearance.report.records import Entry
from clearance.runs.summary import READABLE_SHARE


class LimitKind(Enum):
    """What a limit is; the value is what a flag's help and the documentation call it."""

    RADIUS = "R"
    """A distance, 0 or more."""
    SHARE = "SHARE"
    """From 0 to 1."""
    COUNT = "N"
    """A number of tasks."""


@dataclass(frozen=True)
class Criterion:
    """One kind of limit.

    Attributes:
        kind: What its limit is.
        passes: When it passes, in words.
        rests_on: What the number rests on.
        judge: Judges one norm, target and order; `None` where `gate.judge` sees to it: it is about the whole run, or
            about a baseline, or about robust accuracy.
        judge_at: Judges robust accuracy in one norm, at one radius.
        needs: Another flag that must come with it, and its value.
        of_class: Whether it is about the worst class.
    """

    kind: LimitKind
    passes: str
    rests_on: str
    judge: Judge | None = None
    judge_at: JudgeAtRadius | None = None
    needs: str = ""
    of_class: bool = False


def readable_at_least(name: str, part: Part, limits: Limits) -> GateCheck:
    """Judges the share of the correctly classified inputs, failed tasks included, whose estimate may be read."""
    limit, asked = limits.asked(name), len(part.judged) + part.failed
    found = sum(readable(entry, "estimated") is not None for entry in part.judged)
    value = found / asked if asked else None
    shown = "nothing to measure" if value is None else f"{precise(value, limit)} ({found} of {asked})"
    criterion = "share of inputs with an estimate that may be read"
    return GateCheck(
        flag=flag_of(name),
        criterion=criterion,
        threat=part.threat,
        wanted=f"at least {precise(limit)}",
        got=shown,
        passed=value is not None and value >= limit,
        reason=nothing(part) if value is None else f"the {criterion} is {shown}, below {precise(limit)}{_codes(part)}",
        value=value,
        limit=limit,
        inputs=asked,
    )


def _codes(part: Part) -> str:
    """The flags behind the estimates that must not be read."""
    unread = (entry for entry in part.judged if not entry.status.has_number)
    codes = sorted({flag.code for entry in unread for flag in entry.flags if flag.doubts})
    return f": {', '.join(codes)}" if codes else ""


def flagged_at_most(name: str, part: Part, limits: Limits) -> GateCheck:
    """Judges the share of the correctly classified inputs whose estimate must not be read."""
    unread = [entry for entry in part.judged if not entry.status.has_number]
    return _share_at_most(name, part, unread, len(part.judged), limits.asked(name), _codes(part))


def misclassified_at_most(name: str, part: Part, limits: Limits) -> GateCheck:
    """Judges the share of the inputs that are misclassified."""
    wrong, asked = [entry for entry in part.entries if not entry.judged], len(part.entries) + part.target_is_predicted
    return _share_at_most(name, part, wrong, asked, limits.asked(name))


def _share_at_most(
    name: str, part: Part, found: Sequence[Entry], asked: int, limit: float, raised: str = ""
) -> GateCheck:
    criterion = f"share of {name.removeprefix('max_')} inputs"
    value = len(found) / asked if asked else None
    shown = "nothing to measure" if value is None else f"{precise(value, limit)} ({len(found)} of {asked})"
    reason = _too_few_tasks(part) or (nothing(part) if value is None else "")
    return GateCheck(
        flag=flag_of(name),
        criterion=criterion,
        threat=part.threat,
        wanted=f"at most {precise(limit)}",
        got=shown,
        passed=not reason and value is not None and value <= limit,
        reason=reason or f"the {criterion} is {shown}, above {precise(limit)}{raised}",
        value=value,
        limit=limit,
        inputs=asked,
    )


def _too_few_tasks(part: Part) -> str:
    known, every = len(part.entries), len(part.entries) + part.failed
    enough = known >= READABLE_SHARE * every
    return "" if enough else f"only {known} of {count(every, 'task')} succeeded; at least half must"


def _unread_statuses() -> str:
    words = (status.value for status in Status if status.measured and not status.has_number)
    return ", ".join(word.replace("_", " ") for word in words)


CRITERIA: dict[str, Criterion] = {
    "min_median": Criterion(
        LimitKind.RADIUS,
        "median **estimated** radius, or proof where that is larger, ≥ R",
        "an estimate, no bound",
        median_at_least("estimated"),
    ),
    "min_certified": Criterion(
        LimitKind.RADIUS,
        "median **certified** radius ≥ R, 0 where nothing is proved",
        "a proof",
        median_at_least("certified"),
    ),
    "min_attacked": Criterion(
        LimitKind.RADIUS, "median **attack distance** ≥ R", "witnesses: an upper bound", median_at_least("attacked")
    ),
    "min_readable": Criterion(
        LimitKind.SHARE,
        "share of the correctly classified inputs whose **estimated** radius may be read, failed tasks counted as "
        "without ≥ SHARE",
        "the audit",
        readable_at_least,
    ),
    "max_flagged": Criterion(
        LimitKind.SHARE,
        f"share of the correctly classified inputs whose estimate must not be read ({_unread_statuses()}) ≤ SHARE",
        "the audit",
        flagged_at_most,
    ),
    "max_misclassified": Criterion(
        LimitKind.SHARE,
        "share of all inputs ≤ SHARE",
        "the labels; refused for a run with `--skip-misclassified`",
        misclassified_at_most,
    ),
    "max_failed": Criterion(LimitKind.COUNT, "failed tasks ≤ N; 0 unless given, and always judged", "the run's tasks"),
    "max_drop": Criterion(
        LimitKind.SHARE,
        "a median is below the baseline's by at most SHARE of it; see below",
        "pairs of inputs",
        needs="baseline RUN",
    ),
    "min_proved": Criterion(
        LimitKind.SHARE,
        "robust accuracy that is **proved** at EPS ≥ SHARE: correct inputs with a certified radius of at least EPS",
        "proofs: a lower bound",
        judge_at=accuracy_at_least("proved"),
        needs="at EPS",
    ),
    "min_not_broken": Criterion(
        LimitKind.SHARE,
        "robust accuracy that is **not broken** at EPS ≥ SHARE: correct inputs without a witness at EPS or nearer",
        "witnesses: an upper bound",
        judge_at=accuracy_at_least("not_broken"),
        needs="at EPS",
    ),
    "min_class_median": Criterion(
        LimitKind.RADIUS,
        "median **estimated** radius, or proof where that is larger, of the class where it is smallest ≥ R",
        "an estimate, no bound",
        worst_median_at_least("estimated"),
        of_class=True,
    ),
    "min_class_certified": Criterion(
        LimitKind.RADIUS,
        "median **certified** radius of the class where it is smallest ≥ R",
        "a proof",
        worst_median_at_least("certified"),
        of_class=True,
    ),
    "min_class_attacked": Criterion(
        LimitKind.RADIUS,
        "median **attack distance** of the class where it is smallest ≥ R",
        "witnesses: an upper bound",
        worst_median_at_least("attacked"),
        of_class=True,
    ),
    "min_class_proved": Criterion(
        LimitKind.SHARE,
        "robust accuracy that is **proved** at EPS, of the class where it is lowest ≥ SHARE",
        "proofs: a lower bound",
        judge_at=worst_accuracy_at_least("proved"),
        needs="at EPS",
        of_class=True,
    ),
    "min_class_not_broken": Criterion(
        LimitKind.SHARE,
        "robust accuracy that is **not broken** at EPS, of the class where it is lowest ≥ SHARE",
        "witnesses: an upper bound",
        judge_at=worst_accuracy_at_least("not_broken"),
        needs="at EPS",
        of_class=True,
    ),
}
"""The criteria by name (a field of `Limits`), in the order in which a part is judged by them."""
