"""What a call was asked: model, threat, choices. Results carry it, for their summary, their file and their page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

from torch import Tensor

from clearance.bracket import Bracket
from clearance.errors import InputError
from clearance.geometry.norms import as_distance
from clearance.model.classifier import Classifier
from clearance.model.seeds import content_key
from clearance.records import PublicRecord, name_norm
from clearance.runs.evaluate import normalisation_of, threat_of
from clearance.runs.features import numbered_features
from clearance.runs.fingerprint import fingerprint
from clearance.runs.names import IN_MEMORY
from clearance.runs.plan import ModelSpec, Scalar
from clearance.runs.threat import ThreatModel
from clearance.runs.versions import current_versions
from clearance.zoo.classifiers import LoadedClassifier

SEVERAL = "one for each input"
"""In the place of a target that differs from input to input."""


Item = TypeVar("Item", bound=PublicRecord)
NAMES_OF_INPUTS = "data", "source"
"""What may differ between results that are joined."""


@dataclass(frozen=True)
class CallSetup:
    """What a call was asked.

    Attributes:
        call: Its name, such as `bracket`.
        model: The network: its name, and of a bracket the digest of its values and code.
        norm: The norm `p` of distances.
        target: Where an adversarial example would go, in words.
        order: Order of the estimate.
        seed: The user's seed.
        parameters: All other choices that are plain values, by name.
        threat: The threat model; `None` for a norm that a run cannot have (0).
        data: What the inputs are called.
        source: What the user called them: a name or files, or that they were in memory.
        class_names: A name for each class; empty where there are none.
        versions: Of the code and of what it stands on.
        started: When the call began, in UTC (ISO 8601), of joined results the first; empty where it is not known.
    """

    call: str
    model: ModelSpec
    norm: float
    target: str
    order: int = 1
    seed: int = 0
    parameters: Mapping[str, Scalar] = field(default_factory=dict[str, Scalar])
    threat: ThreatModel | None = None
    data: str = f"inputs{IN_MEMORY}"
    source: str = IN_MEMORY
    class_names: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict[str, str])
    started: str = field(default="", compare=False)


def name_of(model: Classifier) -> str:
    """What a classifier is called: its spec, or the kind of its network where it was made in memory."""
    if isinstance(model, LoadedClassifier):
        return model.loaded.name
    return f"{getattr(model.network, '__name__', type(model.network).__name__)}{IN_MEMORY}"


def digest_of(model: Classifier) -> str:
    """The digest of a classifier's network as a plan has it; taken before a call, which may change attributes."""
    mean, _ = normalisation_of(model.preprocessing)
    before = () if model.preprocessing is None or mean is not None else (model.preprocessing,)
    network = model.loaded.network if isinstance(model, LoadedClassifier) else model.network
    return fingerprint(network, *before)


def model_spec(model: Classifier, digest: str = "") -> ModelSpec:
    """A classifier as a plan has it.

    Args:
        model: The classifier.
        digest: Of its network; empty where nobody needs it.

    Returns:
        The part of a plan.
    """
    mean, std = normalisation_of(model.preprocessing)
    weights = model.loaded.weights if isinstance(model, LoadedClassifier) else None
    return ModelSpec(
        name=name_of(model),
        weights=None if weights is None else str(weights),
        weights_hash=digest,
        mean=mean,
        std=std,
        device=model.device.type,
        dtype=str(model.dtype).removeprefix("torch."),
    )


def setup_of(call: str, model: Classifier, x: Tensor, chosen: Mapping[str, Any], digest: str) -> CallSetup:
    """What a call was asked, after it has checked its arguments.

    Args:
        call: Its name.
        model: Its model.
        x: Its inputs.
        chosen: All of its other arguments by name.
        digest: Of the network, where it was taken.

    Returns:
        The record.
    """
    norm, target = as_distance(chosen["norm"]), target_in_words(chosen["target"])
    unit = model.unit if isinstance(model, LoadedClassifier) else "units of the classifier's scale"
    threat = None
    if norm >= 1:
        unit, features = None if model.scale is None else unit, numbered_features(model, x.shape[1:])
        threat = threat_of(model, (norm,), (target,), unit, x[0].numel(), features=features)
    apart = {"norm", "target", "seed", "order", "progress"}
    plain = {name: value for name, value in chosen.items() if name not in apart and is_plain(value)}
    return CallSetup(
        call=call,
        model=model_spec(model, digest),
        norm=norm,
        target=target,
        order=int(chosen.get("order", 1)),
        seed=int(chosen["seed"]),
        parameters=plain,
        threat=threat,
        class_names=model.loaded.class_names if isinstance(model, LoadedClassifier) else (),
        versions=current_versions(),
    )


def joined_setup(one: CallSetup, other: CallSetup) -> CallSetup:
    """What two calls were asked, which must be the same, of other inputs.

    Args:
        one: The first.
        other: The second.

    Returns:
        The same with the names of both inputs.

    Raises:
        InputError: If the questions differ.
    """
    for part in fields(CallSetup):
        first, second = getattr(one, part.name), getattr(other, part.name)
        if first != second and part.compare and part.name not in NAMES_OF_INPUTS:
            what = f"{part.name} {_in_short(first, second)} and {_in_short(second, first)}"
            raise InputError(f"results: expected those of the same question to join, got others: {what}")
    names = {name: _both(getattr(one, name), getattr(other, name)) for name in NAMES_OF_INPUTS}
    started = min((when for when in (one.started, other.started) if when), default="")
    return replace(one, **names, started=started)


def numbered_on(records: Sequence[Item], others: Sequence[Item]) -> list[Item]:
    """The others with the numbers of inputs that follow those of the first: copies, for their own list keeps its own.

    Args:
        records: Results of a call.
        others: Those of another.

    Returns:
        The copies.

    Raises:
        InputError: If an input is among both (told by its content, which brackets have): it would count twice.
    """
    seen = {_key(one) for one in records} - {None}
    if twice := [one for one in others if _key(one) in seen]:
        place = "" if twice[0].given is None else f", the first of them input {twice[0].given.place} of the latter"
        raise InputError(f"results: expected other inputs to join, got {len(twice)} that are there already{place}")
    first = 1 + max((one.given.place for one in records if one.given is not None), default=-1)
    copies = [copy(one) for one in others]
    for one in copies:
        if one.given is not None:
            object.__setattr__(one, "given", replace(one.given, place=first + one.given.place))
    return copies


def _key(one: PublicRecord) -> str | None:
    """The content of a record's input, where the record has it."""
    return content_key(one.x0) if isinstance(one, Bracket) else None


def _in_short(part: object, other: object) -> str:
    """What makes a part of what was asked another one, for a message."""
    if isinstance(part, ModelSpec):
        return f"{part.name} {part.weights_hash[:8]}".rstrip()
    if isinstance(part, float):
        return name_norm(part)
    if isinstance(part, Mapping) and isinstance(other, Mapping):
        part = ", ".join(f"{name}={value}" for name, value in part.items() if other.get(name) != value)
    if isinstance(part, ThreatModel) and isinstance(other, ThreatModel):
        part = f"{part.range}{part.in_unit}"
    return " ".join(str(part).split())


def _both(first: str, second: str) -> str:
    return first if first == second else f"{first}, {second}"


def with_names(threat: ThreatModel | None, names: Sequence[str]) -> ThreatModel | None:
    """A threat model whose features have other names.

    Args:
        threat: The threat model; `None` is left alone.
        names: A name for each feature, in their order.

    Returns:
        The threat model.

    Raises:
        InputError: If they are not a different text for each feature, or the inputs are no rows of a table.
    """
    if threat is None:
        return None
    features = threat.features
    if features is None:
        raise InputError("features: expected none, for these inputs are no rows of a table of few features")
    if isinstance(names, str) or not all(isinstance(name, str) and name for name in names):  # pyright: ignore
        raise InputError(f"features: expected a list of names, got {names!r}")
    if len(names) != len(features) or len(set(names)) < len(names):
        raise InputError(
            f"features: expected {len(features)} different names, one for each, got {len(names)}: {', '.join(names)}"
        )
    named = tuple(one.model_copy(update={"name": name}) for one, name in zip(features, names, strict=True))
    return threat.model_copy(update={"features": named})


def is_plain(value: object) -> bool:
    """Whether a plan can hold a value as it is."""
    return value is None or isinstance(value, bool | int | float | str)


def target_in_words(target: object) -> str:
    """A target as a plan has it."""
    one = isinstance(target, str | int) or (isinstance(target, Tensor) and target.dim() == 0)
    if isinstance(target, Sequence | Tensor) and not one:
        return SEVERAL
    return str(int(target) if isinstance(target, Tensor) else target)
