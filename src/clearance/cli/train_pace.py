"""How far training is within an epoch, and what all of it will cost, told once its first steps have been timed."""

from __future__ import annotations

import time

from clearance.cli.inspection_table import duration
from clearance.cli.progress import Pace, tell
from clearance.model.progress_count import SECONDS_BETWEEN_LINES
from clearance.report.marks import count

SECONDS_TO_TIME = 1.0
"""How long steps are timed before the rest is foretold; the first one, which warms up, is left out."""


class FirstSteps:
    """Told before each step of training: brings the pace up to date, and says once what training will cost.

    Args:
        pace: Of the epochs.
        steps: Steps of one epoch.
    """

    def __init__(self, pace: Pace, steps: int) -> None:
        self.pace, self.steps = pace, steps
        self.seen, self.started, self.told = 0, 0.0, False

    def __call__(self, share: float) -> None:
        """One more step begins.

        Args:
            share: Of its epoch that is done.
        """
        self.pace.within = share
        if self.told:
            return
        now, timed = time.monotonic(), self.seen - 1
        if not self.seen:
            pass
        elif self.seen == 1:
            self.started = now
        elif now - self.started >= SECONDS_TO_TIME:
            self.say((now - self.started) / timed)
        self.seen += 1

    def say(self, seconds: float) -> None:
        """Say what all steps will cost, where they take long enough to wait for.

        Args:
            seconds: Of one step.
        """
        self.told, epochs = True, self.pace.total - self.pace.before
        whole = seconds * self.steps * epochs
        if whole >= SECONDS_BETWEEN_LINES:
            left = f"{count(epochs, 'epoch')} of {count(self.steps, 'step')}"
            tell(f"{left}: about {duration(whole)} on this machine, and the time to judge each epoch")
