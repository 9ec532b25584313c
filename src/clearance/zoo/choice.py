"""Which inputs of a set: those that were asked for, or the first ones that a model classifies correctly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from clearance.data import datasets
from clearance.data.dataset import Dataset, Source
from clearance.data.options import Options
from clearance.data.scale_names import ORDER_OR_INPUTS
from clearance.data.selection import first_of_each
from clearance.errors import InputError
from clearance.model.classifier import Classifier
from clearance.zoo.classifiers import LoadedClassifier
from clearance.zoo.fit import check_features, replaced_classes
from clearance.zoo.loaded import LoadedNetwork

PASS_SIZE = 64
"""Inputs that are read and classified together where misclassified ones are skipped."""
DEFAULT_INPUTS = 10
"""How many inputs are taken where nothing is said, or all of a smaller set."""


@dataclass(frozen=True)
class DataOptions:
    """Which inputs of a set; each is an option of the command line and an argument of `load_data`.

    Attributes:
        count: How many; `None`: `at_most`, or all of a smaller set.
        at_most: How many where `count` says nothing.
        offset: How many to pass over.
        indices: Places in the whole set, instead of all others.
        per_class: The first so many of each class, instead of count and offset.
        classes: Names or indices of the classes whose inputs alone are taken; a text may hold several, with commas.
        skip_misclassified: Take only inputs that the model classifies correctly.
        reader: What the reader of the data is told.
    """

    count: int | Literal["all"] | None = None
    at_most: int = DEFAULT_INPUTS
    offset: int = 0
    indices: Sequence[int] | None = None
    per_class: int | None = None
    classes: str | Sequence[str | int] | None = None
    skip_misclassified: bool = False
    reader: Options = field(default_factory=Options)


def open_data(spec: str, options: DataOptions, network: LoadedNetwork | None) -> Source:
    """The whole set; what the model's file says about images and classes holds where the options say nothing.

    Args:
        spec: A data spec.
        options: What is said of the data.
        network: What is known of the model; `None` for nothing.

    Returns:
        The set.
    """
    reader = options.reader
    if network is not None:
        if reader.resize is None and reader.crop is None and datasets.takes(spec, "resize"):
            reader = replace(reader, resize=network.image_size, crop=network.crop)
        reader = replace(reader, class_names=reader.class_names or network.class_names)
    source = datasets.open_source(spec, reader)
    if network is None:
        return source
    check_features(network, source, spec)
    return replace(source, notes=(*source.notes, *replaced_classes(network, options.reader.class_names)))


def _units(model: Classifier | None) -> tuple[float, float] | None:
    """The bounds that a person gave for a classifier: inputs come in their units."""
    if isinstance(model, LoadedClassifier):
        return model.given_bounds
    if model is None or model.bounds is None or max(bound.numel() for bound in model.bounds) > 1:
        return None
    return float(model.bounds[0]), float(model.bounds[1])


@dataclass(frozen=True)
class InputChoice:
    """The whole set, and what decides which of its inputs are taken, and in which units.

    Attributes:
        source: The whole set.
        spec: What the user called it.
        options: Which inputs.
        model: The classifier that they are for; `None`: any.
        network: What is known of it; `None` for nothing.
    """

    source: Source
    spec: str
    options: DataOptions
    model: Classifier | None
    network: LoadedNetwork | None

    def take(self) -> tuple[Dataset, int | None, str]:
        """The inputs, how many misclassified ones were passed over, and what a person should know of that."""
        rows, skipped, warning = self._rows(), None, ""
        if self.options.skip_misclassified and self.model is not None:
            choose = self._classified if self.options.per_class is None else self._classified_of_each
            rows, skipped = choose(rows, self.model)
            wrong = f"{skipped} of {skipped + len(rows)} inputs are misclassified"
            warning = f"{wrong}: {ORDER_OR_INPUTS}" if skipped > len(rows) else ""
        data = self.read(rows)
        warning = "; ".join(filter(None, (warning, self._few_classes(data))))
        names = data.class_names or (() if self.network is None else self.network.class_names)
        found = replace(data, class_names=names, source=self.spec, passed_over=skipped)
        return found, skipped, warning

    def _few_classes(self, data: Dataset) -> str:
        """What a person should know of the first inputs of a set that is sorted by class."""
        asked, inputs, met = self.options, len(data.labels), len(data.labels.unique())
        chosen = (
            any(given is not None for given in (asked.indices, asked.classes, asked.per_class)) or asked.count == "all"
        )
        if chosen or 2 * met > inputs:
            return ""
        labels = self.source.labels
        total, changes = len(set(labels.tolist())), int((labels[1:] != labels[:-1]).sum())
        if met >= total or changes >= total:  # a set in random order changes far more
            return ""
        few = f"these {inputs} inputs are of {met} of the {total} classes"
        return f"{few}: the set is sorted by class; per-class, indices or classes choose others"

    def read(self, rows: Sequence[int]) -> Dataset:
        """Some inputs by their places, in the units of the bounds that were given for the model."""
        data, units = replace(self.source.take(rows), whole=self.source), _units(self.model)
        return data if units is None else data.in_units_of(units)

    def _rows(self) -> list[int]:
        """Places of the inputs that are asked for; all that may be taken where misclassified ones are to be skipped."""  # noqa: DOC501
        asked = self.options
        others = {"count": asked.count not in (None, "all"), "offset": asked.offset}
        others |= {} if asked.indices is None else {"classes": asked.classes, "per_class": asked.per_class}
        alone = "indices" if asked.indices is not None else "per_class" if asked.per_class is not None else ""
        if alone and (found := next((name for name, given in others.items() if given), None)):
            raise InputError(f"{alone}: expected to stand alone, got {found} as well")
        if asked.indices is not None:
            return datasets.rows_of(self.source, indices=asked.indices)
        classes = self._classes()
        available = datasets.rows_of(self.source, offset=asked.offset, classes=classes)
        if asked.per_class is not None and not asked.skip_misclassified:
            return first_of_each(self.source.labels, available, asked.per_class, self.source.name)
        if asked.skip_misclassified or asked.count == "all":
            return available
        count = min(asked.at_most, len(available)) if asked.count is None else asked.count
        return datasets.rows_of(self.source, count=count, offset=asked.offset, classes=classes)

    def _classes(self) -> Sequence[str | int] | None:
        """The classes whose inputs alone are taken; a name may hold a comma."""
        asked = self.options.classes
        if not isinstance(asked, str) or asked in self.source.class_names:
            return [asked] if isinstance(asked, str) else asked
        return [part.strip() for part in asked.split(",") if part.strip()] or None

    def _classified(self, rows: Sequence[int], model: Classifier) -> tuple[list[int], int]:
        """The first of these inputs that the model classifies correctly, and how many others came before the last."""  # noqa: DOC501
        asked = self.options
        wanted = None if asked.count == "all" or asked.indices is not None else asked.count
        least, wanted = wanted, asked.at_most if asked.count is None and asked.indices is None else wanted
        if wanted is not None and wanted < 1:
            raise InputError(f"count: expected at least 1, got {wanted}")
        kept, passed = self._first_correct(rows, model, wanted)
        if not kept or (least is not None and len(kept) < least):
            wish = "at least one input" if wanted is None else f"{wanted} inputs"
            got = f"{len(kept)} of {passed}"
            raise InputError(f"skip-misclassified: expected {wish} that the model classifies correctly, got {got}")
        return kept, list(rows).index(kept[-1]) + 1 - len(kept)

    def _classified_of_each(self, rows: Sequence[int], model: Classifier) -> tuple[list[int], int]:
        """The first inputs of each class that the model classifies correctly, and how many others came before them."""  # noqa: DOC501
        wanted, labels = self.options.per_class or 0, self.source.labels
        first_of_each(labels, rows, wanted, self.source.name)
        places, chosen, skipped = np.asarray(rows), list[int](), 0
        for own in np.unique(labels[places]).tolist():
            kept, passed = self._first_correct(places[labels[places] == own].tolist(), model, wanted)
            if len(kept) < wanted:
                wish = f"{wanted} inputs of class {own} that the model classifies correctly"
                raise InputError(f"skip-misclassified: expected {wish}, got {len(kept)} of {passed}")
            chosen, skipped = chosen + kept, skipped + passed - len(kept)
        return sorted(chosen), skipped

    def _first_correct(self, rows: Sequence[int], model: Classifier, wanted: int | None) -> tuple[list[int], int]:
        """The first of these inputs that the model classifies correctly, and how many had to be looked at."""
        kept, passed = list[int](), 0
        for row, correct in self._judged(rows, model):
            if len(kept) == wanted:
                break
            passed += 1
            if correct:
                kept.append(row)
        return kept, passed

    def _judged(self, rows: Sequence[int], model: Classifier) -> Iterator[tuple[int, bool]]:
        """Whether each of these inputs is classified correctly."""  # noqa: DOC402
        for start in range(0, len(rows), PASS_SIZE):
            part = rows[start : start + PASS_SIZE]
            data = self.read(part)
            logits = model.logits_of_each(model.check_inputs(data.images))
            check_classes(data, logits.shape[1])
            right = logits.argmax(1).cpu() == data.labels
            yield from zip(part, right.tolist(), strict=True)


def check_classes(data: Dataset, classes: int) -> None:
    """Check that every label is a class of the network.

    Args:
        data: The inputs.
        classes: How many classes the network has.

    Raises:
        InputError: If one is not, with its place in the whole set.
    """
    place = int(data.labels.argmax())
    label = int(data.labels[place])
    if label >= classes:
        index = data.indices[place]
        got = f"{label} for {f'input {index}' if data.whole is None else data.whole.at(index)}"
        way = "; --label NAME names another column of labels" if data.feature_names else ""
        raise InputError(f"labels: expected 0 to {classes - 1}, the classes of the network, got {got}{way}")
