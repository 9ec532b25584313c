"""Training that was interrupted goes on: the state after each epoch in one safetensors file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from clearance.errors import FileError
from clearance.model.seeds import content_key, derive_seed
from clearance.training.settings import Epoch

NETWORK, BEST, OPTIMISER = "network/", "best/", "optimiser/"
"""What names in the file begin with: the weights of now, those of the best epoch, the moments of the optimiser."""
TO_BEGIN_ANEW = "remove it to begin anew"
"""What to do with a state that cannot be used, for messages."""

SCHEDULE, GENERATOR = "schedule", "generator"
"""The learning rate and the steps that were taken; the state of the source of randomness."""


@dataclass
class TrainingState:
    """What training has come to after some epochs, and what it goes on with.

    Attributes:
        network: With the weights of now.
        optimiser: With its moments.
        schedule: Of the learning rate.
        generator: The source of randomness.
        epochs: One record for each that is done.
        best: Which of them was the best.
        weights: The values of the best one's network.
    """

    network: nn.Module
    optimiser: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    generator: torch.Generator
    epochs: list[Epoch] = field(default_factory=list[Epoch])
    best: int = 0
    weights: dict[str, Tensor] = field(default_factory=dict[str, Tensor])


def save_state(path: Path, state: TrainingState, settings: Mapping[str, str]) -> None:
    """Write the state; the file is replaced whole or not at all.

    Args:
        path: A `.safetensors` file.
        state: What there is.
        settings: What the state belongs to; `load_state` compares it.
    """
    tensors = {NETWORK + name: value for name, value in state.network.state_dict().items()}
    tensors |= {BEST + name: value for name, value in state.weights.items()}
    for index, moments in state.optimiser.state_dict()["state"].items():
        for name, value in moments.items():
            tensors[f"{OPTIMISER}{index}/{name}"] = value if isinstance(value, Tensor) else torch.tensor(value)
    tensors[GENERATOR] = state.generator.get_state()
    header = {
        "settings": json.dumps(dict(settings), sort_keys=True),
        "epochs": json.dumps([asdict(epoch) for epoch in state.epochs]),
        "best": str(state.best),
        SCHEDULE: json.dumps([state.schedule.last_epoch, state.schedule.get_last_lr()[0]]),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    save_file({name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}, partial, header)
    partial.replace(path)


def epochs_done(path: Path) -> int:
    """How many epochs are done of training that was interrupted.

    Args:
        path: The file of its state.

    Returns:
        Their number; 0 where there is no such file, or none that can be read: `load_state` says so.
    """
    try:
        with safe_open(path, framework="pt") as file:  # pyright: ignore[reportUnknownParameterType]
            header = cast("dict[str, str] | None", file.metadata()) or {}
        return len(json.loads(header.get("epochs", "[]")))
    except (SafetensorError, OSError, ValueError, TypeError):
        return 0


def described(value: object) -> str:
    """What a setting of training is, in one line that differs where training would.

    Args:
        value: A tensor or a network (a digest of the values), a dataclass (its fields), or anything with a `repr`.

    >>> from clearance.training.defenses.standard import Standard
    >>> described(Standard(temperature=2.0))
    'Standard(temperature=2.0)'
    """
    if isinstance(value, Tensor):
        return f"{len(value) if value.dim() else 1} values, {content_key(value.reshape(-1).view(torch.uint8))}"
    if isinstance(value, nn.Module):
        parts = [f"{name} {described(each)}" for name, each in value.state_dict().items()]
        return f"{type(value).__name__} {derive_seed(0, *parts):x}"
    if is_dataclass(value):
        inside = (f"{field.name}={described(getattr(value, field.name))}" for field in fields(value))
        return f"{type(value).__name__}({', '.join(inside)})"
    return repr(value)


def load_state(path: Path, state: TrainingState, settings: Mapping[str, str]) -> None:
    """Put everything where it was.

    Args:
        path: The file.
        state: Of training that has not begun; changed in place.
        settings: What the file has to belong to.

    Raises:
        FileError: If the file is damaged, or of other training.
    """
    header, tensors = _read(path)
    try:
        before: dict[str, str] = json.loads(header["settings"])
        _check_same(path, before, settings)
        state.epochs = [Epoch(**record) for record in json.loads(header["epochs"])]
        state.best, state.weights = int(header["best"]), _part(tensors, BEST)
        _check_best(state)
        state.network.load_state_dict(_part(tensors, NETWORK))
        state.optimiser.load_state_dict(_optimiser_state(_part(tensors, OPTIMISER), state.optimiser))
        steps, rate = json.loads(header[SCHEDULE])
        state.schedule.load_state_dict({**state.schedule.state_dict(), "last_epoch": steps, "_last_lr": [rate]})
        for group in state.optimiser.param_groups:
            group["lr"] = rate
        state.generator.set_state(tensors[GENERATOR])
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise FileError(f"{path}: damaged, or no state of this training ({said}); {TO_BEGIN_ANEW}") from error


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """The text and the tensors of a file."""  # noqa: DOC501
    try:
        with safe_open(path, framework="pt") as file:  # pyright: ignore[reportUnknownParameterType]
            header = cast("dict[str, str] | None", file.metadata())
        return header or {}, load_file(path)
    except (SafetensorError, OSError) as error:
        raise FileError(f"{path}: damaged, or no state of training ({error}); {TO_BEGIN_ANEW}") from error


def _check_same(path: Path, before: Mapping[str, str], settings: Mapping[str, str]) -> None:
    differing = sorted(name for name in {*before, *settings} if before.get(name) != settings.get(name))
    if differing:
        said = "; ".join(f"{name}: {before.get(name)} there, {settings.get(name)} here" for name in differing[:3])
        raise FileError(f"{path}: is of other training ({said}); {TO_BEGIN_ANEW}")


def _check_best(state: TrainingState) -> None:
    """Refuse a best epoch that is none, or values of another network, which would fail when training has ended."""  # noqa: DOC501
    if not 0 <= state.best < len(state.epochs):
        raise ValueError(f"epoch {state.best} of {len(state.epochs)}")
    own = state.network.state_dict()
    if {name: value.shape for name, value in state.weights.items()} != {name: each.shape for name, each in own.items()}:
        raise ValueError("the best epoch's values are of another network")


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _optimiser_state(moments: Mapping[str, Tensor], optimiser: torch.optim.Optimizer) -> dict[str, Any]:
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in moments.items():
        index, _, key = name.partition("/")
        state.setdefault(int(index), {})[key] = value
    return {"state": state, "param_groups": optimiser.state_dict()["param_groups"]}
