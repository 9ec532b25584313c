"""From a model, its inputs and the choices of a run to its plan: the same for the command line and for Python."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clearance.certificates.best import check_time_limit
from clearance.estimates.settings import Bound
from clearance.model.budgets import certificate_seconds
from clearance.runs.evaluate import Evaluation, make_plan
from clearance.runs.origin import make_origin
from clearance.runs.plan import Plan
from clearance.zoo.inputs import Inputs


@dataclass(frozen=True)
class RunChoices:
    """What a run computes for each of its inputs.

    Attributes:
        norms: Norms of distances.
        targets: Names of targets, or class indices.
        order: Order of the estimate.
        bound: How the estimate bounds the distance; `None`: the order's default.
        budget: How hard attacks and estimates try: a name, or a number of passes.
        certificate: Method of the certificate, or `"none"`.
        time_limit: Seconds for the certificate of each input; `None`: those of the budget.
        seed: The user's seed.
    """

    norms: Sequence[float]
    targets: Sequence[str | int]
    order: int = 1
    bound: Bound | None = None
    budget: str | int = "standard"
    certificate: str = "best"
    time_limit: float | None = None
    seed: int = 0


def plan_run(inputs: Inputs, choices: RunChoices) -> tuple[Plan, Evaluation]:
    """The plan of a run, and what all of its tasks share. Everything is checked before anything is written.

    Args:
        inputs: The model and its inputs.
        choices: What is computed.

    Returns:
        Both.
    """
    if choices.time_limit is not None:
        check_time_limit(choices.time_limit)
    shared = Evaluation(
        model=inputs.model,
        data=inputs.data,
        budget=choices.budget,
        certificate=choices.certificate,
        time_limit=certificate_seconds(choices.budget) if choices.time_limit is None else choices.time_limit,
        seed=choices.seed,
        bound=choices.bound,
        micro_batch=inputs.micro_batch,
        unit=inputs.unit,
    )
    origin = make_origin(inputs.flags, inputs.files, total=_total(inputs))
    # The network's digest is taken before its first pass, which may change its attributes.
    plan = make_plan(
        shared,
        inputs.network,
        inputs.source,
        norms=choices.norms,
        targets=choices.targets,
        orders=[choices.order],
    ).model_copy(update={"origin": origin})
    for target in choices.targets:  # a target that an input cannot have is refused before anything is written
        inputs.check(target, seed=choices.seed)
    return plan, shared


def _total(inputs: Inputs) -> int | None:
    """How many inputs there are to choose from; not known where those of some classes alone are taken."""
    return None if "--classes" in (inputs.flags or ()) else inputs.data.total
