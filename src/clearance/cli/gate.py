"""`clearance gate`: does a release reach what was asked of it? Exit code 1 where it falls short."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from clearance.cli.run_values import out_file, split_names
from clearance.cli.tables import make_console, print_heading
from clearance.cli.values import printable
from clearance.errors import InputError
from clearance.report.demands import Limits
from clearance.report.gate import judge
from clearance.report.outcome import GateOutcome, as_junit, as_markdown
from clearance.report.read import read_records
from clearance.runs.files import replacing

SHORT = 1
"""Exit code where the release falls short."""

CRITERIA = ("min_median", "min_certified", "min_attacked", "max_flagged", "max_misclassified", "max_failed", "max_drop")
SHARES = ("max_flagged", "max_misclassified", "max_drop")


def run_gate(run: str, *, given: set[str], as_json: bool, **flags: Any) -> int:
    """Judge a run, print the outcome, and write it to the files that were asked for.

    Args:
        run: The run's folder.
        given: Names of the flags that the user spelled out.
        as_json: Print JSON.
        **flags: The flags' values.

    Returns:
        The exit code: 1 where it falls short, else 0.

    Raises:
        InputError: If a limit, a norm or a file cannot be used.
    """
    limits, baseline = make_limits(given, flags), flags["baseline"]
    files = {kind: out_file(f"--{kind}", flags[kind], runs=[run, baseline]) for kind in ("junit", "markdown")}
    if files["junit"] is not None and files["junit"] == files["markdown"]:
        raise InputError(f"--markdown: expected another file than --junit, got {flags['markdown']} for both")
    outcome = judge(
        read_records(run, pictures=False),
        limits,
        baseline=None if baseline is None else read_records(baseline, pictures=False),
        norms=_norms(flags["norm"]),
        targets=split_names("--target", flags["target"]),
    )
    _write(files["junit"], as_junit(outcome))
    _write(files["markdown"], as_markdown(outcome).encode())
    if as_json:
        click.echo(json.dumps(outcome.as_record(), indent=2, allow_nan=False))
    else:
        print_outcome(make_console(), outcome)
    return 0 if outcome.passed else SHORT


def make_limits(given: set[str], flags: dict[str, Any]) -> Limits:
    """What is asked of the run.

    Args:
        given: Names of the flags that the user spelled out.
        flags: The flags' values.

    Returns:
        The limits.

    Raises:
        InputError: If nothing is asked, or a number cannot be a limit.
    """
    if not given & set(CRITERIA):
        flags_text = ", ".join(f"--{name.replace('_', '-')}" for name in CRITERIA)
        raise InputError(f"gate: expected at least one of {flags_text}; got none, and so nothing to judge by")
    for name in CRITERIA:
        value, most = flags[name], 1.0 if name in SHARES else math.inf
        if value is not None and not (0 <= value <= most and math.isfinite(value)):
            expected = "a share from 0 to 1" if name in SHARES else "a finite number, 0 or more"
            raise InputError(f"--{name.replace('_', '-')}: expected {expected}, got {value}")
    if "drop_of" in given and flags["max_drop"] is None:
        raise InputError("--drop-of: expected --max-drop with it, got none")
    numbers = {name: flags[name] for name in CRITERIA}
    return Limits(**numbers, drop_of=tuple(flags["drop_of"]), allow_unfinished=flags["allow_unfinished"])


def print_outcome(console: Console, outcome: GateOutcome) -> None:
    """The table of criteria, and the reasons why a release falls short."""
    against = "" if outcome.baseline is None else f", baseline {outcome.baseline}"
    print_heading(console, f"{outcome.model} on {outcome.data}", f"gate, run {outcome.run}{against}")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for name in ("", "criterion", "for", "wanted", "got"):
        table.add_column(name)
    for check in outcome.checks:
        mark = Text("passed", "green") if check.passed else Text("failed", "bold red")
        cells = (check.criterion, check.about, check.wanted, check.got)
        table.add_row(mark, *(Text(printable(cell)) for cell in cells))
    console.print()
    console.print(table)
    for check in outcome.failed:
        console.print(Text(f"\n{printable(check.about)}: {printable(check.reason)}.", "red"))
    for note in outcome.notes:
        console.print(Text(f"\nNote: {printable(note)}.", "dim"))
    console.print(Text(f"\nThe gate {outcome.sentence}.", "green" if outcome.passed else "bold red"))


def _norms(text: str | None) -> list[float]:
    names = split_names("--norm", text)
    try:
        norms = [float(name) for name in names]
    except ValueError:
        raise InputError(f"--norm: expected norms with commas between them, got {text!r}") from None
    if len(set(norms)) < len(norms):
        raise InputError(f"--norm: expected each norm once, got {text!r}")
    return norms


def _write(file: Path | None, data: bytes) -> None:
    if file is not None:
        with replacing(file, force=True) as stream:
            stream.write(data)
