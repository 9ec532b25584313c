"""What a distance in the maximum norm is in grey levels of an 8-bit picture."""

from __future__ import annotations

import math

from clearance.report.marks import count
from clearance.report.records import RunRecords

LEVELS_OF_8_BITS = 255
"""Steps between black and white in a file of 8 bits per channel."""


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
    if not entries or run.plan.threat.bounds != (0.0, 1.0) or run.plan.threat.unit is not None:
        return ""
    witnesses = [entry.attacked for entry in entries if entry.attacked is not None and entry.attacked < math.inf]
    near = sum(distance < 0.5 / LEVELS_OF_8_BITS for distance in witnesses)
    level = (
        f"In l∞ a distance of 1/{LEVELS_OF_8_BITS} = {1 / LEVELS_OF_8_BITS:.3g} is one grey level of an 8-bit picture."
    )
    if not near:
        return level
    lie = f"{count(near, 'witness lies', 'witnesses lie')} nearer than half of one"
    return f"{level} Of {len(witnesses)} here {lie}: rounding to a file may undo {'it' if near == 1 else 'them'}."
