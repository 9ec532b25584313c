"""The data of `clearance train`: what is trained on, what is kept apart, what the card is measured on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import click
import torch
from torch import Tensor, nn

from clearance.cli.train_flags import TrainFlags
from clearance.data import datasets
from clearance.data.dataset import Dataset, Source
from clearance.data.options import Options
from clearance.errors import InputError
from clearance.zoo.loaded import LoadedNetwork, one_line

DEFAULT_HOLDOUT, LARGEST_SHARE = 1000, 5
"""Inputs kept apart where the user does not say how many, and at most one in so many: enough to choose an epoch by."""
TEST_EVERY = 5
"""Of data without a test part, every so manieth input is the test part."""


@dataclass(frozen=True)
class TrainingData:
    """The data of one command.

    Attributes:
        training: All inputs that may be trained on.
        chosen: Of those, the places of the ones that are trained on.
        kept: The places of the ones that are kept apart.
        how: How these were chosen where they are not the last ones, for the card.
        test: The test part, of which no input is read before training has ended.
        test_rows: Its places.
        bounds: One valid range for all features; `None` where there is none, or one for each.
    """

    training: Dataset
    chosen: Tensor
    kept: Tensor
    how: str
    test: Source
    test_rows: Sequence[int]
    bounds: tuple[float, float] | None

    @property
    def label(self) -> str:
        """In one line, for the card."""
        whole = "" if len(self.test_rows) == len(self.test) else f" without every {TEST_EVERY}th input of the file"
        kept = f"{len(self.kept)} kept apart{self.how}"
        return f"{self.training.name}{whole}, {len(self.chosen)} inputs; {kept}"

    def split(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """What is trained on and what is kept apart, of one value for each training input; views where they can be."""
        count = len(self.chosen)
        if torch.equal(self.chosen, torch.arange(count)):
            return values[:count], values[count:]
        return values[self.chosen], values[self.kept]

    def read_test(self) -> Dataset:
        """The inputs of the test part."""
        return self.test.take(self.test_rows)

    def check(self, network: nn.Module, *, what: str = "network") -> None:
        """Refuse a network that does not go with these inputs and labels, the test part's too.

        Args:
            network: On the processor.
            what: What it is called in messages.
        """
        labels = torch.cat([self.training.labels, torch.from_numpy(self.test.labels[list(self.test_rows)])])
        check_answers(network, self.training.images[:1], what=what, classes=int(labels.max()) + 1)


def read_data(flags: TrainFlags) -> TrainingData:
    """The data that flags name. Only the labels of the test part are read, and one input, for its shape.

    Args:
        flags: The flags.

    Returns:
        The data.

    Raises:
        InputError: If they cannot be trained on.
    """
    in_parts = datasets.takes(flags.data, "train")
    source = datasets.open_source(flags.data, _options(flags, train=in_parts))
    names = source.class_names if in_parts else ()
    test = datasets.open_source(flags.data, _options(flags, class_names=names)) if in_parts else source
    count = None if flags.count == "all" else int(flags.count)
    test_rows = range(len(test)) if in_parts else range(TEST_EVERY - 1, len(test), TEST_EVERY)
    rows = [row for row in range(len(source)) if in_parts or row not in test_rows]
    if not in_parts:
        click.echo(f"{flags.data} has no test part: every {TEST_EVERY}th input is kept for the card", err=True)
    if count is not None and not 1 <= count <= len(rows):
        raise InputError(f"count: expected 1 to {len(rows)} training inputs of {flags.data}, got {count}")
    if not test_rows:
        raise InputError(f"data: expected at least {TEST_EVERY} inputs, {flags.data} has {len(test)}")
    training = source.take(rows[:count])
    shape = tuple(test.take([test_rows[0]]).images.shape[1:])
    if shape != training.images.shape[1:]:
        mended = "; give --resize HxW, or --resize N and --crop N" if datasets.takes(flags.data, "resize") else ""
        raise InputError(
            f"data: expected a test part of shape {tuple(training.images.shape[1:])} as the training part, got {shape}"
            f"{mended}"
        )
    chosen, kept, how = _kept_apart(training, flags.holdout)
    _tell_missing(training, chosen)
    return TrainingData(training, chosen, kept, how, test, test_rows, _bounds(training, flags))


def read_unlabelled(flags: TrainFlags, data: TrainingData) -> Tensor | None:
    """More inputs for a defence, without those that are kept apart: `(count, *input)`; `None` where none are named.

    Args:
        flags: The flags.
        data: The data of training.

    Raises:
        InputError: If they have another shape, or none is left.
    """
    if flags.unlabelled is None:
        return None
    train = datasets.takes(flags.unlabelled, "train")
    sizes = {name: getattr(flags, name) for name in ("resize", "crop") if datasets.takes(flags.unlabelled, name)}
    images = datasets.load(flags.unlabelled, train=train, **sizes).images
    if images.shape[1:] != data.training.images.shape[1:]:
        expected, got = tuple(data.training.images.shape[1:]), tuple(images.shape[1:])
        raise InputError(f"unlabelled: expected inputs of shape {expected}, as those of DATA, got {got}")
    held = {row.numpy().tobytes() for row in data.training.images[data.kept]}
    fresh = [place for place, row in enumerate(images) if row.numpy().tobytes() not in held]
    if not fresh:
        raise InputError(f"unlabelled: every input of {flags.unlabelled} is kept apart for judging epochs")
    return images[fresh]


def labeller_network(loaded: LoadedNetwork) -> nn.Module:
    """A model with what happens to an input before it."""
    before = [] if loaded.preprocessing is None else [loaded.preprocessing]
    return nn.Sequential(*before, loaded.network).eval()


def check_answers(network: nn.Module, images: Tensor, *, what: str, classes: int, most: int | None = None) -> int:
    """How many logits a network has for these inputs.

    Args:
        network: On the processor.
        images: `(1, *input)`.
        what: What it is called in messages.
        classes: How many logits it needs.
        most: How many it may have; `None` for no limit.

    Raises:
        InputError: If it does not take such inputs, or has other numbers of logits.
    """
    shape = tuple(images.shape[1:])
    try:
        with torch.no_grad():
            found = tuple(network(images).shape)
    except Exception as error:
        raise InputError(f"{what}: it does not take inputs of shape {shape} ({one_line(error)})") from error
    if len(found) != 2 or found[1] < classes:
        raise InputError(f"{what}: expected one logit for each of {classes} classes in the data, got shape {found[1:]}")
    if most is not None and found[1] > most:
        raise InputError(f"{what}: expected at most {most} classes, as the network has, got {found[1]}")
    return found[1]


def _options(flags: TrainFlags, *, train: bool = False, class_names: tuple[str, ...] = ()) -> Options:
    return Options(train=train, resize=flags.resize, crop=flags.crop, label=flags.label, class_names=class_names)


def _kept_apart(training: Dataset, wanted: int | None) -> tuple[Tensor, Tensor, str]:
    """The places of what is trained on and of what is kept apart, and how these were chosen."""  # noqa: DOC501
    total = len(training)
    holdout = min(DEFAULT_HOLDOUT, total // LARGEST_SHARE) if wanted is None else wanted
    if holdout >= total:
        raise InputError(f"holdout: expected less than the {total} training inputs, got {holdout}")
    order, how = torch.arange(total), ""
    kept = order[total - holdout :]
    if holdout and len(training.labels[kept].unique()) < len(training.labels.unique()):
        kept, how = (2 * torch.arange(holdout) + 1) * total // (2 * holdout), ", evenly spread"
    away = torch.ones(total, dtype=torch.bool)
    away[kept] = False
    return order[away], kept, how


def _tell_missing(training: Dataset, chosen: Tensor) -> None:
    """Say which classes have no input to train on, as happens with the first inputs of a set in order of classes."""
    there = set(training.labels[chosen].tolist())
    names = [name for index, name in enumerate(training.class_names) if index not in there]
    if names:
        click.echo(f"no input to train on is of class {', '.join(names[:5])}{' ...' if names[5:] else ''}", err=True)


def _bounds(data: Dataset, flags: TrainFlags) -> tuple[float, float] | None:
    """One valid range for all features."""  # noqa: DOC501
    if data.bounds is None:
        return None
    low, high = data.bounds
    if isinstance(low, Tensor) or isinstance(high, Tensor):
        if flags.radius or flags.defense == "bounded-relu":
            raise InputError(
                f"data: perturbations of training have one valid range for all features, {data.name} has one for each; "
                "only --defense standard and distillation without --radius take it"
            )
        return None
    return low, high
