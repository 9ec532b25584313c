"""How a run looks on a screen: medians for each norm and target, brackets for each input, and how to read them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from clearance.cli import tables
from clearance.cli.grid import Grid, GridColumn
from clearance.estimates.status import Status
from clearance.report.grey_levels import write_levels
from clearance.report.marks import count
from clearance.report.row_words import BELOW, NONE_EXISTS, attacked_cell, distance_text, estimated_cell
from clearance.runs.summary import SummaryRow, attack_distance, number

Record = Mapping[str, Any]


def print_rows(console: Console, rows: Sequence[SummaryRow], *, names: Sequence[str] = (), more: str = "") -> None:
    """One line for each norm and target: the median bracket, and what must not be read.

    Args:
        console: Where to.
        rows: The summary's rows.
        names: A name for each row, such as its classifier; empty for none.
        more: Where to find columns that a narrow terminal has no room for; empty for nowhere.
    """
    what, others = len({(row.norm, row.target, row.order) for row in rows}) > 1 or not names, _others(rows)
    grid = Grid(
        [
            *([GridColumn("classifier", wraps=True)] if names else []),
            *([GridColumn("norm, target", wraps=True)] if what else []),
            GridColumn("median\ncertified", right=True, drop=1),
            GridColumn("median\nestimated", right=True),
            GridColumn("median\nattacked", right=True),
            GridColumn("inputs", right=True, drop=3),
            GridColumn("wrong", right=True, drop=2),
            GridColumn("refuted", right=True, drop=5),
            GridColumn("masked", right=True, drop=4),
            *([GridColumn("other", right=True, drop=6)] if any(others) else []),
        ],
        more=more,
    )
    for index, row in enumerate(rows):
        order = f", order {row.order}" if row.order != 1 else ""
        cells = [names[index]] if names else []
        cells += [f"{_threat(row.norm, row.target)}{order}"] if what else []
        cells += [tables.number(row.certified, "certified")]
        cells += [_estimated(row), _folded(attacked_cell(row, tables.number))]
        counts = (row.tasks, row.misclassified, row.refuted, row.masked, *([others[index]] if any(others) else []))
        grid.add_row(*cells, *map(str, counts))
    console.print()
    grid.print(console)
    passes, seconds = sum(row.forward + row.backward for row in rows), sum(row.seconds for row in rows)
    console.print(f"\n{passes:,} passes, {seconds:.0f} s")


def _estimated(row: SummaryRow) -> str:
    """The median of estimates; a dash where none counts and none is below the proof: the other columns say why."""
    return _folded(estimated_cell(row, tables.number)) if row.readable or row.below_proof else tables.NOTHING


def _folded(cell: str) -> str:
    """Words with what they rest on below them: a narrow terminal has no room beside them."""
    return cell.replace(" (", "\n(", 1) if cell.startswith((BELOW, NONE_EXISTS)) else cell


def _others(rows: Sequence[SummaryRow]) -> list[int]:
    """Tasks of each row without a number for any other reason."""
    return [row.tasks - row.misclassified - row.refuted - row.masked - row.readable - row.below_proof for row in rows]


def print_records(console: Console, records: Sequence[Record], names: Sequence[str], *, group: str = "") -> None:
    """One line for each task: its bracket and its standing; a table for each norm and target.

    Args:
        console: Where to.
        records: As `iterate_records` gives them; with a `group` each.
        names: Names of the classes.
        group: Name of the column for each record's `group`, such as its classifier; empty for none.
    """
    threats = list(dict.fromkeys((record["norm"], record["target"]) for record in records))
    for norm, target in threats:
        console.print()
        if len(threats) > 1:
            console.print(Text(_threat(norm, target), "bold"))
        some = [record for record in records if (record["norm"], record["target"]) == (norm, target)]
        _lines(some, names, group).print(console)
    hidden = sum(any(flag["severity"] == "info" for flag in _flags(record)) for record in records)
    if hidden:
        of = f"{hidden} of {count(len(records), 'bracket')}"
        console.print(f"\nRemarks (flags of severity info) on {of}: see clearance report.")


def print_flags(console: Console, records: Sequence[Record]) -> None:
    """How many brackets each flag above a remark is on, the commonest first; nothing where there is none."""
    codes = Counter(
        code for record in records for code in {flag["code"] for flag in _flags(record) if flag["severity"] != "info"}
    )
    if codes:
        each = ", ".join(f"{code} {number}" for code, number in codes.most_common())
        console.print(f"\nFlags, by how many brackets they are on: {each} (`clearance docs NAME` has each)")


def _threat(norm: float, target: str | int) -> str:
    return f"{tables.norm_name(norm)}, {tables.towards(target)}"


def _lines(records: Sequence[Record], names: Sequence[str], group: str) -> Grid:
    """The table of one norm and target."""
    grid = Grid(
        [
            GridColumn("input", right=True),
            GridColumn("label", right=True, drop=4),
            *([GridColumn(group)] if group else []),
            GridColumn("certified", right=True, drop=1),
            GridColumn("estimated", right=True),
            GridColumn("attacked", right=True),
            GridColumn("status", drop=2),
            GridColumn("flags", drop=3, wraps=True),
        ]
    )
    last: object = None
    for record in records:
        repeated, last = record["input"] == last, record["input"]
        first = ["", ""] if repeated else [str(last), tables.class_name(record["label"], names)]
        if group and not repeated and record is not records[0]:
            grid.add_section()
        grid.add_row(*first, *([str(record["group"])] if group else []), *_bracket(record))
    return grid


def print_legend(console: Console, records: Sequence[Record]) -> None:
    """What the statuses mean that occur."""
    legend = Table.grid(padding=(0, 2))
    for status in sorted({Status(record["status"]) for record in records if record["error"] is None}, key=_severity):
        legend.add_row(_named(status), status.meaning)
    console.print()
    console.print(legend)


def _severity(status: Status) -> int:
    return status.severity


def _named(status: Status) -> Text:
    return Text(status.value, "green" if status is Status.OK else "yellow" if status.has_number else "red")


def _flags(record: Record) -> Sequence[Mapping[str, Any]]:
    """What the audit says of a bracket; nothing of a task that failed."""
    return record["audit"]["flags"] if record["error"] is None else ()


def _bracket(record: Record) -> list[Text | str]:
    """Certified, estimated, attacked, status and flags."""
    if record["error"] is not None:
        return [tables.NOTHING] * 3 + [Text("failed", "red"), record["error"]]
    status = Status(record["status"])
    flags = [flag["code"] for flag in _flags(record) if flag["severity"] != "info"]
    told = f"{flags[0]}, +{len(flags) - 1}" if len(flags) > 1 else "".join(flags)
    proof, own = record["certified"], status.measured
    shown = [
        Text(tables.number(number(proof["radius"]) or 0.0, "certified") if proof and own else tables.NOTHING),
        Text(BELOW if _below(record) else tables.number(number(record["estimated"]["radius"])), "bold"),
        Text(distance_text(attack_distance(record), "attacked", tables.number)),
    ]
    return [*shown, _named(status), Text(told, "red")]


def print_reading(console: Console, records: Sequence[Record], rows: Sequence[SummaryRow], values: str) -> None:
    """What the three numbers claim and what they do not.

    Args:
        console: Where to.
        records: The run's records.
        rows: The summary's rows.
        values: The unit of the distances.
    """
    endless = any(record["error"] is None and (record["certified"] or {}).get("radius") == "inf" for record in records)
    sure = "; inf: it is proved that there is none" if endless else ""
    other = ", other (no gradient, not finite, failed, target is predicted class)" if any(_others(rows)) else ""
    console.print(
        f"\nDistances are in {values}. No adversarial example lies within the certified radius (0: nothing is proved"
        f"{sure}; rounded down); one lies at the attack distance (rounded up). The estimated radius is an estimate, "
        "not a bound. It is left out where it must not be read: refuted (a witness or a slope contradicts it), masked "
        "(the audit warns: see the flags), "
        f"wrong (the prediction differs from the label){other}."
    )
    below, judged = (sum(counts) for counts in zip(*((row.below_proof, row.judged) for row in rows), strict=True))
    if below:
        console.print(
            f"\nMore is proved than estimated in {below} of {judged} brackets ({BELOW}): there the estimate adds "
            "nothing, and is in no median."
        )
    if any(0 < row.readable < row.judged or 0 < row.witnesses < row.judged or row.below_proof for row in rows):
        console.print(
            "\nIn parentheses: how many of the correctly classified inputs have that number, and so which inputs a "
            "median is over. Where fewer than half have an estimate that counts, there is no median of estimates."
        )


def print_grey_levels(console: Console, rows: Sequence[SummaryRow]) -> None:
    """The medians of the maximum norm in grey levels of an 8-bit picture; nothing where there are none.

    Args:
        console: Where to.
        rows: The summary's rows, of pictures in [0, 1].
    """
    for row in (row for row in rows if row.norm == math.inf):
        kinds = {"certified": row.certified, "estimated": row.estimated, "attacked": row.attacked}
        finite = {kind: value for kind, value in kinds.items() if value is not None and value < math.inf}
        said = ", ".join(f"{kind} {write_levels(value, kind)}" for kind, value in finite.items())
        if said:
            console.print(f"\nIn grey levels of an 8-bit picture, medians of {_threat(row.norm, row.target)}: {said}.")


def _below(record: Record) -> bool:
    """Whether more is proved than was estimated."""
    return record["error"] is None and record["estimated"]["below_proof"]
