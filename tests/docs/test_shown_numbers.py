"""What the quick start and the home page show is what their commands give now.

Estimates and attack distances are the same to the last digit shown, however fast the machine is; a proof depends on the
time that it has, and is compared where none was cut short.
"""

import re
from pathlib import Path

import clearance as cl
from command_line import run_command

DOCS = Path(__file__).parents[2] / "docs"


def rows(text: str) -> list[list[str]]:
    """The cells of each line of a table of brackets, and those of its medians."""
    lines = [line.split() for line in text.splitlines() if re.match(r" +\d+ +\d+ |l2, untargeted ", line)]
    return [cells for cells in lines if len(cells) >= 6]


def test_the_quick_starts_table(tmp_path: Path):
    page = (DOCS / "quickstart.md").read_text()
    (command,) = re.findall(r"^clearance (bracket digits-robust .*)$", page, re.MULTILINE)
    done = run_command(*command.split(), folder=tmp_path)
    assert done.returncode == 0
    shown, found = rows(page), rows(done.stdout)
    assert len(found) == 6 and shown[:6] == found


def test_the_home_pages_summary():
    page = (DOCS / "index.md").read_text()
    (shown,) = re.findall(r"^3 inputs .*: median .*$", page, re.MULTILINE)
    digits = cl.load_data("digits", count=3)
    brackets = cl.bracket(cl.load_model("digits-robust"), digits.images, digits.labels, budget=2000)
    assert all(found.certified is None or "time" not in found.certified.reason for found in brackets)
    assert shown == str(brackets.summary())
