"""Results as rows of a table: one for each input, with the columns that `clearance export` has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clearance.bracket import Bracket
from clearance.errors import InputError
from clearance.records import PublicRecord, in_words
from clearance.results.setup import CallSetup
from clearance.runs.export import as_table, with_class_names
from clearance.runs.own_estimates import own_estimate

PART_OF_CALL = {"clever": "estimated", "attack": "attacked", "certify": "certified", "audit": "audit"}
"""Call -> the part of a bracket that it computes: its columns have the names that they have there."""
ABOUT_COLUMNS = ("model", "input", "label", "label_name", "predicted", "predicted_name", "norm", "target", "order")
"""What a row is about: the first columns of every frame."""
SHORT_COLUMNS = (
    "certified.radius",
    "estimated.radius",
    "estimated.interval",
    "estimated.below_proof",
    "attacked.distance",
    "status",
    "flags",
    "error",
    "cost.forward",
    "cost.backward",
    "cost.seconds",
)
"""What a person reads of a bracket."""
SHORT_OF_PART = ("radius", "interval", "distance", "success", "method", "status", "worst", *SHORT_COLUMNS[-3:])
"""Of one part alone, such as the results of `attack`."""
FRAME_COLUMNS = ("short", "all")
"""Which columns a frame may have."""
LEFT_OUT_OF_ROWS = ("maxima",)
"""What is too long for a cell; it is in the records."""


def rows_of(records: Sequence[PublicRecord], setup: CallSetup) -> tuple[list[str], list[dict[str, Any]]]:
    """The columns of a table, and of each record its values by column.

    Args:
        records: The records.
        setup: What was asked.

    Returns:
        Names and rows.
    """
    names, rows = as_table([_row(place, record, setup) for place, record in enumerate(records)])
    within = {name.rpartition(".")[0] for name in names} | {name.partition(".")[0] for name in names if "." in name}
    return [name for name in names if name not in within], rows  # a part that one record lacks is no column of its own


def _row(place: int, record: PublicRecord, setup: CallSetup) -> dict[str, Any]:
    given = record.given
    if isinstance(record, Bracket):
        asked = (record.label, record.threat.norm, record.threat.target, record.order)
        values = own_estimate(record.as_record())
    else:
        asked = (None if given is None else given.label, setup.norm, setup.target, setup.order)
        plain: Mapping[str, Any] = record.as_record()  # pyright: ignore[reportAttributeAccessIssue]
        values = {
            PART_OF_CALL[setup.call]: {name: value for name, value in plain.items() if name not in LEFT_OUT_OF_ROWS}
        }
    about = dict(zip(("label", "norm", "target", "order"), asked, strict=True))
    place = place if given is None else given.place
    row = {"input": place, **about, **flags_as_text(values), **in_words(values)}
    return with_class_names(row, setup.class_names)


def flags_as_text(record: Mapping[str, Any]) -> dict[str, str]:
    """The column `flags` of a row: the codes of its audit's flags; nothing without an audit.

    Args:
        record: As `runs.export.iterate_records` gives it, or the plain values of a record by part.

    Returns:
        The column and its value.

    >>> flags_as_text({"audit": {"flags": [{"code": "flat"}, {"code": "budget"}]}}), flags_as_text({"error": "no"})
    ({'flags': 'flat, budget'}, {})
    """
    audit = record.get("audit")
    return {"flags": ", ".join(flag["code"] for flag in audit["flags"])} if audit else {}


def choose_columns(names: Sequence[str], columns: str, part: str = "") -> list[str]:
    """The columns of a frame.

    Args:
        names: All that there are.
        columns: A name of `FRAME_COLUMNS`.
        part: The part of a bracket that rows hold alone; empty for whole brackets.

    Returns:
        Their names, what a row is about first.

    Raises:
        InputError: If `columns` is another word.

    >>> choose_columns(["status", "input", "audit.flags"], "short"), choose_columns(["status", "input"], "all")
    (['input', 'status'], ['status', 'input'])
    """
    if columns not in FRAME_COLUMNS:
        raise InputError(f"columns: expected one of {', '.join(FRAME_COLUMNS)}, got {columns!r}")
    if columns == "all":
        return list(names)
    own = [*(f"{part}.{name}" for name in SHORT_OF_PART), "flags"] if part else SHORT_COLUMNS
    return [name for name in (*ABOUT_COLUMNS, *own) if name in names]


def as_dataframe(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> Any:
    """A `pandas.DataFrame`.

    Args:
        columns: The names of its columns.
        rows: One mapping for each row.

    Returns:
        The frame.

    Raises:
        InputError: If pandas is not installed.
    """
    try:
        import pandas
    except ImportError as error:
        message = "to_dataframe: expected the extra 'pandas', got none; pip install 'clearance[pandas]'"
        raise InputError(message) from error
    return pandas.DataFrame([{name: row.get(name) for name in columns} for row in rows], columns=list(columns))
