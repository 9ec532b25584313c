"""The command that computes a run again, as far as its plan knows it."""

from __future__ import annotations

import shlex

from clearance.report.marks import name_weights, write_norm
from clearance.runs.names import IN_MEMORY
from clearance.runs.plan import Plan


def command_of(plan: Plan) -> str:
    """The command line of `clearance bracket` for a plan: the same plan id says that it is the same evaluation.

    Of a network or of inputs that were handed over in Python there is no command.

    What the plan knows by a digest alone (arguments of a factory, bounds of features, a scale) is not in it.

    Args:
        plan: The plan.

    Returns:
        The command.
    """
    model, data, parameters = plan.model, plan.data, plan.parameters
    if model.name.endswith(IN_MEMORY) or data.source.endswith(IN_MEMORY):
        return "the same call in Python: the network or the inputs were in memory"
    words = ["clearance", "bracket", model.name, data.source]
    if model.weights is not None and name_weights(model.name, model.weights) == model.weights:
        words += ["--weights", model.weights]
    if data.indices is None:
        words += ["--count", str(data.count), *(["--offset", str(data.offset)] if data.offset else [])]
    else:
        words += ["--indices", ",".join(map(str, data.indices))]
    for name, values in (("--mean", model.mean), ("--std", model.std)):
        words += [] if values is None else [name, ",".join(f"{value:.9g}" for value in values)]
    words += ["--norm", ",".join(map(write_norm, plan.threat.norms))]
    words += ["--target", ",".join(map(str, plan.threat.targets))]
    words += [] if plan.orders == (1,) else ["--order", ",".join(map(str, plan.orders))]
    known = {"bound": "--bound", "budget": "--budget", "certificate": "--certificate", "micro_batch": "--micro-batch"}
    for name, flag in (*known.items(), ("certificate_seconds", "--time-limit")):
        value = parameters.get(name)
        words += [] if value is None else [flag, f"{value:g}" if isinstance(value, float) else str(value)]
    words += ["--seed", str(plan.seed), *([] if model.device == "cpu" else ["--device", model.device])]
    return shlex.join(words)
