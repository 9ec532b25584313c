"""Evaluation sets by name or from files: real inputs with their labels. `data.table` lists the kinds of data.

**Units.** Images and bounds are always in the same units. uint8 images are divided by 255, and their bounds are (0, 1);
with other `bounds` in a `.npz` file, such as (0, 255), they are kept as they are, as whole numbers of any other type
are (without bounds those are refused: their units are not known). Floating images keep their own units, and their
bounds are unknown unless the file names them. `Dataset.in_units_of((0, 255))` is the same set in the units that were
stored. Images of idx files, CIFAR-10 and pictures become (count, channels, height, width); those of a `.npz` keep their
shape; a table becomes (count, features), its bounds the range of each column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from clearance.data.class_names import in_order_of
from clearance.data.dataset import Bounds, Dataset, Source
from clearance.data.files import absence, path_kind, refuse_pickle
from clearance.data.npz import HOW_TO_SAVE
from clearance.data.options import DATA_VARIABLE, Options, Size, data_folder
from clearance.data.selection import choose_rows, of_classes
from clearance.data.table import DATA_KINDS, Kind
from clearance.errors import FileError, InputError

__all__ = [
    "DATA_VARIABLE",
    "Bounds",
    "Dataset",
    "Source",
    "check_source",
    "data_folder",
    "load",
    "open_source",
    "rows_of",
    "takes",
]

QUICK_BYTES = 2**24
"""Files up to 16 MiB are read twice, once before torch is imported: that takes a tenth of a second."""


def load(
    name_or_path: str | Path,
    *,
    count: int | None = None,
    offset: int = 0,
    train: bool = False,
    indices: Sequence[int] | None = None,
    classes: Sequence[str | int] | None = None,
    resize: Size | None = None,
    crop: Size | None = None,
    channels: int | None = None,
    label: str | None = None,
    fixed: Sequence[str] = (),
    movable: Sequence[str] = (),
    bounds_file: str | Path | None = None,
    class_names: Sequence[str] = (),
) -> Dataset:
    """Load an evaluation set by its name or from files. Pictures that are not asked for are not read.

    Args:
        name_or_path: What `data.table` lists, such as `digits`, `cifar10:FOLDER`, `folder:DIR`, `FILE.csv`.
        count: How many inputs; `None` for all.
        offset: How many to pass over; with `classes`, of those classes.
        train: The training part instead of the test part; only of sets that have both.
        indices: Places in the whole set, each once, instead of `count` and `offset`.
        classes: Only inputs of these classes, by name or index.
        resize: Pictures: their shorter side is resized to this, or they are resized to (height, width).
        crop: Pictures: the centre of this size is kept, after `resize`.
        channels: Pictures: 1 makes them grey, 3 gives grey ones three equal channels; `None`: as the first of the set.
        label: Tables: the column of labels. One picture: its class.
        fixed: Tables: columns that cannot move.
        movable: Tables: columns that can move although they hold two values only.
        bounds_file: Tables: a CSV file of valid ranges, with the columns feature, low, high.
        class_names: The classes in the order of a model's outputs, for labels that are text.

    Returns:
        The set.

    Raises:
        FileError: If a file is missing or damaged.
        PickleRefusedError: If a file is or holds a pickle.
        InputError: If the name is unknown, a value cannot be used, or there are not enough inputs.

    >>> digits = load("digits", count=3)
    >>> digits.images.shape, digits.labels.tolist(), digits.bounds
    (torch.Size([3, 1, 8, 8]), [0, 5, 0], (0.0, 1.0))
    >>> load("digits", indices=[7, 3]).indices
    (7, 3)
    """
    options = Options(
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
    source = open_source(name_or_path, options)
    found = source.take(rows_of(source, count=count, offset=offset, indices=indices, classes=classes))
    return replace(found, source=str(name_or_path), whole=source)


def open_source(name_or_path: str | Path, options: Options) -> Source:
    """A set with its labels; its inputs are read when they are chosen.

    Args:
        name_or_path: As in `load`.
        options: What its reader is told.

    Returns:
        The set.

    Raises:
        FileError: If a file is missing or damaged, or memory does not hold it.
        InputError: If the name is unknown, or an option is given that this kind of data does not take.
    """
    text, (kind, place) = str(name_or_path), _checked_kind(name_or_path, options)
    try:
        source: Source = kind.load()(place, options)
    except MemoryError:
        raise FileError(f"{text}: expected data that fit into memory, got more") from None
    return in_order_of(source, options.class_names)


def check_source(name_or_path: str | Path, options: Options) -> None:
    """Look whether data are there, and whether a file of moderate size can be read, before torch is imported.

    Args:
        name_or_path: As in `load`.
        options: What its reader is told; what a model says of its inputs may be missing.

    Raises:
        FileError: If a folder or a file is missing; if a file is damaged.
        InputError: If the name is unknown, or an option does not go with the data.
    """
    kind, place = _checked_kind(name_or_path, options)
    kind.check_place(place)
    if kind.quick and Path(place).stat().st_size <= QUICK_BYTES:
        open_source(name_or_path, options)


def takes(name_or_path: str | Path, option: str) -> bool:
    """Whether this kind of data takes an option.

    Args:
        name_or_path: As in `load`.
        option: Its name, such as `resize`.

    Returns:
        Whether it does.
    """
    return option in DATA_KINDS[_kind(str(name_or_path))[0]].options


def rows_of(
    source: Source,
    *,
    count: int | None = None,
    offset: int = 0,
    indices: Sequence[int] | None = None,
    classes: Sequence[str | int] | None = None,
) -> list[int]:
    """The places of the inputs that are asked for.

    Args:
        source: The set.
        count: How many; `None` for all.
        offset: How many to pass over; with `classes`, of those classes.
        indices: The places themselves, instead of all others.
        classes: Only inputs of these classes, by name or index.

    Returns:
        Their places in the whole set.

    Raises:
        InputError: If the set does not have them, or `indices` does not stand alone.
    """
    if indices is not None and (count is not None or offset or classes):
        other = "count" if count is not None else "offset" if offset else "classes"
        raise InputError(f"indices: expected to stand alone, got {other} as well")
    among = None if not classes else of_classes(source.labels, classes, source.class_names, source.name)
    return choose_rows(len(source), source.name, count=count, offset=offset, indices=indices, among=among)


def _checked_kind(name_or_path: str | Path, options: Options) -> tuple[Kind, str]:
    """The kind of data, once it is known to take the options that are given, and the place."""  # noqa: DOC501
    text = str(name_or_path)
    name, place = _kind(text)
    kind = DATA_KINDS[name]
    alien = [option for option in options.given() if option not in kind.options]
    if alien:
        able = ", ".join(other.form for other in DATA_KINDS.values() if alien[0] in other.options)
        what = "no training part" if alien[0] == "train" else f"no use for {alien[0].replace('_', '-')}"
        raise InputError(f"{alien[0].replace('_', '-')}: expected data of another kind ({able}); {text} has {what}")
    return kind, place


def _kind(text: str) -> tuple[str, str]:
    """The name of the kind of data in the table, and the place."""
    name, colon, place = text.partition(":")
    kind = DATA_KINDS.get(name)
    if kind is not None and ((kind.colon and place) or (kind.alone and not colon)):
        return name, place
    path = Path(text)
    if path_kind(path) == "folder" or ("," in text and path_kind(path) == "none"):
        return "idx", text
    suffix = path.suffix.lower()
    found = next((name for name, kind in DATA_KINDS.items() if suffix in kind.endings), None)
    if found is None or path_kind(path) == "none":
        _refuse(path)
    return found or "", text


def _refuse(path: Path) -> None:
    """Say why nothing can be read at a place that names no kind of data."""  # noqa: DOC501
    refuse_pickle(path, instead=HOW_TO_SAVE)
    if path_kind(path) == "none":
        names = ", ".join(name for name, kind in DATA_KINDS.items() if kind.alone)
        raise FileError(f"{path}: {absence(path)}, and no set of that name (there are: {names})")
    got = f"'{path.suffix}'" if path.suffix else "a name without an ending"
    first, *others = (kind.endings[0] for kind in DATA_KINDS.values() if kind.endings)
    forms = ", ".join(kind.form for kind in DATA_KINDS.values() if not kind.endings and not kind.alone)
    raise FileError(f"{path}: expected a {first} file, {', '.join(others)}, {forms}; got {got}")
