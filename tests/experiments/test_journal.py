"""The journal: what is measured once is measured for ever, whenever the process ends."""

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from clearance.errors import FileError
from clearance.experiments.journal import JOURNAL_FILE, open_journal
from conftest import ROOT
from waiting import HANG

SETTINGS = {"experiment": "trial", "scale": "tiny", "seed": 0}


def measure(folder: Path, *keys: object, settings: dict[str, object] = SETTINGS) -> list[object]:
    """What was computed anew, of measurements whose value is their own key."""
    computed = []
    with open_journal(folder, settings) as journal:
        for key in keys:
            found = journal.measured(("of", key), lambda key=key: computed.append(key) or key)
            assert found == key
    return computed


def test_a_measurement_is_made_once(tmp_path: Path):
    assert measure(tmp_path, "a", "b") == ["a", "b"]
    assert measure(tmp_path, "a", "b", "c") == ["c"]


def test_values_come_back_the_same_in_both_sittings(tmp_path: Path):
    value = {"radius": 0.1 + 0.2, "distances": (1.0, math.inf), "missing": math.nan, "name": "é", "count": 3}
    for _ in range(2):
        with open_journal(tmp_path, SETTINGS) as journal:
            found = journal.measured(("a", 1, 2.5), lambda: value)
            assert found["radius"] == 0.1 + 0.2 and found["distances"] == [1.0, math.inf]
            assert math.isnan(found["missing"]) and found["name"] == "é" and ("a", 1, 2.5) in journal


@pytest.mark.parametrize("kept", range(1, 24))
def test_a_kill_in_the_middle_of_a_line_loses_that_line(tmp_path: Path, kept: int):
    measure(tmp_path, "a", "b")
    file = tmp_path / JOURNAL_FILE
    *whole, last = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(whole) + last[: min(kept, len(last) - 1)])
    assert measure(tmp_path, "a", "b") == ["b"]
    assert measure(tmp_path, "a", "b") == [] and len(file.read_text().splitlines()) == 3


def test_a_kill_in_the_middle_of_the_settings_begins_anew(tmp_path: Path):
    measure(tmp_path)
    file = tmp_path / JOURNAL_FILE
    file.write_bytes(file.read_bytes()[:10])
    assert measure(tmp_path, "a") == ["a"] and measure(tmp_path, "a") == []


def test_a_killed_process_keeps_what_it_had_finished(tmp_path: Path):
    code = f"""
import os, signal
from pathlib import Path
from clearance.experiments.journal import open_journal
with open_journal(Path({str(tmp_path)!r}), {SETTINGS!r}) as journal:
    journal.measured(("of", "a"), lambda: "a")
    journal.measured(("of", "b"), lambda: os.kill(os.getpid(), signal.SIGKILL))
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run([sys.executable, "-c", code], check=False, env=environment, timeout=HANG)
    assert done.returncode == -signal.SIGKILL
    assert measure(tmp_path, "a", "b") == ["b"]


@pytest.mark.parametrize("other", [{"seed": 1}, {"scale": "small"}, {"versions": "2"}])
def test_other_settings_are_refused_in_one_line(tmp_path: Path, other: dict[str, object]):
    measure(tmp_path, "a")
    with pytest.raises(FileError, match="--force") as caught:
        measure(tmp_path, "a", settings=SETTINGS | other)
    (name,) = other
    assert "\n" not in str(caught.value) and name in str(caught.value)
    with pytest.raises(FileError, match="other settings"):
        measure(tmp_path, settings={name: SETTINGS[name] for name in list(SETTINGS)[:2]})


@pytest.mark.parametrize("line", ["not JSON", "[]", '{"value": 1}', '{"key": ["a"]}'])
def test_a_damaged_journal_is_refused_in_one_line(tmp_path: Path, line: str):
    measure(tmp_path, "a")
    file = tmp_path / JOURNAL_FILE
    file.write_text(file.read_text() + line + "\n" + json.dumps({"key": ["of", "b"], "value": "b"}) + "\n")
    with pytest.raises(FileError, match="damaged"):
        measure(tmp_path, "a")


def test_two_processes_cannot_write_one_journal(tmp_path: Path):
    with open_journal(tmp_path, SETTINGS), pytest.raises(FileError, match="in use"), open_journal(tmp_path, SETTINGS):
        pass


def test_a_value_that_json_cannot_hold_is_not_written(tmp_path: Path):
    with open_journal(tmp_path, SETTINGS) as journal, pytest.raises(TypeError):
        journal.measured(("a",), object)
    assert measure(tmp_path, "a") == ["a"]
