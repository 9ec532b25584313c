"""`clearance attack`: one model, one set of inputs, the nearest witness that attacks find for each."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from rich.text import Text

from clearance import __version__
from clearance.attacks import AttackResult, attack
from clearance.attacks.fixed_radius import GROUP
from clearance.attacks.table import ENSEMBLE
from clearance.bracket.robust_accuracy import RobustAccuracy, judge
from clearance.cli import tables
from clearance.cli.cost import SEARCHES, STEPS_PER_PASS, STOPS_EARLY, tell_cost
from clearance.cli.flag_values import AttackFlags, InputFlags
from clearance.cli.grid import Grid, GridColumn
from clearance.cli.inputs import as_target, check_goal, load_inputs
from clearance.cli.progress import progress
from clearance.estimates.status import Status
from clearance.geometry.exponents import as_distance
from clearance.model.budgets import passes_of
from clearance.model.cost import Cost
from clearance.report.marks import write_ends
from clearance.report.security_tables import write_radius
from clearance.results.short import summarise_results
from clearance.runs.files import replacing
from clearance.zoo.inputs import Inputs

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
    inputs = load_inputs(given)
    results = _attack(inputs, flags)
    if save is not None:
        save_witnesses(Path(save), inputs, results)
    if as_json:
        click.echo(json.dumps(as_document(inputs, results, flags), indent=2, allow_nan=False))
    else:
        print_results(inputs, results, flags)


def _attack(inputs: Inputs, flags: AttackFlags) -> list[AttackResult]:
    """One result per input: one input at a time for the nearest witnesses, many together within a radius."""
    target = as_target(flags.target)
    checked, reached = check_goal(inputs, target, seed=flags.seed)
    images, labels = inputs.data.images, inputs.data.labels
    left = [place for place, there in enumerate(reached) if not there]
    results = [AttackResult(None, math.nan, False, label, REACHED, Cost()) for label in labels.tolist()]
    at_once = 1 if flags.radius is None else GROUP
    passes = passes_of(flags.budget)
    judged = sum(not wrong for wrong in checked.misclassified) - sum(reached)
    wording = SEARCHES if flags.radius is None else STOPS_EARLY
    steps = STEPS_PER_PASS * passes / at_once
    tell_cost(inputs.model, images[:1], judged, passes=passes, wording=wording, steps=steps)
    with progress("attacking", len(left), meter=inputs.model.meter, passes=passes) as pace:
        for start in range(0, len(left), at_once):
            rows = left[start : start + at_once]
            found = attack(
                inputs.model,
                images[rows],
                labels[rows],
                target=target,
                norm=flags.norm,
                method=flags.method,
                budget=flags.budget,
                radius=flags.radius,
                seed=flags.seed,
            )
            for row, result in zip(rows, found, strict=True):
                results[row] = result
                pace.advance()
    return results


def _robust_accuracy(results: Sequence[AttackResult], flags: AttackFlags) -> RobustAccuracy | None:
    """The upper end of robust accuracy; nothing without a radius, or for one target."""
    if flags.radius is None or flags.target != "untargeted":
        return None
    cost = sum((result.cost for result in results), Cost())
    return judge(results, [], radius=flags.radius, norm=as_distance(flags.norm), cost=cost)


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
    console = tables.make_console()
    choices = f"{tables.norm_name(as_distance(flags.norm))}, {tables.towards(flags.target)}, budget {flags.budget}"
    choices += "" if flags.method == ENSEMBLE else f", method {flags.method}"
    choices += "" if flags.radius is None else f", radius {write_radius(flags.radius)}"
    tables.print_heading(console, inputs.title(), f"{choices}, seed {flags.seed}{tables.scaled(inputs.unit)}")
    columns = [
        GridColumn("input", right=True),
        GridColumn("label", right=True, drop=2),
        GridColumn("predicted\n-> witness", drop=3, wraps=True),
        GridColumn("attack\ndistance", right=True),
        GridColumn("method", drop=1),
    ]
    grid = Grid(columns, more="--json")
    for index, (label, result) in enumerate(zip(inputs.data.labels.tolist(), results, strict=True)):
        grid.add_row(*_cells(inputs, inputs.data.indices[index], label, result))
    console.print()
    grid.print(console)
    console.print()
    for line in (*_summary(results, flags), *_reading(inputs, flags)):
        console.print(line)


def _summary(results: Sequence[AttackResult], flags: AttackFlags) -> list[str]:
    """What the results amount to, and what they cost."""
    all_of_it = summarise_results(results)
    reached, counts = all_of_it.witnesses, all_of_it.statuses
    wrong, there = counts.get(MISCLASSIFIED, 0), counts.get(REACHED, 0)
    without = len(results) - reached - wrong - there
    skipped = f"{wrong} misclassified{f', {there} {REACHED}' if there else ''}"
    if flags.radius is None:
        middle = tables.number(all_of_it.attacked, "attacked")
        first = f"Median attack distance {middle} over {reached} of {len(results)} inputs ({without} without a "
        lines = [f"{first}witness, {skipped})"]
    else:
        found = f"{reached} of {len(results)} inputs have a witness within the radius"
        lines = [f"{found} ({without} have none, {skipped})"]
    if (robust := _robust_accuracy(results, flags)) is not None:
        low, high = write_ends(robust.not_broken.interval)
        lines.append(
            f"Robust accuracy at radius {write_radius(robust.radius)}: at most {robust.not_broken.share:.1%} "
            f"({robust.not_broken.count} of {len(robust)} inputs correct and not broken; "
            f"the {robust.level:.0%} interval of the share not broken is {low} to {high})"
        )
    if without := sum(result.zero_gradient for result in results):
        lines.append(
            f"The gradient is zero at {without} of {len(results)} inputs: attacks have nothing to follow there, "
            "so that distances and what is not broken may be far too large. `clearance audit` looks for nearer "
            "witnesses; cl.bpda puts a stand-in behind a step that has no gradient."
        )
    cost = all_of_it.cost
    return [*lines, f"{cost.forward:,} forward and {cost.backward:,} backward passes, {cost.seconds:.0f} s"]


def _reading(inputs: Inputs, flags: AttackFlags) -> list[str]:
    """How to read the numbers."""
    distance = tables.unit(as_distance(flags.norm), inputs.units)
    witness = "input that was predicted afresh and has another class"
    if flags.radius is None:
        return [
            f"\nThe attack distance ({distance}) is the distance of a witness: an {witness}. The minimum distortion is "
            "that or smaller. Where no witness was found nothing is known: it is not a sign of robustness."
        ]
    return [
        f"\nThe attack distance ({distance}) is the distance of a witness within the radius, the first that was found, "
        f"not the nearest: an {witness}. Where none was found nothing is proved, and a stronger attack may find one: "
        "the robust accuracy of these inputs is that or less. The interval (Clopper-Pearson) is for all inputs that "
        "these were drawn from."
    ]


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
    labels, robust = inputs.data.labels.tolist(), _robust_accuracy(results, flags)
    return {
        "clearance": __version__,
        **inputs.as_record(),
        "target": as_target(flags.target),
        "settings": flags.settings,
        **({} if robust is None else {"robust_accuracy": robust.as_record()}),
        "results": [
            {
                "input": inputs.data.indices[index],
                "label": label,
                **result.as_record(),
            }
            for index, (label, result) in enumerate(zip(labels, results, strict=True))
        ],
    }
