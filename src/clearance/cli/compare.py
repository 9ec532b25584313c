"""`clearance compare`: several runs side by side, on the screen and as one page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from clearance.cli.grid import Grid, GridColumn
from clearance.cli.run_values import named_folder, out_file
from clearance.cli.tables import make_console, print_heading
from clearance.cli.values import printable
from clearance.errors import InputError
from clearance.report.compare import compare
from clearance.report.contest import Comparison, Contest
from clearance.report.contest_tables import unranked
from clearance.report.marks import MISSING, count, write_number, write_share
from clearance.report.read import read_records
from clearance.report.records import RunRecords
from clearance.report.row_words import distance_text
from clearance.runs.execute import require_run

LONGEST = 24
"""Characters of a run's name on the screen."""


def run_compare(runs: Sequence[str], *, out: str | None, as_json: bool) -> None:
    """Compare runs, print what comes out, and write the page.

    Args:
        runs: The runs' folders, each with a name before it where it is given one.
        out: The page; by default `compare.html` in the current folder, and none with JSON.
        as_json: Print JSON.
    """
    name = out or (None if as_json else "compare.html")
    file = out_file("--out", name, runs=[named_folder(run)[1] for run in runs])
    comparison = compare(read_runs(runs, pictures=file is not None))
    if file is not None:
        from clearance.report.compare_page import write_comparison

        write_comparison(comparison, file)
    if as_json:
        click.echo(json.dumps(comparison.as_record(), indent=2, allow_nan=False))
        return
    print_comparison(make_console(), comparison)
    click.echo(f"\n{file} written; it opens in any browser, without a network")


def read_runs(folders: Sequence[str], *, pictures: bool) -> list[RunRecords]:
    """The runs, each with a name of its own: the one given, or the end of its path that no other path has.

    Args:
        folders: The runs' folders, `FOLDER` or `NAME=FOLDER`.
        pictures: Draw the inputs.

    Returns:
        The runs.

    Raises:
        InputError: If a run or a name is there twice.
    """
    named = [named_folder(folder) for folder in folders]
    for _, folder in named:
        require_run(Path(folder))
    places = [Path(folder).resolve() for _, folder in named]
    if len(set(places)) < len(places):
        raise InputError("expected different runs to compare, got one of them twice")
    names = [given or _own_end(place, places) for (given, _), place in zip(named, places, strict=True)]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"expected different names of the runs to compare, got {twice!r} twice")
    return [
        replace(read_records(folder, pictures=pictures, sharing=len(folders)), name=name)
        for (_, folder), name in zip(named, names, strict=True)
    ]


def _own_end(place: Path, places: Sequence[Path]) -> str:
    """The shortest end of a path that no other of the paths has: its last folder, or a few.

    >>> places = [Path("/a/june/run"), Path("/a/july/run"), Path("/a/other")]
    >>> [_own_end(place, places) for place in places]
    ['june/run', 'july/run', 'other']
    """
    for length in range(1, len(place.parts)):
        end = place.parts[-length:]
        if sum(other.parts[-length:] == end for other in places) == 1:
            return "/".join(end)
    return str(place)


def print_comparison(console: Console, comparison: Comparison) -> None:
    """The leaderboard and the differences of each norm and target, and how to read them."""
    first = comparison.runs[0].name
    print_heading(console, ", ".join(_short(run.name) for run in comparison.runs), f"compared with {_short(first)}")
    for contest in comparison.contests:
        title = f"{printable(contest.threat)}: {count(len(contest.inputs), 'input')} that all runs have"
        console.print(Text(f"\n{title}", "bold"))
        console.print()
        _leaderboard(contest).print(console)
        console.print()
        _differences(contest).print(console)
        for sentence in unranked(contest):
            console.print(Text(f"\n{printable(sentence)}", "red"))
    for note in comparison.notes:
        console.print(Text(f"\nNote: {printable(note)}.", "dim"))
    console.print(
        "\nRanking distance: the median attack distance, where an input counts as 0 if it is misclassified, "
        "its attacks are in doubt, or it has no witness. Ahead on: share of inputs where that distance is the largest. "
        "Flagged: share of the correctly classified inputs whose estimate must not be read. Differences are medians "
        "over the inputs that both classify correctly and whose number may be read in both (estimates: and lies above "
        "what is proved). An estimated radius is an estimate, not a bound."
    )


def _leaderboard(contest: Contest) -> Grid:
    columns = [
        GridColumn("rank"),
        GridColumn("run", wraps=True),
        GridColumn("ranking\ndistance", right=True),
        GridColumn("ahead\non", right=True, drop=3),
        GridColumn("wrong", right=True, drop=2),
        GridColumn("flagged", right=True, drop=1),
        GridColumn("passes\nper input", right=True, drop=4),
    ]
    table = Grid(columns, more="--json")
    for one in contest.standings:
        table.add_row(
            Text(MISSING if one.rank is None else str(one.rank), "bold"),
            Text(_short(one.run)),
            distance_text(one.shown, "attacked"),
            *map(write_share, (one.ahead, one.misclassified, one.flagged)),
            f"{one.passes:,}",
        )
    return table


def _differences(contest: Contest) -> Grid:
    columns = [
        GridColumn("run", wraps=True),
        GridColumn("number"),
        GridColumn("inputs", right=True, drop=4),
        GridColumn("difference", right=True),
        GridColumn("95 % interval", right=True, drop=2),
        GridColumn("larger\non", right=True, drop=3),
        GridColumn("verdict", drop=1),
    ]
    table = Grid(columns, more="--json")
    last = ""
    for one in contest.differences:
        name, last = "" if one.run == last else _short(one.run), one.run
        ends = MISSING if one.interval is None else " to ".join(write_number(end) for end in one.interval)
        style = {"ahead": "green", "behind": "red"}.get(one.verdict, "dim")
        numbers = (f"{one.inputs} of {one.asked}", write_number(one.value), ends, write_share(one.ahead))
        table.add_row(Text(name), one.quantity, *numbers, Text(one.verdict, style))
    return table


def _short(name: str) -> str:
    safe = printable(name)
    return safe if len(safe) <= LONGEST else f"..{safe[2 - LONGEST :]}"
