"""Start or resume a run, and compute what is missing.

    with open_run(folder, plan, resume=True) as run:
        for record in run.compute(evaluate, shared, engine=LocalEngine()):
            ...

`evaluate(shared, task)` returns a `Result`. Every record is on the disk before it is yielded. Whatever ends the loop
(an exception, Ctrl-C, kill -9, a power cut), the same lines continue it and compute exactly what is missing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearance.data.files import described, path_kind
from clearance.errors import FileError, InputError
from clearance.runs.database import create_database, take_lock
from clearance.runs.engines import Engine, Outcome, as_failure
from clearance.runs.files import replacing, sync_folder
from clearance.runs.growth import added, grow
from clearance.runs.plan import Plan, Task, encode_plan, read_plan, write_plan
from clearance.runs.store import TASK_FIELDS, Record, Result, Store

PLAN_FILE, RESULTS_FILE = "plan.json", "results.sqlite"
"""What a run's folder holds."""

_AT_BIRTH = (f".{PLAN_FILE}.part", f"{RESULTS_FILE}-lock")  # what a kill may leave before there is a plan


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        done: Finished tasks, those of earlier sittings as well.
        failed: How many of them failed.
        total: All tasks.
    """

    done: int
    failed: int
    total: int


def refuse_run_files(file: Path, folder: Path, *, name: str) -> None:
    """Refuse to write over what a run consists of.

    Args:
        file: The file that is to be written.
        folder: The run's folder.
        name: What asked for the file, for the message.

    Raises:
        FileError: If it is the run's plan or belongs to its results.
    """
    place, home = (Path(os.path.realpath(path)) for path in (file, folder))  # `resolve` raises on a circle of links
    if place.parent == home and file.name.startswith((PLAN_FILE, RESULTS_FILE)):
        raise FileError(f"{name}: expected another file, got {file}, which belongs to the run")


class Run:
    """An open run: its plan, its results, and what is missing. Made by `open_run`.

    Args:
        folder: Where it lies.
        plan: What is computed.
        store: The results.
        added: What this sitting has added to the plan, in words; nothing where it has not grown.
    """

    def __init__(self, folder: Path, plan: Plan, store: Store, added: Sequence[str] = ()) -> None:
        self.folder, self.plan, self.store, self.added = folder, plan, store, tuple(added)
        self.tasks = {task.key: task for task in plan.tasks()}

    def progress(self) -> Progress:
        """How far it is; equal inputs count once."""
        finished = {key: failed for key, failed in self.store.finished().items() if key in self.tasks}
        return Progress(len(finished), sum(finished.values()), len(self.tasks))

    def missing(self, *, retry_failed: bool = False) -> list[Task]:
        """The tasks that are still to compute, in the order of the plan.

        Args:
            retry_failed: Those that failed as well.

        Returns:
            The tasks.
        """
        finished = self.store.finished()
        return [task for key, task in self.tasks.items() if key not in finished or (retry_failed and finished[key])]

    def compute(
        self,
        function: Callable[[Any, Task], Result],
        *,
        shared: object,
        engine: Engine,
        retry_failed: bool = False,
        report: Callable[[Progress], None] | None = None,
    ) -> Iterator[Record]:
        """Compute what is missing. Each record is stored, then reported, then yielded.

        Args:
            function: What to compute for a task: `function(shared, task)`.
            shared: What all tasks need.
            engine: Where to compute.
            retry_failed: Compute the tasks that failed as well.
            report: Called after each task.

        Yields:
            The records of the tasks, as they finish.

        Raises:
            InputError: If the engine computes with another number of threads than the plan says.
        """
        if engine.threads != self.plan.threads:
            raise InputError(f"threads: expected {self.plan.threads}, as the plan says, got {engine.threads}")
        missing = self.missing(retry_failed=retry_failed)
        done, failed = len(self.tasks) - len(missing), 0 if retry_failed else self.progress().failed
        with closing(engine.map(function, shared, missing)) as outcomes:
            for outcome in outcomes:
                record = self._store(outcome)
                done, failed = done + 1, failed + (record.error is not None)
                if report is not None:
                    report(Progress(done, failed, len(self.tasks)))
                yield record

    def _store(self, outcome: Outcome[Task]) -> Record:
        key, attempts, seconds = outcome.task.key, outcome.attempts, outcome.seconds
        error = outcome.error
        if error is None:
            try:
                return self.store.add(key, _as_result(outcome.value), attempts=attempts, seconds=seconds)
            except InputError as refused:
                error = as_failure(refused)
        text, trace = str(error), error.traceback
        return self.store.add(key, Result({}), error=text, traceback=trace, attempts=attempts, seconds=seconds)


@contextmanager
def open_run(folder: str | Path, plan: Plan, *, resume: bool = False) -> Generator[Run]:
    """Start a run, or resume it. It is this process's alone until the block ends.

    Args:
        folder: Where it lies; made where it is not there.
        plan: What to compute.
        resume: Go on with the run that is there; without one, start it. What the plan has besides (inputs, norms,
            targets, orders) is added to the run (`growth.grow`).

    Yields:
        The open run.

    Raises:
        FileError: If the folder holds other files, a run and `resume` is false, or a run that has more than the plan
            or differs from it; if it is damaged, in use by another process, or cannot be written.
    """
    place = Path(folder)
    check_run_folder(place, resume=resume)
    _make_folder(place)
    with closing(take_lock(place / RESULTS_FILE)):
        stored, grown = _settle_plan(place, plan)
        larger = None if grown.id == stored.id else encode_plan(grown)
        if path_kind(place / RESULTS_FILE) == "none":
            create_database(place / RESULTS_FILE, stored.id)
            sync_folder(place)
        with closing(Store.open(place / RESULTS_FILE, stored.id)) as store:
            if larger is not None:
                # First the results are those of both plans, then the plan is replaced: they go together at any moment.
                store.belong_to(grown.id)
                with replacing(place / PLAN_FILE, force=True) as stream:
                    stream.write(larger)
            yield Run(place, grown, store, added(stored, grown))


def require_run(place: Path) -> None:
    """Raise unless a path is the folder of a run.

    Args:
        place: The path.

    Raises:
        FileError: If there is nothing, no folder, one that may not be read, or one without a plan.
    """
    if path_kind(place) != "folder":
        raise FileError(f"{place}: expected the folder of a run, got {described(place)}")
    if not os.access(place, os.R_OK | os.X_OK):
        raise FileError(f"{place}: no permission to read this folder")
    if path_kind(place / PLAN_FILE) == "none":
        raise FileError(f"{place}: expected the folder of a run, got one without {PLAN_FILE}")


@contextmanager
def read_run(folder: str | Path) -> Generator[Run]:
    """Open a run to read it, finished or not, also while it goes on. Nothing in the folder is changed.

    Args:
        folder: Where it lies.

    Yields:
        The run.

    Raises:
        FileError: If there is no run, or it is damaged.
    """
    place = Path(folder)
    require_run(place)
    plan = read_plan(place / PLAN_FILE)
    with closing(Store.read_only(place / RESULTS_FILE, plan.id)) as store:
        yield Run(place, plan, store)


def check_run_folder(place: Path, *, resume: bool) -> None:
    """Check that a run can be started in a folder, or resumed there. Nothing is made.

    Args:
        place: The folder; it need not be there.
        resume: Whether a run that is there is to go on.

    Raises:
        FileError: If it is no folder, holds other files, or a run and `resume` is false; if it cannot be read.
    """
    kind = path_kind(place)
    if kind != "folder" and os.path.lexists(place):
        found = "a link that leads nowhere" if kind == "none" else described(place)
        raise FileError(f"{place}: cannot be used as a folder, it is {found}")
    try:
        names = sorted(path.name for path in place.iterdir()) if kind == "folder" else []
    except OSError as error:
        raise FileError(f"{place}: cannot be used as a folder ({error.strerror or error})") from error
    if PLAN_FILE in names:
        if not resume:
            raise FileError(
                f"{place}: expected a new folder, got one with a run; "
                "resume it (--resume, resume=True) or choose another"
            )
        return
    # A start that was killed before there was a plan leaves an empty folder.
    foreign = [name for name in names if name not in _AT_BIRTH]
    if foreign:
        raise FileError(f"{place}: expected a new or empty folder, got one with {', '.join(foreign[:3])}")


def _make_folder(place: Path) -> None:
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{place}: cannot be used as a folder ({error.strerror or error})") from error


def _settle_plan(place: Path, plan: Plan) -> tuple[Plan, Plan]:
    """The plan that lies in the folder, written where there is none, and the one to go on with."""  # noqa: DOC501
    if path_kind(place / PLAN_FILE) == "none":
        write_plan(plan, place / PLAN_FILE)
        return plan, plan
    stored = read_plan(place / PLAN_FILE)
    try:
        return stored, grow(stored, plan)
    except InputError as error:
        raise FileError(f"{place}: cannot be resumed, its plan differs: {error}") from None


def _as_result(value: object) -> Result:
    if not isinstance(value, Result):
        raise InputError(f"task function: expected it to return a Result, got {type(value).__name__}")
    taken = [name for name in value.values if name in TASK_FIELDS]
    if taken:
        raise InputError(f"result: expected other names than the task's own, got {', '.join(taken)}")
    return value
