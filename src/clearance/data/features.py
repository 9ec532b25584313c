"""A table as a set of inputs: one column is the label, each of the others a feature.

- **The label** is the column that is asked for, else one called label, class, target or y, else the last. Whole numbers
  are class indices; text is numbered in sorted order, or as the model's classes are.
- **Features** are the other columns in the order of the file, as float32 numbers in their own units.
- **Bounds** of a feature are its smallest and largest value in the whole file, unless a file of bounds says more.
- **Fixed coordinates.** A column of two truth values (true and false, yes and no, 0 and 1) is fixed unless it is said
  to be movable: half of a "yes" is no input. Columns of other whole numbers, such as an age, move: the minimum
  distance over real numbers is at most that over whole ones, so a certificate holds for these as well.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clearance.data.class_names import list_names, meant, numbered
from clearance.data.columns import Column, DataTable
from clearance.data.dataset import Bounds, Source
from clearance.data.npz import one_range
from clearance.data.options import Options
from clearance.errors import InputError

LABEL_TAKEN = "the label is the column"
"""How a note on the column of labels begins, where nobody named it."""
LABEL_NAMES = ("label", "class", "target", "y")
"""Columns that are taken as the label where none is named, in this order."""

EVERY_COLUMN = "all"
"""Stands for all columns in the lists of fixed and movable ones."""


def tabular_source(
    table: DataTable,
    name: str,
    options: Options,
    *,
    bounds_of: Callable[[Path], DataTable],
    own_names: bool = False,
) -> Source:
    """The inputs of a table (see the module's text).

    Args:
        table: The table.
        name: What to call the set.
        options: `label`, `fixed`, `movable`, `bounds_file` and `class_names` are read.
        bounds_of: Reads the file of bounds.
        own_names: Whether the class names of `options` are the data's own: whole numbers are indices among them.

    Returns:
        Inputs of shape `(count, features)`.

    Raises:
        InputError: If a column or a value cannot be used, or no column is left to move.
    """
    label, notes = _label(table, options)
    names = [column for column in table.names if column != label]
    if not names:
        raise InputError(f"{table.source}: expected a column of labels and at least one more, got {label!r} alone")
    with _told(notes):
        labels, class_names = numbered(table, label, options.class_names, own=own_names)
    if not set(class_names) <= set(options.class_names):
        order = list_names([f"{place} {one}" for place, one in enumerate(class_names)])
        notes.append(f"the classes are numbered in sorted order: {order} (--class-names says otherwise)")
    guessed = notes[:1] if options.label is None and label.lower() not in LABEL_NAMES else []
    columns = [_numbers(table, column, guessed) for column in names]
    values = np.stack([column.values for column in columns], axis=1)
    fixed = _fixed(names, columns, options, table.source)
    by_default = [one for one, held in zip(names, fixed, strict=True) if held and one not in options.fixed]
    if by_default and EVERY_COLUMN not in options.fixed:
        notes.append(
            f"fixed, as they hold two values only: {list_names(by_default)} (--movable NAME,... lets them move)"
        )
    notes += _two_valued(names, columns, fixed, options)

    def read(rows: Sequence[int]) -> NDArray[np.float32]:
        return values[list(rows)]

    bounds = _bounds(names, columns, options, bounds_of, notes)
    import torch  # all that can be wrong with a table has been told

    return Source(
        read,
        labels,
        name,
        bounds,
        class_names,
        feature_names=tuple(names),
        fixed=torch.from_numpy(fixed) if fixed.any() else None,
        notes=tuple(notes),
        stands_at=table.at,
    )


def _numbers(table: DataTable, column: str, guessed: Sequence[str]) -> Column:
    """A feature; with what is wrong with one of text, how the column of labels was guessed: it may be that one."""
    with _told(guessed if guessed and table.is_text(column) else ()):
        return table.numbers(column)


@contextmanager
def _told(notes: Sequence[str]) -> Generator[None]:
    """Say with what is wrong how the column of labels was chosen: it may be that the label is another."""  # noqa: DOC501
    try:
        yield
    except InputError as error:
        raise InputError("; ".join([str(error), *notes])) from error


def _label(table: DataTable, options: Options) -> tuple[str, list[str]]:
    """The column of labels, and a note where nobody named it."""  # noqa: DOC501
    if options.label is not None:
        if options.label not in table.names:
            shown = list_names(table.names)
            near = meant(options.label, table.names)
            raise InputError(f"label: expected a column of {table.source} ({shown}), got {options.label!r}{near}")
        return options.label, []
    usual = [name for wanted in LABEL_NAMES for name in table.names if name.lower() == wanted]
    label = usual[0] if usual else table.names[-1]
    why = "" if usual else ", the last, as none is called " + ", ".join(LABEL_NAMES)
    return label, [f"{LABEL_TAKEN} {label!r}{why} (--label NAME names another)"]


def _fixed(names: Sequence[str], columns: Sequence[Column], options: Options, source: str) -> NDArray[np.bool_]:
    for flag, wanted in (("fixed", options.fixed), ("movable", options.movable)):
        stranger = next((name for name in wanted if name not in names and name != EVERY_COLUMN), None)
        if stranger is not None:
            known, near = list_names(names), meant(stranger, names)
            raise InputError(f"{flag}: expected features of {source} ({known}), got {stranger!r}{near}")
    both = sorted(set(options.fixed) & set(options.movable))
    if both:
        raise InputError(f"fixed: expected other columns than in movable, got {both[0]!r} in both")
    held = [column.kind == "bool" for column in columns]
    if EVERY_COLUMN in options.movable and EVERY_COLUMN not in names:
        held = [False] * len(held)
    if EVERY_COLUMN in options.fixed and EVERY_COLUMN not in names:
        held = [True] * len(held)
    fixed = np.array(
        [(own or name in options.fixed) and name not in options.movable for name, own in zip(names, held, strict=True)]
    )
    if fixed.all():
        wanted = f"a feature of {source} that can move"
        advice = "columns of two values are, by default: --movable NAME,... or --movable all lets them move"
        raise InputError(f"fixed: expected {wanted}, got all of them fixed ({advice})")
    return fixed


def _two_valued(
    names: Sequence[str], columns: Sequence[Column], fixed: NDArray[np.bool_], options: Options
) -> list[str]:
    """A note on columns that take two values other than 0 and 1, and that nobody said whether they may move."""
    few = [
        name
        for name, column, held in zip(names, columns, fixed, strict=True)
        if not held and name not in options.movable and len(column.values) > 2 and _has_two_values(column.values)
    ]
    if not few or EVERY_COLUMN in options.movable:
        return []
    return [f"of two values other than 0 and 1, and may move: {list_names(few)} (--fixed NAME,... holds them)"]


def _has_two_values(values: NDArray[np.float32]) -> bool:
    low, high = values.min(), values.max()
    return bool(low < high and ((values == low) | (values == high)).all())


def _bounds(
    names: Sequence[str],
    columns: Sequence[Column],
    options: Options,
    bounds_of: Callable[[Path], DataTable],
    notes: list[str],
) -> Bounds | None:
    """The range of each feature; none where no feature has two different values. Adds notes on a file of bounds."""
    lows = np.array([0.0 if column.kind == "bool" else column.values.min() for column in columns], dtype=np.float64)
    highs = np.array([1.0 if column.kind == "bool" else column.values.max() for column in columns], dtype=np.float64)
    if options.bounds_file is not None:
        missing = _set_bounds(bounds_of(Path(options.bounds_file)), names, lows, highs)
        if missing:
            notes.append(
                f"{options.bounds_file} has no bounds of {list_names(missing)}: the range of the column is taken"
            )
        for name, column, low, high in zip(names, columns, lows, highs, strict=True):
            if outside := int(((column.values < low) | (column.values > high)).sum()):
                notes.append(
                    f"{name}: {outside} of {len(column.values)} values lie outside its bounds {low:g}, {high:g}"
                )
    return one_range(lows, highs) if (lows < highs).any() else None


def _set_bounds(
    table: DataTable, names: Sequence[str], lows: NDArray[np.float64], highs: NDArray[np.float64]
) -> list[str]:
    """Put the bounds of a file into the place of those of the columns; the features that it lacks."""  # noqa: DOC501
    features = table.texts("feature")
    low, high = (table.numbers(column).values for column in ("low", "high"))
    places = {name: place for place, name in enumerate(names)}
    for row, feature in enumerate(features):
        place = places.pop(feature, None)
        if place is None:
            got = "again" if feature in names else "which is none"
            raise InputError(f"{table.at(row)}: expected each feature of the data once, got {feature!r}, {got}")
        if low[row] > high[row]:
            got = f"{low[row]:g} and {high[row]:g}"
            raise InputError(f"{table.at(row)}: expected low <= high for {feature!r}, got {got}")
        lows[place], highs[place] = low[row], high[row]
    return list(places)
