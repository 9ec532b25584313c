"""The audit's flags over all inputs of a run: one record for each kind of flag."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clearance.model.budgets import BUDGETS, whole_passes
from clearance.report.marks import count
from clearance.report.records import Entry, Raised
from clearance.runs.own_estimates import BELOW_PROOF

SEVERITIES = ("error", "warning", "info")
"""Of flags, the worst first."""

OF_SEARCHES = ("reference_wins", "blind_wins", "one_step_wins", "attack_spread", "unbounded_fails", "budget")
"""Flags that compare searches with each other: with few passes an ordinary network raises them too. `CHECKS` says which
are about attacks; it is not read here, for a page is made without torch (a test holds both equal)."""

NO_HASTE = "standard"
"""The budget from which these flags are no matter of haste."""

LARGER_FIRST = (
    f"first a larger budget (`--budget {NO_HASTE}`), for with few passes an ordinary network raises this flag too"
)
"""What comes before the remedy of such a flag where the budget was smaller."""


def first_remedy(code: str, remedy: str, budget: Any) -> str:
    """The remedy of a flag, the cheapest step first: a larger budget, where that may take the flag away.

    To be asked where nothing else speaks against the gradients: no other flag, and no part that no proof knows.

    Args:
        code: The flag.
        remedy: What the audit proposes.
        budget: Of the run: a name, or passes of an input.

    Returns:
        The remedy.
    """
    named = isinstance(budget, int) or budget in BUDGETS
    hasty = named and whole_passes(budget) < whole_passes(NO_HASTE)
    if code not in OF_SEARCHES or not hasty:
        return remedy
    return f"{LARGER_FIRST}; then: {remedy}"


@dataclass(frozen=True)
class FlagGroup:
    """One kind of flag over all inputs.

    Attributes:
        code: Its name.
        severity: The worst that was raised.
        meaning: What it says.
        remedy: What to try.
        entries: The entries that it was raised for.
        evidence: Of each number: the smallest and the largest; or a text.
    """

    code: str
    severity: str
    meaning: str
    remedy: str
    entries: tuple[Entry, ...]
    evidence: Mapping[str, tuple[float, float] | str]

    @property
    def counted(self) -> str:
        """Over how many brackets it was raised, and on how many of these it says less than on the others."""
        unread = sum(entry.estimated is None for entry in self.entries) if self.code == BELOW_PROOF else 0
        said = f", {unread} of them without an estimate that may be read" if unread else ""
        remarks = len(self.entries) - len(self.doubting) if self.doubts else 0
        said += f", {remarks} of them as a remark only" if remarks else ""
        return f"{count(len(self.entries), 'bracket')}{said}"

    @property
    def doubting(self) -> tuple[Entry, ...]:
        """The entries on which it casts doubt, and is more than worth knowing."""
        return tuple(one for one in self.entries if any(flag.code == self.code and flag.doubts for flag in one.flags))

    @property
    def doubts(self) -> bool:
        """Whether it casts doubt on a number, and is more than worth knowing."""
        return self.severity != "info"


def flag_groups(entries: Iterable[Entry]) -> list[FlagGroup]:
    """Every kind of flag that was raised: the worst first, then the most frequent."""
    raised: dict[str, list[tuple[Entry, Raised]]] = {}
    for entry in entries:
        for flag in entry.flags:
            raised.setdefault(flag.code, []).append((entry, flag))
    groups = [_flag_group(code, found) for code, found in raised.items()]
    return sorted(groups, key=lambda group: (SEVERITIES.index(group.severity), -len(group.entries), group.code))


def _flag_group(code: str, found: Sequence[tuple[Entry, Raised]]) -> FlagGroup:
    _, worst = min(found, key=lambda pair: SEVERITIES.index(pair[1].severity))
    names = dict.fromkeys(name for _, flag in found for name in flag.evidence)
    evidence = {name: _range([flag.evidence.get(name) for _, flag in found]) for name in names}
    known = {name: value for name, value in evidence.items() if value is not None}
    return FlagGroup(code, worst.severity, worst.meaning, worst.remedy, tuple(entry for entry, _ in found), known)


def _range(values: Iterable[float | str | None]) -> tuple[float, float] | str | None:
    known = [value for value in values if value is not None]
    numbers = [value for value in known if not isinstance(value, str)]
    if numbers:
        return min(numbers), max(numbers)
    return ", ".join(sorted({str(value) for value in known})) or None
