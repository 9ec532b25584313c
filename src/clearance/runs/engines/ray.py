"""Tasks on several processes, GPUs or machines, through Ray (the extra `ray`). See docs/cluster.md.

Each worker is a Ray actor that receives the function and the shared object once, from Ray's object store, and then one
task at a time. A worker that dies is replaced, and its task is tried again on the next free one, a limited number of
times. An exception in a task is not tried again: it would come again.
"""

from __future__ import annotations

import math
import os
import socket
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from clearance.errors import EngineError, InputError
from clearance.runs.engines import Failure, Outcome, Task, as_failure, attempt
from clearance.runs.engines.threads import VARIABLES, check_threads, limit_threads


class RayEngine:
    """Computes tasks on Ray actors.

    Within a program that has called `ray.init` it uses that connection; otherwise it makes one and ends it.

    Args:
        address: A cluster's address, or `auto` for the one that this machine belongs to. `None`: a private one is
            started on this machine.
        workers: How many actors; `None`: as many as the cluster has room for.
        gpus_per_task: GPUs of each actor; a fraction lets several share one.
        cpus_per_task: CPU cores of each actor, as Ray counts them.
        retries: How often a task is tried again after its worker was lost.
        threads: How many threads a task is computed with.

    Raises:
        InputError: If a number is out of range.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        workers: int | None = None,
        gpus_per_task: float = 0,
        cpus_per_task: float = 1,
        retries: int = 2,
        threads: int = 1,
    ) -> None:
        if workers is not None and workers < 1:
            raise InputError(f"workers: expected at least 1, got {workers}")
        for name, value, least in (("gpus_per_task", gpus_per_task, 0), ("retries", retries, 0)):
            if not least <= value < math.inf:
                raise InputError(f"{name}: expected a number >= {least}, got {value}")
        if not 0 < cpus_per_task < math.inf:
            raise InputError(f"cpus_per_task: expected a number > 0, got {cpus_per_task}")
        self.address, self.workers, self.retries = address, workers, retries
        self.gpus_per_task, self.cpus_per_task = gpus_per_task, cpus_per_task
        self.threads = check_threads(threads)

    def map(
        self, function: Callable[[Any, Task], Any], shared: object, tasks: Sequence[Task]
    ) -> Generator[Outcome[Task]]:
        """Compute `function(shared, task)` for every task, in whatever order they finish.

        Args:
            function: What to compute; the workers must be able to import or unpickle it.
            shared: What all tasks need. It is put into the object store once, and each actor takes it from there once.
            tasks: The tasks.

        Yields:
            One outcome for each task.
        """
        if tasks:
            with self._connected() as ray:
                crew = _Crew(ray, self, function, shared, count=min(self._room(ray), len(tasks)))
                try:
                    yield from crew.compute(tasks)
                finally:
                    crew.dismiss()

    @contextmanager
    def _connected(self) -> Generator[ModuleType]:
        ray = _import_ray()
        if ray.is_initialized():
            yield ray
            return
        _check_reachable(self.address)
        own = {"num_cpus": self.workers and math.ceil(self.workers * self.cpus_per_task), "include_dashboard": False}
        try:
            ray.init(
                self.address or "local",
                log_to_driver=False,
                logging_level="error",
                **({} if self.address else own),
            )
        except (ConnectionError, OSError, RuntimeError, ValueError) as error:
            raise EngineError(f"ray: expected a cluster at {self.address or 'this machine'}, got {error}") from error
        try:
            yield ray
        finally:
            ray.shutdown()

    def _room(self, ray: ModuleType) -> int:
        """How many workers to start: those asked for, or as many as fit.

        Raises:
            EngineError: If no machine of the cluster has what one task needs.
        """
        machines: list[dict[str, float]] = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        needs = {"CPU": self.cpus_per_task, "GPU": self.gpus_per_task}
        fits = sum(
            min(int(machine.get(kind, 0) / need) for kind, need in needs.items() if need) for machine in machines
        )
        if not fits:
            most = ", ".join(f"{max(m.get(kind, 0) for m in machines):g} {kind}" for kind in needs)
            asked = ", ".join(f"{need:g} {kind}" for kind, need in needs.items())
            raise EngineError(f"ray: expected a machine with {asked} for each task, got at most {most} on one machine")
        return self.workers or fits


class _Worker:
    """What runs in an actor."""

    def prepare(self, function: Callable[[Any, Any], Any], shared: object, threads: int) -> None:
        self.function, self.shared = function, shared
        self.limit = limit_threads(threads)
        self.limit.__enter__()

    def attempt(self, task: Any) -> tuple[Any, Failure | None, float]:
        value, failure, seconds = attempt(self.function, self.shared, task)
        return value, failure and replace(failure, exception=None), seconds


class _Crew:
    """The actors, what each of them is doing, and what is still to do."""

    def __init__(
        self, ray: ModuleType, engine: RayEngine, function: Callable[[Any, Any], Any], shared: object, *, count: int
    ) -> None:
        self.ray, self.engine = ray, engine
        try:
            self.baggage = (ray.put(function), ray.put(shared), engine.threads)
        except (TypeError, ray.exceptions.RayError) as error:
            raise EngineError(f"ray: expected what all tasks share to be sendable, got {_first_line(error)}") from error
        self.make = ray.remote(_Worker).options(
            num_cpus=engine.cpus_per_task, num_gpus=engine.gpus_per_task, runtime_env={"env_vars": self._variables()}
        )
        self.actors: list[Any] = []
        self.starting: dict[Any, Any] = {}  # what `prepare` will answer → its actor
        self.working: dict[Any, tuple[Any, Any, int]] = {}  # what `attempt` will answer → actor, task, attempts
        self.idle: list[Any] = []
        self.false_starts = 0
        for _ in range(count):
            self.hire()

    def compute(self, tasks: Sequence[Any]) -> Iterator[Outcome[Any]]:
        waiting = deque((task, 1) for task in tasks)
        while waiting or self.working:
            while waiting and self.idle:
                task, attempts = waiting.popleft()
                actor = self.idle.pop()
                self.working[actor.attempt.remote(task)] = actor, task, attempts
            (answer,), _ = self.ray.wait([*self.working, *self.starting], num_returns=1)
            if answer in self.starting:
                self.welcome(answer)
                continue
            outcome = self.collect(answer)
            if outcome.value is None and outcome.error == _LOST and outcome.attempts <= self.engine.retries:
                waiting.appendleft((outcome.task, outcome.attempts + 1))
            else:
                yield outcome

    def hire(self) -> None:
        actor = self.make.remote()
        self.actors.append(actor)
        self.starting[actor.prepare.remote(*self.baggage)] = actor

    def welcome(self, answer: Any) -> None:
        """Take in a worker that has started, or start another where it was lost.

        Raises:
            EngineError: If it cannot start, or too many were lost while starting.
        """
        actor = self.starting.pop(answer)
        try:
            self.ray.get(answer)
        except self.ray.exceptions.RayError as error:
            self.false_starts += 1
            certain = isinstance(error, self.ray.exceptions.RayTaskError | self.ray.exceptions.RuntimeEnvSetupError)
            if certain or self.false_starts > self.engine.retries:
                raise EngineError(f"ray: a worker cannot start: {_first_line(_cause(error))}") from error
            self.hire()
        else:
            self.false_starts = 0
            self.idle.append(actor)

    def collect(self, answer: Any) -> Outcome[Any]:
        """What a worker answered; where the worker was lost, another one is started."""
        actor, task, attempts = self.working.pop(answer)
        try:
            value, failure, seconds = self.ray.get(answer)
        except self.ray.exceptions.RayTaskError as error:  # the value could not be sent
            value, failure, seconds = None, as_failure(_cause(error)), math.nan
        except self.ray.exceptions.RayError:
            self.hire()
            return Outcome(task, None, _LOST, attempts, math.nan)
        self.idle.append(actor)
        return Outcome(task, value, failure, attempts, seconds)

    def dismiss(self) -> None:
        for actor in self.actors:
            self.ray.kill(actor)

    def _variables(self) -> dict[str, str]:
        """The workers' environment: the number of threads, and where this process finds what is not installed."""
        added = [str(Path(entry).resolve()) for entry in sys.path if not _is_installed(entry)]
        added += [
            str(Path(str(file)).resolve().parent) for file in map(_model_file, list(sys.modules.values())) if file
        ]
        paths = dict.fromkeys([str(Path.cwd()), *added, *filter(None, [os.environ.get("PYTHONPATH")])])
        return {"PYTHONPATH": os.pathsep.join(paths), **dict.fromkeys(VARIABLES, str(self.engine.threads))}


_LOST = Failure("WorkerLost", "the worker died each time the task was tried")


def _import_ray() -> ModuleType:
    # Ray sends usage statistics home unless told not to.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise EngineError("ray: expected the extra 'ray', got none; pip install 'clearance[ray]'") from error
    return ray


def _check_reachable(address: str | None) -> None:
    # Ray itself tries for minutes, and then ends the process.
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if not (host and port.isdecimal()):
        return
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, OverflowError) as error:
        raise EngineError(f"ray: expected a cluster at {address}, got no connection ({error})") from error


def _model_file(module: object) -> object:
    """The file of Python that a model came from (`zoo.factories`); nothing for any other module."""
    return getattr(module, "__file__", None) if getattr(module, "__clearance_source__", None) else None


def _is_installed(entry: str) -> bool:
    return any(Path(entry).resolve().is_relative_to(prefix) for prefix in {sys.prefix, sys.base_prefix})


def _cause(error: Any) -> Exception:
    """What was raised in the worker, where Ray says so."""
    cause = getattr(error, "cause", None)
    return cause if isinstance(cause, Exception) else error


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or ["no message"]
    return f"{type(error).__name__}: {lines[0][:200]}"
