"""`clearance train`: from flags to a checkpoint with its card."""

from __future__ import annotations

import json
import shlex
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
from clearance.cli.train_data import TrainingData, check_answers, labeller_network, read_data, read_unlabelled
from clearance.cli.train_flags import TrainFlags
from clearance.cli.train_pace import FirstSteps
from clearance.cli.train_state import discard_state, locked_state, state_folder
from clearance.cli.values import Interrupted
from clearance.errors import FileError
from clearance.model.placement import find_device
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
from clearance.training.checkpoints import epochs_done
from clearance.training.defenses.defense import Defense
from clearance.training.defenses.table import DEFENSES
from clearance.training.intervals import interval_margins, linear_margins
from clearance.training.loop import STATE_FILE
from clearance.zoo.checkpoints import architecture_header, make_architecture
from clearance.zoo.radial_basis import place_centres
from clearance.zoo.specs import load_model
from clearance.zoo.table import ARCHITECTURES

SIZES = ("resize", "crop")
"""Flags that are written as HEIGHTxWIDTH."""


@dataclass(frozen=True)
class Job:
    """Everything that one command trains with.

    Attributes:
        flags: The flags.
        source: Where the data come from.
        data: The training inputs, on the device.
        held: Of the training inputs, those kept apart; `None` for none.
        perturbations: The threat model; `None` without a radius.
        settings: Of the loop.
        arguments: Of the architecture.
        state: The folder of the state of training.
    """

    flags: TrainFlags
    source: TrainingData
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
        folder, epochs = self.state / name, self.settings.epochs
        with progress(f"training the {name}", epochs, done=epochs_done(folder / STATE_FILE)) as pace:
            return train(
                network,
                *self.data,
                settings=self.settings,
                defense=defense,
                validation=validation,
                folder=folder,
                report=lambda _, __: pace.advance(),
                watch=FirstSteps(pace, -(-len(self.data[0]) // self.settings.batch_size)),
            )


def run_train(flags: TrainFlags, *, as_json: bool) -> None:
    """Train, write the checkpoint and its card, and print the card.

    Args:
        flags: The flags.
        as_json: Print the card as JSON.

    Raises:
        Interrupted: At Ctrl-C, with a word on how to go on.
    """
    out = Path(flags.out)
    job = _job(flags, state_folder(out))
    with locked_state(job.state, anew=flags.force):
        try:
            header = _train(flags, out, job)
        except KeyboardInterrupt:
            raise Interrupted(f"interrupted; {job.state} keeps what is done: give the same command to go on") from None
        discard_state(job.state)
    if as_json:
        print(json.dumps({"checkpoint": str(out), **header}, indent=2))
    else:
        print_section(make_console(), str(out), ((key.replace("_", " "), value) for key, value in header.items()))


def _train(flags: TrainFlags, out: Path, job: Job) -> dict[str, str]:
    """All of it between the checks and the output; the header of the checkpoint."""
    network, data = job.network(), job.source
    if flags.start is not None:
        _fill(network, flags.start)
    defense = _defense(flags, job)
    history = job.train(network, defense, "network")
    if flags.half:
        network.half().float()
    test, where = data.read_test(), job.data[0].device
    measured = measure(
        network,
        test.images.to(where),
        test.labels.to(where),
        job.perturbations,
        seed=flags.seed,
        by_intervals=flags.defense == "interval-bounds",
    )
    header = architecture_header(
        flags.network,
        job.arguments,
        input_shape=tuple(data.training.images.shape[1:]),
        bounds=data.bounds,
        class_names=data.training.class_names if len(data.training.class_names) == _outputs(network) else (),
    ) | card_header(
        data=data.label,
        defense=defense.label,
        perturbations=job.perturbations,
        measured=measured,
        history=history,
        settings=_in_words(job.settings),
        command=_command(flags),
    )
    _write(out, network, header, half=flags.half, force=flags.force)
    return header


def _job(flags: TrainFlags, state: Path) -> Job:
    device, source = find_device(flags.device), read_data(flags)
    training = source.training
    (x, held_x), (y, held_y) = source.split(training.images.to(device)), source.split(training.labels.to(device))
    perturbations = PerturbationSet(float(flags.norm), flags.radius, source.bounds) if flags.radius else None
    chosen = {field.name: getattr(flags, field.name) for field in fields(TrainingSettings)}
    arguments = {**DEFENSES[flags.defense].network_arguments, **dict(flags.network_args)}
    if "classes" in ARCHITECTURES[flags.network].parameters():
        classes = len(training.class_names) or int(max(training.labels.max(), source.test.labels.max())) + 1
        arguments = {"input_shape": tuple(training.images.shape[1:]), "classes": classes, **arguments}
    arguments.setdefault("seed", flags.seed)
    network = make_architecture(flags.network, arguments)
    source.check(network)
    if flags.defense == "interval-bounds":  # which layers these know shows after the warm-up otherwise
        bounds = linear_margins if flags.crown is None or flags.crown else interval_margins
        bounds(network, training.images[:1], training.images[:1], training.labels[:1])
    held = (held_x, held_y) if len(held_x) else None
    return Job(flags, source, (x, y), held, perturbations, TrainingSettings(**chosen), arguments, state)


def _defense(flags: TrainFlags, job: Job) -> Defense:
    """The defence with its settings; teachers and guessers of labels are trained first where they are needed."""
    kind, more = DEFENSES[flags.defense], read_unlabelled(flags, job.source)
    labeller = None
    if flags.labeller is not None and more is not None:
        labeller = labeller_network(load_model(flags.labeller))
        check_answers(labeller, more[:1], what="labeller", classes=2, most=_outputs(job.network()))
    options: dict[str, Any] = {name: getattr(flags, name) for name in kind.options if getattr(flags, name) is not None}
    options |= {"perturbations": job.perturbations} if kind.has_threat else {}
    options |= {"bounds": job.source.bounds} if kind.is_clipped else {}
    if kind.needs_teacher:
        teacher = job.network()
        job.train(teacher, Standard(options.get("temperature", Distillation.temperature)), "teacher", judged=False)
        options["teacher"] = teacher
    defense: Defense = kind.load()(**options)
    if more is None:
        return defense
    if labeller is None:
        labeller = job.network()
        job.train(labeller, Standard(), "labeller", judged=False)
    images = more.to(job.data[0].device)
    return PseudoLabels(defense, images, guessed_labels(labeller.to(images.device), images))


def _outputs(network: nn.Module) -> int:
    """How many logits there are: every architecture ends with their biases."""
    return len(list(network.parameters())[-1])


def _fill(network: nn.Module, start: str) -> None:
    """Begin with the values of a checkpoint; a last layer for other classes keeps its own."""  # noqa: DOC501
    values, own = load_model(start).network.state_dict(), network.state_dict()
    fitting = {name: value for name, value in values.items() if name in own and own[name].shape == value.shape}
    last = list(own)[-1].rpartition(".")[0]
    new = sorted(set(own) - set(fitting))
    differing = sorted(set(values) - set(own)) + [name for name in new if name.rpartition(".")[0] != last]
    if differing or not fitting:
        said = differing or new
        raise FileError(f"{start}: expected the same architecture but for the last layer, differing: {said[:4]}")
    if new:
        click.echo(f"start: {', '.join(new)} are new, {start} has them for other classes", err=True)
    network.load_state_dict({**own, **fitting})


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
            words += [word for key, each in value for word in (flag, f"{key}={_spelled(each, ',')}")]
        else:
            words += [flag] if value is True else [flag, _spelled(value, "x" if name in SIZES else ",")]
    return shlex.join([*words, "--out", Path(flags.out).name])


def _spelled(value: Any, between: str) -> str:
    return between.join(map(str, value)) if isinstance(value, tuple) else str(value)  # pyright: ignore
