"""Progress: lines through a pipe, a bar on a terminal, and what they foretell."""

import io
import sys
import time

import pytest

from clearance.cli import progress as module
from clearance.cli.progress import PROGRESS_VARIABLE, Pace, progress
from clearance.model.cost import Meter


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PROGRESS_VARIABLE, raising=False)
    monkeypatch.setattr(module, "SECONDS_BETWEEN_LINES", 0.02)


def watch(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, **options: object) -> str:
    monkeypatch.setattr(sys, "stderr", stream)
    meter = Meter()
    with progress("scoring", 2, meter=meter, **options) as advance:  # pyright: ignore[reportArgumentType]
        for _ in range(2):
            meter.forward, meter.backward = meter.forward + 600, meter.backward + 400
            time.sleep(0.1)
            advance()
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


@pytest.mark.parametrize("off", ["shown", "variable"])
def test_it_can_be_turned_off(monkeypatch: pytest.MonkeyPatch, off: str):
    if off == "variable":
        monkeypatch.setenv(PROGRESS_VARIABLE, "none")
    assert watch(monkeypatch, io.StringIO(), shown=off != "shown") == ""


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
