"""Records as plain values that JSON can hold, and back; tensors are put aside under names.

Only the records, words and parts of plans that are named here are made from such values.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, cast

import numpy as np
from pydantic import BaseModel
from torch import Tensor

from clearance.attacks.result import AttackResult
from clearance.audit import Audit, Flag, Severity
from clearance.audit.path_integral import PathIntegral
from clearance.bracket import Bracket, Threat
from clearance.certificates import Certificate, CertificateStatus
from clearance.estimates.extremes import ReverseWeibullFit
from clearance.estimates.extremes.reverse_weibull import FitStatus
from clearance.estimates.profile.levels import Reading
from clearance.estimates.profile.score import ProfileScore
from clearance.estimates.scores import CleverScore
from clearance.estimates.second_order import SecondOrderScore
from clearance.estimates.status import Status
from clearance.model.cost import Cost
from clearance.records import CallInput
from clearance.results.setup import CallSetup
from clearance.runs.plan import ModelSpec
from clearance.runs.threat import ThreatModel

RECORDS: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        AttackResult,
        Audit,
        Bracket,
        CallInput,
        CallSetup,
        Certificate,
        CleverScore,
        Cost,
        Flag,
        PathIntegral,
        ProfileScore,
        Reading,
        ReverseWeibullFit,
        SecondOrderScore,
        Threat,
    )
}
"""Records that a file may hold, by name."""
ENUMERATIONS: dict[str, type[Enum]] = {kind.__name__: kind for kind in (CertificateStatus, FitStatus, Severity, Status)}
"""Enumerations that a file may hold."""
PLAN_PARTS: dict[str, type[BaseModel]] = {kind.__name__: kind for kind in (ModelSpec, ThreatModel)}
"""Parts of a plan that a file may hold."""


Tensors = dict[str, Tensor]
"""Name in a file -> tensor."""


def encode(value: Any, tensors: Tensors) -> Any:
    """A value as JSON can hold it.

    Args:
        value: Numbers, words, tensors, records, and lists, tuples and mappings of them.
        tensors: Where the tensors are put.

    Returns:
        Plain values.

    Raises:
        TypeError: If it is something else.

    >>> decode(encode((1.5, math.inf, Status.OK), {}), {})
    (1.5, inf, Status.OK)
    """
    if value is None or isinstance(value, bool | int | float | str | Enum | np.generic):
        return _scalar(value)
    match value:
        case Tensor():
            name = str(len(tensors))
            tensors[name] = value.detach().cpu().clone().contiguous()
            return {"tensor": name}
        case tuple() | list():
            items = [encode(one, tensors) for one in cast("list[Any]", value)]
            return {"tuple": items} if isinstance(value, tuple) else items
        case Mapping():
            return {"map": {str(n): encode(one, tensors) for n, one in cast("Mapping[str, Any]", value).items()}}
        case BaseModel():
            return {"part": [type(value).__name__, value.model_dump(mode="json")]}
        case _ if is_dataclass(value) and type(value).__name__ in RECORDS:
            content = {field.name: encode(getattr(value, field.name), tensors) for field in fields(value)}
            given = getattr(value, "given", None)
            return {"record": [type(value).__name__, content, encode(given, tensors)]}
        case _:
            raise TypeError(f"a {type(value).__name__} cannot be kept")


def _scalar(value: Any) -> Any:
    if isinstance(value, Enum):
        return {"word": [type(value).__name__, value.value]}
    plain = value.item() if isinstance(value, np.generic) else value
    return plain if not isinstance(plain, float) or math.isfinite(plain) else {"float": str(plain)}


def decode(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    """The value that was encoded.

    Args:
        value: Plain values.
        tensors: The tensors that were put aside.

    Returns:
        Numbers, words, tensors and records.

    Raises:
        ValueError: If it is nothing that `encode` makes; other errors where it is something of another version.
    """
    if isinstance(value, list):
        return [decode(one, tensors) for one in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    ((form, content),) = cast("dict[str, Any]", value).items()
    if form not in FORMS:
        raise ValueError(f"expected one of {', '.join(FORMS)}, got {form[:40]!r}")
    return FORMS[form](content, tensors)


def _record(content: Any, tensors: Mapping[str, Tensor]) -> Any:
    kind, named, given = content
    record = RECORDS[kind](**{name: decode(one, tensors) for name, one in named.items()})
    if given is not None:
        object.__setattr__(record, "given", decode(given, tensors))
    return record


FORMS: dict[str, Callable[[Any, Mapping[str, Tensor]], Any]] = {
    "word": lambda content, _: ENUMERATIONS[content[0]](content[1]),
    "float": lambda content, _: float(content),
    "tensor": lambda content, tensors: tensors[content],
    "tuple": lambda content, tensors: tuple(decode(one, tensors) for one in content),
    "map": lambda content, tensors: {name: decode(one, tensors) for name, one in content.items()},
    "part": lambda content, _: PLAN_PARTS[content[0]].model_validate_json(json.dumps(content[1])),
    "record": _record,
}
"""How what is no plain value is written -> the value."""
