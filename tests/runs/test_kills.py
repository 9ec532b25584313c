"""Kill -9 at random moments, of drivers and of workers: the records are those of a run that nobody touched."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
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
DRIVE = [sys.executable, str(ROOT / "tests" / "runs" / "drive.py")]
PATHS = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])
MOST_RUNS = 20
"""So many runs, and the driver was never killed at work: then a kill does not kill."""


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


def start(*arguments: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PYTHONPATH": PATHS, "OMP_NUM_THREADS": "1"}
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen([*DRIVE, *arguments], **pipes, env=environment)


def said(driver: "subprocess.Popen[str]", word: str) -> int:
    """The number that stands behind a word in what the driver prints; other lines before it are passed over."""
    assert driver.stdout
    for line in driver.stdout:
        if line.startswith(f"{word} "):
            return int(line.split()[1])
    pytest.fail(f"the driver never said {word!r}")


@dataclass
class Forked:
    """Drivers that come from one process, which has imported torch once and for all."""

    parent: "subprocess.Popen[str]"

    def drive(self, *arguments: str, kill_after: float | None) -> int:
        """Start a driver; kill it some seconds after it is ready, or let it end. Its exit code."""
        assert self.parent.stdin
        self.parent.stdin.write(" ".join(arguments) + "\n")
        self.parent.stdin.flush()
        process = said(self.parent, "ready")
        if kill_after is not None:
            time.sleep(kill_after)
            os.kill(process, signal.SIGKILL)
        return said(self.parent, "ended")


class Started:
    """Drivers that are each started anew, as a user does."""

    def drive(self, *arguments: str, kill_after: float | None) -> int:
        """Start a driver; kill it some seconds after it is ready, or let it end. Its exit code."""
        with start(*arguments) as driver:
            said(driver, "ready")
            if kill_after is not None:
                time.sleep(kill_after)
                driver.send_signal(signal.SIGKILL)
            assert driver.stdout
            driver.stdout.read()
        return driver.returncode


def kill_until_done(folder: Path, log: Path, drivers: Forked | Started, *engine: str, moments: list[float]) -> int:
    """Kill the driver at these moments, then let it end: no finished task is computed again. Returns the hits."""
    hits = 0
    for moment in (*moments, None):
        done, begun = finished(folder), len(log.read_text().split()) if log.exists() else 0
        code = drivers.drive(str(folder), str(COUNT), str(log), *engine, kill_after=moment)
        assert code in (0, -signal.SIGKILL)
        hits += code != 0
        assert finished(folder) >= done
        assert not done & set(log.read_text().split()[begun:])
    return hits


def runs_with_kills(place: Path, drivers: Forked | Started, *engine: str, longest: float, wanted: int, expected: Any):
    """Runs that are killed at random moments, until so many kills have hit a driver at work.

    How long a driver works depends on the machine: where it ends before it is killed, the next kills come sooner.
    """
    random, hits = np.random.default_rng(0), 0
    for number in range(MOST_RUNS):
        folder, log = place / f"run-{number}", place / f"log-{number}"
        moments = [float(moment) for moment in random.uniform(0, longest, size=wanted)]
        hit = kill_until_done(folder, log, drivers, *engine, moments=moments)
        assert exported(folder) == expected
        yield log.read_text().split(), hit
        hits += hit
        longest *= 1 if hit == wanted else 0.5
        if hits >= wanted:
            return
    pytest.fail(f"{hits} of {wanted} kills hit a driver at work in {MOST_RUNS} runs")


def test_a_driver_killed_at_random_moments_loses_nothing(tmp_path: Path, expected: Any):
    assert len(expected) == 20
    seconds = {"longest": 0.6, "wanted": 6}
    with start("fork") as parent:
        for computed, hits in runs_with_kills(tmp_path, Forked(parent), **seconds, expected=expected):
            # A kill loses the task in flight, at most.
            assert len(set(computed)) == 20 and len(computed) <= 20 + hits


@pytest.mark.slow
def test_a_driver_of_ray_workers_killed_at_random_moments_loses_nothing(tmp_path: Path, expected: Any):
    pytest.importorskip("ray", reason="needs ray: pip install 'clearance[ray]'")
    for computed, _ in runs_with_kills(tmp_path, Started(), "ray", longest=12, wanted=3, expected=expected):
        assert len(set(computed)) == 20


@pytest.mark.slow
def test_workers_killed_in_mid_task_change_nothing(tmp_path: Path, expected: Any):
    pytest.importorskip("ray", reason="needs ray: pip install 'clearance[ray]'")
    shared = {"digits": load_shared(COUNT), "folder": str(tmp_path)}
    with open_run(tmp_path / "run", digits_plan(COUNT)) as run:
        records = list(run.compute(killed_once, shared=shared, engine=RayEngine(workers=2)))
    assert sorted(record.attempts for record in records) == [1] * 16 + [2] * 4
    assert exported(tmp_path / "run") == expected
