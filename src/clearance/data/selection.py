"""Which inputs of a set: consecutive ones, a list of places, those of some classes."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clearance.errors import InputError

MOST_PLACES = 10_000_000
"""Places that a list of them may spell, such as 0-9999999: more than any set of images has, and 80 MB."""


def choose_rows(
    total: int,
    name: str,
    *,
    count: int | None = None,
    offset: int = 0,
    indices: Sequence[int] | None = None,
    among: Sequence[int] | None = None,
) -> list[int]:
    """The places of the inputs that are asked for.

    Args:
        total: How many inputs the set has.
        name: What it is called, for messages.
        count: How many; `None` for all that follow.
        offset: How many to pass over.
        indices: The places themselves, each once, instead of `count` and `offset`.
        among: The places that `count` and `offset` count; `None`: all of them.

    Returns:
        The places, in the order asked for.

    Raises:
        InputError: If the set does not have that many, or no such places.

    >>> choose_rows(10, "x", count=2, offset=1), choose_rows(10, "x", indices=[7, 3])
    ([1, 2], [7, 3])
    """
    if indices is not None:
        return _checked_indices(indices, total, name)
    size = total if among is None else len(among)
    if not 0 <= offset < size:
        raise InputError(f"offset: expected 0 to {size - 1} for {name}, got {offset}")
    available = size - offset
    taken = available if count is None else count
    if not 1 <= taken <= available:
        raise InputError(f"count: expected 1 to {available} for {name} from offset {offset}, got {count}")
    chosen = range(offset, offset + taken)
    return list(chosen) if among is None else [among[place] for place in chosen]


def of_classes(
    labels: NDArray[np.int64], classes: Sequence[str | int], class_names: Sequence[str], name: str
) -> list[int]:
    """The places of the inputs of some classes.

    Args:
        labels: `(total,)`, class indices.
        classes: Names or indices of classes; a name is looked for first.
        class_names: A name for each class; empty where there are none.
        name: What the set is called, for messages.

    Returns:
        Their places, in the order of the set.

    Raises:
        InputError: If a class is unknown, or has no input here.
    """
    wanted = [class_index(one, class_names) for one in classes]
    for given, index in zip(classes, wanted, strict=True):
        if index is None or not bool((labels == index).any()):
            known = f"one of its {len(class_names)} class names or an index" if class_names else "a class index"
            why = "no such class" if index is None else "a class without inputs there"
            raise InputError(f"classes: expected {known} that has inputs in {name}, got {given!r}, {why}")
    return np.flatnonzero(np.isin(labels, [index for index in wanted if index is not None])).tolist()


def first_of_each(labels: NDArray[np.int64], rows: Sequence[int], count: int, name: str) -> list[int]:
    """The first inputs of each class among some places.

    Args:
        labels: `(total,)`, class indices.
        rows: The places.
        count: How many of each class.
        name: What the set is called, for messages.

    Returns:
        Their places, in the order of `rows`.

    Raises:
        InputError: If there are fewer than so many of a class.

    >>> first_of_each(np.array([0, 1, 0, 0, 1]), range(5), 2, "x")
    [0, 1, 2, 4]
    """
    places = np.asarray(rows)
    own = labels[places]
    classes, inputs = np.unique(own, return_counts=True)
    rarest = int(inputs.argmin())
    if not 1 <= count <= inputs[rarest]:
        there = f"the inputs of class {classes[rarest]} in {name}"
        raise InputError(f"per-class: expected 1 to {inputs[rarest]}, {there}, got {count}")
    firsts = [np.flatnonzero(own == one)[:count] for one in classes]
    return places[np.sort(np.concatenate(firsts))].tolist()


def class_index(given: str | int, class_names: Sequence[str]) -> int | None:
    """The index of a class by its name, or of an index in words; `None` where there is no such class.

    >>> class_index("cat", ["dog", "cat"]), class_index("0", ["dog", "cat"]), class_index("2", ["dog", "cat"])
    (1, 0, None)
    """
    text = str(given)
    if text in class_names:
        return list(class_names).index(text)
    if not re.fullmatch(r"[0-9]{1,9}", text) or (class_names and int(text) >= len(class_names)):
        return None
    return int(text)


def read_indices(text: str) -> list[int]:
    """Places as a person writes them.

    Args:
        text: Whole numbers and ranges with commas between them; both ends of a range belong to it.

    Returns:
        The places, in the order given.

    Raises:
        InputError: If the text is none of this, or spells too many.

    >>> read_indices("3,17,40-44")
    [3, 17, 40, 41, 42, 43, 44]
    """
    places: list[int] = []
    for part in text.split(","):
        found = re.fullmatch(r"\s*([0-9]{1,12})(?:-([0-9]{1,12}))?\s*", part)
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
        if first > last:
            raise InputError(f"indices: expected places such as 3,17,40-44, got {part.strip()[:40]!r}")
        if len(places) + last - first >= MOST_PLACES:
            raise InputError(f"indices: expected at most {MOST_PLACES:,} places, got more in {part.strip()[:40]!r}")
        places += range(first, last + 1)
    return places


def consecutive(places: Sequence[int]) -> bool:
    """Whether each place follows the one before it.

    >>> consecutive((3, 4, 5)), consecutive((4, 3))
    (True, False)
    """
    return all(place == places[0] + more for more, place in enumerate(places))


def in_words(places: Sequence[int], most: int = 6) -> str:
    """Places in words, with runs of them as ranges.

    Args:
        places: Places in a set, in any order.
        most: How many numbers and ranges are spelled out.

    Returns:
        Such as `3, 17, 40 to 44`; where there are more than `most`, the first of them and how many there are.

    >>> in_words([3, 17, 40, 41, 42]), in_words(range(0, 30, 3), most=2)
    ('3, 17, 40 to 42', '0, 3, … (10 in all)')
    """
    runs: list[tuple[int, int]] = []
    for place in places:
        if runs and place == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], place)
        else:
            runs.append((place, place))
    shown = ", ".join(str(first) if first == last else f"{first} to {last}" for first, last in runs[:most])
    return shown if len(runs) <= most else f"{shown}, … ({len(places)} in all)"


def _checked_indices(indices: Sequence[int], total: int, name: str) -> list[int]:
    places = list(indices)
    wrong = next((place for place in places if not 0 <= place < total), None)
    if wrong is not None:
        raise InputError(f"indices: expected 0 to {total - 1} for {name}, got {wrong}")
    if not places:
        raise InputError(f"indices: expected at least one place of {name}, got none")
    if len(set(places)) < len(places):
        twice = next(place for position, place in enumerate(places) if place in places[:position])
        raise InputError(f"indices: expected each place of {name} once, got {twice} again")
    return places
