"""What an audit returns: flags with evidence and remedies, and every number that was measured on the way."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from torch import Tensor

from clearance.audit.flags import CHECKS
from clearance.audit.path_integral import PathIntegral
from clearance.model.cost import Cost
from clearance.records import PublicRecord, plain

Evidence = Mapping[str, float | str]


class Severity(StrEnum):
    """How much a flag takes away: `info < warning < error`. Source: this project.

    `info` is worth knowing and takes nothing away; with a `warning` the estimate must not be read before it has been
    looked into; with an `error` it means nothing.
    """

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def rank(self) -> int:
        """0, 1 or 2.

        >>> Severity.INFO.rank < Severity.WARNING.rank < Severity.ERROR.rank
        True
        """
        return list(Severity).index(self)


@dataclass(frozen=True, repr=False)
class Flag:
    """One sign that an estimate may not mean what it seems to mean.

    Source: `audit.flags.CHECKS` names the paper behind each.

    Attributes:
        code: Its name, a key of `clearance.audit.CHECKS`.
        severity: `info`, `warning` or `error`.
        evidence: The numbers that raised it, by name.
        remedy: What the user should try.
    """

    code: str
    severity: Severity
    evidence: Evidence
    remedy: str

    def __repr__(self) -> str:
        """Its code and its severity."""
        return f"{type(self).__name__}({self.code}, {self.severity.value})"

    @property
    def meaning(self) -> str:
        """What it says, in one sentence."""
        return CHECKS[self.code].meaning

    def as_record(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "code": self.code,
            "severity": self.severity.value,
            "meaning": self.meaning,
            "evidence": {name: plain(value) for name, value in self.evidence.items()},
            "remedy": self.remedy,
        }


@dataclass(frozen=True, eq=False, repr=False)
class Audit(PublicRecord):
    """The audit of one input.

    Source: this project.

    Attributes:
        flags: What was found, the worst first.
        worst: The severity of the worst flag; `None` without flags.
        cost: Passes and seconds.
        measured: Every number that was held against a threshold, whether or not it raised a flag: code → value.
        integrals: The path integrals, with what kind of segment each was.
        witness: The nearest witness that any attack met, those of the audit included, `(*input)`; `None` without one.
        nearest: Its distance.
    """

    flags: tuple[Flag, ...]
    worst: Severity | None
    cost: Cost
    measured: Mapping[str, float] = field(default_factory=dict[str, float])
    integrals: tuple[tuple[str, PathIntegral], ...] = ()
    witness: Tensor | None = None
    nearest: float = math.inf

    def in_short(self) -> str:
        """The flags, the worst first.

        >>> Audit((), None, Cost()), Audit((Flag("flat", Severity.WARNING, {}, ""),), Severity.WARNING, Cost(1))
        (Audit(nothing audited), Audit(warning: flat))
        """
        if not self.flags:
            return "no flags" if self.cost.forward else "nothing audited"
        return f"{self.worst}: {', '.join(flag.code for flag in self.flags)}"

    def has(self, code: str) -> bool:
        """Whether a flag with this code was raised."""
        return any(flag.code == code for flag in self.flags)

    @property
    def masked(self) -> bool:
        """Whether anything warns: until it has been looked into, the estimate is no robustness figure."""
        return self.worst is not None and self.worst.rank >= Severity.WARNING.rank

    def as_record(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "worst": None if self.worst is None else self.worst.value,
            "flags": [flag.as_record() for flag in self.flags],
            "measured": {code: plain(value) for code, value in self.measured.items()},
            "cost": asdict(self.cost),
        }


def sort_flags(flags: list[Flag]) -> tuple[Flag, ...]:
    """The worst first; within a severity, in the order of `audit.flags.CHECKS`."""
    places = list(CHECKS)
    return tuple(sorted(flags, key=lambda flag: (-flag.severity.rank, places.index(flag.code))))
