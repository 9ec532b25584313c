"""What a run computes, as one frozen record: everything that determines the results, and nothing else.

A plan is identified by a hash of its content. It lies in the run's folder as `plan.json`, next to that hash, so that a
damaged file is noticed. The tasks follow from the plan: one for each input, norm, target and order. A task is keyed by
what determines its result (the content of the input, not its place), so that the key is the same in whatever order or
company it is computed; equal inputs with equal labels share a key, and are computed once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    PlainSerializer,
    ValidationError,
    model_validator,
)

from clearance.errors import FileError, InputError
from clearance.runs.data_spec import DataSpec
from clearance.runs.files import read_limited, replacing
from clearance.runs.origin import Origin
from clearance.runs.threat import PlanPart, ThreatModel, write_norm

PLAN_VERSION = 1
"""Version of the form of `plan.json`."""

NEW_FIELDS = (
    ("model", "answers"),
    ("data", "indices"),
    ("data", "references"),
    ("data", "passed_over"),
    ("threat", "space"),
    ("threat", "rounded"),
    ("threat", "unit"),
    ("threat", "fixed"),
    ("threat", "features"),
)
"""Fields that older plans do not have: where they are empty they are no part of a plan's digest."""

MOST_LOGITS = 1000
"""Logits that are kept of an input, evenly spaced over the classes: all of ImageNet's, and a plan stays small."""

MAX_BYTES = 2**24
"""Largest plan that is written or read: 16 MB, about 300,000 inputs."""


def _freeze(values: Mapping[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType(dict(values))


def _thaw(values: Mapping[str, Any]) -> dict[str, Any]:
    return dict(values)


Scalar = bool | int | float | str | None
Parameters = Annotated[Mapping[str, Scalar | tuple[Scalar, ...]], AfterValidator(_freeze), PlainSerializer(_thaw)]
Versions = Annotated[Mapping[str, str], AfterValidator(_freeze), PlainSerializer(_thaw)]


class Answers(PlanPart):
    """What the network answered before the run: the guard against a change that no digest of the network sees.

    Attributes:
        keys: Digest of each input that was asked: the first inputs of the data, then points drawn inside the bounds.
        logits: Of each the logits, at most `MOST_LOGITS` of them; none where the network has no finite
            answer at a drawn point.
        calls: How often each was asked: more than twice where the answers differ from call to call; then the logits
            are means.
        spread: The largest standard deviation of a logit over those calls; 0 where they agree up to rounding.
    """

    keys: tuple[str, ...]
    logits: tuple[tuple[float, ...], ...]
    calls: int = Field(ge=1)
    spread: float = Field(ge=0)

    @model_validator(mode="after")
    def _one_each(self) -> Self:
        if len(self.keys) != len(self.logits):
            raise ValueError(f"expected an answer for each of {len(self.keys)} inputs, got {len(self.logits)}")
        return self

    @property
    def outputs(self) -> int | None:
        """How many classes the network has; `None` where it is not known, as some of many logits were kept."""
        kept = max(map(len, self.logits), default=0)
        return kept if 0 < kept < MOST_LOGITS else None


class ModelSpec(PlanPart):
    """The network, as the evaluation sees it.

    Attributes:
        name: The spec that names it.
        weights: The file that its values came from; `None` where the factory made them.
        weights_hash: Digest of its values, its other attributes and its code (`runs.fingerprint`).
        mean: What is subtracted per channel before the network; `None` for nothing.
        std: What is divided by per channel.
        device: Kind of device it is computed on, such as `cpu`.
        dtype: Its precision, such as `float32`.
        answers: What it answered; `None` in plans of versions that did not ask.
    """

    name: str
    weights: str | None = None
    weights_hash: str
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    device: str = "cpu"
    dtype: str = "float32"
    answers: Answers | None = None


class Plan(PlanPart):
    """Everything that determines the results of a run.

    Attributes:
        model: The network.
        data: The inputs.
        threat: The threat model.
        orders: Orders of the estimate.
        parameters: All other parameters of the evaluation, as plain values by name.
        seed: The user's seed.
        threads: How many threads a task is computed with.
        versions: Of the code and of what it stands on, by name (`current_versions`).
        schema_version: Version of the form of `plan.json`.
        origin: Where the plan comes from: no part of its id; `None` in plans of versions that did not keep it.
    """

    model: ModelSpec
    data: DataSpec
    threat: ThreatModel
    orders: tuple[int, ...] = Field(default=(1,), min_length=1)
    parameters: Parameters
    seed: int
    threads: int = Field(default=1, ge=1)
    versions: Versions
    schema_version: Literal[1] = PLAN_VERSION
    origin: Origin | None = None

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        for name, values in (("norms", self.threat.norms), ("targets", self.threat.targets), ("orders", self.orders)):
            if len(set(values)) < len(values):
                raise ValueError(f"{name}: expected each once, got {values}")
        return self

    @property
    def id(self) -> str:
        """Digest of the whole content but its origin (hex)."""
        content = self.model_dump(mode="json", exclude={"origin"})
        for part, name in NEW_FIELDS:  # as plans of versions without such a field
            if content[part][name] is None:
                del content[part][name]
        return digest(content)

    def tasks(self) -> list[Task]:
        """One task for each input, norm, target and order, in that order."""
        common = self.model_dump(mode="json", exclude=_NOT_COMMON)
        threat = common.pop("threat")
        walked = self.data.references and {"references": self.data.references}
        context = digest([common, threat["bounds"], *filter(None, [threat["space"], walked])])
        inputs = zip(self.data.places, self.data.input_keys, self.data.labels, strict=True)
        return [
            Task(
                key=digest([context, key, label, write_norm(norm), target, order]),
                index=index,
                input_key=key,
                label=label,
                norm=norm,
                target=target,
                order=order,
            )
            for (index, key, label), norm, target, order in product(
                inputs, self.threat.norms, self.threat.targets, self.orders
            )
        ]


_NOT_COMMON: Any = {"data": True, "orders": True, "origin": True, "model": {"weights", "answers"}}


@dataclass(frozen=True)
class Task:
    """One thing to compute.

    Attributes:
        key: Digest of everything that determines the result.
        index: Index of the input in the whole set.
        input_key: Digest of the input's content.
        label: The input's true class.
        norm: The norm of distances.
        target: Class to move to: a name or a class index.
        order: Order of the estimate.
    """

    key: str
    index: int
    input_key: str
    label: int
    norm: float
    target: str | int
    order: int


def encode_plan(plan: Plan) -> bytes:
    """What `plan.json` holds.

    Args:
        plan: The plan.

    Returns:
        The content of the file.

    Raises:
        InputError: If the plan is larger than `MAX_BYTES`.
    """
    document = {"id": plan.id, **plan.model_dump(mode="json")}
    data = json.dumps(document, indent=1, allow_nan=False).encode()
    if len(data) > MAX_BYTES:
        raise InputError(f"plan: expected at most {MAX_BYTES:,} bytes, got {len(data):,}; choose fewer inputs")
    return data


def write_plan(plan: Plan, path: Path) -> None:
    """Write a plan, all at once; a file that is there is never replaced.

    Args:
        plan: The plan.
        path: The file.
    """
    data = encode_plan(plan)
    with replacing(path, force=False) as stream:
        stream.write(data)


def read_plan(path: Path) -> Plan:
    """Read a plan and check it against its hash.

    Args:
        path: The file.

    Returns:
        The plan.

    Raises:
        FileError: If the file is missing, damaged, larger than `MAX_BYTES`, or of another version.
    """
    data = read_limited(path, limit=MAX_BYTES)
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FileError(f"{path}: damaged, expected a plan as JSON ({error})") from None
    if not isinstance(document, dict) or "schema_version" not in document:
        raise FileError(f"{path}: expected a plan, got JSON of another kind")
    found: object = document["schema_version"]
    if found != PLAN_VERSION:
        raise FileError(f"{path}: expected a plan of version {PLAN_VERSION}, got version {str(found)[:20]}")
    claimed = document.pop("id", None)
    try:
        plan = Plan.model_validate_json(json.dumps(document))
    except (ValueError, RecursionError) as error:
        raise FileError(f"{path}: damaged ({_first_error(error)})") from None
    if plan.id != claimed:
        raise FileError(f"{path}: damaged or edited, its content does not match its id")
    return plan


def digest(content: object) -> str:
    """Hash of plain values in their canonical JSON form (hex)."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _first_error(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return " ".join(str(error).split())[:200]
    first = error.errors(include_url=False, include_input=False)[0]
    more = f" and {error.error_count() - 1} more" if error.error_count() > 1 else ""
    place = ".".join(str(part)[:40].encode("unicode_escape").decode() for part in first["loc"])
    return f"{place}: {first['msg']}{more}"[:300]
