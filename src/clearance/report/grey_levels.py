"""What a distance in the maximum norm is in grey levels of an 8-bit picture."""

from __future__ import annotations

import math

from clearance.report.marks import count, write_number
from clearance.report.records import RunRecords
from clearance.runs.threat import ThreatModel

LEVELS_OF_8_BITS = 255
"""Steps between black and white in a file of 8 bits per channel."""


def are_pictures(run: RunRecords) -> bool:
    """Whether inputs are pictures in [0, 1], and distances those of their values."""
    return any(entry.drawing is not None for entry in run.entries) and has_levels(run.plan.threat)


def has_levels(threat: ThreatModel) -> bool:
    """Whether values lie in [0, 1] and distances are those of values, so that those of pictures have grey levels."""
    return threat.bounds == (0.0, 1.0) and threat.unit is None


def write_levels(distance: float, kind: str) -> str:
    """A distance in the maximum norm in grey levels.

    Args:
        distance: The distance, of values in [0, 1].
        kind: A key of `MARKS`: a proof is never rounded up, a witness never down.

    Returns:
        Its text.

    >>> write_levels(8 / 255, "attacked"), write_levels(0.01, "certified")
    ('8.00/255', '2.55/255')
    """
    return f"{write_number(distance * LEVELS_OF_8_BITS, kind)}/{LEVELS_OF_8_BITS}"


def grey_levels(run: RunRecords) -> str:
    """What one grey level is, and how many witnesses no file of 8 bits can hold.

    Values in such a file are rounded to the nearest of 256 levels: a witness nearer than half a level in every
    value comes back as its input, if that came from such a file as it is. Source: this project.

    Args:
        run: What was read of it.

    Returns:
        Sentences; nothing unless inputs are pictures in [0, 1] and distances in their maximum norm.
    """
    entries = [entry for entry in run.judged if entry.norm == math.inf and entry.drawing is not None]
    if not entries or not are_pictures(run):
        return ""
    witnesses = [entry.attacked for entry in entries if entry.attacked is not None and entry.attacked < math.inf]
    near = sum(distance < 0.5 / LEVELS_OF_8_BITS for distance in witnesses)
    one = f"1/{LEVELS_OF_8_BITS} = {1 / LEVELS_OF_8_BITS:.3g}"
    level = f"In linf a distance of {one} is one grey level of an 8-bit picture."
    if not near:
        return level
    lie = f"{count(near, 'witness lies', 'witnesses lie')} nearer than half of one"
    return f"{level} Of {len(witnesses)} here {lie}: rounding to a file may undo {'it' if near == 1 else 'them'}."
