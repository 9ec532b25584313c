"""The medians of a run's summary in words, the same on every page, in the terminal and in Python.

The rule is `runs.summary`'s and docs/report.md's: an estimate counts where it may be read and lies above what is
proved, and has a median where at least half of the judged inputs have one that counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from clearance.records import write_number
from clearance.report.records import Entry
from clearance.runs.summary import SummaryRow

BELOW = "below proof"
"""In the place of an estimate that is smaller than what is proved."""

NONE_EXISTS = "none exists"
"""In the place of an attack distance where it is proved that there is no adversarial example."""

Writer = Callable[[float | None, str], str]
"""Writes a number of a kind."""


def estimated_cell(row: SummaryRow, write: Writer = write_number) -> str:
    """The median of the estimates that count, and how many these are, where not all do.

    Args:
        row: Of a run's summary.
        write: How numbers are written.

    Returns:
        Without a median: that most estimates are below the proof and how many, or a dash.
    """
    return estimate_text(row.estimated, row.readable, row.below_proof, row.judged, write)


def estimate_text(
    value: float | None, counting: int, below: int, judged: int, write: Writer = write_number, kind: str = "estimated"
) -> str:
    """A median of numbers that do not all count, such as estimates, and how many do.

    Args:
        value: The median; `None` where too few count.
        counting: Over how many inputs it is.
        below: Of how many inputs more is proved than was estimated.
        judged: Of how many inputs these are.
        write: How numbers are written.
        kind: Of which number.

    Returns:
        The text.

    >>> estimate_text(0.5, 3, 1, 4), estimate_text(0.5, 4, 0, 4)
    ('0.500 (3 of 4)', '0.500')
    >>> estimate_text(None, 1, 3, 4), estimate_text(None, 1, 0, 4)
    ('below proof (3 of 4)', '– (1 of 4)')
    """
    if value is None and 2 * below > judged:
        return f"{BELOW} ({below} of {judged})"
    return f"{distance_text(value, kind, write)}{_of(counting, judged)}"


def distance_text(value: float | None, kind: str, write: Writer = write_number) -> str:
    """A number of a bracket; of an infinite attack distance what it stands for."""
    return NONE_EXISTS if kind == "attacked" and value == math.inf else write(value, kind)


def attacked_cell(row: SummaryRow, write: Writer = write_number) -> str:
    """The median attack distance, and how many inputs have a witness; in words where it is proved that there is none.

    Args:
        row: Of a run's summary.
        write: How numbers are written.

    Returns:
        The text.
    """
    if row.attacked == math.inf:
        met = f", {row.witnesses} with a witness" if row.witnesses else ""
        return f"{NONE_EXISTS} ({row.absent} of {row.judged} proved{met})"
    proved = f", {row.absent} proved to have none" if row.absent else ""
    of = f" ({row.witnesses} of {row.judged}{proved})" if proved else _of(row.witnesses, row.judged)
    return f"{write(row.attacked, 'attacked')}{of}"


def write_bracket(entry: Entry) -> dict[str, str]:
    """The three numbers of a bracket, each rounded the safe way, or in words why there is none.

    Args:
        entry: The bracket.

    Returns:
        Kind of number -> its text.
    """
    return {
        "certified": write_number(entry.certified, "certified"),
        "estimated": BELOW if entry.below_proof else write_number(entry.estimated),
        "attacked": NONE_EXISTS if entry.absent else write_number(entry.attacked, "attacked"),
    }


def _of(some: int, every: int) -> str:
    return f" ({some} of {every})" if some < every else ""
