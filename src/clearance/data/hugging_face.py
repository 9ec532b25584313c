"""Parquet files, and data sets of Hugging Face's `datasets` as they lie on disk. Nothing is fetched, no code is run.

A column of pictures (image, img, picture, or any that holds files of pictures) makes images; without one, the columns
are a table (`data.features`). The label is the column asked for, else one called label, labels, class, target or y,
`fine_label` too. A data set of several splits gives test, else validation, else train; its training part is train.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from clearance.data.class_names import numbered
from clearance.data.columns import DataTable
from clearance.data.csv_tables import read_csv
from clearance.data.dataset import Source, check_classes
from clearance.data.features import LABEL_NAMES, tabular_source
from clearance.data.files import PIXEL_LEVELS, described, path_kind, reason_of, refuse_pickle
from clearance.data.options import Options
from clearance.data.picture_sets import Named, PictureReader
from clearance.errors import FileError, InputError

PICTURE_LABELS = (*LABEL_NAMES, "labels", "fine_label")
"""Columns that are taken as the label of pictures, in this order."""

TEST_SPLITS = ("test", "validation", "valid", "train")
"""Splits for testing, the first that is there."""

TRAIN_SPLIT = "train"
"""The split for training."""

SAVED_FILES = ("dataset_dict.json", "state.json")
"""Files that `datasets` leaves in a folder: of several splits, of one."""


@dataclass(frozen=True)
class _ArrowRows:
    """Arrow data: their columns, the classes that their features name, and what they are called."""

    data: Any
    class_names: Mapping[str, tuple[str, ...]]
    source: str

    def columns(self, names: Sequence[str]) -> Any:
        """Some columns as an Arrow table, all rows."""
        return self.data.to_table(columns=list(names))

    def cells(self, column: str, rows: Sequence[int]) -> list[object]:
        """Some cells of a column."""
        return self.data.take(list(rows), columns=[column])[column].to_pylist()


def open_parquet(place: str, options: Options) -> Source:
    """One Parquet file (see the module's text).

    Args:
        place: The file.
        options: All but `train` are read.

    Returns:
        The set, named after the file.
    """
    path = Path(place)
    refuse_pickle(path, instead="write the table as Parquet")
    return _source(_parquet([path], place), path.stem, options)


def require_rows(place: str) -> Path:
    """The folder or the file of a data set, if it is there.

    Args:
        place: The folder or file.

    Returns:
        The folder or file.

    Raises:
        FileError: If it is missing.
    """
    path = Path(place)
    if path_kind(path) not in ("file", "folder"):
        raise FileError(f"{place}: expected a folder that datasets saved, or Parquet files, got {described(path)}")
    return path


def open_hugging_face(place: str, options: Options) -> Source:
    """A folder that `Dataset.save_to_disk` wrote, a folder of Parquet files, or one Parquet file.

    Args:
        place: The folder or file.
        options: All are read.

    Returns:
        The set, named after the folder and the split.

    Raises:
        FileError: If it is none of these, or damaged.
    """
    path = require_rows(place)
    if path_kind(path) == "file":
        return open_parquet(place, options)
    if any(path_kind(path / name) == "file" for name in SAVED_FILES):
        split, rows = _saved(path, options)
    else:
        split, rows = _split_files(path, options)
    return _source(rows, f"{path.resolve().name}-{split}" if split else path.resolve().name, options)


def _saved(path: Path, options: Options) -> tuple[str, _ArrowRows]:
    try:
        import datasets
        import pyarrow.dataset as arrow
    except ImportError as error:
        raise FileError(f"{path}: needs datasets ({error}): pip install 'clearance[hf]'") from None
    try:
        found: Any = datasets.load_from_disk(str(path))
        split = ""
        if isinstance(found, datasets.DatasetDict):
            split = _choose([str(name) for name in found], str(path), train=options.train)
            found = found[split]
        elif options.train:
            raise InputError(f"train: expected a data set with the split {TRAIN_SPLIT}; {path} has one part only")
        plain = found.flatten_indices() if found._indices is not None else found
        features = dict(plain.features)
        names = {
            name: tuple(map(str, one.names)) for name, one in features.items() if isinstance(one, datasets.ClassLabel)
        }
        return split, _ArrowRows(arrow.InMemoryDataset(plain.data.table), names, str(path))
    except InputError:
        raise
    except Exception as error:  # a damaged folder fails in many ways, and all mean the same
        raise FileError(
            f"{path}: expected a data set that datasets saved, got a damaged one ({reason_of(error, 160)})"
        ) from None


def _split_files(path: Path, options: Options) -> tuple[str, _ArrowRows]:
    """The Parquet files of one split: their names begin with its name, as test-00000-of-00001.parquet."""  # noqa: DOC501
    files = sorted(path.rglob("*.parquet"))
    if not files:
        raise FileError(f"{path}: expected a folder that datasets saved, or Parquet files, found neither")
    named = {file: next((split for split in TEST_SPLITS if file.name.startswith(split)), "") for file in files}
    if not any(named.values()):
        if options.train:
            raise InputError(f"train: expected files of the split {TRAIN_SPLIT}; {path} has one part only")
        return "", _parquet(files, str(path))
    split = _choose([name for name in named.values() if name], str(path), train=options.train)
    return split, _parquet([file for file in files if named[file] == split], str(path))


def _choose(found: Sequence[str], source: str, *, train: bool) -> str:
    wanted = (TRAIN_SPLIT,) if train else TEST_SPLITS
    split = next((name for name in wanted if name in found), None)
    if split is None:
        got = ", ".join(dict.fromkeys(found)) or "none"
        raise InputError(f"{source}: expected a split {' or '.join(wanted)}, got {got}")
    return split


def _parquet(files: Sequence[Path], source: str) -> _ArrowRows:
    try:
        import pyarrow.dataset as arrow
    except ImportError as error:
        raise FileError(f"{source}: needs pyarrow ({error}): pip install 'clearance[export]'") from None
    try:
        data = arrow.dataset([str(file) for file in files], format="parquet")
        return _ArrowRows(data, _stated_classes(data.schema.metadata), source)
    except Exception as error:  # a damaged file fails in many ways, and all mean the same
        raise FileError(f"{source}: expected Parquet, got a damaged or other file ({reason_of(error, 160)})") from None


def _stated_classes(metadata: Mapping[bytes, bytes] | None) -> dict[str, tuple[str, ...]]:
    """The names of classes that `datasets` states in the metadata of a Parquet file."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
        return {
            str(column): tuple(map(str, feature["names"]))
            for column, feature in features.items()
            if isinstance(feature, dict) and cast("dict[str, object]", feature).get("_type") == "ClassLabel"
        }
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}


def _source(rows: _ArrowRows, name: str, options: Options) -> Source:
    try:
        schema, total = rows.data.schema, rows.data.count_rows()
        pictures = _picture_column(schema)
        wanted = [field.name for field in schema if field.name != pictures]
        if pictures is not None:
            wanted = [_label_column(wanted, options, rows.source)]
        table = _table(rows, wanted, total)
    except (InputError, FileError):
        raise
    except Exception as error:  # as above
        raise FileError(f"{rows.source}: damaged ({reason_of(error, 160)})") from None
    if not total:
        raise InputError(f"{rows.source}: expected at least one row, got none")
    if pictures is None:
        chosen = options.label or next((name for name in rows.class_names if name in wanted), None)
        return _tabular(table, name, options, rows, chosen)
    own = rows.class_names.get(wanted[0], ())
    labels, names = numbered(table, wanted[0], own or options.class_names, own=bool(own))
    check_classes(labels, own, rows.source)
    return _pictures(rows, pictures, labels, names, name, options)


def _tabular(table: DataTable, name: str, options: Options, rows: _ArrowRows, label: str | None) -> Source:
    from dataclasses import replace

    own = rows.class_names.get(label or "", ())
    chosen = replace(options, label=label, class_names=own or options.class_names)
    return tabular_source(table, name, chosen, bounds_of=read_csv, own_names=bool(own))


def _pictures(
    rows: _ArrowRows, column: str, labels: NDArray[np.int64], names: tuple[str, ...], name: str, options: Options
) -> Source:
    def find(places: Sequence[int]) -> list[Named]:
        try:
            cells = rows.cells(column, places)
        except Exception as error:  # as above
            raise FileError(f"{rows.source}: damaged ({reason_of(error, 160)})") from None
        return [_content(cell, f"{rows.source}, row {place}") for place, cell in zip(places, cells, strict=True)]

    reader = PictureReader(find, options)
    return Source(reader, labels, name, (0.0, 1.0), names, scale=PIXEL_LEVELS)


def _content(cell: object, at: str) -> Named:
    content = cast("dict[str, object]", cell).get("bytes") if isinstance(cell, dict) else cell
    if not isinstance(content, bytes):
        raise FileError(f"{at}: expected the content of a picture, got {'a path alone' if cell else 'nothing'}")
    return at, content


def _picture_column(schema: Any) -> str | None:
    import pyarrow as pa

    for field in schema:
        kind = field.type
        if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            return str(field.name)
        if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
            return str(field.name)
    return None


def _label_column(names: Sequence[str], options: Options, source: str) -> str:
    found = [name for wanted in PICTURE_LABELS for name in names if name.lower() == wanted]
    if options.label is not None:
        found = [name for name in names if name == options.label]
    if not found:
        wanted = repr(options.label) if options.label else " or ".join(PICTURE_LABELS)
        raise InputError(f"label: expected a column {wanted} in {source}, got {', '.join(names)[:200] or 'none'}")
    return found[0]


def _table(rows: _ArrowRows, names: Sequence[str], total: int) -> DataTable:
    import pyarrow as pa

    read, columns = rows.columns(names), dict[str, NDArray[np.generic]]()
    if read.num_rows != total:
        raise FileError(f"{rows.source}: damaged, it states {total:,} rows and has {read.num_rows:,}")
    for name in names:
        column = read[name]
        if column.null_count:
            row = column.is_null().to_pylist().index(True)
            raise InputError(f"{rows.source}, row {row}: expected a value in the column {name!r}, got none")
        text = (
            pa.types.is_string(column.type)
            or pa.types.is_large_string(column.type)
            or pa.types.is_dictionary(column.type)
        )
        if not text and (pa.types.is_nested(column.type) or pa.types.is_temporal(column.type)):
            raise InputError(f"{rows.source}: expected numbers or text in the column {name!r}, got {column.type}")
        columns[name] = np.array(column.to_pylist(), dtype=object) if text else column.to_numpy()
    return DataTable(rows.source, columns, range(total), "row")
