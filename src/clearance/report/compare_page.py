"""The page of several runs: the leaderboard, the differences, and all that the page of one run shows."""

from __future__ import annotations

from pathlib import Path

from clearance.report.answer import LONGEST_IN_SENTENCE, cautions, gradients
from clearance.report.contest import Comparison
from clearance.report.contest_answer import contest_answers
from clearance.report.contest_tables import comparison_tables, unranked
from clearance.report.flags import flag_groups
from clearance.report.next_steps import steps_of_comparison
from clearance.report.outcome import as_text
from clearance.report.render import render, write_page

COMPARE_FILE = "compare.html"
"""The page's name where none is given."""


def write_comparison(comparison: Comparison, file: Path) -> None:
    """Write the page, all at once; an older page is replaced.

    Args:
        comparison: What the runs have in common.
        file: The page.
    """
    write_page(render_comparison(comparison), file)


def render_comparison(comparison: Comparison) -> str:
    """The page of several runs.

    Args:
        comparison: What the runs have in common.

    Returns:
        HTML.
    """
    return render(
        "compare.html",
        comparison.runs,
        own_tables=comparison_tables(comparison),
        comparison=comparison,
        answers=contest_answers(comparison),
        gradients=gradients(comparison.runs),
        cautions=[
            f"{as_text(run.name, LONGEST_IN_SENTENCE)}: {said}" for run in comparison.runs for said in cautions(run)
        ],
        steps=steps_of_comparison(comparison),
        notes=[f"{note}." for note in comparison.notes],
        unranked=[sentence for contest in comparison.contests for sentence in unranked(contest)],
        doubts=[(run, [group for group in flag_groups(run.entries) if group.doubts]) for run in comparison.runs],
    )
