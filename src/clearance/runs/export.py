"""The results of a run as JSON, CSV or Parquet: one record for each task, in the order of the plan.

**What is exported.** The task (`task`, its key; `input`, `label`, `norm`, `target`, `order`), `error` (`None` where the
task did not fail), `seconds`, and the values of its result under their own names; `label_name` and `predicted_name`
where classes have names. Two runs of one plan give the same records, bit for bit, apart from the fields whose names end
in `seconds`. Tasks that are not finished are left out.

**Estimates.** `estimated.radius` is the estimate's own. Where more is proved than was estimated, it is `None` and
`estimated.below_proof` is true: `certified.radius` is the better number, and the flag `below_certificate` has
the other.

**JSON** is a list of objects, nested as the results are. JSON has no infinity: it is the text `"inf"` there (`"-inf"`,
`"nan"`), as in `plan.json`.

**CSV and Parquet** are flat: `certified.radius` is the field `radius` of `certified`; lists are JSON text in CSV, and
`target` is always text. CSV writes numbers so that they read back to the same bits, and nothing for `None`. Text that a
spreadsheet would take for a formula (it begins with `=`, `+`, `-`, `@`, tab or return) gets a `'` before it in CSV;
Parquet and JSON hold it as it is. Parquet keeps infinities, and needs the extra `export`.

**Arrays** (witnesses, block maxima) are left out unless asked for: nested lists named `arrays.NAME`, no CSV.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from clearance.errors import InputError
from clearance.records import in_words
from clearance.runs.execute import Run, refuse_run_files
from clearance.runs.files import replacing
from clearance.runs.own_estimates import own_estimate
from clearance.runs.plan import Task
from clearance.runs.store import TASK_FIELDS, Record

EXPORT_FORMATS = ("parquet", "csv", "json")
"""What a run can be exported to."""

NUMBER_WORDS = ("inf", "-inf", "nan")
"""Words that stand for numbers in a column."""
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""

NAMED_COLUMNS = ("label", "predicted")
"""Columns that hold a class."""

Exported = dict[str, Any]


def export_run(run: Run, file: Path, *, kind: str, arrays: bool = False, force: bool = False) -> int:
    """Write the finished tasks of a run to a file, all at once.

    Args:
        run: The run.
        file: The file.
        kind: One of `EXPORT_FORMATS`.
        arrays: The arrays as well.
        force: Replace a file that is there.

    Returns:
        How many records were written.

    Raises:
        InputError: If the format is unknown or cannot hold arrays, or a package is missing.
        FileError: If the file is there and `force` is false, belongs to the run, or cannot be written; if a result is
            damaged.
    """
    if kind not in EXPORT_FORMATS:
        raise InputError(f"format: expected one of {', '.join(EXPORT_FORMATS)}, got {kind!r}")
    if arrays and kind == "csv":
        raise InputError("arrays: expected the format json or parquet, got csv, which holds no arrays")
    refuse_run_files(file, run.folder, name="file")
    write = _parquet_writer() if kind == "parquet" else _write_csv if kind == "csv" else _write_json
    with replacing(file, force=force) as stream:
        records = list(iterate_records(run, arrays=arrays))
        write(records, stream)
    return len(records)


def iterate_records(run: Run, *, arrays: bool = False) -> Iterator[Exported]:
    """The finished tasks of a run, in the order of the plan, as nested plain values.

    Args:
        run: The run.
        arrays: The arrays as well, as nested lists.

    Yields:
        One record for each finished task; equal inputs have equal records apart from `input`.
    """
    for task in run.plan.tasks():
        record = run.store.read(task.key)
        if record is not None:
            yield with_class_names(as_exported(task, record, arrays=arrays), run.plan.data.class_names)


def as_exported(task: Task, record: Record, *, arrays: bool = False) -> Exported:
    """One record of an export.

    Args:
        task: The task.
        record: What became of it.
        arrays: The arrays as well, as nested lists.

    Returns:
        Nested plain values.
    """
    about = (task.key, task.index, task.label, task.norm, task.target, task.order, record.error, record.seconds)
    held = {f"arrays.{name}": array.tolist() for name, array in record.arrays.items()} if arrays else {}
    return {**dict(zip(TASK_FIELDS, about, strict=True)), **own_estimate(record.values), **held}


def with_class_names(record: Exported, names: Sequence[str]) -> Exported:
    """A record with the names of its classes beside their numbers, where classes have names that are no numbers.

    Args:
        record: A record.
        names: A name for each class; empty where there are none.

    Returns:
        The record, with `label_name` and `predicted_name`.

    >>> with_class_names({"input": 0, "label": 1, "predicted": None}, ("cat", "dog"))
    {'input': 0, 'label': 1, 'label_name': 'dog', 'predicted': None, 'predicted_name': None}
    """
    if all(name == str(number) for number, name in enumerate(names)):  # none, or the numbers themselves
        return record
    found: Exported = {}
    for column, value in record.items():
        found[column] = value
        if column in NAMED_COLUMNS:
            known = isinstance(value, int) and 0 <= value < len(names)
            found[f"{column}_name"] = names[value] if known else None
    return found


def _write_json(records: Sequence[Exported], stream: BinaryIO) -> None:
    text = json.dumps([in_words(record) for record in records], indent=1, allow_nan=False)
    stream.write(f"{text}\n".encode())


def _write_csv(records: Sequence[Exported], stream: BinaryIO) -> None:
    names, rows = as_table(records)
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([_cell(name) for name in names])
    writer.writerows([_cell(row.get(name)) for name in names] for row in rows)
    text.flush()
    text.detach()


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return f"'{value}" if value.startswith(FORMULA_STARTS) else value
    if value is None:
        return ""
    return repr(value) if isinstance(value, float) else json.dumps(value)


def _parquet_writer() -> Callable[[Sequence[Exported], BinaryIO], None]:
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError as error:
        message = "format: expected the extra 'export' for parquet, got none; pip install 'clearance[export]'"
        raise InputError(message) from error

    def write(records: Sequence[Exported], stream: BinaryIO) -> None:
        names, rows = as_table(records)
        columns = {name: _column(arrow, [row.get(name) for row in rows]) for name in names}
        parquet.write_table(arrow.table(columns), stream)

    return write


def _column(arrow: Any, values: Sequence[Any]) -> Any:
    try:
        return arrow.array(values)
    except (arrow.ArrowInvalid, arrow.ArrowTypeError, OverflowError):  # values of several kinds: as text
        return arrow.array([None if value is None else _cell(value) for value in values])


def as_table(records: Sequence[Exported]) -> tuple[list[str], list[Exported]]:
    """Column names in the order in which they first appear, and the flat records.

    Args:
        records: As `iterate_records` gives them.

    Returns:
        The names; and of each record its values by name: `certified.radius` is the field `radius` of `certified`.
    """
    rows = [_flatten({**record, "target": str(record["target"])}) for record in records]
    rows = [{name: _number(value) for name, value in row.items()} for row in rows]
    return list(dict.fromkeys(name for row in rows for name in row)) or list(TASK_FIELDS), rows


def _number(value: Any) -> Any:
    """Infinities are words in the store; in a table they are numbers, so that a column has one type."""
    return float(value) if isinstance(value, str) and value in NUMBER_WORDS else value


def _flatten(values: Mapping[str, Any], prefix: str = "") -> Exported:
    flat: Exported = {}
    for name, value in values.items():
        flat |= _flatten(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return flat
