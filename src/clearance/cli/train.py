"""`clearance train`: from flags to a checkpoint with its card."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import click
import torch
from safetensors.torch import save
from torch import Tensor, nn

from clearance.cli.inspection_table import print_section
from clearance.cli.progress import progress
from clearance.cli.tables import make_console
from clearance.cli.train_flags import TrainFlags
from clearance.cli.values import Interrupted
from clearance.data import datasets
from clearance.data.dataset import Dataset
from clearance.data.files import path_kind
from clearance.errors import FileError, InputError
from clearance.model.placement import choose_placement
from clearance.runs.files import replacing
from clearance.training import (
    Distillation,
    History,
    PerturbationSet,
    PseudoLabels,
    Standard,
    TrainingSettings,
    Validation,
    guessed_labels,
    train,
)
from clearance.training.cards import card_header, card_page, measure
from clearance.training.defenses.defense import Defense
from clearance.training.defenses.table import DEFENSES
from clearance.zoo.checkpoints import architecture_header, make_architecture, open_checkpoint
from clearance.zoo.radial_basis import place_centres
from clearance.zoo.specs import load_model

OPTIONS = {name for kind in DEFENSES.values() for name in kind.options}
"""Flags that belong to some defences only."""


@dataclass(frozen=True)
class Job:
    """Everything that one command trains with.

    Attributes:
        flags: The flags.
        data: The training inputs, on the device.
        held: Of the training inputs, those kept apart; `None` for none.
        perturbations: The threat model; `None` without a radius.
        settings: Of the loop.
        arguments: Of the architecture.
        state: The folder of the state of training.
    """

    flags: TrainFlags
    data: tuple[Tensor, Tensor]
    held: tuple[Tensor, Tensor] | None
    perturbations: PerturbationSet | None
    settings: TrainingSettings
    arguments: dict[str, Any]
    state: Path

    def network(self) -> nn.Module:
        """A network with its first values, on the device."""
        network = make_architecture(self.flags.network, self.arguments)
        place_centres(network, self.data[0], seed=self.flags.seed)
        return network.to(self.data[0].device)

    def train(self, network: nn.Module, defense: Defense, name: str, *, judged: bool = True) -> History:
        """Train one network and show how far it is.

        Args:
            network: Changed in place.
            defense: How.
            name: What it is called on the screen and in the folder of the state.
            judged: Whether the threat model judges each epoch.
        """
        validation = None
        if self.held is not None:
            by_intervals = self.flags.defense == "interval-bounds"
            validation = Validation(
                *self.held, self.perturbations if judged else None, by_intervals=judged and by_intervals
            )
        folder = self.state / name
        with progress(f"training the {name}", self.settings.epochs) as advance:
            return train(
                network,
                *self.data,
                settings=self.settings,
                defense=defense,
                validation=validation,
                folder=folder,
                report=lambda _, __: advance(),
            )


def run_train(flags: TrainFlags, *, as_json: bool) -> None:
    """Train, write the checkpoint and its card, and print the card.

    Args:
        flags: The flags.
        as_json: Print the card as JSON.

    Raises:
        Interrupted: At Ctrl-C, with a word on how to go on.
    """
    out = _checked_out(flags)
    job, training = _job(flags, out)
    try:
        header = _train(flags, out, job, training)
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted; {job.state} keeps what is done: give the same command to go on") from None
    shutil.rmtree(job.state, ignore_errors=True)
    if as_json:
        print(json.dumps({"checkpoint": str(out), **header}, indent=2))
    else:
        print_section(make_console(), str(out), ((key.replace("_", " "), value) for key, value in header.items()))


def _train(flags: TrainFlags, out: Path, job: Job, training: Dataset) -> dict[str, str]:
    """All of it between the checks and the output; the header of the checkpoint."""
    network = job.network()
    if flags.start is not None:
        _fill(network, Path(flags.start))
    defense = _defense(flags, job)
    history = job.train(network, defense, "network")
    if flags.half:
        network.half().float()
    test = _part(flags, train=False, count=None)
    where = job.data[0].device
    by_intervals = flags.defense == "interval-bounds"
    measured = measure(
        network,
        test.images.to(where),
        test.labels.to(where),
        job.perturbations,
        seed=flags.seed,
        by_intervals=by_intervals,
    )
    header = architecture_header(
        flags.network,
        job.arguments,
        input_shape=tuple(training.images.shape[1:]),
        bounds=_bounds(training),
        class_names=training.class_names,
    ) | card_header(
        data=f"{training.name}, {len(job.data[0])} inputs; {len(job.held[0]) if job.held else 0} kept apart",
        defense=defense.label,
        perturbations=job.perturbations,
        measured=measured,
        history=history,
        settings=_in_words(job.settings),
        command=_command(flags),
    )
    _write(out, network, header, half=flags.half, force=flags.force)
    return header


def _checked_out(flags: TrainFlags) -> Path:
    """The checkpoint's path; errors that would come after hours come now."""  # noqa: DOC501
    out = Path(flags.out)
    if out.suffix != ".safetensors":
        raise InputError(f"out: expected FILE.safetensors, got {flags.out}")
    for path in (out, out.with_suffix(".md")):
        if path_kind(path) != "none" and not flags.force:
            raise FileError(f"{path}: is there already; give --force to replace it")
    if path_kind(out.parent) != "folder":
        raise FileError(f"{out.parent}: expected a folder for {out.name}, there is none")
    kind = DEFENSES[flags.defense]
    given = sorted(name for name in OPTIONS & flags.given if name not in kind.options)
    if given:
        takes = ", ".join(f"--{name.replace('_', '-')}" for name in kind.options) or "none"
        raise InputError(f"{given[0].replace('_', '-')}: --defense {flags.defense} takes {takes}")
    if kind.has_threat and not flags.radius:
        raise InputError(f"radius: --defense {flags.defense} needs --radius, such as 0.3 or 8/255")
    if flags.labeller is not None and flags.unlabelled is None:
        raise InputError("labeller: guesses labels of --unlabelled DATA, which is not given")
    return out


def _job(flags: TrainFlags, out: Path) -> tuple[Job, Dataset]:
    count = None if flags.count == "all" else int(flags.count)
    training, device = _part(flags, train=True, count=count), choose_placement(nn.Identity(), flags.device, None).device
    bounds = _bounds(training)
    if flags.holdout >= len(training):
        raise InputError(f"holdout: expected less than the {len(training)} training inputs, got {flags.holdout}")
    kept = len(training) - flags.holdout
    x, y = training.images.to(device), training.labels.to(device)
    perturbations = PerturbationSet(float(flags.norm), flags.radius, bounds) if flags.radius else None
    state = out.with_suffix(".training")
    if flags.force:
        shutil.rmtree(state, ignore_errors=True)
    chosen = {field.name: getattr(flags, field.name) for field in fields(TrainingSettings)}
    arguments = {**DEFENSES[flags.defense].network_arguments, **dict(flags.network_args)}
    if flags.network != "digits_cnn":
        classes = len(training.class_names) or int(training.labels.max()) + 1
        arguments = {"input_shape": tuple(training.images.shape[1:]), "classes": classes, **arguments}
    arguments.setdefault("seed", flags.seed)
    held = (x[kept:], y[kept:]) if flags.holdout else None
    return Job(flags, (x[:kept], y[:kept]), held, perturbations, TrainingSettings(**chosen), arguments, state), training


def _defense(flags: TrainFlags, job: Job) -> Defense:
    """The defence with its settings; teachers and guessers of labels are trained first where they are needed."""
    kind = DEFENSES[flags.defense]
    options: dict[str, Any] = {name: getattr(flags, name) for name in kind.options if getattr(flags, name) is not None}
    if kind.has_threat:
        options["perturbations"] = job.perturbations
    if kind.needs_teacher:
        teacher = job.network()
        job.train(teacher, Standard(options.get("temperature", Distillation.temperature)), "teacher", judged=False)
        options["teacher"] = teacher
    defense: Defense = kind.load()(**options)
    if flags.unlabelled is None:
        return defense
    images = datasets.load(flags.unlabelled, train=True).images.to(job.data[0].device)
    if flags.labeller is None:
        labeller = job.network()
        job.train(labeller, Standard(), "labeller", judged=False)
    else:
        labeller = load_model(flags.labeller).network.to(images.device)
    return PseudoLabels(defense, images, guessed_labels(labeller, images))


def _fill(network: nn.Module, path: Path) -> None:
    """Begin with the values of a checkpoint; a last layer for other classes keeps its own."""  # noqa: DOC501
    values, own = open_checkpoint(path, str(path)).network.state_dict(), network.state_dict()
    fitting = {name: value for name, value in values.items() if name in own and own[name].shape == value.shape}
    missing = sorted(set(own) - set(fitting))
    if len(fitting) < len(own) - 2:
        raise FileError(f"{path}: expected the same architecture but for the last layer, differing: {missing[:4]}")
    if missing:
        click.echo(f"start: {', '.join(missing)} are new, {path} has them for other classes", err=True)
    network.load_state_dict({**own, **fitting})


def _part(flags: TrainFlags, *, train: bool, count: int | None) -> Dataset:
    return datasets.load(flags.data, train=train, count=count, resize=flags.resize, crop=flags.crop, label=flags.label)


def _bounds(data: Dataset) -> tuple[float, float] | None:
    """One valid range for all features."""  # noqa: DOC501
    if data.bounds is None:
        return None
    low, high = data.bounds
    if isinstance(low, Tensor) or isinstance(high, Tensor):
        raise InputError(f"data: training knows one valid range for all features, {data.name} has one for each")
    return low, high


def _write(out: Path, network: nn.Module, header: Mapping[str, str], *, half: bool, force: bool) -> None:
    dtype = torch.float16 if half else torch.float32
    values = {
        name: (value.to(dtype) if value.is_floating_point() else value).detach().cpu().contiguous().clone()
        for name, value in network.state_dict().items()
    }
    with replacing(out, force=force) as stream:
        stream.write(save(values, dict(header)))
    with replacing(out.with_suffix(".md"), force=force) as stream:
        stream.write(card_page(out.stem, header).encode())


def _in_words(settings: TrainingSettings) -> str:
    return ", ".join(f"{field.name} {getattr(settings, field.name)}" for field in fields(settings))


def _command(flags: TrainFlags) -> str:
    """The command as it was given, but for the folder of the output."""
    words = ["clearance", "train", flags.data]
    for name in sorted(flags.given - {"data", "force", "out", "as_json"}):
        value, flag = getattr(flags, name), f"--{name.replace('_', '-')}"
        if name == "network_args":
            words += [word for key, each in value for word in (flag, f"{key}={_spelled(each)}")]
        else:
            words += [flag] if value is True else [flag, _spelled(value)]
    return shlex.join([*words, "--out", Path(flags.out).name])


def _spelled(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)  # pyright: ignore
