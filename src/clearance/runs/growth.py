"""A run that goes on with more than it has: inputs, norms, targets and orders are added, and nothing else changes.

Tasks are keyed by what determines their results (`plan.Task`), so that those of the smaller plan are tasks of the
larger one, with the results they have. The larger plan has what was there first, then what is added, in the order asked
for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clearance.data.selection import in_words
from clearance.errors import InputError
from clearance.records import count
from clearance.runs.data_spec import DataSpec
from clearance.runs.differences import differences
from clearance.runs.origin import Origin
from clearance.runs.plan import Answers, Plan
from clearance.runs.threat import write_norm


def grow(stored: Plan, asked: Plan) -> Plan:
    """The plan of a run with what is asked for besides.

    Args:
        stored: The plan of the run.
        asked: What is asked for now: all that the run has, in any order, and any more inputs, norms, targets or orders.

    Returns:
        The plan to go on with: `stored` itself where nothing is added. Each of its tasks that `stored` has as well has
        the same key there.

    Raises:
        InputError: If something that the run has is not asked for, or anything else differs: finished tasks would
            change.
    """
    found = [*_left_out(stored, asked), *differences(stored, _as_large(stored, asked))]
    if found:
        raise InputError("; ".join(found))
    threat = {"norms": _union(stored.threat.norms, asked.threat.norms)}
    threat |= {"targets": _union(stored.threat.targets, asked.threat.targets)}
    data = stored.data.holding(_union(stored.data.inputs, asked.data.inputs))
    changes: dict[str, Any] = {
        "model": stored.model.model_copy(update={"answers": _answers(stored.model.answers, asked.model.answers)}),
        "data": data.model_copy(update={"passed_over": asked.data.passed_over}),
        "threat": stored.threat.model_copy(update=threat),
        "orders": _union(stored.orders, asked.orders),
        "origin": _origin(stored.origin, asked.origin),
    }
    return stored.model_copy(update=changes)


def added(stored: Plan, grown: Plan) -> list[str]:
    """What a plan has besides another, in words: such as `10 inputs`, `norm inf`.

    Args:
        stored: The plan of the run.
        grown: The plan that it goes on with, as `grow` makes it.

    Returns:
        One entry for each kind of thing that was added.
    """
    more = grown.data.count - stored.data.count
    words = [count(more, "input")] if more else []
    for name, old, new in _scopes(stored, grown):
        extra = [str(value) for value in new if value not in old]
        words += [f"{name}{'' if len(extra) == 1 else 's'} {', '.join(extra)}"] if extra else []
    return words


def _scopes(stored: Plan, asked: Plan) -> list[tuple[str, Sequence[Any], Sequence[Any]]]:
    """What may grow besides the inputs: its name, what the run has, what is asked for."""
    norms = [[write_norm(norm) for norm in plan.threat.norms] for plan in (stored, asked)]
    return [
        ("norm", [_short(norm) for norm in norms[0]], [_short(norm) for norm in norms[1]]),
        ("target", stored.threat.targets, asked.threat.targets),
        ("order", stored.orders, asked.orders),
    ]


def _short(norm: float | str) -> str:
    return norm if isinstance(norm, str) else f"{norm:g}"


def _left_out(stored: Plan, asked: Plan) -> list[str]:
    """What the run has and is not asked for: nothing is taken away from a run."""
    found: list[str] = []
    for name, old, new in _scopes(stored, asked):
        if not set(old) <= set(new):
            have, got = (", ".join(map(str, values)) for values in (old, new))
            found.append(f"{name}s: expected those of the run ({have}) and any more, got {got}")
    old, new = stored.data.places, asked.data.places
    if not set(old) <= set(new):
        have, got = (f"{len(places)}: {in_words(places)}" for places in (old, new))
        found.append(f"inputs: expected those of the run ({have}) and any more, got {got}")
    return found


def _as_large(stored: Plan, asked: Plan) -> Plan:
    """What is asked for, of the inputs, norms, targets and orders of the run alone: the rest must be equal."""
    here = {place: (place, key, label) for place, key, label in asked.data.inputs}
    data = asked.data.holding(here.get(one[0], one) for one in stored.data.inputs)
    data = data.model_copy(
        update={
            "references": _references(stored.data, asked.data),
            "passed_over": _passed_over(stored, asked.data),
        }
    )
    threat: dict[str, Any] = {"norms": stored.threat.norms, "targets": stored.threat.targets}
    if stored.threat.features is None:  # of a version that did not list them: their digest is in `space`
        threat["features"] = None
    if stored.threat.rounded is None:  # the same
        threat["rounded"] = None
    smaller = asked.threat.model_copy(update=threat)
    return asked.model_copy(update={"data": data, "threat": smaller, "orders": stored.orders})


def _references(stored: DataSpec, asked: DataSpec) -> tuple[str, ...] | None:
    """Those of the run, where the inputs are at hand: a set that has become larger may have others by itself."""
    if stored.references is None or asked.references is None:
        return asked.references
    at_hand = set(stored.references) <= {*asked.references, *asked.input_keys}
    return stored.references if at_hand else asked.references


def _passed_over(stored: Plan, asked: DataSpec) -> int | None:
    """That of the run, where both take correctly classified inputs alone: among more inputs more are passed over.

    A plan of a version that did not count them (nor kept where it came from) may be of either kind.
    """
    there = stored.data.passed_over
    if stored.origin is None and there is None:
        return None
    return asked.passed_over if None in (there, asked.passed_over) else there


def _answers(then: Answers | None, now: Answers | None) -> Answers | None:
    """The answers to more inputs, where they hold all that were asked before; else those of the first sitting."""
    return now if then is not None and now is not None and set(then.keys) < set(now.keys) else then


def _origin(then: Origin | None, now: Origin | None) -> Origin | None:
    """The flags that make the larger plan, and when the run was started."""
    return now if then is None or now is None else now.model_copy(update={"started": then.started})


def _union(old: Sequence[Any], new: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys([*old, *new]))
