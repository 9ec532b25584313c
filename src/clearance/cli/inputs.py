"""What every command that evaluates a model is given: a network, its bounds, and the inputs."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import click
import torch

from clearance.cli.flag_values import InputFlags
from clearance.cli.values import printable
from clearance.data import datasets
from clearance.data.datasets import Dataset
from clearance.errors import InputError, TargetError
from clearance.model.classifier import Classifier
from clearance.model.inputs import CheckedInputs, prepare
from clearance.model.preprocessing import Normalize
from clearance.zoo.specs import LoadedNetwork, load_model


@dataclass(frozen=True)
class Inputs:
    """A model and the inputs it is evaluated on.

    Attributes:
        network: The network and its name.
        model: The classifier made of it.
        data: The inputs.
        source: What the user called the data.
        offset: Index of the first input in the whole set.
        total: How many inputs the whole set has.
        micro_batch: Inputs per pass, where that was asked for.
    """

    network: LoadedNetwork
    model: Classifier
    data: Dataset
    source: str
    offset: int
    total: int
    micro_batch: int | None = None

    def title(self, done: int | None = None) -> str:
        """Model, data, and which inputs, in words; `done` of them where a run was interrupted."""
        done = len(self.data) if done is None else done
        part = f"inputs {self.offset} to {self.offset + done - 1} of {self.total:,}"
        missing = len(self.data) - done
        stopped = f"; interrupted, {missing} not done" if missing else ""
        return f"{self.network.name} on {self.data.name}: {part}{stopped}"

    def check(self, target: str | int, *, seed: int) -> tuple[CheckedInputs, tuple[bool, ...]]:
        """The inputs with their labels and this target, checked before anything is computed.

        Args:
            target: Name of a target, or a class index for all inputs.
            seed: The user's seed.

        Returns:
            The checked inputs, and whether each has the target class already: there is nothing to measure then.

        Raises:
            TargetError: If the target is unknown, or no class of the network.
        """
        one = isinstance(target, int)
        aim = "untargeted" if one else target
        found = prepare(self.model, self.data.images, self.data.labels, target=aim, norm=2.0, seed=seed)
        classes = found.logits.shape[1]
        if one and not 0 <= target < classes:
            raise TargetError(f"target: expected a class index from 0 to {classes - 1}, got {target}")
        reached = zip(found.predicted, found.misclassified, strict=True)
        return found, tuple(own == target and not wrong for own, wrong in reached)

    def as_record(self) -> dict[str, Any]:
        """Model and data as plain values for JSON."""
        bounds = None if self.model.bounds is None else [value.item() for value in self.model.bounds]
        weights = None if self.network.weights is None else str(self.network.weights)
        name, device = self.network.name, str(self.model.device)
        dtype = str(self.model.dtype).removeprefix("torch.")
        return {
            "model": {"name": name, "weights": weights, "bounds": bounds, "device": device, "dtype": dtype},
            "data": {
                "source": self.source,
                "name": self.data.name,
                "offset": self.offset,
                "count": len(self.data),
            },
        }


def load_inputs(flags: InputFlags) -> Inputs:
    """Load and check the model and the data that the flags name.

    Args:
        flags: The flags' values.

    Returns:
        The model and the inputs.
    """
    whole = datasets.load(flags.data)
    if flags.bounds is not None and not flags.no_bounds:
        whole = whole.in_units_of(_finite(flags.bounds))
    count = _count(flags.count, len(whole) - flags.offset, "count" in flags.given)
    data = whole.part(count=count, offset=flags.offset)
    network = load_model(
        flags.model, weights=flags.weights, model_args=dict(flags.model_args), trust_pickle=flags.trust_pickle
    )
    for note in network.notes:
        click.echo(f"clearance: {printable(note)}", err=True)
    if not data.class_names:
        data = replace(data, class_names=network.class_names)
    model = make_classifier(network, choose_bounds(flags, network.bounds or whole.bounds), flags)
    return Inputs(network, model, data, flags.data, flags.offset, len(whole), flags.micro_batch)


def as_target(text: str) -> str | int:
    """The name of a target, or a class index."""
    return int(text) if text.removeprefix("-").isdecimal() else text


def choose_bounds(flags: InputFlags, known: tuple[float, float] | None) -> tuple[float, float] | None:
    """The bounds that were given, else those that the model or the data are known to have.

    Raises:
        InputError: If both bounds and none were asked for.
    """
    if flags.no_bounds and flags.bounds:
        raise InputError("--bounds: expected either --bounds LOW HIGH or --no-bounds, got both")
    return None if flags.no_bounds else flags.bounds or known


def _finite(bounds: tuple[float, float]) -> tuple[float, float]:
    if not all(map(math.isfinite, bounds)):
        got = " and ".join(f"{bound:g}" for bound in bounds)
        raise InputError(f"--bounds: expected two finite numbers, low < high, got {got}; --no-bounds for none")
    return bounds


def make_classifier(network: LoadedNetwork, bounds: tuple[float, float] | None, flags: InputFlags) -> Classifier:
    """The classifier: network, bounds, normalisation, device, precision, inputs per pass.

    A normalisation that is given takes the place of the model's own.

    Raises:
        InputError: If only one of `--mean` and `--std` was given, or the bounds are not those that the model's own
            normalisation is for.
    """
    if (flags.mean is None) != (flags.std is None):
        raise InputError("--mean: expected both --mean and --std, got one of them")
    given = None if flags.mean is None or flags.std is None else Normalize(flags.mean, flags.std)
    if given is None and network.preprocessing is not None and not _within(bounds, network.bounds):
        wanted = "none" if network.bounds is None else f"{network.bounds[0]:g} {network.bounds[1]:g}"
        raise InputError(
            f"--bounds: {network.name} has a normalisation of its own, for inputs within {wanted}; give --mean and "
            "--std with other bounds"
        )
    return Classifier(
        network.network,
        bounds,
        preprocessing=network.preprocessing if given is None else given,
        device=flags.device,
        dtype=None if flags.dtype is None else getattr(torch, flags.dtype),
        micro_batch=flags.micro_batch,
    )


def _within(bounds: tuple[float, float] | None, known: tuple[float, float] | None) -> bool:
    """Whether bounds lie within those that are known; no bounds lie within any."""
    return bounds is None or known is None or (known[0] <= bounds[0] and bounds[1] <= known[1])


def _count(asked: int | str, available: int, given: bool) -> int | None:
    """How many inputs: all, as many as asked for, or by default as many as there are up to that number."""
    if asked == "all":
        return None
    return int(asked) if given or available < 1 else min(int(asked), available)
