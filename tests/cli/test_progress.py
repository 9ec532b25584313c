"""Progress: lines through a pipe, a bar on a terminal, and what they foretell."""

import io
import sys
import time

import click
import pytest
from click.testing import CliRunner

from clearance.cli import progress as module
from clearance.cli.options import with_quiet
from clearance.cli.progress import Pace, progress, tell
from clearance.model.cost import Meter
from clearance.model.progress import PROGRESS_VARIABLE


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PROGRESS_VARIABLE, raising=False)
    monkeypatch.setattr(module, "SECONDS_BETWEEN_LINES", 0.02)


def watch(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, **options: int) -> str:
    monkeypatch.setattr(sys, "stderr", stream)
    meter, done = Meter(), options.get("done", 0)
    with progress("scoring", done + 2, meter=meter, **options) as pace:
        for _ in range(2):
            meter.forward, meter.backward = meter.forward + 600, meter.backward + 400
            time.sleep(0.1)
            pace.advance()
    return stream.getvalue()


def test_through_a_pipe_there_is_a_line_every_few_seconds(monkeypatch: pytest.MonkeyPatch):
    lines = watch(monkeypatch, io.StringIO(), passes=1000).splitlines()
    assert len(lines) >= 2
    assert all(line.startswith("scoring: ") and "\x1b" not in line for line in lines)
    assert lines[0].startswith("scoring: 0 of 2 done, 1,000 passes, 0:00:00, about 0:00:0")
    assert any("1 of 2 done, 2,000 passes" in line for line in lines)


def test_on_a_terminal_there_is_a_bar(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TERM", "xterm")
    shown = watch(monkeypatch, Terminal())
    assert "scoring" in shown and "\x1b[" in shown


@pytest.mark.parametrize("columns", [30, 60, 200])
def test_on_a_narrow_terminal_no_number_of_the_bar_is_cut(monkeypatch: pytest.MonkeyPatch, columns: int):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(columns))
    shown = watch(monkeypatch, Terminal(), passes=1000, done=1234)
    assert "1234/1236" in shown and "…" not in shown


def test_the_variable_turns_it_off(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(PROGRESS_VARIABLE, "none")
    assert watch(monkeypatch, io.StringIO()) == ""


def test_a_command_turns_it_off_with_quiet(monkeypatch: pytest.MonkeyPatch):
    said: list[str] = []

    @click.command()
    @with_quiet
    def command() -> None:
        tell("what it costs")
        said.append(watch(monkeypatch, io.StringIO()))

    for arguments in (["--quiet"], ["-q"], []):
        CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert said[:2] == ["", ""] and said[2].count("scoring: ") >= 2


def test_a_resumed_job_starts_at_what_is_done_and_keeps_its_own_pace(monkeypatch: pytest.MonkeyPatch):
    lines = watch(monkeypatch, io.StringIO(), done=98).splitlines()
    assert lines[0].startswith("scoring: 98 of 100 done, 1,000 passes, 0:00:00")
    pace = Pace("bracketing", 100, done=98, before=98)
    assert (pace.share, pace.left()) == (0.0, "")
    pace.advance()
    assert pace.share == 0.5
    pace.advance()
    assert pace.share == 1.0


def test_a_job_that_was_done_before_says_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with progress("bracketing", 3, done=3):
        time.sleep(0.1)
    assert isinstance(sys.stderr, io.StringIO) and sys.stderr.getvalue() == ""


def test_what_is_done_of_a_time_counts():
    pace = Pace("training", 4, done=1, before=1)
    pace.within = 0.5
    assert pace.share == pytest.approx(0.5 / 3)
    pace.advance()
    assert pace.within == 0.0 and pace.share == pytest.approx(1 / 3)


def test_the_share_follows_the_passes_within_a_task_and_never_runs_past_it():
    meter = Meter(forward=70)
    pace = Pace("bracketing", 4, meter, passes=1000)
    assert (pace.share, pace.left()) == (0.0, "")
    meter.forward += 500
    assert pace.share == pytest.approx(0.125)
    meter.forward += 5000  # a task that costs more than was foretold
    assert pace.share == pytest.approx(0.95 / 4)
    pace.done = 4
    assert (pace.share, pace.left()) == (1.0, "")


def test_the_writer_ends_with_the_job(monkeypatch: pytest.MonkeyPatch):
    stream = io.StringIO()
    watch(monkeypatch, stream)
    before = stream.getvalue()
    time.sleep(0.1)
    assert stream.getvalue() == before
