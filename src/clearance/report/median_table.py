"""The table of medians for an auditor."""

from __future__ import annotations

from clearance.report.marks import MISSING, name_norm, write_number
from clearance.report.records import RunRecords
from clearance.report.row_words import BELOW, NONE_EXISTS, attacked_cell, estimated_cell
from clearance.report.tables import Table


def median_table(run: RunRecords) -> Table:
    """The medians of each norm and target, and how many inputs each rests on."""
    orders = len(run.plan.orders) > 1
    rows: list[tuple[str, ...]] = []
    for row in run.rows:
        order = [str(row.order)] if orders else []
        rows.append(
            (
                name_norm(row.norm),
                str(row.target),
                *order,
                run.plan.threat.units,
                str(row.judged),
                write_number(row.certified, "certified"),
                estimated_cell(row),
                attacked_cell(row),
            )
        )
    head = ("norm", "target", *(["order"] if orders else []), "unit")
    return Table(
        "medians",
        "Medians over the correctly classified inputs",
        "Proved: 0 where nothing is proved; rounded down. Estimated: no bound; over the estimates that may be read "
        f"and lie above what is proved. Where these are fewer than half there is no median of estimates: {BELOW}, "
        f"where more is proved than estimated for most inputs, else {MISSING}. Attacked: the distance of a witness, "
        f"rounded up; {NONE_EXISTS}, where it is proved that there is no adversarial example. In parentheses: how "
        "many inputs have that number, where not all have; the medians of a row are then over different inputs.",
        (*head, "inputs", "proved", "estimated", "attacked"),
        tuple(rows),
        len(head),
    )
