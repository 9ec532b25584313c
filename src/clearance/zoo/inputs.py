"""A model and the inputs it is evaluated on: one way to read both, for the command line and for Python."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from clearance.data.dataset import Dataset
from clearance.data.options import Options, Size
from clearance.data.selection import consecutive, in_words
from clearance.errors import InputError, TargetError
from clearance.model.classifier import Classifier
from clearance.model.inputs import CheckedInputs, prepare
from clearance.model.space import are_uneven, moving_widths
from clearance.zoo.asked import files_of, flags_of
from clearance.zoo.choice import DataOptions, InputChoice, open_data
from clearance.zoo.classifiers import LoadedClassifier, ModelOptions, make_classifier, read_network
from clearance.zoo.fit import other_number_of_classes
from clearance.zoo.loaded import LoadedNetwork


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
        warning: What a person should know of those that were passed over; empty for nothing.
        flags: What was said of both, as flags of the command line; `None` where it is not known.
        files: Role and place of what both may have been read from.
    """

    network: LoadedNetwork
    model: Classifier
    data: Dataset
    source: str
    skipped: int | None = None
    micro_batch: int | None = None
    unit: str | None = None
    warning: str = ""
    flags: tuple[str, ...] | None = None
    files: tuple[tuple[str, str], ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for a person: what was decided about model and data without being asked."""
        found = (self.warning, *self.network.notes, *self.data.notes, self._note_on_units())
        return tuple(note for note in found if note)

    def _note_on_units(self) -> str:
        """What a person should know where features of very unlike ranges add up in one distance."""
        names, bounds = self.data.feature_names, self.model.bounds
        if not names or bounds is None or self.model.scale is not None:
            return ""
        widths = moving_widths(bounds, self.model.fixed, self.data.images.shape[1:])
        if not are_uneven(widths):
            return ""
        moving = sorted((width, name) for width, name in zip(widths.flatten().tolist(), names, strict=True) if width)
        (narrow, first), (wide, last) = moving[0], moving[-1]
        ranges = f"{last} has a range of {wide:g}, {first} of {narrow:g}"
        return (
            f"distances add up features in units of their own ({ranges}); --scale std measures each by its own spread"
        )

    @property
    def units(self) -> str:
        """What the numbers of a distance are, in words."""
        bounds = self.model.bounds
        if self.unit is not None:
            return self.unit
        if bounds is not None and bounds[0].numel() == bounds[1].numel() == 1:
            return f"input values in [{bounds[0].item():g}, {bounds[1].item():g}]"
        return "the units of the data"

    def note_on_classes(self, outputs: int) -> str:
        """What a person should know where the data name more or fewer classes than the model has outputs."""
        return other_number_of_classes(self.data.name, self.data.class_names, outputs)

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


def load_data(
    spec: str | Path,
    *,
    model: Classifier | None = None,
    count: int | Literal["all"] | None = "all",
    offset: int = 0,
    indices: Sequence[int] | None = None,
    per_class: int | None = None,
    classes: str | Sequence[str | int] | None = None,
    skip_misclassified: bool = False,
    train: bool = False,
    resize: Size | None = None,
    crop: Size | None = None,
    channels: int | None = None,
    label: str | None = None,
    fixed: Sequence[str] = (),
    movable: Sequence[str] = (),
    bounds_file: str | Path | None = None,
    class_names: Sequence[str] = (),
) -> Dataset:
    """The inputs that DATA on the command line names, with the same options.

    Args:
        spec: What `data.table` lists, such as `"digits"`, `"cifar10:FOLDER"`, `"folder:DIR"`, `"FILE.csv"`.
        model: The classifier that they are for. Pictures become what its file wants them to be, labels take the order
            of its classes, and pixels its units (bounds 0 and 255: as they are stored).
        count: How many; `"all"`; `None`: 10, the command line's default, or all of a smaller set.
        offset: How many to pass over; with `classes`, of those classes.
        indices: Places in the whole set, each once, instead of count, offset, per_class and classes.
        per_class: The first so many of each class (with `classes`, of those), instead of count and offset.
        classes: Only inputs of these classes, by name or index.
        skip_misclassified: Only inputs that `model` classifies correctly.
        train: The training part instead of the test part.
        resize: Pictures: their shorter side is resized to this, or they are resized to (height, width).
        crop: Pictures: the centre of this size is kept, after `resize`.
        channels: Pictures: 1 makes them grey, 3 gives grey ones three equal channels; `None`: as the first of the set.
        label: Tables: the column of labels. One picture: its class.
        fixed: Tables: columns that cannot move.
        movable: Tables: columns that can move although they hold two values only.
        bounds_file: Tables: a CSV file of valid ranges, with the columns feature, low, high.
        class_names: The classes in the order of the model's outputs, for labels that are text.

    Returns:
        The inputs: `images`, `labels`, `bounds`, `class_names` and the `indices` of their places in the whole set.

    Raises:
        InputError: If the spec is unknown, a value cannot be used, or there are not enough inputs.
        FileError: If a file is missing or damaged.
        PickleRefusedError: If a file is or holds a pickle.

    >>> load_data("digits", count=3)
    Dataset(digits-test: 3 of 360 inputs of shape (1, 8, 8), 10 classes)
    """
    if skip_misclassified and model is None:
        raise InputError("skip_misclassified: expected a model with it, got none")
    reader = Options(
        train=train,
        resize=resize,
        crop=crop,
        channels=channels,
        label=label,
        fixed=tuple(fixed),
        movable=tuple(movable),
        bounds_file=None if bounds_file is None else str(bounds_file),
        class_names=tuple(class_names),
    )
    options = DataOptions(
        count,
        offset=offset,
        indices=indices,
        per_class=per_class,
        classes=classes,
        skip_misclassified=skip_misclassified,
        reader=reader,
    )
    network = model.loaded if isinstance(model, LoadedClassifier) else None
    source = open_data(str(spec), options, network)
    return InputChoice(source, str(spec), options, model, network).take()[0]


def read_inputs(model: str, data: str, about: ModelOptions, chosen: DataOptions) -> Inputs:
    """A model and the inputs for it, each as the command line names it.

    Args:
        model: A model spec.
        data: A data spec.
        about: What is said of the model.
        chosen: Which inputs.

    Returns:
        Both.
    """
    network = read_network(model, about)
    source = open_data(data, chosen, network)
    classifier = make_classifier(network, about, source)
    found, skipped, warning = InputChoice(source, data, chosen, classifier, network).take()
    return Inputs(
        network,
        classifier,
        found,
        data,
        skipped,
        about.micro_batch,
        classifier.unit,
        warning,
        flags_of(about, chosen, len(found)),
        tuple(files_of(model, data, network.weights, about, chosen.reader)),
    )
