"""Tables of documents that are written from a table of the package, between two marks, and held by a test.

A part of a document stands between

    <!-- from SOURCE: COMMAND -->
    <!-- end -->

where COMMAND is what writes it anew. The test of the document compares, its `__main__` writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path


def part(document: Path, source: str) -> str:
    """What stands between the marks of one source."""
    (found,) = _marks(source).findall(document.read_text())
    return found


def rewrite(document: Path, source: str, text: str) -> None:
    """Put a text between the marks of one source."""
    document.write_text(_marks(source).sub(lambda _: text, document.read_text(), count=1))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown, with a line's end behind each row."""
    lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _marks(source: str) -> re.Pattern[str]:
    return re.compile(rf"(?<=<!-- from {re.escape(source)} -->\n).*?(?=<!-- end -->)", re.DOTALL)
