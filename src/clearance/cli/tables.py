"""How scores look on a screen: a row for each input, a summary, and how to read them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from clearance.cli.grid import Grid, GridColumn
from clearance.cli.values import printable
from clearance.estimates.status import Status
from clearance.report.marks import write_number

if TYPE_CHECKING:  # commands that only read runs use this file as well, and start without torch
    from clearance.cli.summary import Summary
    from clearance.estimates.scores import Score

NOTHING = "-"
"""Stands where there is no number."""
LONGEST_NAME = 16
"""Characters of a class name on the screen."""
WIDEST_TABLE = 100
"""Columns of a table at most, however wide the terminal is."""


@dataclass(frozen=True)
class ScoreRow:
    """One line of the table.

    Attributes:
        index: Index of the input in its set.
        label: Its true class.
        score: Its score.
    """

    index: int
    label: int
    score: Score


def make_console() -> Console:
    """A console on stdout that takes text as it is."""
    console = Console(highlight=False, markup=False, emoji=False)
    console.width = min(console.width, WIDEST_TABLE)
    return console


def print_heading(console: Console, title: str, subtitle: str) -> None:
    """What was scored, and how."""
    console.print(Text(printable(title), "bold"))
    console.print(Text(printable(subtitle), "dim"))


def print_scores(
    console: Console, rows: Sequence[ScoreRow], *, names: Sequence[str] = (), level: float | None, to: str
) -> None:
    """One line for each input, whatever its status.

    Args:
        console: Where to.
        rows: The lines.
        names: Names of the classes.
        level: Confidence level of the intervals; `None` where they have none.
        to: What the class is called that the score is for.
    """
    columns = [
        GridColumn("input", right=True),
        GridColumn("label", right=True, drop=2),
        GridColumn(f"predicted\n-> {to}", drop=3, wraps=True),
        GridColumn("estimated\nradius", right=True),
        GridColumn("interval" if level is None else f"{100 * level:g} %\ninterval", drop=1),
        GridColumn("status"),
    ]
    grid = Grid(columns, more="--json")
    for row in rows:
        grid.add_row(*_cells(row, names))
    console.print()
    grid.print(console)
    console.print()


def print_median(console: Console, summary: Summary, *, before: str = "Median estimated radius") -> None:
    """The median, and what it leaves out."""
    radius = NOTHING if summary.median_radius is None else number(summary.median_radius)
    console.print(f"{before} {radius} over {summary.with_number} of {summary.inputs} inputs{_left_out(summary)}")


def print_cost(console: Console, summary: Summary) -> None:
    """Passes and seconds."""
    cost = summary.cost
    products = f", {cost.hessian_vector:,} Hessian-vector products" if cost.hessian_vector else ""
    console.print(f"{cost.forward:,} forward and {cost.backward:,} backward passes{products}, {cost.seconds:.0f} s")


def print_reading(console: Console, scores: Sequence[Score], *, distance: str, other: str) -> None:
    """What the numbers claim and what they do not, and what the statuses mean that occur.

    Args:
        console: Where to.
        scores: The scores on the screen.
        distance: The distance and its unit.
        other: Which class overtakes the predicted one.
    """
    console.print(
        f"\nThe estimated radius says how far an input can move ({distance}) before {other} overtakes the "
        "predicted one. It is an estimate, not a bound: an adversarial example may lie closer. The interval says "
        "how much lower a much longer search would put it, or, in one ball, covers the error of the statistical fit."
    )
    console.print()
    legend = Table.grid(padding=(0, 2))
    for status in sorted({score.status for score in scores}, key=lambda status: status.severity):
        legend.add_row(_status(status), status.meaning)
    console.print(legend)


def number(value: float | None, kind: str = "estimated") -> str:
    """Three significant digits, a proof never rounded up, a witness never down; `-` for nothing.

    An infinite distance is `none`: no witness was found. An infinite radius is `inf`: proved, or estimated.

    >>> number(0.5), number(0.2308, "certified"), number(0.8601, "attacked"), number(None)
    ('0.500', '0.230', '0.861', '-')
    """
    if value is None or math.isnan(value):
        return NOTHING
    if math.isinf(value):
        return "none" if kind == "attacked" else "inf"
    return write_number(value, kind)


def norm_name(norm: float) -> str:
    """`l2`, `linf`, `l1.5`."""
    return "linf" if math.isinf(norm) else f"l{norm:g}"


def towards(target: str | int) -> str:
    """A target in words.

    >>> towards("runner-up"), towards("3")
    ('runner-up', 'to class 3')
    """
    return f"to class {target}" if str(target).isdecimal() else str(target)


def unit(norm: float, values: str) -> str:
    """The distance and its unit in words.

    Args:
        norm: The norm `p`.
        values: What the numbers of a distance are, such as "input values in [0, 1]".

    Returns:
        The words.

    >>> unit(0.0, "the units of the data"), unit(2.0, "the units of the data")
    ('l0 distance: how many coordinates differ', 'l2 distance, in the units of the data')
    """
    if norm == 0:
        return "l0 distance: how many coordinates differ"
    return f"{norm_name(norm)} distance, {values if values.startswith('input') else f'in {values}'}"


def scaled(unit: str | None) -> str:
    """What a heading says of the unit of distances: nothing where it is the unit of the data.

    >>> scaled("standard deviations of each feature"), scaled(None)
    (', distances in standard deviations of each feature', '')
    """
    return "" if unit is None else f", distances in {unit}"


def _cells(row: ScoreRow, names: Sequence[str]) -> list[Text]:
    score, first = row.score, [Text(str(row.index)), Text(class_name(row.label, names))]
    moves = class_name(score.predicted, names)
    if score.status.measured:
        moves += f" -> {class_name(score.target, names)}"
    radius, interval = NOTHING, NOTHING
    if score.status.has_number:
        radius, interval = number(score.radius), " to ".join(number(end) if end else "0" for end in score.interval)
    return [*first, Text(moves), Text(radius, "bold"), Text(interval), _status(score.status)]


def class_name(index: int, names: Sequence[str]) -> str:
    """The name of a class where it has one, short and harmless; else its index."""
    if not 0 <= index < len(names):
        return str(index)
    name = printable(names[index])
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 2]}.."


def _status(status: Status) -> Text:
    style = "green" if status is Status.OK else "yellow" if status.has_number else "red"
    return Text(status.value, style)


def _left_out(summary: Summary) -> str:
    absent = [f"{count} {name}" for name, count in summary.statuses.items() if not Status(name).has_number]
    return f" ({', '.join(absent)})" if absent else ""
