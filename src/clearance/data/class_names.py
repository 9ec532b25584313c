"""Classes by name: their order, and the index of each label."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches

import numpy as np
from numpy.typing import NDArray

from clearance.data.columns import DataTable
from clearance.data.dataset import Source
from clearance.errors import InputError

PLACEHOLDER = re.compile(r"(LABEL_|class )\d+")
"""What a class is called that nobody has named."""

MOST_NAMED = 6
"""Names that a message has one by one."""


def list_names(names: Sequence[str]) -> str:
    """Names in words: the first `MOST_NAMED`, and how many there are.

    >>> list_names(["cat", "dog"]), list_names("abcdefgh")
    ('cat, dog', 'a, b, c, d, e, f, … (8 in all)')
    """
    shown = ", ".join(names[:MOST_NAMED])
    return shown if len(names) <= MOST_NAMED else f"{shown}, … ({len(names)} in all)"


def meant(name: str, names: Sequence[str]) -> str:
    """A question after the name that somebody may have meant, for the end of a message; empty where none is like it.

    >>> meant("diagnose", ["radius", "diagnosis"]), meant("x", ["radius"])
    ("; did you mean 'diagnosis'?", '')
    """
    near = get_close_matches(name, names, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def order_classes(found: Sequence[str], known: Sequence[str], source: str) -> tuple[str, ...]:
    """The classes in the order of their indices.

    Args:
        found: The names of classes that the data have, sorted.
        known: The classes of the model in the order of its outputs; empty where they are not known.
        source: Where the names come from, for messages.

    Returns:
        The model's classes where they hold all of those found; else those found, where they are as many and all of
        them other names, or the model's are not known.

    Raises:
        InputError: If neither is so: then nothing says which output of the model stands for which class.

    >>> order_classes(["cat", "dog"], ["dog", "owl", "cat"], "x"), order_classes(["cat", "dog"], [], "x")
    (('dog', 'owl', 'cat'), ('cat', 'dog'))
    """
    if set(found) <= set(known):
        return tuple(known)
    stranger = next(name for name in found if name not in known)
    if known and len(found) != len(known):
        classes = f"the classes {list_names(known)} (class-names, or the model's own), or as many of other names"
        raise InputError(f"{source}: expected {classes}, got {len(found)}, among them {stranger[:80]!r}")
    if not set(found).isdisjoint(known):
        classes = f"the classes of the model, {list_names(known)}"
        raise InputError(
            f"{source}: expected {classes}, got {stranger[:80]!r} (class-names says which output is which)"
        )
    return tuple(found)


def numbered(
    table: DataTable, column: str, known: Sequence[str], *, own: bool = False
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Labels as class indices.

    Args:
        table: The table.
        column: Its column of labels: whole numbers are class indices, unless the model's classes are called by
            numbers as well (then they are names); text and truth values are names, numbered in sorted order.
        known: The classes of the model in the order of its outputs; empty where they are not known.
        own: Whether these are the data's own names of classes, so that whole numbers are indices among them.

    Returns:
        The indices, and a name for each class (empty where the labels are numbers and the model names none).

    Raises:
        InputError: If a label is missing, negative, or neither a whole number nor text.
    """
    if table.is_whole(column) and (own or not _are_names(table.whole(column), known)):
        labels = table.whole(column)
        if labels.min() < 0:
            row = int(labels.argmin())
            raise InputError(
                f"{table.at(row)}: expected class indices >= 0 in the column {column!r}, got {labels[row]}"
            )
        return labels, tuple(known)
    texts = [str(label) for label in table.whole(column)] if table.is_whole(column) else table.texts(column)
    if table.is_numeric(column) and not table.is_whole(column):
        raise InputError(f"{table.source}: expected class indices or names in the column {column!r}, got other numbers")
    names = order_classes(sorted(set(texts)), known, table.source)
    index = {name: place for place, name in enumerate(names)}
    return np.array([index[text] for text in texts], dtype=np.int64), names


def _are_names(labels: NDArray[np.int64], known: Sequence[str]) -> bool:
    """Whether whole numbers are what a model calls its classes: scikit-learn's classes are the labels themselves."""
    return {str(label) for label in set(labels.tolist())} <= set(known)


def in_order_of(source: Source, known: Sequence[str]) -> Source:
    """A set with its classes numbered as a model numbers them.

    Args:
        source: The set.
        known: The classes of the model in the order of its outputs; empty where they are not known.

    Returns:
        The set with other labels where the model's classes hold all of its own, each once, in another order; else the
        set as it is: then its labels are indices already, or nothing says which output stands for which class, which
        a note says.
    """
    own = source.class_names
    if not own or not known or own == tuple(known) or len(set(known)) < len(known):
        return source
    if not set(own) <= set(known):
        if all(map(PLACEHOLDER.fullmatch, known)):
            return source
        said = f"the classes of {source.name}, {list_names(own)}, are other names than the model's, {list_names(known)}"
        return replace(source, notes=(*source.notes, f"{said}: both are taken in their own order"))
    places = {name: place for place, name in enumerate(known)}
    others = np.array([places[name] for name in own], dtype=np.int64)
    notes = (*source.notes, f"the classes of {source.name} are numbered as the model numbers those names")
    return replace(source, labels=others[source.labels], class_names=tuple(known), notes=notes)
