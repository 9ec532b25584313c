"""The pages of the audit's documentation: one for each flag, in step with the table, with examples that run.

`make tables` writes what the pages take from the table (`CHECKS`) anew, between their marks.
"""

import doctest
import re
from pathlib import Path

import pytest

from clearance.audit import CHECKS, Check

DOCS = Path(__file__).resolve().parents[2] / "docs"
OVERVIEW, FLAGS = DOCS / "audit.md", DOCS / "flags"
MARKS = re.compile(r"(?<=<!-- from clearance\.audit\.CHECKS: make tables -->\n).*?(?=<!-- end -->)", re.S)
HEADINGS = ["## What was seen", "## Why it matters", "## What to do"]
each_code = pytest.mark.parametrize("code", CHECKS)


def summary(check: Check) -> str:
    """The head of a flag's page."""
    limit = "none: yes or no" if check.threshold is None else f"{check.threshold:g}"
    rows = {"raised": check.raised, "threshold": limit, "source": check.source, "remedy": check.remedy}
    lines = [f"| {name} | {cell(text)} |" for name, text in rows.items()]
    return "\n".join([f"> {check.meaning}", "", "| | |", "|---|---|", *lines]) + "\n"


def overview() -> str:
    """The table of all checks."""
    lines = [
        f"| [`{code}`](flags/{code}.md) | {cell(check.meaning)} | {cell(check.raised)} | "
        f"{'' if check.threshold is None else f'{check.threshold:g}'} |"
        for code, check in CHECKS.items()
    ]
    return "\n".join(["| flag | what it says | when it is raised | threshold |", "|---|---|---|---|", *lines]) + "\n"


def cell(text: str) -> str:
    return text.replace("|", "\\|")


def page(code: str) -> Path:
    return FLAGS / f"{code}.md"


def examples(text: str) -> str:
    """All of a page's Python, as one session."""
    return "\n".join(re.findall(r"```python\n(.*?)```", text, re.S))


def test_every_flag_has_a_page_and_every_page_a_flag():
    assert {path.name for path in FLAGS.iterdir()} == {f"{code}.md" for code in CHECKS}


@each_code
def test_the_page_says_what_the_table_says(code: str):
    text = page(code).read_text()
    assert text.startswith(f"# `{code}`\n")
    assert MARKS.findall(text) == [summary(CHECKS[code])], "run: make tables"
    assert re.findall(r"^## .*", text, re.M) == HEADINGS
    assert "(../audit.md)" in text


def test_the_overview_says_what_the_table_says():
    assert MARKS.findall(OVERVIEW.read_text()) == [overview()], "run: make tables"


@pytest.mark.parametrize("path", [OVERVIEW, *map(page, CHECKS)], ids=lambda path: path.stem)
def test_links_lead_somewhere(path: Path):
    links = re.findall(r"\]\(([^)#]+)\)", path.read_text())
    assert links and all((path.parent / link).exists() for link in links if "://" not in link)


@each_code
@pytest.mark.thinned(6)
def test_the_example_raises_the_flag(code: str):
    source = examples(page(code).read_text())
    assert f'flag.code == "{code}"' in source
    run(source, code)


def test_the_examples_of_the_overview_run():
    run(examples(OVERVIEW.read_text()), "audit")


def run(source: str, name: str) -> None:
    session = doctest.DocTestParser().get_doctest(source, {}, name, name, 0)
    said: list[str] = []
    result = doctest.DocTestRunner(verbose=False).run(session, out=said.append)
    assert result.attempted and not result.failed, "".join(said)


def test_a_wrong_example_fails():
    with pytest.raises(AssertionError, match="Expected"):
        run(">>> 1 + 1\n3\n", "wrong")


def rewrite() -> None:
    """Put what the table says between the marks of every page."""
    for path, text in {OVERVIEW: overview(), **{page(code): summary(check) for code, check in CHECKS.items()}}.items():
        path.write_text(MARKS.sub(lambda _, text=text: text, path.read_text()))


if __name__ == "__main__":
    rewrite()
