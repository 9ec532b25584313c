"""The table of the gate's criteria, and what judges each: a new one is an entry, a field of `Limits` and a flag.

**What may be read.** A criterion on a median takes it over the correctly classified inputs whose number may be read: no
refuted or masked estimate, no attack distance that the audit doubts, no certificate that a witness contradicts. Where
these are fewer than half of the correctly classified inputs, failed tasks included, the criterion fails whatever the
median is. So a model whose gradients are masked cannot pass by what is left over.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from clearance.estimates.status import Status
from clearance.report.demands import Part
from clearance.report.marks import MARKS, count
from clearance.report.outcome import GateCheck, precise
from clearance.report.paired import READABLE_SHARE, readable
from clearance.report.records import Entry
from clearance.runs.summary import middle


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
            about a baseline.
        needs: Another flag that must come with it.
    """

    kind: LimitKind
    passes: str
    rests_on: str
    judge: Callable[[str, Part, float], GateCheck] | None = None
    needs: str = ""


def flag_of(name: str) -> str:
    """A criterion's flag, without dashes before it.

    >>> flag_of("min_median")
    'min-median'
    """
    return name.replace("_", "-")


def median_at_least(kind: str) -> Callable[[str, Part, float], GateCheck]:
    """What judges a median: over the inputs whose number may be read, if they are enough.

    Args:
        kind: A key of `MARKS`.

    Returns:
        Judges a part by a limit.
    """

    def judge(name: str, part: Part, limit: float) -> GateCheck:
        numbers = [value for entry in part.judged if (value := readable(entry, kind)) is not None]
        asked, words = len(part.judged) + part.failed, MARKS[kind].words
        value = middle(numbers) if numbers else None
        doubt = _too_few(part, kind, len(numbers), asked)
        shown = "nothing" if value is None else precise(value, limit)
        return GateCheck(
            flag=flag_of(name),
            criterion=f"median {words}",
            threat=part.threat,
            wanted=f"at least {precise(limit)}",
            got=f"{shown} ({len(numbers)} of {count(asked, 'input')})",
            passed=not doubt and value is not None and value >= limit,
            reason=doubt or f"the median {words} is {shown}, below {precise(limit)}",
            value=value,
            limit=limit,
        )

    return judge


def _too_few(part: Part, kind: str, numbers: int, asked: int) -> str:
    """Why a median must not be taken; empty where it may."""
    if not asked:
        return _nothing(part)
    if not numbers and kind == "certified" and all(entry.certified is None for entry in part.judged):
        return "the run has no certificates"
    if numbers < READABLE_SHARE * asked:
        have = f"only {numbers} of {asked} correctly classified inputs have {MARKS[kind].with_article}"
        return f"{have} that may be read; at least half must"
    return ""


def _nothing(part: Part) -> str:
    return "every input is misclassified: there is nothing to measure" if part.entries else "there is no bracket"


def flagged_at_most(name: str, part: Part, limit: float) -> GateCheck:
    """Judges the share of the correctly classified inputs whose estimate must not be read."""
    unread = [entry for entry in part.judged if not entry.status.has_number]
    codes = sorted({flag.code for entry in unread for flag in entry.flags if flag.doubts})
    raised = f": {', '.join(codes)}" if codes else ""
    return _share_at_most(name, part, unread, len(part.judged), limit, raised)


def misclassified_at_most(name: str, part: Part, limit: float) -> GateCheck:
    """Judges the share of the inputs that are misclassified."""
    wrong, asked = [entry for entry in part.entries if not entry.judged], len(part.entries) + part.target_is_predicted
    return _share_at_most(name, part, wrong, asked, limit)


def _share_at_most(
    name: str, part: Part, found: Sequence[Entry], asked: int, limit: float, raised: str = ""
) -> GateCheck:
    criterion = f"share of {name.removeprefix('max_')} inputs"
    value = len(found) / asked if asked else None
    shown = "nothing to measure" if value is None else f"{precise(value, limit)} ({len(found)} of {asked})"
    reason = _too_few_tasks(part) or (_nothing(part) if value is None else "")
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
        LimitKind.RADIUS, "median **estimated** radius ≥ R", "an estimate, no bound", median_at_least("estimated")
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
    "max_flagged": Criterion(
        LimitKind.SHARE,
        f"share of the correctly classified inputs whose estimate must not be read ({_unread_statuses()}) ≤ SHARE",
        "the audit",
        flagged_at_most,
    ),
    "max_misclassified": Criterion(LimitKind.SHARE, "share of all inputs ≤ SHARE", "the labels", misclassified_at_most),
    "max_failed": Criterion(LimitKind.COUNT, "failed tasks ≤ N; 0 unless given, and always judged", "the run's tasks"),
    "max_drop": Criterion(
        LimitKind.SHARE,
        "a median is below the baseline's by at most SHARE of it; see below",
        "pairs of inputs",
        needs="baseline",
    ),
}
"""The criteria by name (a field of `Limits`), in the order in which a part is judged by them."""
