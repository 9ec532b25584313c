"""A run's folder as plain records: what a page, a figure, a comparison or a gate needs to know of each task."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clearance.errors import FileError
from clearance.estimates.status import Status
from clearance.report.flags import OF_SEARCHES, first_remedy
from clearance.report.pictures import Drawings, largest_changes
from clearance.report.records import (
    UNSUPPORTED,
    Entry,
    FailedTask,
    Fit,
    Logit,
    ProfileCurve,
    ProfileCurves,
    Raised,
    RunRecords,
    Spent,
)
from clearance.runs.execute import Run, read_run
from clearance.runs.export import as_exported
from clearance.runs.plan import Plan, Task
from clearance.runs.store import Record
from clearance.runs.summary import number, summarise

TOP_CLASSES = 5
"""Of the input and of the witness, so many of the largest logits are kept."""

PROVED = ("certified", "time_limit")
"""Statuses of a certificate that carry a proved radius (`clearance.certificates.CertificateStatus.has_radius`)."""

LEFT_OUT = Status.TARGET_IS_PREDICTED
"""Status of inputs that are counted and not shown: they have the target class already, which says nothing of them."""

PARTS = ("certified", "estimated", "attacked", "audit")
"""The parts of a bracket, each with its own cost."""


def read_records(folder: str | Path, *, pictures: bool = True, sharing: int = 1) -> RunRecords:
    """Read a run, finished or not.

    Args:
        folder: The run's folder.
        pictures: Draw the inputs, where they are images.
        sharing: How many runs share a page, and the bytes that its pictures may weigh.

    Returns:
        Its records.

    Raises:
        FileError: If there is no run, it is damaged, or its results are no brackets.
    """
    with read_run(folder) as run:
        found = [(task, record) for task in run.plan.tasks() if (record := run.store.read(task.key)) is not None]
        return make_records(
            _name(run), run.plan, found, len(run.tasks), where=str(run.folder), pictures=pictures, sharing=sharing
        )


def make_records(
    name: str,
    plan: Plan,
    found: Sequence[tuple[Task, Record]],
    total: int,
    *,
    where: str,
    pictures: bool = True,
    sharing: int = 1,
) -> RunRecords:
    """The records of a run from its plan and its finished tasks.

    Args:
        name: What the run is called.
        plan: What was asked.
        found: The finished tasks, each with what became of it, in the order of the plan.
        total: How many different tasks there are.
        where: Where they come from, for messages.
        pictures: As in `read_records`.
        sharing: As in `read_records`.

    Returns:
        The records.

    Raises:
        FileError: If the results are no brackets.
    """
    bounds = plan.threat.bounds if pictures else None
    if bounds is not None and not all(map(math.isfinite, bounds)):  # without bounds nothing is an image
        bounds = None
    drawings = Drawings(bounds, inputs=sharing * plan.data.count, tasks=sharing * total)
    try:
        done = [(task, record) for task, record in found if record.error is None]
        measured = [(task, record) for task, record in done if record.values["status"] != LEFT_OUT]
        entries = tuple(as_entry(task, record, drawings, plan) for task, record in measured)
        classes = max((len(record.values["logits"]) for _, record in done), default=0)
        attacks = _names(record.values["attacked"].get("distances") for _, record in measured)
        checks = _names(record.values["audit"].get("measured") for _, record in measured)
        rows = tuple(summarise(as_exported(task, record) for task, record in found))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise FileError(f"{where}: expected the results of clearance bracket, got others ({reason})") from error
    failures = tuple(_as_failure(task, record) for task, record in found if record.error is not None)
    finished = len({task.key for task, _ in found})
    return RunRecords(
        name,
        plan,
        entries,
        failures,
        rows,
        finished,
        total,
        target_is_predicted=len(done) - len(measured),
        classes=classes,
        attacks=attacks,
        checks=checks,
    )


def as_entry(task: Task, record: Record, drawings: Drawings, plan: Plan) -> Entry:
    """One bracket from what `Bracket.as_record` and `Bracket.as_arrays` left in the store.

    Args:
        task: The task.
        record: What became of it.
        drawings: Where pictures are drawn.
        plan: What was asked.

    Returns:
        The entry.
    """
    values, arrays = record.values, record.arrays
    estimated, attacked, proof = values["estimated"], values["attacked"], values["certified"]
    status = Status(values["status"])
    witness = arrays.get("witness")
    image = drawings.holds(arrays["input"])
    interval = estimated["interval"]
    return Entry(
        key=task.key,
        input_key=task.input_key,
        index=task.index,
        label=task.label,
        predicted=int(values["predicted"]),
        norm=task.norm,
        target=str(task.target),
        order=task.order,
        status=status,
        certified=_certified(proof, status),
        proof=("", "", "") if proof is None else (str(proof["method"]), str(proof["status"]), str(proof["reason"])),
        estimated=number(estimated["radius"]) if status.has_number else None,
        interval=None if interval is None or not status.has_number else (float(interval[0]), float(interval[1])),
        attacked=number(attacked["distance"]) if attacked["success"] else None,
        method=str(attacked["method"]),
        witness_class=int(attacked["predicted"]) if attacked["success"] else None,
        aim=int(estimated["target"]) if estimated["target"] is not None and int(estimated["target"]) >= 0 else None,
        margin=number(estimated["margin"]),
        lipschitz=number(estimated.get("lipschitz")),
        gradient_norm=number(estimated.get("gradient_norm")),
        ball_radius=number(estimated["ball_radius"]),
        sampler=str(estimated["sampler"]),
        fit=_as_fit(estimated["fit"]),
        maxima=np.asarray(arrays["maxima"], dtype=np.float64),
        profile=_as_profile(estimated),
        flags=_as_flags(values["audit"]["flags"], plan.parameters.get("budget"), proof),
        logits=_as_logits(values["logits"], values["witness_logits"], task.label),
        costs=_as_costs(values),
        drawing=drawings.draw(task.input_key, arrays["input"], witness) if image else None,
        changes=() if image or witness is None else largest_changes(arrays["input"], witness, plan.threat.features),
    )


def _names(found: Iterable[Mapping[str, Any] | None]) -> dict[str, int]:
    """How many of some mappings have each name."""
    return dict(Counter(name for one in found for name in one or ()))


def _name(run: Run) -> str:
    return run.folder.resolve().name


def _certified(proof: Mapping[str, Any] | None, status: Status) -> float | None:
    if proof is None or status is Status.MISCLASSIFIED:
        return None
    radius = number(proof["radius"]) if proof["status"] in PROVED else None
    return 0.0 if radius is None else radius


def _as_fit(fit: Mapping[str, Any] | None) -> Fit | None:
    names = ("location", "scale", "shape", "ks", "p_value")
    if fit is None or any(fit[name] is None for name in names):
        return None
    return Fit(*(float(fit[name]) for name in names), status=str(fit["status"]))


def _as_profile(estimated: Mapping[str, Any]) -> ProfileCurves | None:
    readings = [estimated.get(name) for name in ("by_norm", "by_radial")]
    if not estimated.get("levels") or None in readings:
        return None
    norm, radial = (
        ProfileCurve(
            tuple(map(float, reading["values"])),
            number(reading["radius"]),
            None if reading["interval"] is None else (float(reading["interval"][0]), float(reading["interval"][1])),
        )
        for reading in readings
        if reading is not None
    )
    return ProfileCurves(tuple(map(float, estimated["levels"])), norm, radial, number(estimated["rise"]))


def _as_flags(flags: Sequence[Mapping[str, Any]], budget: Any, proof: Mapping[str, Any] | None) -> tuple[Raised, ...]:
    """The flags; a remedy begins with a larger budget where only comparisons of searches speak against gradients."""
    doubting = {flag["code"] for flag in flags if flag["severity"] != "info"}
    known = proof is None or proof["status"] != UNSUPPORTED
    hasty = known and doubting <= {*OF_SEARCHES}
    return tuple(
        Raised(
            flag["code"],
            flag["severity"],
            flag["meaning"],
            dict(flag["evidence"]),
            first_remedy(flag["code"], flag["remedy"], budget) if hasty else flag["remedy"],
        )
        for flag in flags
    )


def _as_logits(before: Sequence[float], after: Sequence[float], label: int) -> tuple[Logit, ...]:
    """The largest of either, and the label's, from the largest before to the smallest."""
    kept = {*_largest(before), *_largest(after), label} & set(range(len(before)))
    order = sorted(kept, key=lambda index: (-before[index], index))
    return tuple(Logit(index, float(before[index]), float(after[index]) if after else None) for index in order)


def _largest(values: Sequence[float]) -> Iterable[int]:
    return sorted(range(len(values)), key=lambda index: -_finite(values[index]))[:TOP_CLASSES]


def _finite(value: float) -> float:
    return value if math.isfinite(value) else -math.inf


def _as_costs(values: Mapping[str, Any]) -> tuple[Spent, ...]:
    parts = [(part, values[part]["cost"]) for part in PARTS if values[part] is not None]
    names = ("forward", "backward", "hessian_vector")
    return tuple(
        Spent(part, *(int(cost[name]) for name in names), seconds=float(cost["seconds"]))
        for part, cost in [*parts, ("all", values["cost"])]
    )


def _as_failure(task: Task, record: Record) -> FailedTask:
    return FailedTask(
        index=task.index,
        input_key=task.input_key,
        label=task.label,
        norm=task.norm,
        target=str(task.target),
        order=task.order,
        error=record.error or "",
        attempts=record.attempts,
    )
