"""How far a command is: a bar on a terminal, a line every few seconds through a pipe. On stderr, from a thread.

Whether there is progress at all is decided in one place, `is_quiet`: not with `--quiet`, and not with
`CLEARANCE_PROGRESS=none`. JSON on stdout has no part in it.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from clearance.cli.options import QUIET
from clearance.model.progress import PROGRESS_VARIABLE
from clearance.model.progress_count import SECONDS_BETWEEN_LINES

if TYPE_CHECKING:  # commands that only read runs start without torch
    from clearance.model.cost import Meter

BESIDE_THE_BAR = 66
"""Columns that the words beside a bar take at most; on a terminal that has no more they stand alone."""
FEWEST_PASSES = 50
"""Passes from which the time left is foretold."""


@dataclass
class Pace:
    """What is done of a job, and how long the rest will take at the average pace since the start.

    Attributes:
        doing: What is done, such as "scoring".
        total: How many times.
        meter: Counts the passes of this process; `None` where others compute.
        passes: About how many passes each time costs; `None` where that is not known.
        done: How many times it was done.
        before: How many of these were done before this sitting: they say nothing about the pace.
        within: How much of the next time is done, from 0 to 1, where the job says so.
    """

    doing: str
    total: int
    meter: Meter | None = None
    passes: int | None = None
    done: int = 0
    before: int = 0
    within: float = 0.0
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        """What the meter says before the start."""
        self._at_start = self._read()

    @property
    def spent(self) -> int:
        """Passes so far, forward and backward together."""
        return self._read() - self._at_start

    @property
    def share(self) -> float:
        """The share of this sitting that is done: by what is finished, or by the passes of what is going on."""
        done, begun = self.done - self.before, self.done - self.before + self.within
        if self.passes and self.spent >= FEWEST_PASSES and self.done < self.total:
            begun = min(self.spent / self.passes, done + 0.95)
        return max(float(done), begun) / max(self.total - self.before, 1)

    def advance(self) -> None:
        """One more time is done."""
        self.done, self.within = self.done + 1, 0.0

    def left(self) -> str:
        """The time left in words; empty where nothing can be said yet."""
        share, elapsed = self.share, time.monotonic() - self.started
        if not 0 < share < 1:
            return ""
        return f"about {timedelta(seconds=round(elapsed / share * (1 - share)))} left"

    def line(self) -> str:
        """All of it in one line.

        >>> Pace("scoring", 8, done=2).line().partition(", ")[0]
        'scoring: 2 of 8 done'
        """
        elapsed = timedelta(seconds=round(time.monotonic() - self.started))
        parts = [f"{self.done} of {self.total} done", f"{self.spent:,} passes" if self.spent else "", str(elapsed)]
        return f"{self.doing}: {', '.join(filter(None, [*parts, self.left()]))}"

    def _read(self) -> int:
        return 0 if self.meter is None else self.meter.forward + self.meter.backward


def is_quiet() -> bool:
    """Whether nothing is to be said of how far a command is: `--quiet`, or the environment variable."""
    context = click.get_current_context(silent=True)
    asked = context is not None and bool(context.meta.get(QUIET))
    return asked or os.environ.get(PROGRESS_VARIABLE) == "none"


def tell(line: str) -> None:
    """Say one line on stderr, unless nothing is to be said.

    Args:
        line: The line.
    """
    if not is_quiet():
        click.echo(f"clearance: {line}", err=True)


@contextmanager
def progress(
    doing: str, total: int, *, done: int = 0, meter: Meter | None = None, passes: int | None = None
) -> Generator[Pace]:
    """Show how far a job is while it lasts.

    Args:
        doing: What is done, such as "scoring".
        total: How many times, those before this sitting included.
        done: How many of them were done before.
        meter: Counts the passes of this process, so that something moves within one long task.
        passes: About how many passes each time costs.

    Yields:
        What is done; its `advance` is to be called after each time.
    """
    pace = Pace(doing, total, meter, passes, done, done)
    if is_quiet() or done >= total:
        yield pace
        return
    console = Console(file=sys.stderr)
    with _bar(console, pace) if console.is_terminal else _lines(console, pace):
        yield pace


class _PaceColumn(ProgressColumn):
    """Brings the bar up to date, and says the passes and the time left."""

    max_refresh = 0.5

    def __init__(self, pace: Pace, room: int) -> None:
        super().__init__()
        self.pace, self.room = pace, room

    def render(self, task: Task) -> Text:
        """The column's text."""
        task.completed = self.pace.done + self.pace.within
        parts = list(filter(None, [f"{self.pace.spent:,} passes" if self.pace.spent else "", self.pace.left()]))
        while parts and len("  ".join(parts)) > self.room:
            parts.pop(0)
        return Text("  ".join(parts), no_wrap=True)


@contextmanager
def _bar(console: Console, pace: Pace) -> Generator[None]:
    bar_room = console.width - BESIDE_THE_BAR
    bars = [BarColumn(bar_width=min(bar_room, 40))] if bar_room > 0 else []  # on a narrow terminal words alone
    words = console.width - len(f"{pace.doing} {pace.total}/{pace.total} ")
    room = max(0, min(words, BESIDE_THE_BAR) if bars else words)
    columns = (TextColumn(pace.doing), *bars, MofNCompleteColumn(), _PaceColumn(pace, room))
    with Progress(*columns, console=console, transient=True) as bar:
        bar.add_task(pace.doing, total=pace.total, completed=pace.done)
        yield


@contextmanager
def _lines(console: Console, pace: Pace) -> Generator[None]:
    def write() -> None:
        console.file.write(f"{pace.line()}\n")
        console.file.flush()

    with repeating(write):
        yield


@contextmanager
def repeating(say: Callable[[], None]) -> Generator[None]:
    """Call a function every few seconds, from a thread, while the block lasts.

    Args:
        say: Writes a line.

    Yields:
        Nothing.
    """
    over = threading.Event()

    def write() -> None:
        while not over.wait(SECONDS_BETWEEN_LINES):
            say()

    writer = threading.Thread(target=write, name="progress", daemon=True)
    writer.start()
    try:
        yield
    finally:
        over.set()
        writer.join()
