"""What every command that evaluates a model is given: a network, its bounds, and the inputs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import click
import torch
from torch import Tensor

from clearance.cli.checks import finite_bounds
from clearance.cli.flag_values import InputFlags
from clearance.cli.rows import classified, read_rows
from clearance.cli.scales import choose_scale
from clearance.cli.values import printable
from clearance.data import datasets
from clearance.data.datasets import Bounds, Dataset, Source
from clearance.data.options import Options
from clearance.data.presets import PRESETS
from clearance.data.selection import consecutive, in_words, read_indices
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
        skipped: How many misclassified inputs were passed over; `None` where none were to be.
        micro_batch: Inputs per pass, where that was asked for.
        unit: What a distance is measured in, where that is not the units of the data.
    """

    network: LoadedNetwork
    model: Classifier
    data: Dataset
    source: str
    skipped: int | None = None
    micro_batch: int | None = None
    unit: str | None = None

    @property
    def units(self) -> str:
        """What the numbers of a distance are, in words."""
        bounds = self.model.bounds
        if self.unit is not None:
            return self.unit
        if bounds is not None and bounds[0].numel() == bounds[1].numel() == 1:
            return f"input values in [{bounds[0].item():g}, {bounds[1].item():g}]"
        return "the units of the data"

    def title(self, done: int | None = None) -> str:
        """Model, data, and which inputs, in words; `done` of them where a run was interrupted."""
        done = len(self.data) if done is None else done
        places = self.data.indices[:done]
        part = f"{'input' if done == 1 else 'inputs'} {in_words(places)} of {self.data.total:,}"
        missing = len(self.data) - done
        stopped = f"; interrupted, {missing} not done" if missing else ""
        passed = f"; {self.skipped} misclassified skipped" if self.skipped else ""
        return f"{self.network.name} on {self.data.name}: {part}{passed}{stopped}"

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
        bounds = None if self.model.bounds is None else [value.tolist() for value in self.model.bounds]
        weights = None if self.network.weights is None else str(self.network.weights)
        name, device = self.network.name, str(self.model.device)
        dtype = str(self.model.dtype).removeprefix("torch.")
        places = self.data.indices
        chosen: dict[str, Any] = {} if consecutive(places) else {"indices": list(places)}
        chosen |= {} if self.skipped is None else {"skipped_misclassified": self.skipped}
        computed = {"device": device, "dtype": dtype, **self.model.execution.settings}
        return {
            "model": {"name": name, "weights": weights, "bounds": bounds, **computed},
            "unit": self.units,
            "data": {
                "source": self.source,
                "name": self.data.name,
                "offset": places[0],
                "count": len(self.data),
                **chosen,
            },
        }


def load_inputs(flags: InputFlags) -> Inputs:
    """Load and check the model and the data that the flags name, and say on stderr what a person should know of them.

    Args:
        flags: The flags' values.

    Returns:
        The model and the inputs.
    """
    inputs = read_inputs(flags)
    for note in (*inputs.network.notes, *inputs.data.notes):
        click.echo(f"clearance: {printable(note)}", err=True)
    return inputs


def read_model(flags: InputFlags) -> LoadedNetwork:
    """Load the model that the flags name, once their bounds have been checked."""
    if flags.bounds is not None and not flags.no_bounds:
        finite_bounds(flags.bounds)
    return load_model(
        flags.model, weights=flags.weights, model_args=dict(flags.model_args), trust_pickle=flags.trust_pickle
    )


def read_inputs(flags: InputFlags) -> Inputs:
    """As `load_inputs`, saying nothing.

    Args:
        flags: The flags' values.

    Returns:
        The model and the inputs.
    """
    network = read_model(flags)
    source = datasets.open_source(flags.data, _data_options(flags, network))
    rows = _rows(source, flags)
    scale, unit = choose_scale(flags.scale, source)
    model = make_classifier(network, choose_bounds(flags, network.bounds or source.bounds), flags, source.fixed, scale)
    skipped = None
    if flags.skip_misclassified:
        rows, skipped = classified(source, rows, model, flags)
    data = read_rows(source, rows, flags)
    data = data if data.class_names else replace(data, class_names=network.class_names)
    return Inputs(network, model, data, flags.data, skipped, flags.micro_batch, unit)


def _data_options(flags: InputFlags, network: LoadedNetwork) -> Options:
    """What the reader of the data is told; what the model says about images holds where the flags say nothing."""
    resize, crop = flags.resize, flags.crop
    if resize is None and crop is None and datasets.takes(flags.data, "resize"):
        resize, crop = network.image_size, network.crop
    return Options(
        train=flags.train,
        resize=resize,
        crop=crop,
        label=flags.label,
        fixed=_parts(flags.fixed),
        movable=_parts(flags.movable),
        bounds_file=flags.bounds_file,
        class_names=_parts(flags.class_names) or network.class_names,
    )


def _parts(text: str | None) -> tuple[str, ...]:
    return () if text is None else tuple(part.strip() for part in text.split(",") if part.strip())


def _rows(source: Source, flags: InputFlags) -> list[int]:
    """Places of the inputs that are asked for; all that may be taken where misclassified ones are to be skipped."""  # noqa: DOC501
    if flags.indices is not None:
        others = sorted(flags.given & {"count", "offset", "classes"})
        if others:
            raise InputError(f"--indices: expected to stand alone, got --{others[0]} as well")
        return datasets.rows_of(source, indices=read_indices(flags.indices))
    named = flags.classes is not None and flags.classes in source.class_names  # a name may hold a comma
    classes = (flags.classes or "",) if named else _parts(flags.classes) or None
    available = datasets.rows_of(source, offset=flags.offset, classes=classes)
    if flags.skip_misclassified:
        return available
    count = _count(flags.count, len(available), "count" in flags.given)
    return datasets.rows_of(source, count=count, offset=flags.offset, classes=classes)


def as_target(text: str) -> str | int:
    """The name of a target, or a class index."""
    return int(text) if text.removeprefix("-").isdecimal() else text


def choose_bounds(flags: InputFlags, known: Bounds | None) -> Bounds | None:
    """The bounds that were given, else those that the model or the data are known to have.

    Raises:
        InputError: If both bounds and none were asked for.
    """
    if flags.no_bounds and flags.bounds:
        raise InputError("--bounds: expected either --bounds LOW HIGH or --no-bounds, got both")
    return None if flags.no_bounds else flags.bounds or known


def make_classifier(
    network: LoadedNetwork,
    bounds: Bounds | None,
    flags: InputFlags,
    fixed: Tensor | None = None,
    scale: Tensor | None = None,
) -> Classifier:
    """The classifier: network, bounds, normalisation, device, precision, inputs per pass, fixed coordinates.

    A normalisation that is given takes the place of the model's own.

    Raises:
        InputError: If coordinates are fixed and there are no bounds, or the bounds are not those that the model's own
            normalisation is for.
    """
    if fixed is not None and bounds is None:
        held = f"{int(fixed.sum())} fixed coordinates"
        raise InputError(f"--no-bounds: expected bounds with {held}, got none; --movable all lets all of them move")
    given = _normalisation(flags)
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
        compiled=flags.compiled,
        channels_last=flags.channels_last,
        fixed=fixed,
        scale=scale,
    )


def _within(bounds: Bounds | None, known: tuple[float, float] | None) -> bool:
    """Whether bounds lie within those that are known; no bounds lie within any."""
    if bounds is None or known is None:
        return True
    low, high = (torch.as_tensor(bound) for bound in bounds)
    return known[0] <= float(low.min()) and float(high.max()) <= known[1]


def _count(asked: int | str, available: int, given: bool) -> int | None:
    """How many inputs: all, as many as asked for, or by default as many as there are up to that number."""
    if asked == "all":
        return None
    return int(asked) if given or available < 1 else min(int(asked), available)


def _normalisation(flags: InputFlags) -> Normalize | None:
    """What is subtracted and divided by per channel, as numbers or by a name."""  # noqa: DOC501
    numbers = [name for name in ("mean", "std") if getattr(flags, name) is not None]
    if flags.preset is not None and numbers:
        raise InputError(f"--preset: expected either --preset or --mean and --std, got --{numbers[0]} as well")
    if flags.preset is not None:
        preset = PRESETS[flags.preset]
        return Normalize(preset.mean, preset.std)
    if (flags.mean is None) != (flags.std is None):
        raise InputError("--mean: expected both --mean and --std, got one of them")
    return None if flags.mean is None or flags.std is None else Normalize(flags.mean, flags.std)
