"""`clearance reproduce`: the list, one experiment, an interruption, settings that differ, beginning again."""

import sys
from pathlib import Path

import pytest

from clearance.experiments.table import EXPERIMENTS
from command_line import Ended, run_command
from conftest import ROOT

NAME = ("reproduce", "trial", "--scale", "tiny", "--out", "out")


@pytest.fixture(autouse=True)
def trial(monkeypatch: pytest.MonkeyPatch, here: Path):
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "experiments"))
    import trial

    for name in list(EXPERIMENTS):
        monkeypatch.delitem(EXPERIMENTS, name)
    monkeypatch.setitem(EXPERIMENTS, "trial", trial.TRIAL)
    yield
    sys.modules.pop("trial")


def refused(done: Ended, *words: str) -> bool:
    one_line = done.returncode == 2 and done.stdout == "" and done.stderr.count("\n") == 1
    return one_line and all(word in done.stderr for word in words)


def test_without_a_name_it_lists_them():
    done = run_command("reproduce")
    assert done.returncode == 0 and "trial" in done.stdout and "Nobody 1900" in done.stdout and "digits" in done.stdout


def test_it_prints_the_tables_and_writes_the_files(here: Path):
    done = run_command(*NAME)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Table 1. Squares" in done.stdout and "holds: Squares grow" in done.stdout and "page.html" in done.stdout
    files = {path.name for path in (here / "out" / "trial").iterdir()}
    assert {"journal.jsonl", "tables.md", "page.html", "figure-1.svg"} <= files
    assert "clearance reproduce trial --scale tiny\n" in (here / "out" / "trial" / "tables.md").read_text()


def test_all_of_them():
    done = run_command("reproduce", "--all", "--scale", "tiny")
    assert done.returncode == 0 and "reproduction/trial/page.html" in done.stdout


def test_an_interrupted_experiment_goes_on(here: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CLEARANCE_TEST_INTERRUPTED_AT", "3")
    done = run_command(*NAME)
    assert done.returncode == 130 and done.stderr.count("\n") == 1 and "2 measurements are kept" in done.stderr
    monkeypatch.setenv("CLEARANCE_TEST_INTERRUPTED_AT", "2")  # which is not measured again
    assert run_command(*NAME).returncode == 0


def test_other_settings_are_refused_and_force_begins_again(here: Path, monkeypatch: pytest.MonkeyPatch):
    assert run_command(*NAME).returncode == 0
    (here / "out" / "trial" / "mine.txt").write_text("mine")
    assert refused(run_command(*NAME, "--seed", "1"), "seed 0, not 1", "--force")
    assert run_command(*NAME, "--seed", "1", "--force").returncode == 0
    assert "--seed 1" in (here / "out" / "trial" / "tables.md").read_text()
    assert (here / "out" / "trial" / "mine.txt").read_text() == "mine"


def test_bad_usage_is_one_line(here: Path):
    assert refused(run_command("reproduce", "nothing"), "trial", "nothing")
    assert refused(run_command("reproduce", "trial", "--all"), "--all")
    assert refused(run_command(*NAME, "--device", "nowhere"), "device")
    assert run_command(*NAME, "--scale", "huge").returncode == 2
    (here / "file").write_text("")
    assert refused(run_command("reproduce", "trial", "--scale", "tiny", "--out", "file"), "file")
