"""Plans and task functions that the tests of runs and engines share; importable by other processes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clearance.runs.plan import DataSpec, ModelSpec, Plan, Task, ThreatModel
from clearance.runs.store import Result

VERSIONS = {"clearance": "0.1.0", "code": "c0de", "python": "3.11.7"}


def make_plan(count: int = 3, **changes: Any) -> Plan:
    """A plan of `count` made-up inputs, two norms, two targets."""
    fields: dict[str, Any] = {
        "model": ModelSpec(name="digits-standard", weights="w.safetensors", weights_hash="ab12"),
        "data": make_data(count),
        "threat": ThreatModel(norms=(2.0, float("inf")), targets=("runner-up", 3), bounds=(0.0, 1.0)),
        "parameters": {"budget": "quick", "tolerance": 0.05, "sizes": (1, 2)},
        "seed": 0,
        "versions": VERSIONS,
    }
    return Plan(**{**fields, **changes})


def make_data(count: int = 3, **changes: Any) -> DataSpec:
    keys, labels = tuple(f"key{i}" for i in range(count)), tuple(i % 10 for i in range(count))
    fields = {"source": "digits", "name": "digits-test", "offset": 5, "count": count}
    return DataSpec(**{**fields, "input_keys": keys, "labels": labels, **changes})


def numbers(shared: Mapping[str, float], task: Task) -> Result:
    """A NumPy computation that depends on the task and on what is shared."""
    x = np.linspace(0, 1, 50) + task.index + shared["add"]
    radius = float(np.linalg.norm(x, task.norm))
    maxima = np.sort(np.sin(x * task.label)).astype(np.float32)
    return Result({"certified": {"radius": radius, "method": "norm"}, "status": "ok"}, {"maxima": maxima})


def sometimes(shared: Mapping[str, Any], task: Task) -> Result:
    """Fails for one input; returns what cannot be stored for another two."""
    if task.index == 5:
        raise ValueError(f"expected another input,\n got {task.index}")
    if task.index == 6:
        return Result({"radius": object()})
    return {"radius": 1} if task.index == 7 else numbers(shared, task)  # pyright: ignore[reportReturnType]


@dataclass(frozen=True)
class Digits:
    """The bundled classifier and some digits: what the tasks of a real run share."""

    network: Any
    bounds: tuple[float, float]
    images: Any
    labels: Any


def load_shared(count: int) -> Digits:
    from clearance.data import datasets
    from clearance.zoo.specs import load_model

    loaded, data = load_model("digits-standard"), datasets.load("digits", count=count)
    assert loaded.bounds
    return Digits(loaded.network, loaded.bounds, data.images, data.labels)


def digits_plan(count: int) -> Plan:
    """A plan whose inputs are real digits."""
    from clearance.model.seeds import content_key

    shared = load_shared(count)
    keys, labels = tuple(content_key(image) for image in shared.images), tuple(shared.labels.tolist())
    return make_plan(
        data=make_data(count, offset=0, input_keys=keys, labels=labels),
        threat=ThreatModel(norms=(2.0, float("inf")), targets=("runner-up",), bounds=(0.0, 1.0)),
    )


def attack_digit(shared: Digits, task: Task) -> Result:
    """The nearest witness of one digit, by the ensemble's quick budget."""
    from clearance import Classifier, attack

    model, place = Classifier(shared.network, shared.bounds), slice(task.index, task.index + 1)
    labels = shared.labels[place]
    options: dict[str, Any] = {"target": task.target, "norm": task.norm, "budget": "quick", "seed": 0}
    found = attack(model, shared.images[place], labels, **options)[0]
    values = {"distance": found.distance, "method": found.method, "cost": {"seconds": found.cost.seconds}}
    return Result(values, {} if found.adversarial is None else {"witness": found.adversarial.numpy()})


def logged(shared: Mapping[str, Any], task: Task) -> Result:
    """`attack_digit`, and a line in a file for each task that was computed to its end."""
    result = attack_digit(shared["digits"], task)
    with Path(shared["log"]).open("a") as log:
        log.write(f"{task.key}\n")
    return result


def deadly(shared: Mapping[str, Any], task: int) -> int:
    """Kills its own process: on task 3 the first time only, on task 5 always. Task 7 raises."""
    mark = Path(shared["folder"]) / f"task-{task}-{time.monotonic_ns()}"
    mark.touch()
    tried = len(list(mark.parent.glob(f"task-{task}-*")))
    if task == 5 or (task == 3 and tried == 1):
        os.kill(os.getpid(), signal.SIGKILL)
    if task == 7:
        raise ValueError("expected another task, got 7")
    return task * shared["factor"]


def killed_once(shared: Mapping[str, Any], task: Task) -> Result:
    """`attack_digit`, but the first attempt at some inputs kills its own process in the middle."""
    mark = Path(shared["folder"]) / task.key
    result = attack_digit(shared["digits"], task)
    if task.index in (1, 4) and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return result


def without_times(value: Any) -> Any:
    """Exported records without the fields that hold times."""
    if isinstance(value, dict):
        return {name: without_times(item) for name, item in value.items() if not name.endswith("seconds")}
    return [without_times(item) for item in value] if isinstance(value, list) else value
