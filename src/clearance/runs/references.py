"""Which inputs of a set the audits of a run walk to: the same ones, whichever of its inputs the run takes.

What a task finds depends on them (`audit.references`, and the starts of the estimate's search). So they are chosen from
the whole set and are part of the plan: a run that takes more inputs later has the results of one that took them all at
once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor

from clearance.data.dataset import Dataset
from clearance.errors import ClearanceError
from clearance.model.classifier import Classifier

MOST_REFERENCES = 64
"""References of a run, at most: as many as an audit predicts in one pass to find the nearest of other classes
(`Effort.at_once`), and as the estimate's search starts towards (`bracket.parts.MOST_STARTS`)."""


@dataclass(frozen=True)
class References:
    """The inputs that audits walk to.

    Attributes:
        images: The inputs, `(count, *input)`.
        left_out: Why they were not chosen from the whole set; empty where they were, or where it is not known.
    """

    images: Tensor
    left_out: str = ""


def choose_references(data: Dataset, model: Classifier) -> References:
    """The references of a run: of the whole set, or of the run's own inputs where that cannot be.

    Source: this project.

    Args:
        data: The inputs of the run.
        model: The classifier.

    Returns:
        The references; those of the run's own inputs where the whole set is not known, or one of its inputs cannot be
        used: a picture that is damaged or has another size, values outside the bounds.
    """
    own = data.images[reference_places(data.labels.numpy())]
    if data.whole is None:
        return References(own)
    try:
        found = data.whole.take(reference_places(data.whole.labels))
        if found.scale != data.scale:  # the run's inputs are in the units of the stored values
            found = found.in_units_of(cast("tuple[float, float]", data.bounds))
        model.check_inputs(found.images)
        if found.images.shape[1:] != data.images.shape[1:]:
            shapes = [tuple(one.images.shape[1:]) for one in (data, found)]
            return References(own, f"expected inputs of shape {shapes[0]}, got {shapes[1]} for others")
    except ClearanceError as error:
        return References(own, str(error))
    return References(found.images)


def reference_places(labels: ArrayLike) -> list[int]:
    """The first inputs of each class: one of each, then two of each, and so on, until they are `MOST_REFERENCES`.

    So each class is there, in sets that are sorted by class as well, and inputs that are added to the end of a set
    change little. Source: this project.

    Args:
        labels: `(total,)`, the class of each input of the whole set.

    Returns:
        Their places in the set, in its order.

    >>> reference_places([7, 7, 7, 2]), len(reference_places([0] * 1000))
    ([0, 1, 2, 3], 64)
    """
    classes = np.asarray(labels)
    by_class = np.argsort(classes, kind="stable")
    _, first = np.unique(classes[by_class], return_index=True)
    rank = np.empty(len(classes), dtype=np.int64)
    rank[by_class] = np.arange(len(classes)) - np.repeat(first, np.diff([*first, len(classes)]))
    return sorted(np.argsort(rank, kind="stable")[:MOST_REFERENCES].tolist())
