"""Runs started, stopped, resumed, refused: what is finished stays, and exactly what is missing is computed."""

import errno
import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import pytest

from clearance.errors import FileError, InputError
from clearance.runs.engines import Outcome
from clearance.runs.engines.local import LocalEngine
from clearance.runs.execute import Progress, Run, open_run, read_run
from clearance.runs.plan import ModelSpec, Plan, Task, ThreatModel
from clearance.runs.store import Record, Result
from conftest import ROOT
from run_tasks import make_data, make_plan, numbers, sometimes

SHARED = {"add": 0.5}


def compute(folder: Path, plan: Plan | None = None, *, function: Any = numbers, **options: Any) -> list[Record]:
    with open_run(folder, plan or make_plan(), resume=options.pop("resume", False)) as run:
        return list(run.compute(function, shared=SHARED, engine=LocalEngine(), **options))


def records(folder: Path) -> dict[str, Any]:
    with read_run(folder) as run:
        found = {task.key: run.store.read(task.key) for task in run.plan.tasks()}
        return {
            key: r and (r.values, {n: a.tobytes() for n, a in r.arrays.items()}, r.error) for key, r in found.items()
        }


def snapshot(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class Interrupted:
    """An engine that is stopped by Ctrl-C after some tasks."""

    threads = 1

    def __init__(self, after: int) -> None:
        self.after, self.closed = after, False

    def map(self, function: Any, shared: object, tasks: Sequence[Task]) -> Generator[Outcome[Task]]:
        try:
            yield from LocalEngine().map(function, shared, tasks[: self.after])
            raise KeyboardInterrupt
        finally:
            self.closed = True


class Backwards:
    """An engine that finishes tasks in another order."""

    threads = 1

    def map(self, function: Any, shared: object, tasks: Sequence[Task]) -> Generator[Outcome[Task]]:
        yield from LocalEngine().map(function, shared, tasks[::-1])


def test_a_run_from_start_to_end(tmp_path: Path):
    folder, seen = tmp_path / "deep" / "run", []
    with open_run(folder, make_plan()) as run:
        assert run.progress() == Progress(0, 0, 12) and len(run.missing()) == 12
        for record in run.compute(numbers, shared=SHARED, engine=LocalEngine(), report=seen.append):
            found = run.store.read(record.key)
            assert found and found.values == record.values  # on the disk before it is yielded
        assert run.progress() == Progress(12, 0, 12) and not run.missing()
    assert seen == [Progress(done, 0, 12) for done in range(1, 13)]
    assert all(records(folder).values())
    assert sorted(snapshot(folder)) == ["plan.json", "results.sqlite", "results.sqlite-lock"]


def test_the_order_of_the_tasks_does_not_matter(tmp_path: Path):
    compute(tmp_path / "a")
    with open_run(tmp_path / "b", make_plan()) as run:
        assert len(list(run.compute(numbers, shared=SHARED, engine=Backwards()))) == 12
    assert records(tmp_path / "a") == records(tmp_path / "b")


def test_ctrl_c_leaves_a_run_that_goes_on_where_it_stopped(tmp_path: Path):
    compute(tmp_path / "whole")
    folder, engine = tmp_path / "run", Interrupted(after=5)
    with pytest.raises(KeyboardInterrupt), open_run(folder, make_plan()) as run:
        list(run.compute(numbers, shared=SHARED, engine=engine))
    assert engine.closed
    assert sum(record is not None for record in records(folder).values()) == 5
    resumed = compute(folder, resume=True)
    assert [record.key for record in resumed] == [task.key for task in make_plan().tasks()[5:]]
    assert records(folder) == records(tmp_path / "whole")
    assert compute(folder, resume=True) == []


def test_leaving_the_loop_stops_the_engine_and_keeps_what_is_done(tmp_path: Path):
    engine = Interrupted(after=5)
    with open_run(tmp_path / "run", make_plan()) as run:
        outcomes = run.compute(numbers, shared=SHARED, engine=engine)
        next(iter(outcomes))
        del outcomes
        assert engine.closed and run.progress().done == 1


def test_resume_starts_a_run_where_there_is_none(tmp_path: Path):
    assert len(compute(tmp_path / "run", resume=True)) == 12


def test_equal_inputs_are_computed_once_and_count_once(tmp_path: Path):
    plan = make_plan(data=make_data(3, input_keys=("a", "b", "a"), labels=(1, 1, 1)))
    assert len(compute(tmp_path / "run", plan)) == 8
    assert len(records(tmp_path / "run")) == 8 and all(records(tmp_path / "run").values())


def test_a_failed_task_is_a_record_and_the_run_goes_on(tmp_path: Path):
    plan, seen = make_plan(4), []
    done = compute(tmp_path / "run", plan, function=sometimes, report=seen.append)
    errors = [record.error for record in done]
    assert errors[0] == "ValueError: expected another input, got 5" and "in sometimes" in done[0].traceback
    assert errors[4] == "InputError: result: expected values that JSON can hold, got others (a object)"
    assert errors[8] == "InputError: task function: expected it to return a Result, got dict"
    assert errors[12:] == [None] * 4 and seen[-1] == Progress(16, 12, 16)
    assert compute(tmp_path / "run", plan, resume=True) == []
    again = compute(tmp_path / "run", plan, resume=True, retry_failed=True, report=seen.append)
    assert len(again) == 12 and seen[16:][0] == Progress(5, 0, 16) and not any(record.error for record in again)


def test_a_result_may_not_use_the_names_of_the_task(tmp_path: Path):
    def careless(shared: object, task: Task) -> Result:
        return Result({"norm": 2, "seconds": 1, "radius": 3})

    done = compute(tmp_path / "run", make_plan(1), function=careless)
    assert done[0].error == "InputError: result: expected other names than the task's own, got norm, seconds"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 1}, "seed: 0 -> 1"),
        ({"data": make_data(3, name="other")}, 'data.name: "digits-test" -> "other"'),
        ({"threat": ThreatModel(norms=(2.0, math.inf), targets=("runner-up", 3), bounds=(0.0, 2.0))}, "threat.bounds"),
        ({"model": ModelSpec(name="digits-standard", weights_hash="other")}, 'model.weights_hash: "ab12" -> "other"'),
        ({"versions": {"clearance": "0.2.0", "code": "c0de", "python": "3.11.7"}}, 'versions.clearance: "0.1.0" ->'),
        ({"seed": 1, "threads": 2}, r"seed: 0 -> 1 \(--seed\); threads: 1 -> 2"),
    ],
)
def test_another_plan_is_refused_with_the_difference_named(tmp_path: Path, changes: dict[str, Any], message: str):
    compute(tmp_path / "run")
    before = snapshot(tmp_path / "run")
    with pytest.raises(FileError, match=f"cannot be resumed, its plan differs: {message}"):
        compute(tmp_path / "run", make_plan(**changes), resume=True)
    assert snapshot(tmp_path / "run") == before


def test_weights_that_have_moved_are_no_other_plan(tmp_path: Path):
    compute(tmp_path / "run")
    moved = make_plan(model=ModelSpec(name="digits-standard", weights="../elsewhere.safetensors", weights_hash="ab12"))
    assert compute(tmp_path / "run", moved, resume=True) == []


def test_a_run_is_not_started_over(tmp_path: Path):
    compute(tmp_path / "run")
    with pytest.raises(
        FileError,
        match=r"expected a new folder, got one with a run; resume it \(--resume, resume=True\) or",
    ):
        compute(tmp_path / "run")


def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path: Path):
    (tmp_path / "thesis.tex").write_text("...")
    for resume in (False, True):
        with pytest.raises(FileError, match=r"expected a new or empty folder, got one with thesis\.tex"):
            compute(tmp_path, resume=resume)
    assert snapshot(tmp_path) == {"thesis.tex": b"..."}


def test_results_without_a_plan_are_not_touched(tmp_path: Path):
    compute(tmp_path / "run")
    (tmp_path / "run" / "plan.json").unlink()
    before = snapshot(tmp_path / "run")
    with pytest.raises(FileError, match=r"expected a new or empty folder, got one with results\.sqlite"):
        compute(tmp_path / "run", resume=True)
    assert snapshot(tmp_path / "run") == before


def test_a_name_that_is_a_file_is_refused(tmp_path: Path):
    (tmp_path / "run").write_text("x")
    with pytest.raises(FileError, match="cannot be used as a folder"):
        compute(tmp_path / "run")
    with pytest.raises(FileError, match="cannot be used as a folder"):
        compute(tmp_path / "run" / "below")
    with pytest.raises(FileError, match="cannot be used as a folder"):
        compute(tmp_path / ("x" * 300))


def test_what_a_kill_at_the_start_leaves_is_started_again(tmp_path: Path):
    for number, leftovers in enumerate([[], [".plan.json.part"], [".plan.json.part", "results.sqlite-lock"]]):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name in leftovers:
            (folder / name).write_bytes(b"{" if name.endswith("part") else b"")
        assert len(compute(folder, resume=True)) == 12
    (folder / "results.sqlite").unlink()  # killed between plan and store
    (folder / ".results.sqlite.part").write_bytes(b"half")
    assert len(compute(folder, resume=True)) == 12


def test_two_drivers_on_one_run_are_one_too_many(tmp_path: Path):
    with open_run(tmp_path / "run", make_plan()) as run:
        with pytest.raises(FileError, match="in use by another run of this program"):
            compute(tmp_path / "run", resume=True)
        assert len(list(run.compute(numbers, shared=SHARED, engine=LocalEngine()))) == 12


def test_another_runs_results_are_refused(tmp_path: Path):
    compute(tmp_path / "a")
    compute(tmp_path / "b", make_plan(seed=1))
    shutil.copy(tmp_path / "b" / "results.sqlite", tmp_path / "a" / "results.sqlite")
    with pytest.raises(FileError, match=f"expected the results of plan {make_plan().id}, got those of another"):
        compute(tmp_path / "a", resume=True)


def test_the_engine_has_the_threads_of_the_plan(tmp_path: Path):
    with open_run(tmp_path / "run", make_plan(threads=2)) as run:
        with pytest.raises(InputError, match="threads: expected 2, as the plan says, got 1"):
            list(run.compute(numbers, shared=SHARED, engine=LocalEngine()))
        assert len(list(run.compute(numbers, shared=SHARED, engine=LocalEngine(threads=2)))) == 12


def test_hostile_names_make_no_paths(tmp_path: Path):
    traversal = "../../../../tmp/evil\x00'); DROP TABLE results; --"
    plan = make_plan(
        1,
        model=ModelSpec(name=traversal, weights=traversal, weights_hash=traversal),
        data=make_data(1, name=traversal, source=traversal, input_keys=(traversal,), class_names=(traversal,)),
        threat=ThreatModel(norms=(2.0,), targets=(traversal,), bounds=None),
    )
    folder = tmp_path / "a" / "run"
    compute(folder, plan)
    assert compute(folder, plan, resume=True) == [] and all(records(folder).values())
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.parent != folder] == []


FULL = """
import sys
from pathlib import Path
import numpy as np
from clearance.runs.engines.local import LocalEngine
from clearance.errors import FileError
from clearance.runs.execute import open_run
from clearance.runs.store import Result
from run_tasks import make_plan
def noise(shared, task):
    return Result({}, {"noise": np.random.default_rng(task.index).normal(size=8000)})
try:
    with open_run(sys.argv[1], make_plan(40), resume=True) as run:
        for record in run.compute(noise, shared=None, engine=LocalEngine()):
            print(record.key)
except FileError as error:
    print("refused", error)
    with open_run(sys.argv[1], make_plan(40), resume=True) as run:
        run.store.check()
        print("kept", *run.store.finished())
"""


def can_mount() -> bool:
    return (
        shutil.which("unshare") is not None
        and not subprocess.run(
            ["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False
        ).returncode
    )


def run_python(code: str, *arguments: str, prefix: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])
    command = [*prefix, sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": paths}, check=False)


@pytest.mark.skipif(not can_mount(), reason="needs leave to mount a small disk (unshare -rm)")
def test_a_full_disk_is_one_line_and_what_is_done_stays(tmp_path: Path):
    mount = f'mount -t tmpfs -o size=1500k none "{tmp_path}" && exec "$@"'
    done = run_python(FULL, str(tmp_path / "run"), prefix=["unshare", "-rm", "sh", "-c", mount, "sh"])
    *keys, refused, kept = done.stdout.splitlines()
    assert 5 < len(keys) < 40 and not done.stderr
    assert "results.sqlite: the disk is full; every finished result is kept, resume when there is room" in refused
    assert set(kept.split()[1:]) == set(keys)


@pytest.mark.skipif(not can_mount(), reason="needs leave to mount a small disk (unshare -rm)")
def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path):
    mount = f'mount -t tmpfs -o ro none "{tmp_path}" && exec "$@"'
    code = (
        "import sys; from run_tasks import make_plan; from clearance.runs.execute import open_run\n"
        "open_run(sys.argv[1], make_plan()).__enter__()"
    )
    for name in ("run", ""):
        done = run_python(code, str(tmp_path / name), prefix=["unshare", "-rm", "sh", "-c", mount, "sh"])
        last = done.stderr.splitlines()[-1]
        assert last.startswith("clearance.errors.FileError") and str(tmp_path) in last
        assert (
            f"cannot be used as a folder ({os.strerror(errno.EROFS)})" in last or "cannot be opened or written" in last
        )


@pytest.mark.skipif(not can_mount(), reason="needs leave to mount a small disk (unshare -rm)")
def test_a_run_on_a_disk_that_cannot_be_written_is_read(tmp_path: Path):
    compute(tmp_path / "run")
    mount = f'mount --bind "{tmp_path}" "{tmp_path}" && mount -o remount,ro,bind "{tmp_path}" && exec "$@"'
    code = (
        "import sys; from clearance.runs.execute import read_run\n"
        "with read_run(sys.argv[1]) as run: print(run.progress())\nopen(sys.argv[1] + '/new', 'w')"
    )
    done = run_python(code, str(tmp_path / "run"), prefix=["unshare", "-rm", "sh", "-c", mount, "sh"])
    assert done.stdout == "Progress(done=12, failed=0, total=12)\n" and os.strerror(errno.EROFS) in done.stderr


def test_a_run_that_is_not_there_cannot_be_read(tmp_path: Path):
    with (
        pytest.raises(FileError, match=r"expected the folder of a run, got one without plan\.json"),
        read_run(tmp_path),
    ):
        pass
    assert not list(tmp_path.iterdir())


def test_reading_changes_nothing_and_works_while_the_run_goes_on(tmp_path: Path):
    folder = tmp_path / "run"
    with open_run(folder, make_plan()) as run:
        loop = run.compute(numbers, shared=SHARED, engine=LocalEngine())
        for _ in range(3):
            next(iter(loop))
        with read_run(folder) as reader:
            assert isinstance(reader, Run) and reader.progress() == Progress(3, 0, 12)
        assert len(list(loop)) == 9
    before = snapshot(folder)
    records(folder)
    assert snapshot(folder) == before and json.loads(before["plan.json"])["id"] == make_plan().id
