"""The command that computes a run again, as far as its plan knows it."""

from __future__ import annotations

import shlex

from clearance.report.marks import name_weights, write_norm
from clearance.runs.names import IN_MEMORY
from clearance.runs.plan import Plan

NEW_FOLDER = "run-again"
"""The folder of the run that the command makes: the other one is there."""


def command_of(plan: Plan) -> str:
    """The command line of `clearance bracket` for a plan: the same plan id says that it is the same evaluation.

    Of a network or of inputs that were handed over in Python there is no command.

    What cannot be given is not in it (`lacks`).

    Args:
        plan: The plan.

    Returns:
        The command.
    """
    model, data, parameters = plan.model, plan.data, plan.parameters
    if model.name.endswith(IN_MEMORY) or data.in_memory:
        return "the same call in Python: the network or the inputs were in memory"
    words = ["clearance", "bracket", model.name, data.source]
    words += _known(plan) if plan.origin is None or plan.origin.flags is None else plan.origin.flags
    words += ["--norm", ",".join(map(write_norm, plan.threat.norms))]
    words += ["--target", ",".join(map(str, plan.threat.targets))]
    words += [] if plan.orders == (1,) else ["--order", ",".join(map(str, plan.orders))]
    known = {"bound": "--bound", "budget": "--budget", "certificate": "--certificate"}
    for name, flag in (*known.items(), ("certificate_seconds", "--time-limit")):
        value = parameters.get(name)
        words += [] if value is None else [flag, f"{value:g}" if isinstance(value, float) else str(value)]
    return shlex.join([*words, "--seed", str(plan.seed), "--out", NEW_FOLDER])


def lacks(plan: Plan) -> str:
    """What the command of a plan does not say, and why; empty where the command makes the same plan.

    Args:
        plan: The plan.

    Returns:
        A clause.
    """
    if plan.model.name.endswith(IN_MEMORY) or plan.data.in_memory:
        return "the network or the inputs were in memory, and no command reads them again"
    if plan.origin is not None and plan.origin.flags is not None:
        return ""
    left = "the scale, the bounds of features or the fixed features, of which it has a digest alone"
    kept = [left] if plan.threat.space is not None else []
    kept += ["--skip-misclassified with its --count"] if plan.data.passed_over is not None else []
    return f"the plan does not hold {', and '.join(kept)}" if kept else ""


def _known(plan: Plan) -> list[str]:
    """The flags for model and data, as far as a plan without them knows."""
    model, data, words = plan.model, plan.data, list[str]()
    given = model.weights is not None and name_weights(model.name, model.weights) == model.weights
    if given and model.weights not in (model.name, model.name.partition(":")[2]):
        words += ["--weights", str(model.weights)]
    if data.indices is None:
        words += ["--count", str(data.count), *(["--offset", str(data.offset)] if data.offset else [])]
    else:
        words += ["--indices", ",".join(map(str, data.indices))]
    for name, values in (("--mean", model.mean), ("--std", model.std)):
        words += [] if values is None else [name, ",".join(f"{value:.9g}" for value in values)]
    size = plan.parameters.get("micro_batch")
    words += [] if size is None else ["--micro-batch", str(size)]
    return [*words, *([] if model.device == "cpu" else ["--device", model.device])]
