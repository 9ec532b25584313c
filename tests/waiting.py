"""Waiting for what other processes do: until it is seen, however loaded the machine is."""

import os
import time
from collections.abc import Callable

HANG = 900
"""Seconds after which something counts as hung, so that a test ends at all; none takes a fraction of that."""


def wait_until(happened: Callable[[], object], what: str) -> None:
    """Return as soon as something has happened.

    Args:
        happened: Asked again and again.
        what: What did not happen, where it never does.
    """
    end = time.monotonic() + HANG
    while not happened():
        assert time.monotonic() < end, f"hung: {what}"
        time.sleep(0.02)


def is_running(process: int) -> bool:
    """Whether there is a process of this number."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
