"""Tasks one after the other, in this process: the default, and the one to debug with."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any

from clearance.runs.engines import OrderedFunction, Outcome, Task, attempt
from clearance.runs.engines.threads import check_threads, limit_threads


class LocalEngine:
    """Computes tasks in this process. The failure of a task keeps the exception with its own traceback.

    Args:
        threads: How many threads a task is computed with. The process has that many from the first task to the last.

    >>> [outcome.value for outcome in LocalEngine().map(lambda shared, task: shared + task, 10, [1, 2])]
    [11, 12]
    """

    def __init__(self, *, threads: int = 1) -> None:
        self.threads = check_threads(threads)

    def map(
        self, function: Callable[[Any, Task], Any], shared: object, tasks: Sequence[Task]
    ) -> Generator[Outcome[Task]]:
        """Compute `function(shared, task)` for every task, in the order of the tasks.

        Args:
            function: What to compute.
            shared: What all tasks need.
            tasks: The tasks.

        Yields:
            One outcome for each task.
        """
        if isinstance(function, OrderedFunction):
            function = function.in_order(tasks)
        with limit_threads(self.threads):
            for task in tasks:
                value, failure, seconds = attempt(function, shared, task)
                yield Outcome(task, value, failure, 1, seconds)
