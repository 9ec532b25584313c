"""What runs survive, what their machinery costs, and what a second worker brings. Three parts, each in one run.

kills      a driver is killed with -9 at 20 random moments and resumed until done: the exported records must equal those
           of an unbroken run bit for bit (times apart), no finished task computed again, none lost.
workers    a 40-task run on Ray with 1 and with 2 workers, one thread each, in turns: rates, and their ratio. The rate
           is that between the first and the last finished task; "whole" counts the start of the workers as well.
overhead   a run (plan, store, local engine) over a bare loop of the same calls, in turns: wall time and processor time.

    python benchmarks/runs.py kills workers overhead --workload attack --count 20

A workload is what is computed for each task (`WORKLOADS`). `wait` takes time but no processor: on a machine that is
busy with other work it shows what the machinery itself costs and allows, which `attack` then cannot.
"""

from __future__ import annotations

import argparse
import json
import math
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from clearance import Classifier, __version__, attack, bracket, datasets
from clearance.model.seeds import content_key
from clearance.runs.engines.local import LocalEngine
from clearance.runs.engines.ray import RayEngine
from clearance.runs.engines.threads import limit_threads
from clearance.runs.execute import open_run, read_run
from clearance.runs.export import iterate_records
from clearance.runs.plan import DataSpec, ModelSpec, Plan, Task, ThreatModel
from clearance.runs.store import Result
from clearance.zoo.specs import load_model


@dataclass(frozen=True)
class Shared:
    """What all tasks need."""

    network: torch.nn.Module
    bounds: tuple[float, float]
    images: torch.Tensor
    labels: torch.Tensor
    budget: str


def attack_input(shared: Shared, task: Task) -> Result:
    """The nearest witness of one input."""
    place = slice(task.index, task.index + 1)
    options: dict[str, Any] = {"target": task.target, "norm": task.norm, "budget": shared.budget, "seed": 0}
    model = Classifier(shared.network, shared.bounds)
    found = attack(model, shared.images[place], shared.labels[place], **options)[0]
    arrays = {} if found.adversarial is None else {"witness": found.adversarial.numpy()}
    return Result({"distance": found.distance, "method": found.method, "cost_seconds": found.cost.seconds}, arrays)


def bracket_input(shared: Shared, task: Task) -> Result:
    """The main job: certificate, estimate, attack and audit of one input."""
    place = slice(task.index, task.index + 1)
    options: dict[str, Any] = {"target": task.target, "norm": task.norm, "budget": shared.budget, "seed": 0}
    model = Classifier(shared.network, shared.bounds)
    (found,) = bracket(model, shared.images[place], shared.labels[place], time_limit=math.inf, **options)
    return Result(found.as_record(), found.as_arrays())


def wait(shared: Shared, task: Task) -> Result:
    """A fifth of a second, and a record as large as an attack's."""
    time.sleep(0.2)
    return Result({"distance": task.norm}, {"witness": shared.images[task.index].numpy()})


WORKLOADS: dict[str, Callable[[Shared, Task], Result]] = {
    "attack": attack_input,
    "bracket": bracket_input,
    "wait": wait,
}


def load_shared(count: int, budget: str) -> Shared:
    """The bundled classifier and real digits."""
    loaded, data = load_model("digits-standard"), datasets.load("digits", count=count)
    assert loaded.bounds
    return Shared(loaded.network, loaded.bounds, data.images, data.labels, budget)


def make_plan(shared: Shared) -> Plan:
    """Two norms for each digit."""
    keys, labels = tuple(map(content_key, shared.images)), tuple(shared.labels.tolist())
    return Plan(
        model=ModelSpec(name="digits-standard", weights_hash="bundled"),
        data=DataSpec(source="digits", name="digits", offset=0, count=len(keys), input_keys=keys, labels=labels),
        threat=ThreatModel(norms=(2.0, float("inf")), targets=("runner-up",), bounds=shared.bounds),
        parameters={"budget": shared.budget},
        seed=0,
        versions={"clearance": __version__},
    )


def exported(folder: Path) -> list[str]:
    """The records without times, as text with every bit."""
    with read_run(folder) as run:
        records = list(iterate_records(run, arrays=True))
    return [json.dumps({k: v for k, v in record.items() if not k.endswith("seconds")}) for record in records]


def drive(folder: str, workload: str, count: int, budget: str) -> None:
    """Start or resume a run: what is killed."""
    shared = load_shared(count, budget)
    plan = make_plan(shared)
    print("ready", flush=True)
    with open_run(folder, plan, resume=True) as run:
        for record in run.compute(WORKLOADS[workload], shared=shared, engine=LocalEngine()):
            print(record.key, flush=True)


def measure_kills(workload: str, count: int, budget: str, *, kills: int, folder: Path) -> None:
    """Kill the driver until it has been killed often enough, then let it end; compare."""
    shared = load_shared(count, budget)
    start = time.perf_counter()
    with open_run(folder / "whole", make_plan(shared)) as run:
        total = len(list(run.compute(WORKLOADS[workload], shared=shared, engine=LocalEngine())))
    longest, random = 2 * (time.perf_counter() - start) / kills, np.random.default_rng(0)
    command = [sys.executable, __file__, "drive", "--workload", workload, "--count", str(count), "--budget", budget]
    command += ["--folder", str(folder / "killed")]
    hits, printed = 0, []
    for kill in range(kills + 1):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as driver:
            assert driver.stdout
            assert driver.stdout.readline() == "ready\n"
            if kill < kills:
                time.sleep(float(random.uniform(0, longest)))
                driver.send_signal(signal.SIGKILL)
            printed += driver.stdout.read().split()
        hits += driver.returncode == -signal.SIGKILL
    same = exported(folder / "killed") == exported(folder / "whole")
    print(f"kills: {hits} of {kills} hit the driver before it was done; records equal bit for bit: {same};")
    print(f"       {total} tasks, {len(exported(folder / 'killed'))} records, {len(printed) - len(set(printed))} twice")


def measure_workers(workload: str, count: int, budget: str, *, rounds: int, folder: Path) -> None:
    """Runs on 1 and on 2 Ray workers in turns."""
    import ray

    shared = load_shared(count, budget)
    plan = make_plan(shared)
    ray.init("local", num_cpus=2, include_dashboard=False, logging_level="error", log_to_driver=False)

    def rates(workers: int, turn: int) -> tuple[float, float]:
        times = [time.perf_counter()]
        with open_run(folder / f"{workers}-{turn}", plan) as run:
            for _ in run.compute(WORKLOADS[workload], shared=shared, engine=RayEngine(workers=workers)):
                times.append(time.perf_counter())
        done = len(times) - 1
        return (done - 1) / (times[-1] - times[1]), done / (times[-1] - times[0])

    turns = [(rates(1, turn), rates(2, turn)) for turn in range(rounds)]
    ray.shutdown()
    steady, whole = ([two[place] / one[place] for one, two in turns] for place in (0, 1))
    ones, twos = (statistics.median(turn[place][0] for turn in turns) for place in (0, 1))
    print(
        f"workers: {ones:.2f} tasks/s with 1, {twos:.2f} with 2; ratio {statistics.median(steady):.2f}, the median of"
    )
    print(f"         {rounds} ({_listed(steady)}); whole run {statistics.median(whole):.2f} ({_listed(whole)})")


def measure_overhead(workload: str, count: int, budget: str, *, rounds: int, folder: Path) -> None:
    """A run and a bare loop in turns."""
    shared, function = load_shared(count, budget), WORKLOADS[workload]
    plan = make_plan(shared)

    def bare(_: int) -> None:
        with limit_threads(1):
            for task in plan.tasks():
                function(shared, task)

    def machinery(turn: int) -> None:
        with open_run(folder / str(turn), plan) as run:
            for _ in run.compute(function, shared=shared, engine=LocalEngine()):
                pass

    bare(0)  # warm
    pairs = [(timed(bare, turn), timed(machinery, turn)) for turn in range(rounds)]
    wall, processor = ([run[place] / loop[place] - 1 for loop, run in pairs] for place in (0, 1))
    each = 1000 * statistics.median(loop[0] for loop, _ in pairs) / len(plan.tasks())
    print(
        f"overhead: {100 * statistics.median(wall):+.1f} % wall, {100 * statistics.median(processor):+.1f} % processor"
    )
    print(f"          ({len(plan.tasks())} tasks of {each:.0f} ms, median of {rounds}; wall {_listed(wall)})")


def timed(function: Callable[[int], None], turn: int) -> tuple[float, float]:
    """Wall and processor seconds of one call."""
    wall, processor = time.perf_counter(), time.process_time()
    function(turn)
    return time.perf_counter() - wall, time.process_time() - processor


def _listed(values: list[float]) -> str:
    return ", ".join(f"{value:.3f}" for value in values)


def main() -> None:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="+", choices=["kills", "workers", "overhead", "drive"])
    parser.add_argument("--workload", choices=WORKLOADS, default="attack")
    parser.add_argument("--count", type=int, default=20, help="inputs; twice as many tasks")
    parser.add_argument("--budget", default="standard")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", help="of the run to drive")
    options = parser.parse_args()
    common = (options.workload, options.count, options.budget)
    if options.parts == ["drive"]:
        drive(options.folder, *common)
        return
    for part in options.parts:
        with tempfile.TemporaryDirectory() as folder:
            if part == "kills":
                measure_kills(*common, kills=options.kills, folder=Path(folder))
            elif part == "workers":
                measure_workers(*common, rounds=options.rounds, folder=Path(folder))
            else:
                measure_overhead(*common, rounds=options.rounds, folder=Path(folder))


if __name__ == "__main__":
    main()
