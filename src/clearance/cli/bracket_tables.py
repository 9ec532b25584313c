"""How a run looks on a screen: medians for each norm and target, brackets for each input, and how to read them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from clearance.cli import tables
from clearance.runs.summary import Row, number
from clearance.status import Status

Record = Mapping[str, Any]


def print_rows(console: Console, rows: Sequence[Row], *, names: Sequence[str] = ()) -> None:
    """One line for each norm and target: the median bracket, and what must not be read.

    Args:
        console: Where to.
        rows: The summary's rows.
        names: A name for each row, such as its classifier; empty for none.
    """
    table, what = _table(), len({(row.norm, row.target, row.order) for row in rows}) > 1 or not names
    for name in (["classifier"] if names else []) + (["norm, target"] if what else []):
        table.add_column(name)
    for name in ("certified", "estimated", "attacked"):
        table.add_column(f"median\n{name}", justify="right")
    others = _others(rows)
    for name in ("inputs", "wrong", "refuted", "masked", *(["other"] if any(others) else [])):
        table.add_column(name, justify="right")
    for index, row in enumerate(rows):
        order = f", order {row.order}" if row.order != 1 else ""
        cells = [names[index]] if names else []
        cells += [f"{tables.norm_name(row.norm)}, {row.target}{order}"] if what else []
        cells += [_shown(value) for value in (row.certified, row.estimated, row.attacked)]
        counts = (row.tasks, row.misclassified, row.refuted, row.masked, *([others[index]] if any(others) else []))
        table.add_row(*cells, *map(str, counts))
    console.print()
    console.print(table)
    passes, seconds = sum(row.forward + row.backward for row in rows), sum(row.seconds for row in rows)
    console.print(f"\n{passes:,} passes, {seconds:.0f} s")


def _others(rows: Sequence[Row]) -> list[int]:
    """Tasks of each row without a number for any other reason."""
    return [row.tasks - row.misclassified - row.refuted - row.masked - row.readable for row in rows]


def print_records(console: Console, records: Sequence[Record], names: Sequence[str], *, group: str = "") -> None:
    """One line for each task: its bracket and its standing.

    Args:
        console: Where to.
        records: As `iterate_records` gives them; with a `group` each.
        names: Names of the classes.
        group: Name of the column for each record's `group`, such as its classifier; empty for none.
    """
    several = len({(record["norm"], record["target"]) for record in records}) > 1
    table = _table()
    for name in ("input", "label"):
        table.add_column(name, justify="right")
    for name in ([group] if group else []) + (["norm, target"] if several else []):
        table.add_column(name)
    for name in ("certified", "estimated", "attacked"):
        table.add_column(name, justify="right")
    table.add_column("status")
    table.add_column("flags")
    last: object = None
    for record in records:
        repeated, last = record["input"] == last, record["input"]
        first = ["", ""] if repeated else [str(last), tables.class_name(record["label"], names)]
        middle = [str(record["group"])] if group else []
        middle += [f"{tables.norm_name(record['norm'])}, {record['target']}"] if several else []
        if group and not repeated and table.row_count:
            table.add_section()
        table.add_row(*first, *middle, *_bracket(record))
    console.print()
    console.print(table)


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


def _bracket(record: Record) -> list[Text | str]:
    """Certified, estimated, attacked, status and flags."""
    if record["error"] is not None:
        return [tables.NOTHING] * 3 + [Text("failed", "red"), record["error"]]
    status = Status(record["status"])
    flags = [flag["code"] for flag in record["audit"]["flags"] if flag["severity"] != "info"]
    certified = number((record["certified"] or {}).get("radius"))
    estimated, attacked = number(record["estimated"]["radius"]), number(record["attacked"]["distance"])
    told = ", ".join(flags[:2]) + (f", +{len(flags) - 2}" if len(flags) > 2 else "")
    shown = [Text(_shown(certified)), Text(_shown(estimated), "bold"), Text(_shown(attacked))]
    return [*shown, _named(status), Text(told, "red")]


def print_reading(console: Console, rows: Sequence[Row], values: str) -> None:
    """What the three numbers claim and what they do not.

    Args:
        console: Where to.
        rows: The summary's rows.
        values: The unit of the distances.
    """
    other = ", other (no gradient, not finite, failed)" if any(_others(rows)) else ""
    console.print(
        f"\nDistances are in {values}. No adversarial example lies within the certified radius (0: nothing is proved); "
        "one lies at the attack distance. The estimated radius is an estimate, not a bound. It is left out where it "
        "must not be read: refuted (a witness or a slope contradicts it), masked (the audit warns: see the flags), "
        f"wrong (the prediction differs from the label){other}."
    )


def _table() -> Table:
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))


def _shown(value: float | None) -> str:
    if value is None:
        return tables.NOTHING
    return "none" if math.isinf(value) else "0" if value == 0 else tables.number(value)
