"""Limits on medians: of all inputs, and of the class whose median is worst.

A median is taken over the correctly classified inputs whose number may be read. Where these are fewer than half of the
correctly classified inputs, failed tasks included, it counts for nothing, whatever it is.

A limit on estimates reads, at each input, the estimate or the proof where that is larger, and says at how many it is
the proof: a network of which more is proved must not fail for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from clearance.report.demands import Limits, Part
from clearance.report.marks import MARKS, count
from clearance.report.outcome import GateCheck, flag_of, precise
from clearance.report.paired import readable
from clearance.runs.summary import READABLE_SHARE, middle

Judge = Callable[[str, Part, Limits], GateCheck]
"""Judges a part of a run by the limit of a criterion, whose name comes first."""


@dataclass(frozen=True)
class MedianFound:
    """A median, and what it rests on.

    Attributes:
        value: The median over the inputs whose number may be read; `None` where there is none.
        numbers: How many these are.
        asked: Of how many correctly classified inputs, failed tasks included.
        doubt: Why the median must not be taken; empty where it may.
        proofs: At how many inputs the number is a proof that is larger than the estimate.
        kind: Of which number it is: a key of `MARKS`.
    """

    value: float | None
    numbers: int
    asked: int
    doubt: str
    proofs: int = 0
    kind: str = "estimated"

    def shown(self, limit: float, where: str = "") -> str:
        """The median with what it rests on."""
        text = "nothing" if self.value is None else precise(self.value, limit, self.kind)
        larger = f", the larger proof at {self.proofs}" if self.proofs else ""
        return f"{text}{where} ({self.numbers} of {count(self.asked, 'input')}{larger})"

    def at_least(self, limit: float) -> bool:
        """Whether it may be taken and reaches a limit."""
        return not self.doubt and self.value is not None and self.value >= limit

    @property
    def rank(self) -> float:
        """The median, -infinity where it must not be taken: the worst of all."""
        return -math.inf if self.doubt or self.value is None else self.value


def median_of(part: Part, kind: str) -> MedianFound:
    """The median of a part of a run.

    Args:
        part: The part.
        kind: A key of `MARKS`.

    Returns:
        The median.
    """
    numbers = [value for entry in part.judged if (value := readable(entry, kind)) is not None]
    asked, known = len(part.judged) + part.failed, len(numbers)
    proofs = sum(entry.below_proof for entry in part.judged) if kind == "estimated" else 0
    return MedianFound(
        middle(numbers) if numbers else None, known, asked, _doubt(part, kind, known, asked), proofs, kind
    )


def median_at_least(kind: str) -> Judge:
    """What judges a median: over the inputs whose number may be read, if they are enough.

    Args:
        kind: A key of `MARKS`.

    Returns:
        Judges a part by a limit.
    """

    def judge(name: str, part: Part, limits: Limits) -> GateCheck:
        found, limit, words = median_of(part, kind), limits.asked(name), MARKS[kind].words
        shown = "nothing" if found.value is None else precise(found.value, limit, kind)
        return GateCheck(
            flag=flag_of(name),
            criterion=f"median {words}",
            threat=part.threat,
            wanted=f"at least {precise(limit)}",
            got=found.shown(limit),
            passed=found.at_least(limit),
            reason=found.doubt or f"the median {words} is {shown}, below {precise(limit)}",
            value=found.value,
            limit=limit,
            inputs=found.numbers,
        )

    return judge


def worst_median_at_least(kind: str) -> Judge:
    """What judges the class with the smallest median: a class whose median must not be taken is the worst of all.

    Args:
        kind: A key of `MARKS`.

    Returns:
        Judges a part by a limit; a class with fewer correctly classified inputs than a class needs falls short.
    """

    def judge(name: str, part: Part, limits: Limits) -> GateCheck:
        medians = [(part.run.class_name(label), median_of(one, kind)) for label, one in part.by_class.items()]
        limit, words = limits.asked(name), f"median {MARKS[kind].words}"
        none = (None, MedianFound(None, 0, 0, nothing(part)))
        title, worst = min(medians, key=lambda found: found[1].rank, default=none)
        few = too_few_inputs([(title, one.asked) for title, one in medians], limits, "correctly classified inputs")
        where = "" if title is None else f" in class {title}"
        shown = "nothing" if worst.value is None else precise(worst.value, limit, kind)
        doubt = f"class {title}: {worst.doubt}" if title is not None and worst.doubt else worst.doubt
        return GateCheck(
            flag=flag_of(name),
            criterion=f"{words}, worst class",
            threat=part.threat,
            wanted=f"at least {precise(limit)}",
            got=worst.shown(limit, where),
            passed=not few and worst.at_least(limit),
            reason=few or doubt or f"the {words} of class {title} is {shown}, below {precise(limit)}",
            value=worst.value,
            limit=limit,
            inputs=worst.numbers,
            worst_class=title,
        )

    return judge


def too_few_inputs(inputs: Sequence[tuple[str, int]], limits: Limits, words: str = "inputs") -> str:
    """Which classes have too few inputs to be judged; empty where none has.

    Args:
        inputs: The name of each class, and how many inputs it can be judged by.
        limits: What is asked.
        words: What these inputs are called.

    Returns:
        The reason.
    """
    few = [f"{title} ({number})" for title, number in inputs if number < limits.class_inputs]
    if not few:
        return ""
    which = f"class {few[0]} has" if len(few) == 1 else f"classes {', '.join(few)} have"
    return f"{which} fewer than {limits.class_inputs} {words}, too few to judge a class by (--class-inputs)"


def _doubt(part: Part, kind: str, numbers: int, asked: int) -> str:
    """Why a median must not be taken; empty where it may."""
    if not asked:
        return nothing(part)
    if not numbers and kind == "certified" and all(entry.certified is None for entry in part.judged):
        return "the run has no certificates"
    if numbers < READABLE_SHARE * asked:
        have = f"only {numbers} of {asked} correctly classified inputs have {MARKS[kind].with_article}"
        return f"{have} that may be read; at least half must"
    return ""


def nothing(part: Part) -> str:
    """Why there is nothing to judge a part by."""
    return "every input is misclassified: there is nothing to measure" if part.entries else "there is no bracket"
