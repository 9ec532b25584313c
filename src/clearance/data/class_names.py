"""Classes by name: their order, and the index of each label."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clearance.data.columns import DataTable
from clearance.errors import InputError


def order_classes(found: Sequence[str], known: Sequence[str], source: str) -> tuple[str, ...]:
    """The classes in the order of their indices.

    Args:
        found: The names of classes that the data have, sorted.
        known: The classes of the model in the order of its outputs; empty where they are not known.
        source: Where the names come from, for messages.

    Returns:
        The model's classes where they hold all of those found; else those found, where there are as many of them as
        the model has, or the model's are not known.

    Raises:
        InputError: If neither is so: then nothing says which output of the model stands for which class.

    >>> order_classes(["cat", "dog"], ["dog", "owl", "cat"], "x"), order_classes(["cat", "dog"], [], "x")
    (('dog', 'owl', 'cat'), ('cat', 'dog'))
    """
    if set(found) <= set(known):
        return tuple(known)
    if known and len(found) != len(known):
        stranger = next(name for name in found if name not in known)
        classes = f"class names of the model, or one for each of its {len(known)} classes"
        raise InputError(f"{source}: expected {classes}, got {len(found)}, among them {stranger[:80]!r}")
    return tuple(found)


def numbered(table: DataTable, column: str, known: Sequence[str]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Labels as class indices.

    Args:
        table: The table.
        column: Its column of labels: whole numbers are class indices; text and truth values are names, numbered in
            sorted order.
        known: The classes of the model in the order of its outputs; empty where they are not known.

    Returns:
        The indices, and a name for each class (empty where the labels are numbers and the model names none).

    Raises:
        InputError: If a label is missing, negative, or neither a whole number nor text.
    """
    if table.is_whole(column):
        labels = table.whole(column)
        if labels.min() < 0:
            row = int(labels.argmin())
            raise InputError(
                f"{table.at(row)}: expected class indices >= 0 in the column {column!r}, got {labels[row]}"
            )
        return labels, tuple(known)
    texts = table.texts(column)
    if table.is_numeric(column):
        raise InputError(f"{table.source}: expected class indices or names in the column {column!r}, got other numbers")
    names = order_classes(sorted(set(texts)), known, table.source)
    index = {name: place for place, name in enumerate(names)}
    return np.array([index[text] for text in texts], dtype=np.int64), names
