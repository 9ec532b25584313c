"""How far a job is: what is done of it, since when, and what is left."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

SECONDS_BETWEEN_LINES = 5.0
"""Between two lines where stderr is no terminal."""


@dataclass
class Count:
    """What is done of a job.

    Attributes:
        doing: What is done, such as "bracketing".
        total: How many times.
        done: How many times it was done.
    """

    doing: str
    total: int
    done: int = 0
    started: float = field(default_factory=time.monotonic)

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    @property
    def left(self) -> float | None:
        """Seconds that the rest will take at the average pace; `None` before anything is done."""
        return self.elapsed / self.done * (self.total - self.done) if self.done else None

    def line(self) -> str:
        """All of it in one line.

        >>> Count("scoring", 8, done=2, started=time.monotonic() - 60).line()
        'scoring: 2 of 8, 60 s, about 180 s left'
        """
        left = "" if self.left is None or self.done == self.total else f", about {self.left:.0f} s left"
        return f"{self.doing}: {self.done} of {self.total}, {self.elapsed:.0f} s{left}"
