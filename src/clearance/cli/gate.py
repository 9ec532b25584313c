"""`clearance gate`: does a release reach what was asked of it? Exit code 1 where it falls short."""

from __future__ import annotations

import json
import math
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from clearance.cli.flag_values import GateFlags
from clearance.cli.grid import Grid, GridColumn
from clearance.cli.run_checks import split
from clearance.cli.run_values import out_file, split_names
from clearance.cli.tables import make_console, print_heading
from clearance.cli.values import printable
from clearance.errors import InputError
from clearance.geometry.exponents import as_norm
from clearance.report.criteria import CRITERIA, LimitKind, flag_of
from clearance.report.demands import Limits
from clearance.report.gate import judge
from clearance.report.outcome import GateOutcome, as_junit
from clearance.report.outcome_markdown import as_markdown
from clearance.report.read import read_records
from clearance.runs.files import replacing

FELL_SHORT = 1
"""Exit code where the release falls short."""


def run_gate(flags: GateFlags, *, as_json: bool) -> int:
    """Judge a run, print the outcome, and write it to the files that were asked for.

    Args:
        flags: The run, what is asked of it, and where to write the outcome.
        as_json: Print JSON.

    Returns:
        The exit code: 1 where it falls short, else 0.

    Raises:
        InputError: If a limit, a norm or a file cannot be used.
    """
    limits, baseline = make_limits(flags), flags.baseline
    junit, markdown = (
        out_file(flag, name, runs=[flags.run, baseline])
        for flag, name in (("--junit", flags.junit), ("--markdown", flags.markdown))
    )
    if junit is not None and junit == markdown:
        raise InputError(f"--markdown: expected another file than --junit, got {flags.markdown} for both")
    outcome = judge(
        read_records(flags.run, pictures=False),
        limits,
        baseline=None if baseline is None else read_records(baseline, pictures=False),
        norms=[] if flags.norm is None else split("norm", flags.norm, as_norm),
        targets=split_names("--target", flags.target),
    )
    _write(junit, as_junit(outcome))
    _write(markdown, as_markdown(outcome).encode())
    if as_json:
        click.echo(json.dumps(outcome.as_record(), indent=2, allow_nan=False))
    else:
        print_outcome(make_console(), outcome)
    return 0 if outcome.passed else FELL_SHORT


def make_limits(flags: GateFlags) -> Limits:
    """What is asked of the run.

    Args:
        flags: The flags' values.

    Returns:
        The limits.

    Raises:
        InputError: If nothing is asked, or a number cannot be a limit.
    """
    if not flags.given & set(CRITERIA):
        names = ", ".join(f"--{flag_of(name)}" for name in CRITERIA)
        raise InputError(f"gate: expected at least one of {names}; got none, and so nothing to judge by")
    for name, criterion in CRITERIA.items():
        value: float | None = getattr(flags, name)
        is_share = criterion.kind is LimitKind.SHARE
        most = 1.0 if is_share else math.inf
        if value is not None and not (0 <= value <= most and math.isfinite(value)):
            expected = "a share from 0 to 1" if is_share else "a finite number, 0 or more"
            raise InputError(f"--{flag_of(name)}: expected {expected}, got {value}")
    if "drop_of" in flags.given and flags.max_drop is None:
        raise InputError("--drop-of: expected --max-drop with it, got none")
    if "class_inputs" in flags.given and not any(CRITERIA[name].of_class for name in flags.given & set(CRITERIA)):
        raise InputError("--class-inputs: expected a limit on the worst class with it, got none")
    numbers = {name: getattr(flags, name) for name in CRITERIA}
    radii = tuple(dict.fromkeys(flags.at or ()))
    return Limits(
        **numbers,
        at=radii,
        class_inputs=flags.class_inputs,
        drop_of=flags.drop_of,
        allow_unfinished=flags.allow_unfinished,
    )


def print_outcome(console: Console, outcome: GateOutcome) -> None:
    """The table of criteria, and the reasons why a release falls short."""
    against = "" if outcome.baseline is None else f", baseline {outcome.baseline}"
    print_heading(console, f"{outcome.model} on {outcome.data}", f"gate, run {outcome.run}{against}")
    columns = [
        GridColumn(""),
        GridColumn("criterion", wraps=True),
        GridColumn("for", drop=1),
        GridColumn("wanted"),
        GridColumn("got", wraps=True),
    ]
    grid = Grid(columns, more="--json")
    for check in outcome.checks:
        mark = Text("passed", "green") if check.passed else Text("failed", "bold red")
        cells = (check.criterion, outcome.briefly(check), check.wanted, check.got)
        grid.add_row(mark, *(Text(printable(cell)) for cell in cells))
    console.print()
    grid.print(console)
    if outcome.unit:
        console.print(Text(f"\nDistances are in {printable(outcome.unit)}.", "dim"))
    for check in outcome.failed:
        console.print(Text(f"\n{printable(check.about)}: {printable(check.reason)}.", "red"))
    for note in outcome.notes:
        console.print(Text(f"\nNote: {printable(note)}.", "dim"))
    console.print(Text(f"\nThe gate {outcome.sentence}.", "green" if outcome.passed else "bold red"))


def _write(file: Path | None, data: bytes) -> None:
    if file is not None:
        with replacing(file, force=True) as stream:
            stream.write(data)
