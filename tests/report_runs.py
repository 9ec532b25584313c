"""Runs that the tests of reports read: real brackets of digits, and made-up ones of any number and shape."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from clearance.estimates.extremes import fit_reverse_weibull
from clearance.model.cost import Cost
from clearance.runs.execute import open_run
from clearance.runs.plan import DataSpec, ModelSpec, Plan, Task, ThreatModel
from clearance.runs.store import Result

FEW_PASSES = 1500
"""The fewest that a bracket may cost: half the time of `quick`; too few block maxima to compare families."""

HOSTILE = "<script>alert(1)</script>\"'&<b>\u2028 \u202e\u05e9\u05dc\u05d0\u05dd " + "x" * 300
"""A name that tries everything: markup, quotes, line separators, right-to-left letters and marks, length."""


def make_plan(
    count: int = 4,
    *,
    targets: tuple[str | int, ...] = ("runner-up",),
    norms: tuple[float, ...] = (2.0,),
    bounds: tuple[float, float] | None = (0.0, 1.0),
    name: str = "made-up",
    class_names: tuple[str, ...] = (),
    orders: tuple[int, ...] = (1,),
) -> Plan:
    keys, labels = tuple(f"key{place}" for place in range(count)), tuple(place % 10 for place in range(count))
    data = DataSpec(
        source=name, name=name, offset=0, count=count, input_keys=keys, labels=labels, class_names=class_names
    )
    return Plan(
        model=ModelSpec(name=name, weights_hash="ab12"),
        data=data,
        threat=ThreatModel(norms=norms, targets=targets, bounds=bounds),
        orders=orders,
        parameters={"budget": "quick", "certificate": "best"},
        seed=0,
        versions={"clearance": "0.1.0", "python": "3.11.7"},
    )


def make_result(
    task: Task,
    *,
    shape: tuple[int, ...] = (1, 8, 8),
    status: str = "ok",
    certified: float | str | None = 0.2,
    estimated: float | None = 0.5,
    attacked: float | None = 0.8,
    flags: tuple[dict[str, Any], ...] = (),
    blocks: int = 12,
    classes: int = 10,
) -> Result:
    """A result in the form of `Bracket.as_record` and `as_arrays`, with block maxima of a known distribution."""
    generator = np.random.default_rng([task.index, len(str(task.target)), task.order])
    misclassified = status == "misclassified"
    predicted = (task.label + misclassified) % classes
    x = generator.random(shape).astype(np.float32)
    maxima = 0.0 if misclassified else 10 - generator.exponential(size=blocks) ** 0.25
    arrays: dict[str, Any] = {"input": x, "maxima": np.zeros(0) if misclassified else maxima}
    if attacked is not None and not misclassified:
        arrays["witness"] = np.clip(x + generator.normal(scale=0.05, size=shape), 0, 1).astype(np.float32)
    logits = generator.normal(size=classes)
    logits[predicted] = logits.max() + 1
    cost, readable = asdict(Cost(100, 90, 0, 0.25)), status not in {"masked", "refuted", "misclassified"}
    values: dict[str, Any] = {
        "status": status,
        "predicted": predicted,
        "certified": None
        if certified is None
        else {"radius": certified, "method": "crown", "status": "certified", "reason": "", "cost": cost},
        "estimated": {
            "radius": estimated if readable else None,
            "interval": [0.9 * estimated, 1.1 * estimated] if readable and estimated is not None else None,
            "margin": None if misclassified else 5.0,
            **({"lipschitz": None if misclassified else 10.0} if task.order == 1 else {"gradient_norm": 2.0}),
            "ball_radius": None if misclassified else 0.5,
            "target": (predicted + 1) % classes,
            "sampler": "directed",
            "fit": None if misclassified else make_fit(maxima),
            "cost": cost,
        },
        "attacked": {
            "distance": None if misclassified else attacked,
            "success": "witness" in arrays,
            "predicted": (predicted + 1) % classes,
            "method": "ddn",
            "cost": cost,
        },
        "audit": {"flags": list(flags), "cost": cost},
        "logits": logits.tolist(),
        "witness_logits": logits[::-1].tolist() if "witness" in arrays else [],
        "cost": cost,
    }
    return Result(values, arrays)


def make_fit(maxima: Any) -> dict[str, Any]:
    fit = fit_reverse_weibull(maxima)
    names = ("location", "scale", "shape", "ks", "p_value")
    return {**{name: float(getattr(fit, name)) for name in names}, "status": str(fit.status)}


def make_flag(code: str = "zero_gradient", severity: str = "error", **evidence: float | str) -> dict[str, Any]:
    meaning, remedy = f"what {code} says", f"what to do about {code}"
    return {"code": code, "severity": severity, "meaning": meaning, "evidence": evidence, "remedy": remedy}


def write_run(folder: Path, plan: Plan, result: Callable[[Task], Result | str | None] = make_result) -> Path:
    """A run whose tasks give what `result` says: a result, the text of an error, or nothing yet."""
    with open_run(folder, plan) as run:
        for task in run.tasks.values():
            found = result(task)
            if isinstance(found, Result):
                run.store.add(task.key, found, attempts=1, seconds=0.5)
            elif found is not None:
                run.store.add(task.key, Result({}), error=found, traceback="", attempts=2, seconds=0.5)
    return folder


def digits_run(
    folder: Path, count: int, *, norms: tuple[float, ...] = (2.0, math.inf), budget: str | int = FEW_PASSES
) -> Path:
    """Real brackets of a bundled classifier on digits, by the task function of `clearance bracket`."""
    from clearance import Classifier, datasets
    from clearance.runs import evaluate
    from clearance.runs.engines.local import LocalEngine
    from clearance.zoo.specs import load_model

    network, data = load_model("digits-robust"), datasets.load("digits", count=count)
    model = Classifier(network.network, network.bounds)
    shared = evaluate.Evaluation(model, data, budget, "best", math.inf, 0)
    plan = evaluate.make_plan(shared, network, "digits", norms=norms, targets=["runner-up"])
    with open_run(folder, plan) as run:
        for record in run.compute(evaluate.evaluate, shared=shared, engine=LocalEngine()):
            assert record.error is None, record.error
    return folder
