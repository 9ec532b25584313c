"""What a run's numbers do not show, for an auditor, and the features that its distances are about."""

from __future__ import annotations

import math

from clearance.data.scale_names import MOST_INPUTS, UNIT_NAMES
from clearance.report.marks import write_given
from clearance.report.records import RunRecords
from clearance.report.tables import Table

LIMITS = (
    "Nothing about inputs that are not among these. An interval of a share holds for the inputs that these were drawn "
    "from, and only if they were drawn at random.",
    "Nothing about changes that no small distance in the stated norm describes: for pictures rotation, blur or "
    "weather; for any data another way of measuring, another population, drift.",
    "An estimated radius is no bound. An adversarial example may lie closer than any estimate. Its interval is about "
    "the search or the fit alone (see the method), not about gradients that the search never met, and so no "
    "confidence interval for the true distance.",
    "An attack distance is the distance of the nearest witness that was found. A stronger attack may find a nearer "
    "one; where none was found, nothing follows.",
    "A proof is about the network alone, with its weights as real numbers; what runs in floating point differs "
    "from it by rounding (about 1e-6 in float32). It says nothing of what stands before or behind the network.",
    "A flag of the audit is no proof that gradients are hidden, and no flag is no proof that they are not.",
    "Nothing about poisoned training data or pre-trained parts, stolen models, leaked training data, faults of "
    "hardware, or feedback loops of a system that goes on learning.",
    "Nothing about other versions: another network, precision or pre-processing is another plan.",
    "Whether a level is appropriate to the intended purpose is for the provider and the auditor to decide.",
)
"""What the numbers of a run do not show."""


def feature_table(run: RunRecords) -> Table:
    """Each feature of a table: what one unit of distance is for it, its bounds, and whether it may move."""
    features, source = run.plan.threat.features or (), run.plan.data.source
    rows = [
        (
            one.name,
            write_given(one.unit) if one.moves else "–",
            *("none" if math.isinf(value) else write_given(value) for value in (one.low, one.high)),
            "yes" if one.moves else "no, fixed",
            {True: "whole", False: "real", None: "not looked at"}[one.whole],
        )
        for one in features
    ]
    unit = run.plan.threat.unit
    data = f"the data of this run ({source}; at most its first {MOST_INPUTS:,} inputs)"
    whence = f" The unit was measured on {data}." if unit in UNIT_NAMES.values() else ""
    return Table(
        "features",
        "Features",
        f"One unit of distance ({run.plan.threat.units}) is so much of each feature, in the feature's own unit."
        f"{whence} A fixed one needs none. Low and high are the ends of the valid range. "
        "Units and ranges are those that were given or measured for this run; nothing here shows that they are right.",
        ("feature", "one unit =", "low", "high", "may move", "values in the data"),
        tuple(rows),
        1,
    )


def limits(run: RunRecords) -> list[str]:
    """What the numbers of a run do not show: `LIMITS`, and what follows from its features."""
    return [*LIMITS, *feature_limits(run)]


def feature_limits(run: RunRecords) -> list[str]:
    """What a reader must know of features that are fixed, and of whole numbers that move."""
    threat = run.plan.threat
    features = threat.features or ()
    said: list[str] = []
    held = [one.name for one in features if not one.moves]
    if threat.fixed:
        which = f" ({', '.join(held)})" if held else ""
        said.append(f"Nothing about changes of the fixed features{which}: another value there may change the class.")
    if whole := [one.name for one in features if one.moves and one.whole]:
        said.append(
            f"Features that are whole numbers in the data ({', '.join(whole)}) move as real numbers here. A proof "
            "holds for whole numbers too; a witness may have a value that no real input has, such as a third of a "
            "count."
        )
    return said
