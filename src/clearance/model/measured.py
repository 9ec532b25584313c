"""A classifier in the units that distances are measured in, and its fixed coordinates around one input.

With a scale `s`, one number or one for each coordinate, distances are `||(x - x0) / s||_p`. Everything behind the
public functions works with `z = x / s`: the bounds are divided by `s`, and the network sees `s z`; witnesses are
multiplied by `s` before anyone sees them. A fixed coordinate keeps the value that it has in each input, to the last
bit: around `x0` its bounds are `[x0_i, x0_i]`, and no scale divides it. Source: this project; a norm under a diagonal
change of variables.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor, nn

from clearance.model.classifier import Classifier
from clearance.model.preprocessing import Rescale

Record = TypeVar("Record")

POINTS = ("adversarial", "witness", "largest_point")
"""Fields of records that hold a point of the input space, `(*input)`."""


def measured(model: Classifier) -> Classifier:
    """The classifier whose inputs are `x / s`: its bounds are divided by `s`, and the network sees what it saw.

    Args:
        model: The classifier; one without a scale is its own.

    Returns:
        A classifier without a scale that shares network, device, precision and meter.
    """
    if (scale := moving_scale(model)) is None:
        return model
    found = copy.copy(model)
    found.bounds = None if model.bounds is None else (model.bounds[0] / scale, model.bounds[1] / scale)
    back = Rescale(scale)
    found.preprocessing = back if model.preprocessing is None else _Both(back, model.preprocessing)
    found.scale = None
    return found


def moving_scale(model: Classifier) -> Tensor | None:
    """The scale of the coordinates that move; 1 for the fixed ones, which no distance is measured along.

    Args:
        model: The caller's classifier.

    Returns:
        A tensor that broadcasts over one input; `None` without a scale.
    """
    if model.scale is None or model.fixed is None:
        return model.scale
    return torch.where(model.fixed, 1.0, model.scale)


def around(model: Classifier, x: Tensor) -> Classifier:
    """The classifier for one input: its fixed coordinates keep the values that they have there.

    Args:
        model: The classifier; one in which all coordinates move is its own.
        x: `(1, *input)`, in the units of its bounds.

    Returns:
        A classifier that shares all but the bounds.
    """
    if model.fixed is None or model.bounds is None:
        return model
    found = copy.copy(model)
    low, high = model.bounds
    found.bounds = (torch.where(model.fixed, x[0], low), torch.where(model.fixed, x[0], high))
    found.fixed = None
    return found


def scaled(model: Classifier, x: Tensor) -> Tensor:
    """Inputs in the units that distances are measured in: `x / s`.

    Args:
        model: The caller's classifier.
        x: `(batch, *input)` or `(*input)`, in the caller's units.

    Returns:
        The same without a scale.
    """
    scale = moving_scale(model)
    return x if scale is None else x / scale


def in_input_units(model: Classifier, record: Record) -> Record:
    """A record with its points in the caller's units: `s z`, within the bounds up to their last bit.

    Args:
        model: The caller's classifier.
        record: A dataclass whose points, fields named in `POINTS`, are in units of the scale.

    Returns:
        The record itself without a scale, else a copy.
    """
    scale = moving_scale(model)
    return record if scale is None else _changed(record, lambda z: model.clip(z * scale))


def in_scale_units(model: Classifier, record: Record) -> Record:
    """A record with its points in units of the scale: the inverse of `in_input_units`.

    Args:
        model: The caller's classifier.
        record: A dataclass whose points are in the caller's units.

    Returns:
        The record itself without a scale, else a copy.
    """
    return record if model.scale is None else _changed(record, lambda x: scaled(model, x))


def _changed(record: Record, change: Callable[[Tensor], Tensor]) -> Record:
    points = {name: getattr(record, name, None) for name in POINTS}
    return replace(record, **{name: change(point[None])[0] for name, point in points.items() if point is not None})  # pyright: ignore


class _Both(nn.Module):
    """One after the other."""

    def __init__(self, first: nn.Module, second: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, x: Tensor) -> Tensor:
        """`second(first(x))`."""
        return self.second(self.first(x))
