"""The page of a run: one HTML file that opens from disk and needs nothing else, no network either."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from clearance.report.checklist import checklist
from clearance.report.flags import flag_groups
from clearance.report.read import read_records
from clearance.report.records import RunRecords
from clearance.report.render import render, write_page
from clearance.report.verdict import notices, verdicts
from clearance.runs.execute import refuse_run_files

REPORT_FILE = "report.html"
"""The page's name in the folder of its run."""


def write_report(folder: str | Path, file: Path | None = None, *, radii: Sequence[float] = ()) -> Path:
    """Read a run, finished or not, and write its page, all at once; an older page is replaced.

    Args:
        folder: The run's folder.
        file: The page; by default `report.html` in that folder.
        radii: At which robust accuracy is written down; empty for round ones.

    Returns:
        The page's path.

    Raises:
        FileError: If there is no run, it is damaged, or the page cannot be written or would replace a part of the run.
    """
    page = Path(folder) / REPORT_FILE if file is None else file
    refuse_run_files(page, Path(folder), name="file")
    write_page(render_report(read_records(folder), radii), page)
    return page


def render_report(run: RunRecords, radii: Sequence[float] = ()) -> str:
    """The page of one run.

    Args:
        run: What was read of it.
        radii: At which robust accuracy is written down; empty for round ones.

    Returns:
        HTML.
    """
    groups = flag_groups(run.entries)
    return render(
        "report.html",
        [run],
        radii=radii,
        run=run,
        notices=notices(run),
        verdicts=verdicts(run),
        doubts=[group for group in groups if group.doubts],
        checklist=checklist(run, radii),
        remarks=[group for group in groups if not group.doubts],
    )
