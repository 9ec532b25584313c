"""How far a command is: a bar on a terminal, a line every few seconds through a pipe. On stderr, from a thread."""

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

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from clearance.model.progress import PROGRESS_VARIABLE

if TYPE_CHECKING:  # commands that only read runs start without torch
    from clearance.model.cost import Meter

SECONDS_BETWEEN_LINES = 5.0
"""Between two lines where stderr is no terminal, and before the first."""
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
    """

    doing: str
    total: int
    meter: Meter | None = None
    passes: int | None = None
    done: int = 0
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        """What the meter says before the start."""
        self._before = self._read()

    @property
    def spent(self) -> int:
        """Passes so far, forward and backward together."""
        return self._read() - self._before

    @property
    def share(self) -> float:
        """The share of the whole that is done: by what is finished, or by the passes of what is going on."""
        begun = 0.0
        if self.passes and self.spent >= FEWEST_PASSES and self.done < self.total:
            begun = min(self.spent / self.passes, self.done + 0.95)
        return max(float(self.done), begun) / max(self.total, 1)

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


@contextmanager
def progress(
    doing: str, total: int, *, shown: bool = True, meter: Meter | None = None, passes: int | None = None
) -> Generator[Callable[[], None]]:
    """Show how far a job is while it lasts.

    Args:
        doing: What is done, such as "scoring".
        total: How many times.
        shown: False for nothing at all.
        meter: Counts the passes of this process, so that something moves within one long task.
        passes: About how many passes each time costs.

    Yields:
        A function to call after each time.
    """
    pace = Pace(doing, total, meter, passes)

    def advance() -> None:
        pace.done += 1

    if not shown or os.environ.get(PROGRESS_VARIABLE) == "none":
        yield advance
        return
    console = Console(file=sys.stderr)
    with _bar(console, pace) if console.is_terminal else _lines(console, pace):
        yield advance


class _PaceColumn(ProgressColumn):
    """Brings the bar up to date, and says the passes and the time left."""

    max_refresh = 0.5

    def __init__(self, pace: Pace) -> None:
        super().__init__()
        self.pace = pace

    def render(self, task: Task) -> Text:
        """The column's text."""
        task.completed = self.pace.done
        spent = f"{self.pace.spent:,} passes" if self.pace.spent else ""
        return Text("  ".join(filter(None, [spent, self.pace.left()])))


@contextmanager
def _bar(console: Console, pace: Pace) -> Generator[None]:
    columns = (TextColumn(pace.doing), BarColumn(), MofNCompleteColumn(), _PaceColumn(pace))
    with Progress(*columns, console=console, transient=True) as bar:
        bar.add_task(pace.doing, total=pace.total)
        yield


@contextmanager
def _lines(console: Console, pace: Pace) -> Generator[None]:
    over = threading.Event()

    def write() -> None:
        while not over.wait(SECONDS_BETWEEN_LINES):
            console.file.write(f"{pace.line()}\n")
            console.file.flush()

    writer = threading.Thread(target=write, name="progress", daemon=True)
    writer.start()
    try:
        yield
    finally:
        over.set()
        writer.join()
