"""The page of a run: one HTML file that opens from disk and needs nothing else, no network either."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from clearance.report.answer import accuracy_sentence, answers, cautions, gradients
from clearance.report.auditor_page import AUDITOR_FILE, render_auditor
from clearance.report.checklist import checklist
from clearance.report.flags import flag_groups
from clearance.report.grey_levels import grey_levels
from clearance.report.next_steps import next_steps
from clearance.report.notices import notices
from clearance.report.read import read_records
from clearance.report.records import RunRecords
from clearance.report.render import render, write_page
from clearance.runs.execute import refuse_run_files
from clearance.runs.files import replacing

REPORT_FILE = "report.html"
"""The page's name in the folder of its run."""


def auditor_file(page: Path) -> Path:
    """Where the auditor's page of a report lies: beside it, so that each finds the other.

    >>> auditor_file(Path("run/report.html")).name, auditor_file(Path("shown.html")).name
    ('auditor.html', 'shown-auditor.html')
    """
    return page.with_name(AUDITOR_FILE if page.name == REPORT_FILE else f"{page.stem}-{AUDITOR_FILE}")


def write_report(folder: str | Path, file: Path | None = None, *, radii: Sequence[float] = ()) -> Path:
    """Read a run, finished or not, and write its page and beside it the auditor's; older pages are replaced.

    Args:
        folder: The run's folder.
        file: The page; by default `report.html` in that folder. The auditor's page is `auditor_file` of it.
        radii: At which robust accuracy is written down; empty for round ones.

    Returns:
        The page's path.

    Raises:
        FileError: If there is no run, it is damaged, or the page cannot be written or would replace a part of the run.
    """
    page = page_file(folder, file)
    return write_pages(read_records(folder), page, radii=radii)


def page_file(folder: str | Path, file: Path | None = None) -> Path:
    """Where the page of a run is written: `report.html` in its folder where no file is given.

    Args:
        folder: The run's folder.
        file: The page, or `None`.

    Returns:
        The page's path.

    Raises:
        FileError: If the page, or the auditor's beside it, would replace a part of the run.
    """
    page = Path(folder) / REPORT_FILE if file is None else file
    for each in (page, auditor_file(page)):
        refuse_run_files(each, Path(folder), name="file")
    return page


def write_pages(run: RunRecords, page: Path, *, radii: Sequence[float] = ()) -> Path:
    """Write the page of a run and beside it the auditor's; older pages are replaced.

    Args:
        run: What was read of it.
        page: The page.
        radii: At which robust accuracy is written down; empty for round ones.

    Returns:
        The page's path.
    """
    beside = auditor_file(page)
    with replacing(page, force=True) as stream:  # the name that was given is the one that an error names
        stream.write(render_report(run, radii, auditor=quote(beside.name)).encode())
        write_page(render_auditor(run, radii, report=quote(page.name)), beside)
    return page


def render_report(run: RunRecords, radii: Sequence[float] = (), *, auditor: str = "") -> str:
    """The page of one run.

    Args:
        run: What was read of it.
        radii: At which robust accuracy is written down; empty for round ones.
        auditor: Address of the auditor's page; empty for none.

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
        accuracy=accuracy_sentence(run),
        answers=answers(run),
        levels=grey_levels(run),
        gradients=gradients([run]),
        cautions=cautions(run),
        steps=next_steps(run),
        auditor=auditor,
        doubts=[group for group in groups if group.doubts],
        checklist=checklist(run, radii),
        remarks=[group for group in groups if not group.doubts],
    )
