"""Which inputs of its set a run took, as far as its plan knows."""

from __future__ import annotations

from itertools import pairwise

from clearance.report.records import RunRecords

BY_CLASS = ("--classes", "--per-class")
"""Flags that choose inputs by their class."""


def chosen_by_hand(run: RunRecords) -> bool:
    """Whether inputs were named one by one: a count from the first on would leave some of them out."""
    by_class = any(flag.startswith(BY_CLASS) for flag in _flags(run))
    return bool(run.plan.data.indices) and run.plan.data.passed_over is None and not by_class


def per_class(run: RunRecords) -> int:
    """How many inputs of each class were asked for; 0 where classes were not balanced so."""
    value = dict(pairwise(_flags(run))).get(BY_CLASS[1], "")
    return int(value) if value.isdigit() else 0


def available(run: RunRecords) -> int | None:
    """How many inputs there are from the first of a run on; `None` where it is not known."""
    origin, data = run.plan.origin, run.plan.data
    return None if origin is None or origin.total is None else origin.total - (0 if data.indices else data.offset)


def _flags(run: RunRecords) -> tuple[str, ...]:
    origin = run.plan.origin
    return () if origin is None or origin.flags is None else origin.flags
