"""How results look in a notebook: a table and, for brackets, their chart. HTML that loads nothing and runs nothing."""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from clearance.bracket import Bracket
from clearance.records import MISSING, PublicRecord, name_norm, write_number
from clearance.report.charts import Panel, for_file
from clearance.report.figures.files import render_figure
from clearance.report.row_words import BELOW, NONE_EXISTS
from clearance.results.frames import rows_of
from clearance.results.setup import CallSetup

CHART_WIDTH = 560
"""Width of a chart in pixels: its legend has room."""
MOST_ROWS = 20
"""Rows of a table; the rest is counted."""

Cell = Callable[[Mapping[str, Any]], str]


def _number(column: str, kind: str) -> Cell:
    return lambda row: write_number(row.get(column), kind)


def _text(column: str) -> Cell:
    def read(row: Mapping[str, Any]) -> str:
        value = row.get(column)
        return MISSING if value is None or value == "" else str(value)

    return read


def _interval(row: Mapping[str, Any]) -> str:
    ends = row.get("estimated.interval")
    return MISSING if ends is None else " to ".join(write_number(end) for end in ends)


def _estimated(row: Mapping[str, Any]) -> str:
    return BELOW if row.get("estimated.below_proof") else write_number(row.get("estimated.radius"))


def _attacked(row: Mapping[str, Any]) -> str:
    met, proved = row.get("attacked.distance"), row.get("certified.radius")
    return NONE_EXISTS if met is None and proved == math.inf else write_number(met, "attacked")


ABOUT: dict[str, Cell] = {
    "norm": lambda row: name_norm(row["norm"]),
    "target": _text("target"),
    "order": _text("order"),
}
"""What tells the rows of several norms, targets or orders apart."""
CERTIFIED, ATTACKED = _number("certified.radius", "certified"), _attacked
"""Cells of the two numbers that are facts."""
ESTIMATED = _estimated
"""The cell of an estimate: empty where it must not be read, for then a row has none."""
COLUMNS_OF_CALLS: dict[str, dict[str, Cell]] = {
    "bracket": {
        "certified (proof)": CERTIFIED,
        "estimated": ESTIMATED,
        "attacked (witness)": ATTACKED,
        "status": _text("status"),
        "flags": _text("flags"),
    },
    "clever": {"estimated": ESTIMATED, "interval": _interval, "status": _text("estimated.status")},
    "attack": {
        "attacked (witness)": ATTACKED,
        "class": _text("attacked.predicted"),
        "method": _text("attacked.method"),
    },
    "certify": {
        "certified (proof)": CERTIFIED,
        "method": _text("certified.method"),
        "status": _text("certified.status"),
    },
    "audit": {"worst": _text("audit.worst"), "flags": _text("flags")},
}
"""Call -> the columns of its table besides input and label."""


def table_html(records: Sequence[PublicRecord], setup: CallSetup) -> str:
    """The first rows as a table.

    Args:
        records: The records.
        setup: What was asked.

    Returns:
        HTML; every text in it is escaped.
    """
    _, rows = rows_of(records[:MOST_ROWS], setup)
    asked = [(one.threat.norm, one.threat.target, one.order) for one in records if isinstance(one, Bracket)]
    differ = [len(set(values)) > 1 for values in zip(*asked, strict=True)]
    apart = {name: ABOUT[name] for name, several in zip(ABOUT, differ, strict=False) if several}
    cells = {"input": _text("input"), "label": _label(setup.class_names), **apart, **COLUMNS_OF_CALLS[setup.call]}
    head = "".join(f"<th>{html.escape(name)}</th>" for name in cells)
    body = "".join(
        f"<tr>{''.join(f'<td>{html.escape(cell(row))}</td>' for cell in cells.values())}</tr>" for row in rows
    )
    more = len(records) - MOST_ROWS
    rest = f"<p><small>and {more:,} more: to_dataframe() has all of them</small></p>" if more > 0 else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{rest}"


def _label(names: Sequence[str]) -> Cell:
    def read(row: Mapping[str, Any]) -> str:
        label = row.get("label")
        return MISSING if label is None else str(names[label] if 0 <= label < len(names) else label)

    return read


def chart_html(found: Sequence[Panel]) -> str:
    """A chart as a picture that holds its own data; nothing where no input has a number.

    Args:
        found: The panels of a figure.

    Returns:
        HTML.
    """
    if not found:
        return ""
    picture = base64.b64encode(render_figure(for_file(found, columns=1, width=CHART_WIDTH), "svg")).decode()
    words = "Each input as a bracket: certified radius, estimated radius, attack distance."
    return f'<img alt="{words}" src="data:image/svg+xml;base64,{picture}" style="max-width: 100%">'
