"""What shows progress to a person: a bar of rich on a terminal, an element of HTML in a notebook, lines in a log.

The one place outside the command line where rich is used: `model.progress` imports it when a person watches.
"""

from __future__ import annotations

import html
import math
import sys
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from clearance.model.progress_count import SECONDS_BETWEEN_LINES, Count


@contextmanager
def terminal_bar(count: Count) -> Generator[Callable[[], None]]:
    """A bar on stderr that goes away at the end.

    Args:
        count: What is done.

    Yields:
        A function that brings the bar up to date.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    texts = (TextColumn(count.doing), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with RichProgress(*texts, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(count.doing, total=count.total)
        yield lambda: bar.update(task, completed=count.done)


@contextmanager
def notebook_bar(count: Count) -> Generator[Callable[[], None]]:
    """A bar below the cell, which one line takes the place of at the end; it needs no widgets.

    Args:
        count: What is done.

    Yields:
        A function that brings the bar up to date.
    """
    from IPython.display import HTML, display  # pyright: ignore

    shown: Any = display(HTML(bar_html(count)), display_id=True)
    try:
        yield lambda: shown.update(HTML(bar_html(count)))
    finally:
        shown.update(HTML(f"<small>{html.escape(count.line())}</small>"))


@contextmanager
def log_lines(count: Count) -> Generator[Callable[[], None]]:
    """A line on stderr after the first input, then one every few seconds, and one at the end.

    Args:
        count: What is done.

    Yields:
        A function that writes a line where it is time for one.
    """
    said = -math.inf

    def show() -> None:
        nonlocal said
        if count.done == count.total or count.elapsed - said >= SECONDS_BETWEEN_LINES:
            said = count.elapsed
            sys.stderr.write(f"{count.line()}\n")
            sys.stderr.flush()

    yield show


def bar_html(count: Count) -> str:
    """The bar of a notebook.

    >>> bar_html(Count("scoring", 4, done=1, started=0.0)).partition(">")[0]
    '<progress value="1" max="4"'
    """
    return f'<progress value="{count.done}" max="{count.total}"></progress> {html.escape(count.line())}'


BARS: dict[str, Callable[[Count], AbstractContextManager[Callable[[], None]]]] = {
    "terminal": terminal_bar,
    "notebook": notebook_bar,
    "lines": log_lines,
}
"""Where a person watches -> what is shown there."""
