"""The tasks of a run where they follow one another in one process: the attacks of neighbours share batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from clearance.attacks.best import MOST_TOGETHER
from clearance.bracket import Bracket
from clearance.runs.evaluate import Evaluation, brackets_of, evaluate
from clearance.runs.plan import Task
from clearance.runs.store import Result


class EvaluateTasks:
    """`evaluate`, and how it is done in order: with the same results, faster. Source: this project."""

    def __call__(self, shared: Evaluation, task: Task) -> Result:
        """As `evaluate`."""
        return evaluate(shared, task)

    def in_order(self, tasks: Sequence[Task]) -> Callable[[Evaluation, Task], Result]:
        """A function to call with each of these tasks once, in this order."""
        return _InOrder(tasks)


class _InOrder:
    """Tasks of one norm, target and order are begun together; where that fails each of them is done alone."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._places = {task.key: place for place, task in enumerate(tasks)}
        self._tasks, self._alone = tasks, set[str]()
        self._begun: dict[tuple[float, str | int, int], Iterator[tuple[Task, Bracket]]] = {}

    def __call__(self, shared: Evaluation, task: Task) -> Result:
        found = None if self._is_alone(task) or shared.changed else self._next(shared, task)
        return evaluate(shared, task) if found is None else Result(found.as_record(), found.as_arrays())

    def _is_alone(self, task: Task) -> bool:
        """Whether others failed beside it, or it may have its target class already, which `evaluate` looks at."""
        return task.key in self._alone or task.target == task.label

    def _next(self, shared: Evaluation, task: Task) -> Bracket | None:
        group = self._group(task)
        try:
            begun = next(self._begun.get(_kind(task), iter(())), None)
            if begun is None:
                self._begun[_kind(task)] = zip(group, brackets_of(shared, group), strict=True)
                begun = next(self._begun[_kind(task)])
            return begun[1] if begun[0] == task else None
        except Exception:  # whose failure it is, and which, is seen when each is done alone
            self._alone.update(other.key for other in group)
            self._begun.pop(_kind(task), None)
            return None

    def _group(self, first: Task) -> list[Task]:
        """A task and the next ones of its kind."""
        later = self._tasks[self._places[first.key] :]
        alike = (task for task in later if _kind(task) == _kind(first) and not self._is_alone(task))
        return list(islice(alike, MOST_TOGETHER))


def _kind(task: Task) -> tuple[float, str | int, int]:
    return task.norm, task.target, task.order


evaluate_tasks = EvaluateTasks()
"""What a run computes for each task, wherever that is."""
