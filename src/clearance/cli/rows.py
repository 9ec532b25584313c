"""Which inputs are read: those that were asked for, or the first ones that the model classifies correctly."""

from __future__ import annotations

from collections.abc import Sequence

import click

from clearance.cli.checks import finite_bounds
from clearance.cli.flag_values import InputFlags
from clearance.data.datasets import Dataset, Source
from clearance.errors import InputError
from clearance.model.classifier import Classifier

PASS_SIZE = 64
"""Inputs that are read and classified together where misclassified ones are skipped."""


def read_rows(source: Source, rows: Sequence[int], flags: InputFlags) -> Dataset:
    """Some inputs, in the units of the bounds that were given."""
    data = source.take(rows)
    return data if flags.bounds is None or flags.no_bounds else data.in_units_of(finite_bounds(flags.bounds))


def classified(source: Source, rows: Sequence[int], model: Classifier, flags: InputFlags) -> tuple[list[int], int]:
    """The first of these inputs that the model classifies correctly, and how many others came before the last of them.

    Raises:
        InputError: If there are not as many as were asked for, or a label is no class of the model.
    """
    wanted = None if flags.count == "all" or flags.indices is not None else int(flags.count)
    if wanted is not None and wanted < 1:
        raise InputError(f"count: expected at least 1, got {wanted}")
    kept: list[int] = []
    right = (
        row
        for start in range(0, len(rows), PASS_SIZE)
        for row in _right(source, rows[start : start + PASS_SIZE], model, flags)
    )
    passed = 0
    for row, correct in right:
        if wanted is not None and len(kept) == wanted:
            break
        passed += 1
        if correct:
            kept.append(row)
    if not kept or (wanted is not None and len(kept) < wanted and "count" in flags.given):
        asked = "at least one input" if wanted is None else f"{wanted} inputs"
        got = f"{len(kept)} of {passed}"
        raise InputError(f"--skip-misclassified: expected {asked} that the model classifies correctly, got {got}")
    skipped = list(rows).index(kept[-1]) + 1 - len(kept)
    if skipped > len(kept):
        wrong = f"{skipped} of {skipped + len(kept)} inputs are misclassified"
        classes = "is the order of the classes the model's (--class-names)"
        inputs = "is what it gets what it was trained on (--mean, --std, --preset, --resize)"
        click.echo(f"clearance: {wrong}: {classes}, and {inputs}?", err=True)
    return kept, skipped


def _right(source: Source, rows: Sequence[int], model: Classifier, flags: InputFlags) -> list[tuple[int, bool]]:
    """Whether each of these inputs is classified correctly."""
    data = read_rows(source, rows, flags)
    logits = model.logits_of_each(model.check_inputs(data.images))
    check_classes(data, logits.shape[1])
    right = logits.argmax(1).cpu() == data.labels
    return list(zip(rows, right.tolist(), strict=True))


def check_classes(data: Dataset, classes: int) -> None:
    """Check that every label is a class of the network.

    Args:
        data: The inputs.
        classes: How many classes the network has.

    Raises:
        InputError: If one is not, with its place in the whole set.
    """
    place = int(data.labels.argmax())
    label = int(data.labels[place])
    if label >= classes:
        got = f"{label} for input {data.indices[place]}"
        raise InputError(f"labels: expected 0 to {classes - 1}, the classes of the network, got {got}")
