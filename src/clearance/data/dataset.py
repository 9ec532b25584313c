"""Inputs with their labels, and sets of which inputs are read when they are chosen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from clearance.data.files import PIXEL_LEVELS, check_labels, check_levels
from clearance.data.selection import choose_rows
from clearance.errors import InputError, ShapeError

if TYPE_CHECKING:  # sets are opened and checked before torch is imported
    from torch import Tensor

Limit: TypeAlias = "float | Tensor"
"""One end of a valid range: a number for all features, or one for each, of the shape of an input."""

Bounds = tuple[Limit, Limit]
"""The valid range of an input, `(low, high)`, in input units."""


@dataclass(frozen=True, repr=False)
class Dataset:
    """Inputs with their labels.

    Attributes:
        images: `(count, *input)`, float32, in input units.
        labels: `(count,)`, int64 class indices.
        name: What it is called in results, for example `digits-test`.
        bounds: The valid range of an input, `(low, high)`: numbers, or tensors of the shape of an input where features
            differ; `None` where it is not known.
        class_names: A name for each class; empty where there are none.
        scale: What the stored values were divided by: 255 for uint8, 1 where they were kept.
        feature_names: A name for each feature, in the order of an input's values; empty where there are none.
        fixed: Bool, of the shape of an input: the coordinates that cannot move; `None` where all can.
        indices: The place of each input in the whole set; by default 0, 1, 2, ...
        total: How many inputs the whole set has; by default as many as there are here.
        notes: Sentences for a person: what was decided about these data without being asked.
        source: What the user called the data: a name or a place; empty where they were made in memory.
        passed_over: How many misclassified inputs were passed over when these were chosen; `None`: none were to be.
        whole: The set that these inputs are of, where it is known; it does not travel to other processes.
    """

    images: Tensor
    labels: Tensor
    name: str
    bounds: Bounds | None
    class_names: tuple[str, ...] = ()
    scale: float = 1.0
    feature_names: tuple[str, ...] = ()
    fixed: Tensor | None = None
    indices: tuple[int, ...] = ()
    total: int = 0
    notes: tuple[str, ...] = ()
    source: str = ""
    passed_over: int | None = None
    whole: Source | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if not self.indices:
            object.__setattr__(self, "indices", tuple(range(len(self.labels))))
        if not self.total:
            object.__setattr__(self, "total", max(self.indices, default=-1) + 1)

    def __len__(self) -> int:
        """How many inputs there are."""
        return len(self.labels)

    def __repr__(self) -> str:
        """Its name, how many inputs there are and of which shape; no tensor.

        >>> from clearance.data.datasets import load
        >>> load("digits", count=3)
        Dataset(digits-test: 3 of 360 inputs of shape (1, 8, 8), 10 classes)
        """
        classes = f", {len(self.class_names)} classes" if self.class_names else ""
        of = f"{len(self):,} of {self.total:,}" if self.total > len(self) else f"{len(self):,}"
        return f"{type(self).__name__}({self.name}: {of} inputs of shape {tuple(self.images.shape[1:])}{classes})"

    def __getstate__(self) -> dict[str, object]:
        """Everything but the set that the inputs are of: it may be large, and holds functions."""
        return {**self.__dict__, "whole": None}

    def as_source(self) -> Source:
        """These inputs as a set of their own, whose places count from 0."""
        images = self.images.numpy()
        return Source(
            lambda rows: images[list(rows)],
            self.labels.numpy(),
            self.name,
            self.bounds,
            self.class_names,
            self.scale,
            self.feature_names,
            self.fixed,
            self.notes,
        )

    def part(self, *, count: int | None = None, offset: int = 0) -> Dataset:
        """Consecutive inputs of this set.

        Args:
            count: How many; `None` takes all that follow.
            offset: Which of them is the first.

        Returns:
            A set of exactly `count` inputs.

        Raises:
            InputError: If the set does not have that many.
        """
        rows = choose_rows(len(self), self.name, count=count, offset=offset)
        chosen = slice(rows[0], rows[-1] + 1)
        return replace(
            self, images=self.images[chosen], labels=self.labels[chosen], indices=self.indices[chosen], total=self.total
        )

    def take(self, rows: Sequence[int]) -> Dataset:
        """Some inputs of this set.

        Args:
            rows: Which of them, by their order here (`indices` has their places in the whole set).

        Returns:
            The inputs, in the order asked for.

        >>> from clearance.data.datasets import load
        >>> load("digits", count=3, offset=5).take([2, 0]).indices
        (7, 5)
        """
        chosen = list(rows)
        indices = tuple(self.indices[row] for row in chosen)
        return replace(self, images=self.images[chosen], labels=self.labels[chosen], indices=indices)

    def in_units_of(self, bounds: tuple[float, float]) -> Dataset:
        """The same set in the units of these bounds.

        Args:
            bounds: The valid range of an input, as the user gave it.

        Returns:
            A set whose images were divided by nothing where the bounds are those of the stored values, such as
            (0, 255); the set itself where nothing had been divided or its bounds are these.

        Raises:
            InputError: If the images were divided and the bounds are neither those before nor those after.

        >>> from clearance.data.datasets import load
        >>> load("digits", count=1).in_units_of((0, 16)).images.max().item()
        15.0
        """
        if self.scale == 1 or bounds == self.bounds:
            return self
        if bounds != (0, self.scale):
            expected = f"0 1 (the stored values divided by {self.scale:g}) or 0 {self.scale:g} (as they are stored)"
            raise InputError(f"bounds: expected {expected} for {self.name}, got {bounds[0]:g} {bounds[1]:g}")
        return replace(self, images=(self.images * self.scale).round(), bounds=(0.0, self.scale), scale=1.0)


Reader = Callable[[Sequence[int]], NDArray[np.float32]]
"""Reads inputs by their places in the whole set: `(count, *input)`, float32, finite, in input units."""


@dataclass(frozen=True)
class Source:
    """A set whose labels are known, and whose inputs are read when they are chosen.

    Attributes:
        read: Reads inputs by their places.
        labels: `(total,)`, int64 class indices.
        name: As in `Dataset`, and so are the attributes that follow.
        bounds: The valid range of an input.
        class_names: A name for each class.
        scale: What the stored values are divided by.
        feature_names: A name for each feature.
        fixed: The coordinates that cannot move.
        notes: Sentences for a person.
        stands_at: Says where an input stands, such as a file and a line, by its place; `None` where nothing more is
            known than its place.
    """

    read: Reader
    labels: NDArray[np.int64]
    name: str
    bounds: Bounds | None
    class_names: tuple[str, ...] = ()
    scale: float = 1.0
    feature_names: tuple[str, ...] = ()
    fixed: Tensor | None = None
    notes: tuple[str, ...] = ()
    stands_at: Callable[[int], str] | None = None

    def __len__(self) -> int:
        """How many inputs the whole set has."""
        return len(self.labels)

    def at(self, place: int) -> str:
        """An input in words, for messages, by its place."""
        return f"input {place}" + ("" if self.stands_at is None else f" ({self.stands_at(place)})")

    def take(self, rows: Sequence[int]) -> Dataset:
        """Read these inputs.

        Args:
            rows: Their places in the whole set.

        Returns:
            The inputs, in this order.
        """
        import torch

        return Dataset(
            torch.from_numpy(self.read(rows)),
            torch.from_numpy(self.labels[list(rows)]),
            self.name,
            self.bounds,
            self.class_names,
            self.scale,
            self.feature_names,
            self.fixed,
            tuple(rows),
            len(self),
            self.notes,
        )


def pixel_source(
    pixels: NDArray[np.uint8],
    labels: NDArray[np.generic],
    name: str,
    *,
    images_at: str,
    labels_at: str,
    class_names: Sequence[str] = (),
) -> Source:
    """A set of uint8 images in memory; those that are chosen are divided by 255.

    Args:
        pixels: `(total, channels, height, width)`.
        labels: `(total,)`.
        name: What to call the set.
        images_at: Where the images come from, for messages.
        labels_at: Where the labels come from.
        class_names: A name for each class; empty where there are none.

    Returns:
        The set, with the bounds (0, 1).

    Raises:
        ShapeError: If there is no image, or one without a pixel.
        InputError: If no value is above 1, as if they had been divided already, or a label is none of the classes.
    """
    if pixels.size == 0:
        raise ShapeError(f"{images_at}: expected images of shape (count, *input), not empty, got {pixels.shape}")
    check_levels(pixels, images_at)
    classes = check_labels(labels, count=len(pixels), source=labels_at)
    check_classes(classes, class_names, labels_at)

    def read(rows: Sequence[int]) -> NDArray[np.float32]:
        return pixels[list(rows)].astype(np.float32) / np.float32(PIXEL_LEVELS)

    return Source(read, classes, name, (0.0, 1.0), tuple(class_names), scale=PIXEL_LEVELS)


def check_classes(labels: NDArray[np.int64], class_names: Sequence[str], source: str) -> None:
    """Raise where a label is none of the classes that are named.

    Args:
        labels: `(total,)`, class indices.
        class_names: A name for each class; nothing is checked where there are none.
        source: Where the labels come from, for messages.

    Raises:
        InputError: If a label is not below the number of names.
    """
    if class_names and labels.max(initial=0) >= len(class_names):
        index = int(labels.argmax())
        classes = f"labels 0 to {len(class_names) - 1}, one of {len(class_names)} classes"
        raise InputError(f"{source}: expected {classes}, got {labels[index]} for image {index}")
