"""`clearance docs`: the pages of the documentation, from a checkout and from a wheel."""

import re
from pathlib import Path

import pytest

from clearance.audit import CHECKS
from clearance.cli import docs
from command_line import run_command
from conftest import ROOT


def test_the_list_has_every_page_with_its_title():
    listed = run_command("docs")
    assert listed.returncode == 0 and listed.stderr == ""
    lines = dict(line.split("  ", 1) for line in listed.stdout.splitlines()[:-2])
    assert lines["data"].strip() == "Data" or "data" in lines["data"].lower()
    assert {f"flags/{code}" for code in CHECKS} <= set(lines) and "models" in lines


@pytest.mark.parametrize("page", ["models", "docs/models.md", "flags/flat", "flat"])
def test_a_page_is_shown_by_any_of_its_names(page: str):
    file = {"m": "models.md", "f": "flags/flat.md", "d": "models.md"}[page[0]]
    assert run_command("docs", page).stdout == (ROOT / "docs" / file).read_text()


def test_an_unknown_page_is_one_line_with_the_nearest_name():
    ended = run_command("docs", "model")
    assert ended.returncode == 2 and ended.stdout == ""
    assert ended.stderr == "clearance: docs: expected the name of a page, got model; did you mean models?\n"
    assert "`clearance docs` lists them" in run_command("docs", "zzz\x1b[31m").stderr


def test_a_name_that_two_pages_have_is_one_line():
    pages = {"guides/flat": Path("a"), "flags/flat": Path("b")}
    with pytest.raises(ValueError, match="expected one page, got flat, which is guides/flat and flags/flat"):
        docs.named("flat", pages)


def test_an_installation_without_the_pages_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(docs, "INSTALLED", tmp_path / "a")
    monkeypatch.setattr(docs, "CHECKOUT", tmp_path / "b")
    ended = run_command("docs")
    assert ended.returncode == 2 and "this installation came without them" in ended.stderr


def test_every_page_that_help_and_output_name_is_there():
    source = "\n".join(file.read_text() for file in (ROOT / "src").rglob("*.py"))
    named = set(re.findall(r"clearance docs ([a-z][\w/-]*)", source)) - {"lists"}
    assert {"models", "data", "gate"} <= named
    assert all(docs.named(page, docs.find_pages()) for page in named)
