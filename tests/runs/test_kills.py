"""Kill -9 at random moments, of drivers and of workers: the records are those of a run that nobody touched."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clearance.runs.engines.local import LocalEngine
from clearance.runs.engines.ray import RayEngine
from clearance.runs.execute import open_run, read_run
from clearance.runs.export import iterate_records
from conftest import ROOT
from run_tasks import attack_digit, digits_plan, killed_once, load_shared, without_times

COUNT = 10  # digits: 20 tasks
PATHS = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The records of an unbroken run."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    with open_run(folder, digits_plan(COUNT)) as run:
        list(run.compute(attack_digit, shared=load_shared(COUNT), engine=LocalEngine()))
    return exported(folder)


def exported(folder: Path) -> Any:
    with read_run(folder) as run:
        text = json.dumps(list(iterate_records(run, arrays=True)))  # exact, NaN included
    return [json.dumps(without_times(record)) for record in json.loads(text)]


def finished(folder: Path) -> set[str]:
    if not (folder / "results.sqlite").exists():
        return set()
    with read_run(folder) as run:
        return set(run.store.finished())


def drive(folder: Path, log: Path, *engine: str, kill_after: float | None) -> int:
    """Start the driver; kill it some seconds after it is ready, or let it end. Its exit code."""
    command = [sys.executable, str(ROOT / "tests" / "runs" / "drive.py"), str(folder), str(COUNT), str(log), *engine]
    environment = {**os.environ, "PYTHONPATH": PATHS}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as driver:
        assert driver.stdout and driver.stdout.readline() == "ready\n"
        if kill_after is not None:
            time.sleep(kill_after)
            driver.send_signal(signal.SIGKILL)
        driver.stdout.read()
    return driver.returncode


def kill_until_done(folder: Path, log: Path, *engine: str, kills: int, longest: float) -> int:
    """Kill the driver at random moments, then let it end: no finished task is computed again. How many kills hit it."""
    random, hits = np.random.default_rng(0), 0
    for kill in range(kills + 1):
        done, begun = finished(folder), len(log.read_text().split()) if log.exists() else 0
        code = drive(folder, log, *engine, kill_after=float(random.uniform(0, longest)) if kill < kills else None)
        assert code in (0, -signal.SIGKILL)
        hits += code != 0
        assert finished(folder) >= done
        assert not done & set(log.read_text().split()[begun:])
    return hits


def test_a_driver_killed_at_random_moments_loses_nothing(tmp_path: Path, expected: Any):
    hits = kill_until_done(tmp_path / "run", tmp_path / "log", kills=6, longest=0.6)
    assert hits >= 5
    computed = (tmp_path / "log").read_text().split()
    assert len(set(computed)) == 20 and len(computed) <= 20 + hits  # a kill loses the task in flight, at most
    assert exported(tmp_path / "run") == expected and len(expected) == 20


@pytest.mark.slow
def test_a_driver_of_ray_workers_killed_at_random_moments_loses_nothing(tmp_path: Path, expected: Any):
    pytest.importorskip("ray", reason="needs ray: pip install 'clearance[ray]'")
    hits = kill_until_done(tmp_path / "run", tmp_path / "log", "ray", kills=5, longest=12)
    assert hits >= 2 and exported(tmp_path / "run") == expected


def test_workers_killed_in_mid_task_change_nothing(tmp_path: Path, expected: Any):
    pytest.importorskip("ray", reason="needs ray: pip install 'clearance[ray]'")
    shared = {"digits": load_shared(COUNT), "folder": str(tmp_path)}
    with open_run(tmp_path / "run", digits_plan(COUNT)) as run:
        records = list(run.compute(killed_once, shared=shared, engine=RayEngine(workers=2)))
    assert sorted(record.attempts for record in records) == [1] * 16 + [2] * 4
    assert exported(tmp_path / "run") == expected
