"""`clearance demo`: a first time in a process of its own, and once more in the same folder."""

import re
from pathlib import Path

import pytest

from command_line import Ended, run_command, run_process

README = Path(__file__).resolve().parents[2] / "README.md"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the demo runs."""
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def first(place: Path) -> Ended:
    """What the first demo of that folder said."""
    return run_process("demo", "--count", "2", folder=place)


def test_demo_ends_with_a_table_and_says_what_it_claims(first: Ended):
    assert (first.returncode, first.stderr) == (0, "")
    out = first.stdout
    assert re.search(r"0 +0 +standard +0\.\d{3} +0\.\d{3} +0\.\d{3} +\w+", out)
    assert re.search(r"1 +5 +standard +- +- +- +misclassified", out)
    assert len(re.findall(r"^ +(?:\d +\d +)?robust ", out, re.MULTILINE)) == 2
    assert re.search(r"^robust +0\.\d{3} +0\.\d{3} +0\.\d{3} +2 +1 +0 +0$", out, re.MULTILINE)  # the medians
    text = " ".join(out.split())
    assert "estimate, not a bound" in text and "Distances are in pixel values in [0, 1]" in text
    assert all(len(line) <= 80 for line in out.splitlines())


def test_the_readme_shows_what_it_prints(first: Ended):
    shown = [line.split() for line in README.read_text().splitlines()]
    rows = [line.split() for line in first.stdout.partition("\n\n   ")[0].splitlines() if line.split()[1:]]
    assert len(rows) > 7 and all(row in shown for row in rows)


def test_it_writes_the_pages_it_names(first: Ended, place: Path):
    pages = [line.strip() for line in first.stdout.splitlines() if line.endswith(".html")]
    assert len(pages) == 3 and all("<html" in (place / page).read_text() for page in pages)


def test_it_says_where_its_time_went(first: Ended):
    found = re.search(r"Where (\d+) s went: (.*)", " ".join(first.stdout.split()))
    assert found is not None
    parts = dict(re.findall(r"([a-z ]+?) (\d+\.\d) s", found[2]))
    names = [name.strip() for name in parts]
    assert names == ["import", "attacks", "estimates", "certificates", "audits", "pages", "the rest"]
    assert sum(map(float, parts.values())) == pytest.approx(float(found[1]), abs=1.0)
    assert float(parts["import"]) > 0 and float(parts[" audits"]) > 0 and "kept" not in found[2]


def test_the_demo_can_be_repeated(first: Ended, place: Path):
    again = run_command("demo", "--count", "2", folder=place)
    before, now = (done.stdout.partition("\nWhere ") for done in (first, again))
    assert (again.returncode, again.stderr, now[0]) == (0, "", before[0])
    assert "4 brackets of an earlier demo kept" in " ".join(now[2].split()) and "audits" not in now[2]
