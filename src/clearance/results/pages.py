"""Results of brackets as a run, which pages, figures and comparisons read."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from clearance.bracket import Bracket
from clearance.errors import InputError
from clearance.model.budgets import certificate_seconds
from clearance.model.seeds import content_key
from clearance.records import PublicRecord, in_words
from clearance.report.read import make_records
from clearance.report.records import RunRecords
from clearance.results.setup import CallSetup
from clearance.runs.origin import Origin
from clearance.runs.plan import DataSpec, Plan, Task
from clearance.runs.store import Record
from clearance.runs.threat import ThreatModel


def as_run(
    name: str, results: Sequence[PublicRecord], setup: CallSetup, *, pictures: bool = True, sharing: int = 1
) -> RunRecords:
    """Brackets as the records of a run.

    Args:
        name: What the run is called.
        results: Brackets, at least one.
        setup: What was asked.
        pictures: Draw the inputs, where they are images.
        sharing: How many runs share a page.

    Returns:
        The records.

    Raises:
        InputError: If there is no result, or they are no brackets.
    """
    brackets = [one for one in results if isinstance(one, Bracket)]
    if not brackets or len(brackets) < len(results):
        got = "none" if not results else f"those of {setup.call}"
        hint = "; at one radius ask cl.robust_accuracy" if setup.call in ("attack", "certify") else ""
        raise InputError(
            f"results: expected at least one of cl.bracket, got {got}; pages, charts, comparisons and robust accuracy "
            f"at any radius are made of brackets{hint}"
        )
    plan = plan_of(brackets, setup)
    tasks = [
        Task(f"{number}", place, content_key(one.x0), one.label, one.threat.norm, one.threat.target, one.order)
        for number, (one, place) in enumerate(zip(brackets, _places(brackets), strict=True))
    ]
    found = [(task, as_record(task.key, one)) for task, one in zip(tasks, brackets, strict=True)]
    return make_records(name, plan, found, len(tasks), where=name, pictures=pictures, sharing=sharing)


def as_record(key: str, one: Bracket) -> Record:
    """A bracket as a run stores it."""
    values = json.loads(json.dumps(in_words(one.as_record())))
    return Record(key, values, one.as_arrays(), None, "", 1, one.cost.seconds)


def plan_of(brackets: Sequence[Bracket], setup: CallSetup) -> Plan:
    """A plan that says what was asked, for what a page says of it.

    Args:
        brackets: At least one.
        setup: What was asked.

    Returns:
        The plan; it has answers of no network, and no store belongs to it.
    """
    norms = tuple(dict.fromkeys(one.threat.norm for one in brackets))
    targets = tuple(dict.fromkeys(one.threat.target for one in brackets))
    threat = setup.threat or ThreatModel(norms=norms, targets=targets, bounds=brackets[0].threat.bounds)
    inputs = dict(zip(_places(brackets), brackets, strict=True))  # of several norms or targets each input once
    budget = setup.parameters.get("budget", "standard")
    seconds = setup.parameters.get("time_limit")
    seconds = certificate_seconds(budget) if seconds is None and isinstance(budget, str | int) else seconds
    seconds = None if isinstance(seconds, float) and math.isinf(seconds) else seconds
    named = {"budget": budget, "certificate": setup.parameters.get("certificate"), "certificate_seconds": seconds}
    bound = {"bound": setup.parameters["bound"]} if setup.parameters.get("bound") else {}
    return Plan(
        model=setup.model,
        data=DataSpec(
            source=setup.source,
            name=setup.data,
            offset=next(iter(inputs)),
            count=len(inputs),
            input_keys=tuple(content_key(one.x0) for one in inputs.values()),
            labels=tuple(one.label for one in inputs.values()),
            class_names=setup.class_names,
            indices=tuple(inputs),
        ),
        threat=threat.model_copy(update={"norms": norms, "targets": targets}),
        orders=tuple(dict.fromkeys(one.order for one in brackets)),
        parameters={**named, **bound},
        seed=setup.seed,
        versions=setup.versions,
        origin=Origin(started=setup.started) if setup.started else None,
    )


def _places(brackets: Sequence[Bracket]) -> list[int]:
    """The number of each bracket's input: its place in the call, or in this list where that place is not one input's.

    Brackets of several norms, targets or orders share an input; those of several calls may share a place only.
    """
    given = [place if one.given is None else one.given.place for place, one in enumerate(brackets)]
    asked = [(one.threat.norm, one.threat.target, one.order) for one in brackets]
    contents = {(place, content_key(one.x0), one.label) for place, one in zip(given, brackets, strict=True)}
    once = len({*zip(given, asked, strict=True)}) == len(brackets)
    return given if once and len(contents) == len(set(given)) else list(range(len(brackets)))
