"""Runs of made-up brackets, written directly through the store: no network, no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clearance.report.compare import compare
from clearance.report.contest import Comparison
from clearance.report.outcome import GateCheck, GateOutcome
from clearance.report.read import read_records
from clearance.report.records import RunRecords
from clearance.runs.database import create_database
from clearance.runs.execute import PLAN_FILE, RESULTS_FILE
from clearance.runs.plan import DataSpec, ModelSpec, Plan, Task, ThreatModel, write_plan
from clearance.runs.store import Result, Store

COST = {"forward": 10, "backward": 5, "hessian_vector": 0, "seconds": 0.5}
HOSTILE = "<script>alert(1)</script>|`x`\"'&\u202e\u05e9\u05dc\x1b[31m@user https://a.example www.a.example" + "x" * 300
"""A name that tries everything in Markdown, XML and HTML: markup, controls, right-to-left letters, links, length."""

MASKING = ("zero_gradient", "error")
REFUTED = ("refuted", "error")
CONTRADICTION = ("contradiction", "error")


def bracket(
    certified: float | str | None = 0.1,
    estimated: float | None = 0.5,
    attacked: float | None = 1.0,
    *,
    status: str = "ok",
    flags: Sequence[tuple[str, str]] = (),
) -> dict[str, Any]:
    """What `Bracket.as_record` leaves in the store, with these numbers."""
    hidden = status in ("misclassified", "refuted", "masked", "no_gradient", "non_finite")
    proof = {"radius": certified, "method": "linear", "status": "certified", "reason": "", "cost": COST}
    if status == "misclassified":
        proof |= {"radius": 0.0, "status": "misclassified"}
        attacked = None
    fit = {"location": 2.0, "scale": 0.5, "shape": 3.0, "ks": 0.1, "p_value": 0.6, "status": "ok"}
    return {
        "status": status,
        "predicted": 1 if status == "misclassified" else 0,
        "certified": None if certified is None else proof,
        "estimated": {
            "radius": None if hidden else estimated,
            "interval": None if hidden or estimated is None else [0.9 * estimated, 1.1 * estimated],
            "target": 1,
            "margin": 1.0,
            "lipschitz": 2.0,
            "ball_radius": 5.0,
            "sampler": "directed",
            "fit": fit,
            "cost": COST,
        },
        "attacked": {
            "distance": attacked,
            "success": attacked is not None,
            "predicted": 1,
            "method": "ddn",
            "distances": {"ddn": attacked},
            "cost": COST,
        },
        "audit": {
            "worst": flags[0][1] if flags else None,
            "flags": [
                {"code": code, "severity": severity, "meaning": code, "evidence": {}, "remedy": "look"}
                for code, severity in flags
            ],
            "measured": {},
            "cost": COST,
        },
        "logits": [1.0, 0.0],
        "witness_logits": [] if attacked is None else [0.0, 1.0],
        "cost": COST,
    }


WRONG = bracket(status="misclassified")
"""A misclassified input."""

GOOD = [bracket(0.1 * k, 0.2 * k, 0.3 * k) for k in range(1, 11)]
"""Ten brackets whose medians are 0.55, 1.1 and 1.65."""

MASKED = bracket(estimated=None, attacked=50.0, status="masked", flags=[MASKING])
"""Hidden gradients: the attacks stop far away."""

Answer = Mapping[str, Any] | str | None
"""The values of a bracket; or why the task failed; or `None` for a task that is not finished."""


def make_plan(count: int, **changes: Any) -> Plan:
    """A plan of `count` inputs with label 0 and contents `key0`, `key1`…, `first` the number of the first."""
    first, labels = changes.pop("first", 0), changes.pop("labels", (0,) * count)
    name, weights = changes.pop("model", "net"), changes.pop("weights_hash", "ab12")
    names = {"source": "digits", "name": changes.pop("data", "digits-test"), "offset": changes.pop("offset", 0)}
    names |= {"passed_over": changes.pop("passed_over", None)}
    keys = tuple(f"key{first + place}" for place in range(count))
    parameters = {"budget": changes.pop("budget", "quick"), "certificate": changes.pop("certificate", "best")}
    threat = {"norms": (2.0,), "targets": ("untargeted",), "bounds": (0.0, 1.0)}
    threat |= {name: changes.pop(name) for name in ("norms", "targets", "bounds") if name in changes}
    fields: dict[str, Any] = {
        "model": ModelSpec(name=name, weights_hash=weights),
        "data": DataSpec(**names, count=count, input_keys=keys, labels=labels),
        "threat": ThreatModel(**threat),
        "parameters": parameters,
        "seed": 0,
        "versions": {"clearance": "0.1.0", "code": "c0de"},
    }
    return Plan(**{**fields, **changes})


def write_run(folder: Path, plan: Plan, answer: Callable[[Task], Answer]) -> Path:
    """A run of this plan with these answers."""
    folder.mkdir(parents=True)
    write_plan(plan, folder / PLAN_FILE)
    create_database(folder / RESULTS_FILE, plan.id)
    store = Store.open(folder / RESULTS_FILE, plan.id)
    arrays = {"input": np.zeros((1, 2, 2)), "maxima": np.linspace(1.0, 2.0, 6), "witness": np.full((1, 2, 2), 0.5)}
    for key, task in {task.key: task for task in plan.tasks()}.items():
        found = answer(task)
        if isinstance(found, str):
            store.add(key, Result({}), error=found, traceback="", attempts=1, seconds=0.1)
        elif found is not None:
            kept = {name: array for name, array in arrays.items() if name != "witness" or found["attacked"]["success"]}
            store.add(key, Result(found, kept), attempts=1, seconds=0.1)
    store.close()
    return folder


def spoiled(count: int, by: Answer, *, of: int = 10) -> list[Answer]:
    """Brackets of which `count` are replaced."""
    return [by] * count + [bracket()] * (of - count)


def run_of(folder: Path, answers: Sequence[Answer], **changes: Any) -> Path:
    """A run with one input for each answer, the same for every norm and target."""
    plan = make_plan(len(answers), **changes)
    return write_run(folder, plan, lambda task: answers[list(plan.data.places).index(task.index)])


def far(distance: float | None, **changes: Any) -> dict[str, Any]:
    """A bracket with this attack distance."""
    return bracket(0.1, 0.5, distance, **changes)


def comparison_of(folder: Path, *runs: Sequence[Answer]) -> Comparison:
    """The runs with these answers, called a, b, c and so on, compared."""
    names = "abcdef"
    return compare([records_of(folder / names[k], answers, weights_hash=names[k]) for k, answers in enumerate(runs)])


def records_of(folder: Path, answers: Sequence[Answer], **changes: Any) -> RunRecords:
    return read_records(run_of(folder, answers, **changes), pictures=False)


def only(found: GateOutcome, flag: str) -> GateCheck:
    """The one check of a flag."""
    (check,) = [check for check in found.checks if check.flag == flag]
    return check
