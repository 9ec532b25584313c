"""What differs between the plan of a run and what is asked for now."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from clearance.records import count
from clearance.runs.agreement import changed_answer
from clearance.runs.plan import Plan

WHERE_FROM = ("model.weights", "data.source")
"""What only says where something was found. Its content is hashed; the place may change between two sittings."""

DIGESTS = "threat.space", "threat.rounded"
"""Digests of bounds, scale and fixed coordinates, which say less than these."""
SPELLED_OUT = "threat.unit", "threat.features", "threat.bounds", "threat.fixed"
"""What they are digests of, in a plan that has it."""
SAID_BY = {
    "seed": "--seed",
    "orders": "--order",
    "parameters.budget": "--budget",
    "parameters.bound": "--bound",
    "parameters.certificate": "--certificate",
    "parameters.certificate_seconds": "--time-limit, or --budget",
    "threat.bounds": "--bounds",
    "threat.unit": "--scale",
    "threat.features": "--scale, --bounds-file, --fixed, or the data",
    "threat.fixed": "--fixed, --movable",
    "data.class_names": "--class-names",
    "data.passed_over": "--skip-misclassified",
    "model.mean": "--mean, --preset",
    "model.std": "--std, --preset",
    "model.device": "--device",
    "model.dtype": "--dtype",
    "model.weights_hash": "MODEL: its values or its code",
    "data.input_keys": "DATA",
    "versions.code": "another version of Clearance",
}
"""What a person says a part of the plan with."""


def differences(plan: Plan, other: Plan) -> list[str]:
    """What differs between two plans, one line for each difference; the place that something came from does not count.

    Args:
        plan: The plan of a run.
        other: What is asked for now.

    Returns:
        Lines such as `seed: 0 -> 1`.
    """
    old, new = (dict(_flatten(p.model_dump(mode="json"))) for p in (plan, other))
    names = [name for name in {**old, **new} if old.get(name) != new.get(name) and not _apart(name)]
    if {"data.count", "data.offset", "data.indices"} & set(
        names
    ):  # the lists then differ as well, which says nothing more
        names = [name for name in names if name not in ("data.input_keys", "data.labels")]
    if set(SPELLED_OUT) & set(names):
        names = [name for name in names if name not in DIGESTS]
    changed = [
        f"{name}: {_change(name, old.get(name), new.get(name), plan.data.places)}{_said_by(name)}" for name in names
    ]
    changed += _other_references(plan.data.references, other.data.references)
    answered = _answers(plan, other)
    return [*changed, f"model.answers: the network is another one: {answered}"] if answered else changed


def _said_by(name: str) -> str:
    return f" ({SAID_BY[name]})" if name in SAID_BY else ""


def _apart(name: str) -> bool:
    """Whether a field is not compared as text: where something was found, and what is compared with a tolerance."""
    return name in WHERE_FROM or name.startswith(("model.answers", "data.references", "origin"))


def _other_references(old: Sequence[str] | None, new: Sequence[str] | None) -> list[str]:
    """How the inputs that audits walk to differ; plans of versions that took those of the run have none."""
    if old == new:
        return []
    counts = ["those of the run" if keys is None else count(len(keys), "input") for keys in (old, new)]
    lost = f", {len(set(old) - set(new))} of the former not among the latter" if old and new else ""
    return [f"data.references: {counts[0]} -> {counts[1]}{lost}"]


def _answers(plan: Plan, other: Plan) -> str:
    """How the network's answers differ; nothing where one of the plans has none (its code version differs as well)."""
    then, now = plan.model.answers, other.model.answers
    return "" if then is None or now is None else changed_answer(then, now, plan.model.dtype)


def _flatten(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    for name, value in values.items():
        pairs += _flatten(value, f"{prefix}{name}.") if isinstance(value, dict) else [(f"{prefix}{name}", value)]
    return pairs


def _change(name: str, old: object, new: object, places: Sequence[int]) -> str:
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new) and len(old) > 6:
        return _changed_items("input", old, new, places) if name.startswith("data.") else _changed_features(old, new)
    return f"{_shown(old)} -> {_shown(new)}"


def _changed_features(old: Sequence[object], new: Sequence[object]) -> str:
    """The first that differs, by what differs in it."""
    kept = [pair for pair in zip(old, new, strict=True) if pair[0] != pair[1]]
    was, now = kept[0]
    if not isinstance(was, dict) or not isinstance(now, dict):
        return _changed_items("feature", old, new, range(len(old)))
    parts = [f"{key} {_shown(was.get(key))} -> {_shown(now.get(key))}" for key in was if was.get(key) != now.get(key)]
    return f"{len(kept)} of {len(old)} differ, first {was.get('name')}: {', '.join(parts)}"


def _changed_items(kind: str, old: Sequence[object], new: Sequence[object], numbers: Sequence[int]) -> str:
    places = [place for place, (a, b) in enumerate(zip(old, new, strict=True)) if a != b]
    first = places[0]
    return f"{len(places)} of {len(old)} differ, first that of {kind} {numbers[first]}: {old[first]} -> {new[first]}"


def _shown(value: object) -> str:
    text = "nothing" if value is None else json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
