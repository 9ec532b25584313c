"""The tables of the report's documents, in step with the tables of the package that they are written from.

`make tables` writes them anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from clearance.report.contest import DifferenceVerdict
from clearance.report.criteria import CRITERIA, Criterion, flag_of
from clearance.report.figures import FIGURES
from clearance.report.figures.figure import Section
from doc_tables import part, rewrite, table

DOCS = Path(__file__).resolve().parents[2] / "docs"
COMMAND = "make tables"
PLACES = {
    Section.ANSWER: "under the answer, on the page of several runs",
    Section.BRACKETS: "under the answer",
    Section.DIFFERENCES: "differences, on the page of several runs",
    Section.DISTRIBUTIONS: "distributions",
    Section.ROBUST_ACCURACY: "robust accuracy",
}


def figures() -> str:
    rows = [(f"`{name}`", one.title, PLACES[one.section], one.note) for name, one in FIGURES.items()]
    return table(("name", "what it shows", "where on the page", "how to read it"), rows)


def criteria() -> str:
    rows = [(_flags(name, one), one.passes, one.rests_on) for name, one in CRITERIA.items()]
    return table(("flag", "passes where", "what it rests on"), rows)


def _flags(name: str, criterion: Criterion) -> str:
    needs = f" --{criterion.needs}" if criterion.needs else ""
    return f"`--{flag_of(name)} {criterion.kind.value}{needs}`"


def verdicts() -> str:
    return table(("verdict", "when"), [(f"`{word.value}`", word.meaning) for word in DifferenceVerdict])


WRITTEN: Sequence[tuple[str, str, Callable[[], str]]] = (
    ("report.md", "clearance.report.figures.FIGURES", figures),
    ("gate.md", "clearance.report.criteria.CRITERIA", criteria),
    ("compare.md", "clearance.report.contest.DifferenceVerdict", verdicts),
)


def parts() -> list[tuple[Path, str, str]]:
    """Document, source with its command, and text of each part that is written from a table."""
    return [(DOCS / name, f"{source}: {COMMAND}", text()) for name, source, text in WRITTEN]


@pytest.mark.parametrize(("document", "source", "text"), parts(), ids=[name for name, *_ in WRITTEN])
def test_the_document_says_what_the_table_says(document: Path, source: str, text: str):
    assert part(document, source) == text, f"run: {COMMAND}"


def test_a_table_that_is_out_of_step_is_seen_and_mended(tmp_path: Path):
    document = tmp_path / "page.md"
    document.write_text(
        "before\n<!-- from x: y -->\nold\n<!-- end -->\nafter\n<!-- from z: y -->\nkept\n<!-- end -->\n"
    )
    assert part(document, "x: y") == "old\n"
    rewrite(document, "x: y", table(("a", "b"), [("1|2", r"\d")]))
    assert part(document, "x: y") == "| a | b |\n| --- | --- |\n| 1\\|2 | \\d |\n"
    assert part(document, "z: y") == "kept\n" and document.read_text().startswith("before\n")


if __name__ == "__main__":
    for document, source, text in parts():
        rewrite(document, source, text)
