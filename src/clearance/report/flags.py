"""The audit's flags over all inputs of a run: one record for each kind of flag."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from clearance.report.records import Entry, Raised

SEVERITIES = ("error", "warning", "info")
"""Of flags, the worst first."""


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
