"""What a run computes: the bracket of one input, one norm, one target."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from clearance.attacks.result import AttackResult
from clearance.audit import Audit
from clearance.bracket import Bracket, Threat, iterate_brackets, valid_range
from clearance.data.datasets import Dataset
from clearance.data.selection import consecutive
from clearance.errors import NetworkError
from clearance.estimates.judgement import without_number
from clearance.estimates.settings import Bound, Settings
from clearance.estimates.status import Status
from clearance.model.budgets import share_of_bracket
from clearance.model.classifier import Classifier
from clearance.model.cost import Cost
from clearance.model.preprocessing import Normalize
from clearance.model.seeds import content_key
from clearance.runs.agreement import changed_answer
from clearance.runs.answers import record_answers
from clearance.runs.features import features_of, space_of
from clearance.runs.fingerprint import fingerprint
from clearance.runs.plan import Answers, DataSpec, ModelSpec, Plan, Task
from clearance.runs.references import References, choose_references
from clearance.runs.store import Result
from clearance.runs.threat import Feature, ThreatModel
from clearance.runs.versions import current_versions
from clearance.zoo.specs import LoadedNetwork


@dataclass(frozen=True)
class Evaluation:
    """What all tasks of a run share; it travels to each worker once.

    Attributes:
        model: The classifier.
        data: The inputs.
        budget: How hard attacks and estimates try.
        certificate: Method of the certificate, or `"none"`.
        time_limit: Seconds that a certificate may take.
        seed: The user's seed.
        bound: How the estimate bounds the distance, as in `clever`; `None`: the default of the task's order.
        micro_batch: Inputs per pass, where that was asked for: it moves last bits, and is part of the plan.
        unit: What a distance is measured in, where the model has a scale; `None`: the units of the input.
        answers: What the network answered when the run was planned; `None`: it is not asked again.
        references: The inputs that the audit of each walks to, `(count, *input)`, however tasks are shared out among
            workers; `None`: those that `choose_references` finds, which are the same whichever inputs are in `data`.
    """

    model: Classifier
    data: Dataset
    budget: str | int
    certificate: str
    time_limit: float
    seed: int
    bound: Bound | None = None
    micro_batch: int | None = None
    unit: str | None = None
    answers: Answers | None = None
    references: Tensor | None = None

    def of(self, plan: Plan) -> Evaluation:
        """The same for the tasks of this plan.

        Each process that computes some asks its own copy of the network. Where a run has grown, its plan says in which
        order the inputs are and which references were chosen in its first sitting.

        Args:
            plan: The plan of the open run.

        Returns:
            What its tasks share.
        """
        data, references = _in_order(self.data, plan), _of_keys(plan.data.references, self.walked, self.data.images)
        return replace(self, answers=plan.model.answers, data=data, references=references)

    @cached_property
    def walked(self) -> Tensor:
        """The inputs that audits walk to, `(count, *input)`."""
        return self._chosen.images if self.references is None else self.references

    @property
    def references_left_out(self) -> str:
        """Why the references are the run's own inputs; empty where they are of the whole set, or it is not known."""
        return self._chosen.left_out if self.references is None else ""

    @cached_property
    def _chosen(self) -> References:
        return choose_references(self.data, self.model)

    @cached_property
    def changed(self) -> str:
        """How this process's copy of the network answers differently from the plan; empty where it does not."""
        if self.answers is None:
            return ""
        now = record_answers(self.model, self.data.images)
        return changed_answer(self.answers, now, str(self.model.dtype).removeprefix("torch."))


def _in_order(data: Dataset, plan: Plan) -> Dataset:
    """The inputs of a plan, in its order."""
    if data.indices == tuple(plan.data.places):
        return data
    rows = {place: row for row, place in enumerate(data.indices)}
    return data.take([rows[place] for place in plan.data.places])


def _of_keys(keys: Sequence[str] | None, *images: Tensor) -> Tensor:
    """The inputs with these digests; the first tensor itself where they are its own, or none are asked for."""
    first, *others = images
    if keys is None or tuple(keys) == _keys(first):
        return first
    known = {key: image for more in (*others, first) for key, image in zip(_keys(more), more, strict=True)}
    return torch.stack([known[key] for key in keys])


def _keys(images: Tensor) -> tuple[str, ...]:
    """The digest of each input."""
    return tuple(content_key(image) for image in images)


def evaluate(shared: Evaluation, task: Task) -> Result:
    """The bracket of one task, as a result for the store.

    An input that has the task's target class already (one class index for all inputs) has a status and no numbers.

    Args:
        shared: The model, the data and the choices.
        task: Which input, norm, target and order.

    Returns:
        The values of `Bracket.as_record` and the arrays of `Bracket.as_arrays`.

    Raises:
        NetworkError: If the network here answers differently from the one that was planned with.
    """
    if shared.changed:
        raise NetworkError(f"network: expected the answers that the plan holds, got others: {shared.changed}")
    row = shared.data.indices.index(task.index)
    x = shared.data.images[row : row + 1]
    if isinstance(task.target, int) and task.target == task.label:
        logits = shared.model.logits_of_each(shared.model.check_inputs(x))[0]
        if int(logits.argmax()) == task.target:
            found = _target_reached(shared, task, x, logits)
            return Result(found.as_record(), found.as_arrays())
    (found,) = brackets_of(shared, [task])
    return Result(found.as_record(), found.as_arrays())


def brackets_of(shared: Evaluation, tasks: list[Task]) -> Iterator[Bracket]:
    """The brackets of tasks of one norm, target and order, each computed when it is asked for.

    Source: as `bracket`.

    Args:
        shared: The model, the data and the choices.
        tasks: At least one.

    Returns:
        The brackets, in order.
    """
    rows = [shared.data.indices.index(task.index) for task in tasks]
    return iterate_brackets(
        shared.model,
        shared.data.images[rows],
        [task.label for task in tasks],
        norm=tasks[0].norm,
        target=tasks[0].target,
        order=tasks[0].order,
        bound=shared.bound,
        budget=shared.budget,
        certificate=shared.certificate,
        time_limit=shared.time_limit,
        references=shared.walked,
        seed=shared.seed,
    )


def _target_reached(shared: Evaluation, task: Task, x: Tensor, logits: Tensor) -> Bracket:
    """The row of an input that has the target class already: it has a status and no numbers."""
    status, settings = (
        Status.TARGET_IS_PREDICTED,
        Settings(norm=task.norm, order=task.order, bound=shared.bound, seed=shared.seed),
    )
    return Bracket(
        certified=None,
        estimated=without_number(settings, status, predicted=task.label, target=task.label),
        attacked=AttackResult(None, math.nan, False, task.label, status.value, Cost()),
        audit=Audit((), None, Cost()),
        status=status,
        threat=Threat(
            task.norm, str(task.target), valid_range(shared.model), "white-box", str(shared.budget), shared.seed
        ),
        label=task.label,
        predicted=task.label,
        logits=tuple(logits.tolist()),
        witness_logits=(),
        order=task.order,
        cost=Cost(forward=1),
        x0=x[0],
    )


def make_plan(
    shared: Evaluation,
    network: LoadedNetwork,
    source: str,
    *,
    norms: Sequence[float],
    targets: Sequence[str | int],
    orders: Sequence[int] = (1,),
    threads: int = 1,
) -> Plan:
    """The plan of a run: everything that determines its results, with content hashes.

    Args:
        shared: The model, the data and the choices.
        network: The network with its name and its weights file.
        source: What the user called the data.
        norms: Norms of distances.
        targets: Names of targets, or class indices.
        orders: Orders of the estimate.
        threads: Threads that a task is computed with.

    Returns:
        The plan.

    Raises:
        InputError: If the budget or the kind of bound cannot be used.
    """
    share_of_bracket(shared.budget)
    for order in orders:
        Settings(order=order, bound=shared.bound)
    model, data = shared.model, shared.data
    limit = None if math.isinf(shared.time_limit) else float(shared.time_limit)
    parameters = {"budget": shared.budget, "certificate": shared.certificate, "certificate_seconds": limit}
    parameters |= {} if shared.bound is None else {"bound": shared.bound}
    parameters |= {} if shared.micro_batch is None else {"micro_batch": shared.micro_batch}
    parameters |= model.execution.settings
    mean, std = normalisation_of(model.preprocessing)
    before = () if model.preprocessing is None or mean is not None else (model.preprocessing,)
    digest = fingerprint(network.network, *before)  # before the network is called: that may change its attributes
    return Plan(
        model=ModelSpec(
            name=network.name,
            weights=None if network.weights is None else str(network.weights),
            weights_hash=digest,
            mean=mean,
            std=std,
            device=model.device.type,
            dtype=str(model.dtype).removeprefix("torch."),
            answers=record_answers(model, data.images),
        ),
        data=DataSpec(
            source=source,
            name=data.name,
            offset=data.indices[0],
            count=len(data),
            indices=None if consecutive(data.indices) else data.indices,
            input_keys=_keys(data.images),
            references=_keys(shared.walked),
            passed_over=data.passed_over,
            labels=tuple(data.labels.tolist()),
            class_names=tuple(data.class_names),
        ),
        threat=threat_of(
            model, tuple(norms), tuple(targets), shared.unit, data.images[0].numel(), features=features_of(model, data)
        ),
        orders=tuple(orders),
        parameters=parameters,
        seed=shared.seed,
        threads=threads,
        versions=current_versions(),
    )


def normalisation_of(part: Callable[[Tensor], Tensor] | None) -> tuple[Any, Any]:
    """Mean and standard deviation, where that is what is done before the network; else nothing."""
    if not isinstance(part, Normalize):
        return None, None
    values = (part.get_buffer(name).double().flatten().tolist() for name in ("mean", "std"))
    mean, std = (tuple(numbers) for numbers in values)
    return mean, std


def threat_of(
    model: Classifier,
    norms: tuple[float, ...],
    targets: tuple[str | int, ...],
    unit: str | None,
    size: int,
    *,
    features: tuple[Feature, ...] | None = None,
) -> ThreatModel:
    """The threat model of a run on inputs of so many coordinates."""
    fixed = None
    if model.fixed is not None:
        fixed = int(model.fixed.sum()) * (size // model.fixed.numel())
    return ThreatModel(
        norms=norms,
        targets=targets,
        bounds=valid_range(model),
        space=space_of(model),
        rounded=None if model.dtype == torch.float32 else space_of(model, rounded=True),
        unit=unit,
        fixed=fixed,
        features=features,
    )
