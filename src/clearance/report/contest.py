"""What a comparison of runs says, as records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from clearance.records import Word, in_words
from clearance.report.paired import FEWEST_FOR_INTERVAL, Key
from clearance.report.records import RunRecords
from clearance.report.statistics import Group


class DifferenceVerdict(Word):
    """What a difference says: a word, with its `meaning` in a clause."""

    AHEAD = "ahead", "the interval lies above 0"
    BEHIND = "behind", "the interval lies below 0"
    UNDECIDED = "undecided", "the interval holds 0"
    TOO_FEW = "too few", f"fewer than {FEWEST_FOR_INTERVAL} inputs: no interval has that level"
    UNREADABLE = (
        "unreadable",
        "fewer than half of the inputs that both classify correctly have a number that counts in both",
    )
    NO_METHOD = (
        "no method",
        "no method of proof applies to one of the two networks: that nothing is proved says nothing",
    )


@dataclass(frozen=True)
class Middle:
    """A median over the correctly classified inputs whose number counts.

    Attributes:
        value: The median; `None` where fewer than half of them count.
        inputs: How many count: they may be read, and an estimate lies above what is proved.
        asked: How many are classified correctly.
        below_proof: Of estimates: how many are below what is proved.
    """

    value: float | None
    inputs: int
    asked: int
    below_proof: int = 0


@dataclass(frozen=True)
class Standing:
    """One run on the leaderboard.

    Attributes:
        run: Its name.
        model: Its model's name.
        rank: From 1; `None` where more than half of the inputs count as 0.
        shown: The ranking distance: median attack distance, where what is not shown counts as 0.
        ahead: Share of the inputs on which its distance is the largest of all runs.
        misclassified: Share of the inputs.
        flagged: Share of the correctly classified ones whose estimate must not be read; `None` without any.
        doubted: Share of them whose attacks the audit doubts.
        unattacked: Share of them without a witness, and without a proof that there is none.
        medians: Of each of `QUANTITIES`.
        passes: Forward and backward passes of one input, on average.
    """

    run: str
    model: str
    rank: int | None
    shown: float
    ahead: float
    misclassified: float
    flagged: float | None
    doubted: float | None
    unattacked: float | None
    medians: dict[str, Middle]
    passes: int


@dataclass(frozen=True)
class Difference:
    """One number of a run, less that of the first run, input by input.

    Attributes:
        run: The run.
        against: The first run.
        quantity: One of `QUANTITIES`.
        inputs: Inputs whose number counts in both.
        asked: Inputs that both classify correctly.
        value: Median difference; `None` where `inputs` are fewer than half of `asked`.
        interval: Of it, at 95 %; `None` with fewer than `paired.FEWEST_FOR_INTERVAL` inputs.
        ahead: Share of the inputs on which the run's number is larger; `None` where `value` is.
        behind: Share on which it is smaller.
        no_method: Whether these are proofs, and no method of proof applies to one of the two on too many inputs.
    """

    run: str
    against: str
    quantity: str
    inputs: int
    asked: int
    value: float | None
    interval: tuple[float, float] | None
    ahead: float | None
    behind: float | None
    no_method: bool = False

    @property
    def verdict(self) -> DifferenceVerdict:
        """Whether the interval excludes 0; without an interval, why there is none."""
        if self.value is None:
            return DifferenceVerdict.NO_METHOD if self.no_method else DifferenceVerdict.UNREADABLE
        if self.interval is None:
            return DifferenceVerdict.TOO_FEW
        low, high = self.interval
        excluded = DifferenceVerdict.AHEAD if low > 0 else DifferenceVerdict.BEHIND
        return excluded if low > 0 or high < 0 else DifferenceVerdict.UNDECIDED


@dataclass(frozen=True)
class Contest:
    """The comparison for one norm, target and order.

    Attributes:
        group: Norm, target and order.
        threat: The same in words.
        inputs: The inputs that are compared, with the place of each in the first run.
        distances: Of each input: each run's distance as it counts in the ranking.
        standings: The leaderboard.
        differences: Every other run against the first.
    """

    group: Group
    threat: str
    inputs: tuple[tuple[Key, int], ...]
    distances: tuple[tuple[float, ...], ...]
    standings: tuple[Standing, ...]
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class Comparison:
    """Everything that several runs have in common.

    Attributes:
        runs: The runs, with what is compared of their entries, and the places of the first run's inputs.
        contests: One for each norm, target and order.
        notes: What is left out, and what else differs.
    """

    runs: tuple[RunRecords, ...]
    contests: tuple[Contest, ...]
    notes: tuple[str, ...]

    def as_record(self) -> dict[str, Any]:
        """Plain values for JSON; infinity is `"inf"`."""
        names = [run.name for run in self.runs]
        contests = [
            {
                **asdict(contest.group),
                "leaderboard": [asdict(standing) for standing in contest.standings],
                "differences": [asdict(one) | {"verdict": one.verdict.value} for one in contest.differences],
                "inputs": [
                    {
                        "input": place,
                        "content": key,
                        "label": label,
                        "distances": list(row),
                        "ahead": _leader(names, row),
                    }
                    for ((key, label), place), row in zip(contest.inputs, contest.distances, strict=True)
                ],
            }
            for contest in self.contests
        ]
        return in_words({"runs": names, "contests": contests, "notes": list(self.notes)})


def _leader(names: Sequence[str], row: Sequence[float]) -> str | None:
    best = max(row)
    return names[row.index(best)] if list(row).count(best) == 1 else None
