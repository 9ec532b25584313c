"""One suite for every engine: the same outcomes, bit for bit, whatever computes them."""

import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from clearance.errors import EngineError, InputError
from clearance.runs.engines import Engine, Outcome, as_failure, attempt
from clearance.runs.engines.local import LocalEngine
from clearance.runs.engines.ray import RayEngine
from clearance.runs.engines.threads import VARIABLES, limit_threads
from conftest import ROOT
from run_tasks import attack_digit, deadly, digits_plan, load_shared
from waiting import HANG, is_running, wait_until

try:
    import ray
except ImportError:
    ray = None
needs_ray = pytest.mark.skipif(ray is None, reason="needs ray: pip install 'clearance[ray]'")
LOCAL, ONE, TWO = "local", "ray-1", "ray-2"
"""The engines."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """A cluster of two cores on this machine, for all tests of this file: engines use what the process has."""
    assert ray is not None
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init("local", num_cpus=2, include_dashboard=False, logging_level="error", log_to_driver=False)
    yield
    ray.shutdown()


@pytest.fixture(
    scope="module",
    params=[LOCAL, pytest.param(ONE, marks=[needs_ray, pytest.mark.slow]), pytest.param(TWO, marks=needs_ray)],
)
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine in turn."""
    if request.param == LOCAL:
        return LocalEngine()
    request.getfixturevalue("cluster")
    return RayEngine(workers=int(request.param[-1]))


over_ray = pytest.mark.parametrize("engine", [pytest.param(TWO, marks=needs_ray)], indirect=True)


class Heavy:
    """Something that all tasks share, which counts how often it is unpickled in a process."""

    arrivals = 0

    def __init__(self, value: int) -> None:
        self.value = value

    def __setstate__(self, state: dict[str, Any]) -> None:
        Heavy.arrivals += 1
        self.__dict__.update(state)


def describe(shared: Heavy, task: int) -> dict[str, Any]:
    """What a task sees: the shared value, arrivals, threads, process."""
    import threadpoolctl

    pools = [pool["num_threads"] for pool in threadpoolctl.threadpool_info()]
    threads = torch.get_num_threads(), max(pools, default=1)
    return {"sum": shared.value + task, "arrivals": Heavy.arrivals, "threads": threads, "process": os.getpid()}


def sums(shared: int, task: int) -> np.ndarray:
    """Sums whose last bits depend on the order of summation, hence on the number of threads."""
    values = torch.from_numpy(np.random.default_rng(task).normal(size=(60, 20_000)).astype(np.float32))
    return np.stack([(values @ values.T)[0].numpy(), values.sum(1).numpy()]) + shared


def fails(shared: Path, task: int) -> int:
    with (shared / f"tried-{task}").open("a") as log:
        log.write("x")
    if task % 2:
        raise KeyError(f"no\n{task}")
    return task


def returns_a_function(shared: object, task: int) -> Any:
    return lambda: task


def stays(folder: Path, task: int) -> int:
    """Says which process it runs in. The first task ends as soon as another one is at work; the others never end."""
    (folder / f"{task}.part").write_text(str(os.getpid()))
    (folder / f"{task}.part").rename(folder / str(task))
    while task or not (folder / "1").exists():
        time.sleep(0.02)
    return os.getpid()


def variable(shared: object, name: str) -> str:
    return os.environ[name]


def lock(shared: object, task: int) -> Any:
    """What cannot be sent."""
    return threading.Lock()


def call(shared: dict[Any, Any], task: tuple[Any, Any]) -> Any:
    """Whatever the task names: a function, with what is shared of its kind, and its own task."""
    function, own = task
    return function(shared[function], own)


DIGITS, COUNT = 3, 4
TASKS = [(describe, task) for task in range(6)] + [
    (function, task) for function in (sums, fails) for task in range(COUNT - 1, -1, -1)
]


@dataclass(frozen=True)
class Computed:
    """What an engine made of all kinds of tasks: the outcomes in the order in which they came."""

    engine: Engine
    outcomes: list[Outcome[Any]]
    folder: Path

    def of(self, function: Any) -> dict[Any, Outcome[Any]]:
        return {outcome.task[1]: outcome for outcome in self.outcomes if outcome.task[0] is function}


@pytest.fixture(scope="module")
def computed(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Computed:
    """One call for all kinds of tasks: the workers of Ray take seconds to start."""
    folder, tasks = tmp_path_factory.mktemp("tried"), list(TASKS)
    tasks += [(attack_digit, task) for task in digits_plan(DIGITS).tasks()[::-1]]
    if isinstance(engine, RayEngine):
        tasks += [(lock, 1), *((variable, name) for name in (*VARIABLES, "PYTHONPATH"))]
    shared = {describe: Heavy(10), sums: 1, fails: folder, attack_digit: load_shared(DIGITS), lock: None}
    return Computed(engine, list(engine.map(call, {**shared, variable: None}, tasks)), folder)


def test_each_task_has_one_outcome(computed: Computed):
    outcomes = [outcome for outcome in computed.outcomes if outcome.task[0] is describe]
    assert sorted(outcome.task[1] for outcome in outcomes) == list(range(6))
    assert len({outcome.task for outcome in computed.outcomes}) == len(computed.outcomes)
    assert all(outcome.value["sum"] == 10 + outcome.task[1] for outcome in outcomes)
    assert all(outcome.error is None and outcome.attempts == 1 and outcome.seconds > 0 for outcome in outcomes)
    assert {outcome.value["threads"] for outcome in outcomes} == {(1, 1)}
    # The shared object travels to a worker once, and not at all within this process.
    remote = isinstance(computed.engine, RayEngine)
    assert {outcome.value["arrivals"] for outcome in outcomes} == {int(remote)}
    assert (os.getpid() in {outcome.value["process"] for outcome in outcomes}) != remote


def test_no_tasks_no_outcomes(engine: Engine):
    assert not list(engine.map(describe, Heavy(0), []))


def test_results_are_the_same_bits_in_any_order(computed: Computed):
    expected = {outcome.task: outcome.value for outcome in LocalEngine().map(sums, 1, range(COUNT))}
    found = computed.of(sums)
    assert all(np.array_equal(found[task].value, expected[task]) for task in expected)


@pytest.fixture(scope="module")
def attacked() -> dict[Any, Any]:
    """Task -> its attack, in this process and in the order of the plan."""
    outcomes = LocalEngine().map(attack_digit, load_shared(DIGITS), digits_plan(DIGITS).tasks())
    return {outcome.task: outcome.value for outcome in outcomes}


def test_attacks_are_the_same_bits(computed: Computed, attacked: dict[Any, Any]):
    found = computed.of(attack_digit)
    for task, wanted in attacked.items():
        value = found[task].value
        assert np.array_equal(value.values["distance"], wanted.values["distance"], equal_nan=True)
        assert value.arrays.keys() == wanted.arrays.keys()
        assert all(np.array_equal(value.arrays[name], wanted.arrays[name]) for name in wanted.arrays)
    assert sum("witness" in value.arrays for value in attacked.values()) >= 4


def test_an_exception_is_an_outcome_and_is_not_tried_again(computed: Computed):
    outcomes = computed.of(fails)
    assert [outcomes[task].value for task in range(4)] == [0, None, 2, None]
    error = outcomes[3].error
    assert error and str(error) == r"KeyError: 'no\n3'" and outcomes[0].error is None
    assert "in fails" in error.traceback and 'raise KeyError(f"no' in error.traceback
    assert outcomes[3].attempts == 1 and (computed.folder / "tried-3").read_text() == "x"


@over_ray
def test_a_value_that_cannot_be_sent_is_a_failure(computed: Computed):
    outcome = computed.of(lock)[1]
    assert outcome.error and outcome.error.kind == "TypeError" and "pickle" in outcome.error.message


@over_ray
def test_workers_have_the_threads_and_the_paths(computed: Computed):
    found = {name: outcome.value for name, outcome in computed.of(variable).items()}
    assert {found[name] for name in VARIABLES} == {"1"}
    assert str(ROOT / "tests") in found["PYTHONPATH"].split(os.pathsep)


def test_the_local_engine_keeps_the_exception_itself():
    (outcome,) = LocalEngine().map(lambda shared, task: shared[task], {}, ["a"])
    assert outcome.error and isinstance(outcome.error.exception, KeyError)
    assert outcome.error.exception.__traceback__ is not None


def test_ctrl_c_in_a_task_is_no_outcome():
    def interrupted(shared: object, task: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(LocalEngine().map(interrupted, None, [1]))


def test_threads_are_limited_for_the_time_of_the_tasks_only():
    before = torch.get_num_threads()
    with limit_threads(before + 1):
        outcomes = LocalEngine(threads=2).map(describe, Heavy(0), range(2))
        assert next(outcomes).value["threads"][0] == 2
        outcomes.close()
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


def test_as_failure_and_attempt():
    value, failure, seconds = attempt(lambda shared, task: shared[task], {}, "a")
    assert value is None and seconds >= 0 and str(failure) == "KeyError: 'a'"
    assert as_failure(ValueError("a")) == as_failure(ValueError("a")) != as_failure(ValueError("b"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": 0}, "workers: expected at least 1, got 0"),
        ({"retries": -1}, "retries: expected a number >= 0, got -1"),
        ({"gpus_per_task": -0.5}, "gpus_per_task: expected a number >= 0, got -0.5"),
        ({"gpus_per_task": math.nan}, "gpus_per_task: .* got nan"),
        ({"cpus_per_task": 0}, "cpus_per_task: expected a number > 0, got 0"),
        ({"threads": 0}, "threads: expected a whole number of at least 1, got 0"),
        ({"threads": 1.5}, "threads: .* got 1.5"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], message: str):
    with pytest.raises(InputError, match=message):
        RayEngine(**options)


def test_without_ray_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(EngineError, match=r"expected the extra 'ray', got none; pip install 'clearance\[ray\]'"):
        list(RayEngine().map(describe, Heavy(0), [1]))


@needs_ray
def test_a_lost_worker_is_replaced_and_its_task_tried_again(cluster: None, tmp_path: Path):
    shared = {"folder": str(tmp_path), "factor": 10}
    outcomes = {outcome.task: outcome for outcome in RayEngine(workers=2, retries=1).map(deadly, shared, range(9))}
    assert sorted(outcomes) == list(range(9))
    assert all(outcomes[task].value == 10 * task and outcomes[task].error is None for task in (0, 1, 2, 3, 4, 6, 8))
    assert {task: outcome.attempts for task, outcome in outcomes.items() if outcome.attempts > 1} == {3: 2, 5: 2}
    assert str(outcomes[5].error) == "WorkerLost: the worker died each time the task was tried"
    assert str(outcomes[7].error) == "ValueError: expected another task, got 7" and math.isnan(outcomes[5].seconds)
    assert len(list(tmp_path.glob("task-5-*"))) == 2 and len(list(tmp_path.glob("task-7-*"))) == 1


@needs_ray
def test_what_cannot_be_sent_to_workers_is_one_line(cluster: None):
    with pytest.raises(EngineError, match="expected what all tasks share to be sendable, got TypeError: ") as caught:
        list(RayEngine(workers=1).map(describe, threading.Lock(), [1]))
    assert "\n" not in str(caught.value)


class Unwelcome:
    """Cannot be unpickled anywhere."""

    def __setstate__(self, state: object) -> None:
        raise ModuleNotFoundError("No module named 'my_networks'")

    def __getstate__(self) -> dict[str, int]:
        return {"a": 1}


@pytest.mark.slow
@needs_ray
def test_a_worker_that_cannot_start_ends_the_work_at_once(cluster: None):
    with pytest.raises(EngineError, match=r"ray: a worker cannot start: .*my_networks") as caught:
        list(RayEngine(workers=2).map(describe, Unwelcome(), range(4)))
    assert "\n" not in str(caught.value)


@needs_ray
def test_needs_that_no_machine_has_are_refused(cluster: None):
    with pytest.raises(
        EngineError, match="expected a machine with 1 CPU, 3 GPU for each task, got at most 2 CPU, 0 GPU"
    ):
        list(RayEngine(gpus_per_task=3).map(describe, Heavy(0), [1]))


@pytest.mark.slow
@needs_ray
def test_closing_stops_the_workers(cluster: None, tmp_path: Path):
    assert ray is not None
    outcomes = RayEngine(workers=2).map(stays, tmp_path, [0, 1, 2])
    workers = [next(outcomes).value, int((tmp_path / "1").read_text())]
    assert len(set(workers)) == 2 and all(map(is_running, workers))
    outcomes.close()
    wait_until(lambda: not any(map(is_running, workers)), "the end of the workers")
    wait_until(lambda: ray.available_resources().get("CPU") == 2, "the return of their cores")
    assert not (tmp_path / "2").exists()


@needs_ray
def test_an_address_where_nothing_answers_is_one_line_at_once(monkeypatch: pytest.MonkeyPatch):
    assert ray is not None
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with socket.socket() as taken:  # bound, so that nobody else takes the port, and not listening
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        for address in (f"127.0.0.1:{port}", f"ray://127.0.0.1:{port}", "127.0.0.1:99999"):
            with pytest.raises(EngineError, match=f"ray: expected a cluster at {address}, got no connection") as caught:
                list(RayEngine(address).map(describe, Heavy(0), [1]))
            assert "\n" not in str(caught.value)


ATTACHED = """
import sys, ray
from clearance.runs.engines.ray import RayEngine
def work(shared, task):
    return shared + task
for address in (sys.argv[1], "auto"):
    print(sorted(outcome.value for outcome in RayEngine(address).map(work, 10, [1, 2, 3])), ray.is_initialized())
"""


@pytest.mark.slow
@needs_ray
def test_a_driver_attaches_to_a_cluster_and_leaves_it_running(cluster: None, tmp_path: Path):
    assert ray is not None
    command = [sys.executable, "-c", ATTACHED, ray.get_runtime_context().gcs_address]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)
    assert done.stdout == "[11, 12, 13] False\n" * 2, done.stderr
    assert ray.cluster_resources()["CPU"] == 2


INTERRUPTED = """
import sys, time
from clearance.runs.engines.ray import RayEngine
def work(shared, task):
    while task:
        time.sleep(0.1)
    return task
try:
    for outcome in RayEngine(workers=2).map(work, None, [0, 1, 2]):
        print("first", flush=True)
except KeyboardInterrupt:
    import ray
    print("interrupted", ray.is_initialized(), flush=True)
    sys.exit(130)
"""


@pytest.mark.slow
@needs_ray
def test_ctrl_c_ends_the_private_cluster(tmp_path: Path):
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        start_new_session=True,
    ) as driver:
        assert driver.stdout and driver.stderr and driver.stdout.readline() == "first\n"
        os.killpg(driver.pid, signal.SIGINT)  # as a terminal does: to all of the group
        out, err = driver.communicate(timeout=HANG)
    assert (driver.returncode, out, err) == (130, "interrupted False\n", "")
