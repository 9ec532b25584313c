"""`clearance attack`: one model, one set of inputs, the nearest witness that attacks find for each."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np
import torch
from rich import box
from rich.table import Table
from rich.text import Text

from clearance import __version__
from clearance.attacks import AttackResult, attack
from clearance.attacks.table import ENSEMBLE
from clearance.cli import tables
from clearance.cli.flag_values import AttackFlags, InputFlags
from clearance.cli.inputs import Inputs, as_target, load_inputs
from clearance.cli.run_values import out_file
from clearance.errors import FileError
from clearance.estimates.status import Status
from clearance.geometry.norms import as_distance
from clearance.model.cost import Cost
from clearance.runs.files import replacing

MISCLASSIFIED = "misclassified"
"""The method of a result whose input was not attacked: its prediction is not its label."""
REACHED = Status.TARGET_IS_PREDICTED.value
"""The method of a result whose input was not attacked: it has the target class already."""


def run_attack(given: InputFlags, flags: AttackFlags, *, save: str | None, as_json: bool) -> None:
    """Attack the inputs, print a table or a JSON document, and save the witnesses where asked.

    Args:
        given: The model and the inputs.
        flags: What is attacked, and how hard.
        save: An `.npz` file for the witnesses.
        as_json: Print JSON.
    """
    file = _save_file(save)
    inputs = load_inputs(given)
    results, target = list[AttackResult](), as_target(flags.target)
    _, reached = inputs.check(target, seed=flags.seed)
    with tables.progress("attacking", len(inputs.data), shown=not as_json) as advance:
        for image, label, there in zip(inputs.data.images, inputs.data.labels, reached, strict=True):
            if there:
                results.append(AttackResult(None, math.nan, False, int(label), REACHED, Cost()))
                advance()
                continue
            results += attack(
                inputs.model,
                image[None],
                label[None],
                target=target,
                norm=flags.norm,
                method=flags.method,
                budget=flags.budget,
                seed=flags.seed,
            )
            advance()
    if file is not None:
        save_witnesses(file, inputs, results)
    if as_json:
        click.echo(json.dumps(as_document(inputs, results, flags), indent=2, allow_nan=False))
    else:
        print_results(inputs, results, flags)


def _save_file(name: str | None) -> Path | None:
    """The file, if it can be written: better to hear that it cannot before the attacks than after.

    Raises:
        FileError: If its folder is not there or cannot be written, it is a folder itself, or its name does not end in
            `.npz`.
    """
    if name is not None and Path(name).suffix != ".npz":
        raise FileError(f"--save: expected a file name that ends in .npz, got {name}")
    return out_file("--save", name, runs=[])


def save_witnesses(file: Path, inputs: Inputs, results: Sequence[AttackResult]) -> None:
    """Write inputs, witnesses (NaN where there is none), distances, labels and predictions, all at once.

    Args:
        file: The `.npz` file; replaced if it is there.
        inputs: What was attacked.
        results: The results, in the same order.
    """
    images = inputs.data.images
    nothing = torch.full_like(images[0], math.nan)
    witnesses = [nothing if result.adversarial is None else result.adversarial.cpu() for result in results]
    with replacing(file, force=True) as stream:
        np.savez_compressed(
            stream,
            images=images.numpy(),
            labels=inputs.data.labels.numpy(),
            adversarial=torch.stack(witnesses).numpy(),
            distances=np.array([result.distance for result in results]),
            predictions=np.array([result.predicted for result in results]),
        )


def print_results(inputs: Inputs, results: Sequence[AttackResult], flags: AttackFlags) -> None:
    """One line for each input, the median, and how to read it."""
    console, model = tables.make_console(), inputs.model
    choices = f"{tables.norm_name(as_distance(flags.norm))}, {tables.towards(flags.target)}, budget {flags.budget}"
    choices += "" if flags.method == ENSEMBLE else f", method {flags.method}"
    tables.print_heading(console, inputs.title(), f"{choices}, seed {flags.seed}")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for name in ("input", "label"):
        table.add_column(name, justify="right")
    table.add_column("predicted\n-> witness")
    table.add_column("attack\ndistance", justify="right")
    table.add_column("method")
    for index, (label, result) in enumerate(zip(inputs.data.labels.tolist(), results, strict=True)):
        table.add_row(*_cells(inputs, inputs.offset + index, label, result))
    console.print()
    console.print(table)
    console.print()
    reached = [result.distance for result in results if result.success]
    middle = tables.number(median(reached), "attacked") if reached else tables.NOTHING
    wrong = sum(result.method == MISCLASSIFIED for result in results)
    there = sum(result.method == REACHED for result in results)
    without = len(results) - len(reached) - wrong - there
    skipped = f"{wrong} misclassified{f', {there} {REACHED}' if there else ''}"
    console.print(
        f"Median attack distance {middle} over {len(reached)} of {len(results)} inputs "
        f"({without} without a witness, {skipped})"
    )
    cost = sum((result.cost for result in results), Cost())
    console.print(f"{cost.forward:,} forward and {cost.backward:,} backward passes, {cost.seconds:.0f} s")
    distance = tables.unit(as_distance(flags.norm), model.bounds)
    console.print(
        f"\nThe attack distance ({distance}) is the distance of a witness: an "
        "input that was predicted afresh and has another class. The minimum distortion is that or smaller. Where no "
        "witness was found nothing is known: it is not a sign of robustness."
    )


def _cells(inputs: Inputs, index: int, label: int, result: AttackResult) -> list[Text]:
    names = inputs.data.class_names
    predicted = tables.class_name(result.predicted, names)
    moves = f"{tables.class_name(label, names)} -> {predicted}" if result.success else predicted
    distance = tables.number(result.distance, "attacked") if result.success else tables.NOTHING
    style = "red" if result.method in (MISCLASSIFIED, REACHED, "none") else ""
    return [
        Text(str(index)),
        Text(tables.class_name(label, names)),
        Text(moves),
        Text(distance, "bold"),
        Text(result.method, style),
    ]


def as_document(inputs: Inputs, results: Sequence[AttackResult], flags: AttackFlags) -> dict[str, Any]:
    """Everything as plain values for JSON: what was not found is `None`."""
    labels = inputs.data.labels.tolist()
    return {
        "clearance": __version__,
        **inputs.as_record(),
        "target": as_target(flags.target),
        "settings": flags.settings,
        "results": [
            {
                "input": inputs.offset + index,
                "label": label,
                **result.as_record(),
            }
            for index, (label, result) in enumerate(zip(labels, results, strict=True))
        ],
    }
