"""The features of inputs as a plan has them: their units, their bounds, and which of them may move."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from clearance.data.dataset import Dataset
from clearance.data.scale_names import MOST_INPUTS
from clearance.model.classifier import Classifier
from clearance.runs.fingerprint import fingerprint
from clearance.runs.threat import Feature

MOST_FEATURES = 50
"""Features that a plan lists one by one: a table of more is no longer read, and pictures have thousands."""


def features_of(model: Classifier, data: Dataset) -> tuple[Feature, ...] | None:
    """Each feature of inputs whose features have names.

    Args:
        model: The classifier: its scale, bounds and fixed coordinates.
        data: The inputs.

    Returns:
        The features in their order; `None` where they have no names, or are more than `MOST_FEATURES`.
    """
    names, shape = data.feature_names, data.images.shape[1:]
    if not 0 < len(names) == shape.numel() <= MOST_FEATURES:
        return None
    return _each(model, shape, names, _whole(data))


def numbered_features(model: Classifier, shape: torch.Size) -> tuple[Feature, ...] | None:
    """Each feature of inputs without names: `feature 0`, `feature 1`, as they are counted in Python.

    Args:
        model: The classifier.
        shape: Of an input.

    Returns:
        The features in their order; `None` where inputs are no rows of a table, or have more than `MOST_FEATURES`.
    """
    if len(shape) != 1 or shape.numel() > MOST_FEATURES:
        return None
    return _each(model, shape, [f"feature {place}" for place in range(shape.numel())], [None] * shape.numel())


def _each(
    model: Classifier, shape: torch.Size, names: Sequence[str], whole: Sequence[bool | None]
) -> tuple[Feature, ...]:
    """What a classifier says of each of the named features."""

    def each(value: Tensor | float | bool) -> list[float]:
        here = value if isinstance(value, Tensor) else torch.tensor(value, device="cpu")
        return here.cpu().expand(shape).flatten().tolist()

    low, high = model.bounds or (-math.inf, math.inf)
    fixed = False if model.fixed is None else model.fixed
    columns = (each(1.0 if model.scale is None else model.scale), each(low), each(high), each(fixed))
    return tuple(
        Feature(name=name, unit=float(unit), low=float(low), high=float(high), moves=not held, whole=of_whole)
        for name, unit, low, high, held, of_whole in zip(names, *columns, whole, strict=True)
    )


def space_of(model: Classifier, *, rounded: bool = False) -> str | None:
    """Digest of what differs from feature to feature: bounds, scale, fixed coordinates; `None` where nothing does.

    Args:
        model: The classifier.
        rounded: Of the values in float32, whatever the classifier's precision.

    Returns:
        The digest.
    """
    several = model.bounds is not None and max(bound.numel() for bound in model.bounds) > 1
    if not several and model.scale is None and model.fixed is None:
        return None
    numbers = [*(model.bounds or ()), model.scale]
    if rounded:
        numbers = [value if value is None else value.float() for value in numbers]
    return fingerprint(*numbers, model.fixed)


def _whole(data: Dataset) -> list[bool | None]:
    """Whether each feature has whole numbers only in the whole set (its first `MOST_INPUTS`), where that is known."""
    if data.whole is None:
        return [None] * len(data.feature_names)
    values = data.whole.take(range(min(len(data.whole), MOST_INPUTS))).images.flatten(1)
    return [bool(whole) for whole in (values == values.round()).all(0).tolist()]
