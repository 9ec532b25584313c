"""Brackets from what a run stores of them.

A run keeps no number that must not be read: such a radius and its interval are NaN here. It keeps no path integrals, no
point of the largest gradient, and of an infinite end of an interval only that it is not finite.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

import torch
from torch import Tensor

from clearance.attacks.result import AttackResult
from clearance.audit import Audit, Flag, Severity
from clearance.bracket import Bracket, Threat
from clearance.certificates import Certificate, CertificateStatus
from clearance.estimates.extremes import ReverseWeibullFit
from clearance.estimates.extremes.reverse_weibull import FitStatus
from clearance.estimates.profile.levels import Reading
from clearance.estimates.profile.score import ProfileScore
from clearance.estimates.scores import CleverScore, Score
from clearance.estimates.second_order import SecondOrderScore
from clearance.estimates.status import Status
from clearance.model.cost import Cost
from clearance.records import CallInput
from clearance.runs.plan import Task
from clearance.runs.store import Record

Values = Mapping[str, Any]
Made = TypeVar("Made")

OPTIONAL = ("adversarial", "bounds", "clip", "fit", "by_norm", "by_radial", "bootstrap_p_value")
"""Fields that may be `None`; of any other, `None` is a number that is not finite."""


def bracket_of(task: Task, record: Record) -> Bracket:
    """The bracket of a finished task.

    Args:
        task: The task.
        record: What its store holds.

    Returns:
        The bracket, with the place and the label of its input.
    """
    values, witness = record.values, record.arrays.get("witness")
    attacked, proof = values["attacked"], values["certified"]
    found = Bracket(
        certified=None if proof is None else _certificate(proof),
        estimated=_score(values["estimated"], record.arrays["maxima"].tolist()),
        attacked=_attacked(attacked, None if witness is None else torch.from_numpy(witness)),
        audit=_audit(values["audit"]),
        status=Status(values["status"]),
        threat=_made(Threat, {**values["threat"], "norm": float(values["threat"]["norm"])}),
        label=task.label,
        predicted=int(values["predicted"]),
        logits=tuple(values["logits"]),
        witness_logits=tuple(values["witness_logits"]),
        order=task.order,
        cost=Cost(**values["cost"]),
        x0=torch.from_numpy(record.arrays["input"]),
    )
    object.__setattr__(found, "given", CallInput(task.index, task.label))
    return found


def _number(value: Any) -> float:
    """A number of a record: `None` is NaN, a word such as `"inf"` is read."""
    return math.nan if value is None else float(value)


def _certificate(values: Values) -> Certificate:
    numbers = {name: _number(values[name]) for name in ("radius", "norm", "gap")}
    status, cost = CertificateStatus(values["status"]), Cost(**values["cost"])
    return _made(Certificate, {**values, **numbers, "status": status, "cost": cost})


def _attacked(values: Values, witness: Tensor | None) -> AttackResult:
    """An attack's result; without a witness its distance is infinite, or NaN where nothing was attacked."""
    nothing = math.inf if values["method"] == "none" else math.nan
    distances = {name: math.inf if value is None else value for name, value in values["distances"].items()}
    distance = nothing if values["distance"] is None else float(values["distance"])
    rest = {"adversarial": witness, "distance": distance, "distances": distances, "cost": Cost(**values["cost"])}
    return _made(AttackResult, {**values, **rest})


def _audit(values: Values) -> Audit:
    flags = tuple(
        Flag(
            flag["code"],
            Severity(flag["severity"]),
            {name: math.nan if value is None else value for name, value in flag["evidence"].items()},
            flag["remedy"],
        )
        for flag in values["flags"]
    )
    worst = None if values["worst"] is None else Severity(values["worst"])
    measured = {code: _number(value) for code, value in values["measured"].items()}
    return Audit(flags, worst, Cost(**values["cost"]), measured)


def _score(values: Values, maxima: list[float]) -> Score:
    """A score of the kind that was stored."""
    second = SecondOrderScore if values["order"] == 2 else CleverScore
    kind: type[Score] = ProfileScore if values.get("bound") == "profile" else second
    rest: dict[str, Any] = {"status": Status(values["status"]), "cost": Cost(**values["cost"]), "maxima": tuple(maxima)}
    rest |= {"norm": float(values["norm"]), "fit": _fit(values["fit"]), "interval": _interval(values["interval"])}
    witness = values["witness_distance"]
    rest |= {"witness_distance": math.inf if witness is None else float(witness)}
    for name in ("by_norm", "by_radial"):
        rest |= {name: _reading(values[name])} if name in values else {}
    return _made(kind, {**values, **rest})


def _made(kind: type[Made], values: Values) -> Made:
    """A record of the fields that are stored."""
    names = [field.name for field in fields(kind) if field.name in values]  # pyright: ignore[reportArgumentType]
    return kind(**{name: _plain(name, values[name]) for name in names})


def _plain(name: str, value: Any) -> Any:
    if value is None:
        return None if name in OPTIONAL else math.nan
    return tuple(value) if isinstance(value, list) else value


def _interval(values: Any) -> tuple[float, float]:
    return (math.nan, math.nan) if values is None else (_number(values[0]), _number(values[1]))


def _reading(values: Values | None) -> Reading | None:
    if values is None:
        return None
    levels, upper = (tuple(map(_number, values[name])) for name in ("values", "upper"))
    return Reading(_number(values["radius"]), _interval(values["interval"]), levels, upper)


def _fit(values: Values | None) -> ReverseWeibullFit | None:
    if values is None:
        return None
    low, high = values["interval"]
    ends = (_number(low), math.inf if high is None else float(high))
    return _made(ReverseWeibullFit, {**values, "interval": ends, "status": FitStatus(values["status"])})
