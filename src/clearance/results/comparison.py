"""`cl.compare`: results of several models, or runs, side by side."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clearance.errors import InputError
from clearance.records import count
from clearance.report.compare import compare as compare_records
from clearance.report.compare_page import render_comparison
from clearance.report.contest import Comparison
from clearance.report.contest_answer import contest_answers
from clearance.report.contest_tables import comparison_tables
from clearance.report.figures.side_by_side import panels
from clearance.report.records import RunRecords
from clearance.report.render import write_page
from clearance.report.tables import Table
from clearance.results.frames import as_dataframe
from clearance.results.notebook import chart_html
from clearance.results.pages import as_run
from clearance.results.results import Results
from clearance.results.saved_run import SavedRun, read_run

Compared = Results[Any] | SavedRun | str | Path
"""What may be compared: the results of `cl.bracket`, a run, or the folder of one."""


@dataclass(frozen=True, repr=False)
class ComparedRuns:
    """Several models on the inputs that all of them have. It prints as a sentence for each norm and target.

    Attributes:
        comparison: The rankings and the differences, as records.
    """

    comparison: Comparison

    def __repr__(self) -> str:
        """The names, and how many inputs all have; `summary` says the rest."""
        names = (run.name for run in self.comparison.runs)
        inputs = max((len(contest.inputs) for contest in self.comparison.contests), default=0)
        return f"{type(self).__name__}({', '.join(names)} on {count(inputs, 'shared input')})"

    def __str__(self) -> str:
        """The summary."""
        return self.summary()

    def summary(self) -> str:
        """Who stands farther out, on how many inputs and by how much: a line for each norm and target."""
        said = [(one.about, one.text, one.doubt) for one in contest_answers(self.comparison)]
        return "\n".join(f"{about}: {text}{f' ({doubt})' if doubt else ''}" for about, text, doubt in said)

    def as_record(self) -> dict[str, Any]:
        """Plain values for JSON, as `clearance compare --json` prints them."""
        return self.comparison.as_record()

    def to_dataframe(self) -> Any:
        """A `pandas.DataFrame` with a row for each model and shared input.

        Columns: `run`, `input` (its place in the first run), `label`, `norm`, `target`, `order`, `status`,
        `certified.radius`, `estimated.radius`, `estimated.below_proof` (more is proved: the radius is missing),
        `attacked.distance`; what must not be read is missing.

        Returns:
            The frame.
        """
        rows = [
            {
                "run": run.name,
                "input": entry.index,
                "label": entry.label,
                "norm": entry.norm,
                "target": entry.target,
                "order": entry.order,
                "status": entry.status.value,
                "certified.radius": entry.certified,
                "estimated.radius": entry.own_estimate,
                "estimated.below_proof": entry.below_proof,
                "attacked.distance": entry.attacked,
            }
            for run in self.comparison.runs
            for entry in run.entries
        ]
        return as_dataframe(list(rows[0]), rows)

    def report(self, path: str | Path) -> Path:
        """Write the page that `clearance compare` writes; an older file is replaced.

        Args:
            path: The file.

        Returns:
            Its path.
        """
        write_page(self.html(), Path(path))
        return Path(path)

    def html(self) -> str:
        """That page, as text."""
        return render_comparison(self.comparison)

    def _repr_html_(self) -> str:
        """The sentences, the leaderboard and the brackets: what a notebook shows."""
        leaderboard, *_ = comparison_tables(self.comparison)
        chart = chart_html(panels(self.comparison.runs))
        return f"<div><p>{html.escape(self.summary())}</p>{chart}{_table(leaderboard)}</div>"


def _table(table: Table) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in table.columns)
    lines = ("".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in table.rows)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def compare(runs: Mapping[str, Compared] | SavedRun) -> ComparedRuns:
    """Hold models against the first of them, input by input, and rank all of them, as `clearance compare` does.

    Inputs are paired by their content and label. What not all have is left out and named.

    Args:
        runs: A name for each -> the results of `cl.bracket`, a run, or the folder of one, at least two; or a run of
            several models.

    Returns:
        The comparison.

    Raises:
        InputError: If they are fewer than two, no brackets, have other threat models, or share no input.
        FileError: If a folder has no run, or it is damaged.
    """
    given: Mapping[str, Compared] = {"": runs} if isinstance(runs, SavedRun) else runs
    if not isinstance(given, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InputError(f"runs: expected a mapping of names to results, got {type(given).__name__}")
    parts = {name: read_run(one) if isinstance(one, str | Path) else one for name, one in given.items()}
    sharing = sum(len(one.parts) if isinstance(one, SavedRun) else 1 for one in parts.values())
    return ComparedRuns(compare_records([run for name, one in parts.items() for run in _records(name, one, sharing)]))


def _records(name: str, one: Results[Any] | SavedRun, sharing: int) -> list[RunRecords]:
    """A run, or the run of each of its models, as pages read it, under a name of its own."""  # noqa: DOC501
    if isinstance(one, Results):
        return [as_run(name, one, one.setup, sharing=sharing)]
    if not isinstance(one, SavedRun):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InputError(f"runs: expected results, a run or its folder for {name!r}, got {type(one).__name__}")
    found = one.records(sharing=sharing)
    if len(found) == 1:
        return [replace(found[0], name=name or found[0].name)]
    return [replace(run, name=f"{name}/{run.name}".strip("/")) for run in found]
