"""How audits look on a screen: a line for each input, a block for each flag, and what may be concluded."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from clearance.audit import CHECKS, Audit, Flag, Severity
from clearance.audit.path_integral import JUMPS, SIGMAS
from clearance.audit.record import sort_flags
from clearance.cli import tables
from clearance.cli.grid import Grid, GridColumn
from clearance.cli.values import printable
from clearance.estimates.status import Status
from clearance.model.cost import Cost
from clearance.report.marks import count, write_evidence
from clearance.zoo.inputs import Inputs

STYLES = {Severity.INFO: "cyan", Severity.WARNING: "yellow", Severity.ERROR: "red"}
"""Colour of each severity on the screen."""
MEANINGS = {
    Severity.ERROR: "an estimate of this input means nothing",
    Severity.WARNING: "do not read an estimate of this input before the flag is explained",
    Severity.INFO: "worth knowing; takes nothing away",
}
"""What each severity says about an estimate, the gravest first."""


@dataclass(frozen=True)
class AuditJob:
    """One run of the command.

    Attributes:
        norm: The norm `p`.
        target: The target.
        budget: A name of `model.budgets.BUDGETS`, or a number of passes.
        seed: The user's seed.
        inputs: The model and the inputs.
    """

    norm: float
    target: str | int
    budget: str | int
    seed: int
    inputs: Inputs


@dataclass(frozen=True)
class AuditRow:
    """One input and its audit.

    Attributes:
        index: Index of the input in its set.
        label: Its true class.
        predicted: Its predicted class.
        audit: What was found.
    """

    index: int
    label: int
    predicted: int
    audit: Audit

    @property
    def done(self) -> bool:
        """Whether there was an audit: none of a misclassified input, nor of one that has the target class already."""
        return self.audit.cost.forward > 0

    @property
    def misclassified(self) -> bool:
        """Whether the prediction differs from the label."""
        return self.predicted != self.label

    def reaches(self, severity: Severity) -> bool:
        """Whether a flag is at least that severe."""
        return self.audit.worst is not None and self.audit.worst.rank >= severity.rank


def print_report(job: AuditJob, rows: Sequence[AuditRow]) -> None:
    """A line for each input, what it amounts to, and a block for each flag."""
    console, inputs = tables.make_console(), job.inputs
    what = f"audit, {tables.norm_name(job.norm)}, {tables.towards(job.target)}, seed {job.seed}"
    tables.print_heading(console, inputs.title(len(rows)), what)
    _print_table(console, rows, inputs.data.class_names)
    raised = [flag for row in rows for flag in row.audit.flags]
    for code in dict.fromkeys(flag.code for flag in sort_flags(raised)):
        _print_flag(console, code, [row for row in rows if row.audit.has(code)])
    _print_verdict(console, rows)


def _print_table(console: Console, rows: Sequence[AuditRow], names: Sequence[str]) -> None:
    columns = [
        GridColumn("input", right=True),
        GridColumn("label", right=True, drop=3),
        GridColumn("predicted", right=True, drop=2),
        GridColumn("worst"),
        GridColumn("path integral\nmisses", right=True, drop=1),
        GridColumn("passes", right=True, drop=4),
        GridColumn("flags", wraps=True),
    ]
    grid = Grid(columns, gap=2, more="--json")
    for row in rows:
        grid.add_row(*_cells(row, names))
    console.print()
    grid.print(console)
    console.print()
    if any("path_integral" in row.audit.measured for row in rows):
        limit = CHECKS["path_integral"].threshold or 0.0
        console.print(
            "path integral misses: how much of what the logits do along a segment the gradients leave unexplained; "
            f"a flag from {100 * limit:g} % and {SIGMAS:g} standard errors on, or {100 * JUMPS:g} % in jumps between "
            "neighbouring points\n"
        )


def _cells(row: AuditRow, names: Sequence[str]) -> list[Text]:
    own = [Text(str(row.index)), *(Text(tables.class_name(index, names)) for index in (row.label, row.predicted))]
    if not row.done:
        return [*own, *[Text(tables.NOTHING)] * 3, Text(f"{_why_not(row)}: not audited", "red")]
    missed, cost = row.audit.measured.get("path_integral"), row.audit.cost
    return [
        *own,
        _severity(row.audit.worst),
        Text(tables.NOTHING if missed is None else f"{100 * missed:.1f} %"),
        Text(f"{cost.forward + cost.backward:,}"),
        Text(", ".join(flag.code for flag in row.audit.flags) or "none"),
    ]


def _why_not(row: AuditRow) -> str:
    """Why an input was not audited."""
    return "misclassified" if row.misclassified else Status.TARGET_IS_PREDICTED.value


def _severity(worst: Severity | None) -> Text:
    return Text("none", "green") if worst is None else Text(worst.value, STYLES[worst])


def _print_flag(console: Console, code: str, rows: Sequence[AuditRow]) -> None:
    """A flag's meaning and remedy, and what raised it on the input where it is gravest."""
    worst, flag = max(((row, _flag(row, code)) for row in rows), key=lambda pair: _gravity(*pair))
    raised = Counter(_flag(row, code).severity for row in rows)
    counts = ", ".join(f"{level} on {count(raised[level], 'input')}" for level in MEANINGS if raised[level])
    console.print(Text.assemble((code, f"bold {STYLES[flag.severity]}"), f": {counts}"))
    block = Table.grid(padding=(0, 2, 0, 0))
    block.add_column()
    block.add_column(no_wrap=True)
    block.add_column(overflow="fold")
    evidence = ", ".join(
        f"{name.replace('_', ' ')} {readable(value, name, code)}" for name, value in flag.evidence.items()
    )
    lines = {"meaning": flag.meaning, f"input {worst.index}": evidence, "remedy": flag.remedy}
    for name, text in {**lines, "page": f"clearance docs {code}"}.items():
        block.add_row("", Text(name, "dim"), Text(printable(text)))
    console.print(block)
    console.print()


def _flag(row: AuditRow, code: str) -> Flag:
    return next(flag for flag in row.audit.flags if flag.code == code)


def _gravity(row: AuditRow, flag: Flag) -> tuple[int, float]:
    """The severity, then how far the measured number lies from its threshold."""
    measured, limit = row.audit.measured.get(flag.code, 0.0), CHECKS[flag.code].threshold
    return flag.severity.rank, abs(measured - (limit or 0.0))


def readable(value: float | str, name: str = "", code: str = "") -> str:
    """A piece of evidence of a flag in few characters, rounded as on pages.

    >>> readable(5120.0), readable(0.03125), readable(2.5e7), readable(math.inf), readable(1.06546, "witness_distance")
    ('5,120', '0.0312', '2.50e+7', 'infinite', '1.07')
    """
    if isinstance(value, str):
        return value
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else "infinite"
    return f"{value:,.0f}" if value == round(value) and abs(value) < 1e6 else write_evidence(value, name, code)


def _print_verdict(console: Console, rows: Sequence[AuditRow]) -> None:
    """How many inputs, at what cost, and what may be concluded."""
    done = [row for row in rows if row.done]
    for level in [level for level in MEANINGS if any(row.audit.worst is level for row in rows)]:
        console.print(Text.assemble((level.value, STYLES[level]), f": {MEANINGS[level]}"))
    cost = sum((row.audit.cost for row in rows), Cost())
    console.print(
        f"{len(done)} of {count(len(rows), 'input')} audited ({_left_out(rows)}), "
        f"{cost.forward:,} forward and {cost.backward:,} backward passes, {cost.seconds:.0f} s\n"
    )
    masked, audited = sum(row.audit.masked for row in done), count(len(done), "input")
    if masked:
        console.print(
            f"Signs of masking on {masked} of {audited}: until the flags are explained, neither a score of "
            "such an input nor an attack that failed on it says anything about robustness. No flag is a proof."
        )
    elif done:
        console.print(f"No sign of masking was found on {audited}. That is not a proof that there is none.")
    else:
        every = all(row.misclassified for row in rows)
        console.print(f"Nothing was audited: {'every input is misclassified' if every else _left_out(rows)}.")


def _left_out(rows: Sequence[AuditRow]) -> str:
    """How many inputs were not audited, and why."""
    wrong = sum(row.misclassified for row in rows)
    there = sum(not row.done and not row.misclassified for row in rows)
    return f"{wrong} misclassified" + (f", {there} {Status.TARGET_IS_PREDICTED}" if there else "")
