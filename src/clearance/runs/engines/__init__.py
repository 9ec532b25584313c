"""Where tasks are computed: one interface, `map(function, shared, tasks)`, yielding outcomes as tasks finish.

An engine knows nothing of networks, plans or stores: it calls `function(shared, task)` for every task. `shared` is the
heavy part that all tasks need (a network, the inputs); it travels to a worker once, not once for each task. An engine
that sends it elsewhere pickles it: what cannot travel, or is better built where it is used (a network on a GPU),
belongs in a `functools.cached_property` of it.

**Failures.** An exception in the function is the task's outcome, never the engine's: the other tasks go on.

**Same bits.** Every engine computes a task with the same number of threads (1 unless told otherwise), so that results
do not depend on the engine, on the number of workers, or on the order of the tasks.

**In order.** A function may have a method `in_order(tasks)`: an engine that computes its tasks one after the other, in
one process, calls what that returns instead, so that neighbours can share work. The results are the same.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

Task = TypeVar("Task")


@runtime_checkable
class OrderedFunction(Protocol):
    """A function of tasks that can share work among those that follow one another. Source: this project."""

    def in_order(self, tasks: Sequence[Any]) -> Callable[[Any, Any], Any]:
        """The function to call for exactly these tasks, in this order."""
        ...


@dataclass(frozen=True)
class Failure:
    """Why a task has no value.

    Attributes:
        kind: Class of the exception, such as `ValueError`; `WorkerLost` where the worker died each time it was tried.
        message: Text of the exception, on one line.
        traceback: The traceback as text, from where it was raised.
        exception: The exception itself, with its traceback, where it was raised in this process.
    """

    kind: str
    message: str
    traceback: str = field(default="", compare=False)
    exception: Exception | None = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        """Kind and message on one line."""
        return f"{self.kind}: {self.message}"


@dataclass(frozen=True)
class Outcome(Generic[Task]):
    """What became of one task.

    Attributes:
        task: The task.
        value: What the function returned; `None` where it failed.
        error: Why it failed; `None` where it did not.
        attempts: How often it was tried: more than once where a worker was lost.
        seconds: Duration of the last attempt, measured by the worker; NaN where the worker was lost.
    """

    task: Task
    value: Any
    error: Failure | None
    attempts: int
    seconds: float


class Engine(Protocol):
    """Anything that computes tasks."""

    @property
    def threads(self) -> int:
        """How many threads a task is computed with."""
        ...

    def map(
        self, function: Callable[[Any, Task], Any], shared: object, tasks: Sequence[Task]
    ) -> Generator[Outcome[Task]]:
        """Compute `function(shared, task)` for every task.

        Args:
            function: What to compute. An engine with other processes needs one that they can import.
            shared: What all tasks need; it travels to each worker once.
            tasks: The tasks.

        Returns:
            One outcome for each task, as they finish. Closing the generator stops the work.
        """
        ...


def attempt(function: Callable[[Any, Task], Any], shared: object, task: Task) -> tuple[Any, Failure | None, float]:
    """Compute one task once.

    Args:
        function: What to compute.
        shared: What all tasks need.
        task: The task.

    Returns:
        The value, why there is none, and the seconds it took.
    """
    start = time.perf_counter()
    try:
        value, failure = function(shared, task), None
    except Exception as error:
        value, failure = None, as_failure(error)
    return value, failure, time.perf_counter() - start


def as_failure(error: Exception) -> Failure:
    r"""The record of an exception.

    >>> str(as_failure(ValueError("expected 1,\n got 2")))
    'ValueError: expected 1, got 2'
    """
    text = "".join(traceback.format_exception(error))
    return Failure(type(error).__name__, " ".join(str(error).split()), text, error)
