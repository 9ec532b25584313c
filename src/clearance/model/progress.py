"""How far a long call is: shown where a person watches, told to a function of the caller's, or neither.

A person watches on a terminal (stderr) and in a notebook; what shows it is `model.bars`, which is imported then and not
before. `CLEARANCE_PROGRESS=none` shows nothing anywhere, `CLEARANCE_PROGRESS=lines` a line every few seconds on stderr
where nobody watches, as in the log of a job.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from clearance.errors import InputError
from clearance.model.progress_count import Count

Item = TypeVar("Item")

ProgressCallback = Callable[[int, int, float | None], object]
"""What is told after each input: how many are done, of how many, and the seconds left (`None` before the first)."""

Progress = bool | ProgressCallback
"""True: show a bar where a person watches; False: nothing; a function: tell it."""

PROGRESS_VARIABLE = "CLEARANCE_PROGRESS"
"""The environment variable: `none` turns progress off, `lines` writes lines where stderr is no terminal."""

_SHOWN: ContextVar[bool] = ContextVar("shown", default=False)


@contextmanager
def following(progress: Progress, doing: str, total: int) -> Generator[Callable[[int], None]]:
    """Say how far a job is while it lasts.

    Args:
        progress: As a public function takes it.
        doing: What is done, such as "bracketing".
        total: How many times.

    Yields:
        A function to call with how many more are done.

    Raises:
        InputError: If `progress` is neither a truth value nor a function.
    """
    if not isinstance(progress, bool) and not callable(progress):
        raise InputError(f"progress: expected True, False or a function (done, total, left), got {progress!r}")
    count = Count(doing, total)
    if callable(progress):
        yield _teller(progress, count)
    elif progress and (place := watched()) and not _SHOWN.get():
        from clearance.model.bars import BARS

        token = _SHOWN.set(True)  # what a call does inside is not shown once more
        try:
            with BARS[place](count) as show:
                yield _teller(lambda done, total, left: show(), count)  # noqa: ARG005
        finally:
            _SHOWN.reset(token)
    else:
        yield unfollowed


def unfollowed(more: int) -> None:
    """What is told how many are done where nobody listens."""


def _teller(tell: Callable[[int, int, float | None], object], count: Count) -> Callable[[int], None]:
    def advance(more: int) -> None:
        count.done += more
        tell(count.done, count.total, count.left)

    return advance


def tracked(progress: Progress, doing: str, results: Iterable[Item], total: int) -> Iterator[Item]:
    """The same results, with progress after each.

    Args:
        progress: As a public function takes it.
        doing: What is done.
        results: What is computed when it is asked for.
        total: How many there will be.

    Yields:
        The results.

    >>> list(tracked(lambda done, total, left: print(done, "of", total), "adding", (n + n for n in (1, 2)), 2))
    1 of 2
    2 of 2
    [2, 4]
    """
    with following(progress, doing, total) as advance:
        for result in results:
            advance(1)
            yield result


def watched() -> str:
    """Where a person watches: `"notebook"`, `"terminal"`, `"lines"` where that was asked for, or nowhere."""
    asked = os.environ.get(PROGRESS_VARIABLE)
    if asked == "none":
        return ""
    if in_notebook():
        return "notebook"
    if sys.stderr is not None and sys.stderr.isatty():  # pyright: ignore
        return "terminal"
    return "lines" if asked == "lines" else ""


def in_notebook() -> bool:
    """Whether this is the kernel of a notebook; IPython is asked only where it is loaded."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    return getattr(shell, "kernel", None) is not None
