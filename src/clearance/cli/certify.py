"""`clearance certify`: one model, one set of inputs, a proved radius for each."""

from __future__ import annotations

import ctypes
import json
import math
import os
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from clearance import __version__
from clearance.certificates import Certificate, CertificateStatus, certify
from clearance.cli import tables
from clearance.cli.cost import tell_cost
from clearance.cli.flag_values import CertifyFlags, InputFlags
from clearance.cli.grid import Grid, GridColumn
from clearance.cli.inputs import as_target, check_goal, load_inputs
from clearance.cli.progress import progress
from clearance.geometry.exponents import as_norm
from clearance.model.cost import Cost
from clearance.results.short import summarise_results
from clearance.zoo.inputs import Inputs


def run_certify(given: InputFlags, chosen: CertifyFlags, *, as_json: bool) -> None:
    """Certify the inputs and print a table or a JSON document.

    Args:
        given: The model and the inputs.
        chosen: What is to be proved, and how.
        as_json: Print JSON.
    """
    inputs, proofs, target = load_inputs(given), list[Certificate](), as_target(chosen.target)
    checked, reached = check_goal(inputs, target, seed=chosen.seed)
    judged = sum(not wrong for wrong in checked.misclassified) - sum(reached)
    tell_cost(inputs.model, inputs.data.images[:1], judged, passes=0, proof=chosen.time_limit)
    with progress("certifying", len(inputs.data)) as pace, native_output_on_stderr():
        for image, label, there in zip(inputs.data.images, inputs.data.labels, reached, strict=True):
            if there:
                proofs.append(_nothing(int(label), chosen))
                pace.advance()
                continue
            proofs += certify(
                inputs.model,
                image[None],
                labels=label[None],
                target=target,
                norm=chosen.norm,
                method=chosen.method,
                time_limit=chosen.time_limit,
                seed=chosen.seed,
            )
            pace.advance()
    if as_json:
        click.echo(json.dumps(as_document(inputs, proofs, chosen), indent=2, allow_nan=False))
    else:
        print_proofs(inputs, proofs, chosen)


def _nothing(label: int, chosen: CertifyFlags) -> Certificate:
    """The row of an input that has the target class already."""
    status, norm, none = CertificateStatus.TARGET_IS_PREDICTED, as_norm(chosen.norm), math.nan
    return Certificate(none, chosen.method, status, "", label, label, norm, none, Cost())


@contextmanager
def native_output_on_stderr() -> Generator[None]:
    """What compiled code prints goes to stderr: HiGHS now and then leaves a line of its own in the middle of stdout."""
    flush = (ctypes.CDLL(None) if os.name == "posix" else ctypes.CDLL("ucrtbase")).fflush
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        os.dup2(2, 1)
        yield
    finally:
        flush(None)
        os.dup2(kept, 1)
        os.close(kept)


def print_proofs(inputs: Inputs, proofs: Sequence[Certificate], flags: CertifyFlags) -> None:
    """One line for each input, the median, and how to read it."""
    console, norm = tables.make_console(), as_norm(flags.norm)
    choices = f"{tables.norm_name(norm)}, {tables.towards(flags.target)}, method {flags.method}"
    tables.print_heading(console, inputs.title(), f"{choices}{tables.scaled(inputs.unit)}")
    columns = [
        GridColumn("input", right=True),
        GridColumn("label", right=True, drop=2),
        GridColumn(f"predicted\n-> {'nearest' if flags.target == 'untargeted' else 'target'}", drop=3, wraps=True),
        GridColumn("certified\nradius", right=True),
        GridColumn("method", drop=1),
        GridColumn("status"),
    ]
    grid = Grid(columns, more="--json")
    for index, (label, proof) in enumerate(zip(inputs.data.labels.tolist(), proofs, strict=True)):
        grid.add_row(*_cells(inputs, inputs.data.indices[index], label, proof))
    console.print()
    grid.print(console)
    console.print()
    found = summarise_results(proofs)
    middle = tables.number(found.certified, "certified")
    console.print(f"Median certified radius {middle} over {found.proofs} of {len(proofs)} inputs{_left_out(proofs)}")
    console.print(f"{sum(proof.cost.seconds for proof in proofs):.0f} s")
    print_reading(console, proofs, tables.unit(norm, inputs.units))


def print_reading(console: Console, proofs: Sequence[Certificate], distance: str) -> None:
    """What the radius claims, what the statuses mean that occur, and why there is no radius."""
    console.print(
        f"\nThe certified radius is proved, up to floating-point rounding: no adversarial example is nearer "
        f"({distance}). The minimum distortion is that or larger."
    )
    console.print()
    legend = Table.grid(padding=(0, 2))
    seen = {proof.status for proof in proofs}
    for status in (status for status in CertificateStatus if status in seen):
        legend.add_row(_status(status), status.meaning)
    console.print(legend)
    for reason in sorted({proof.reason for proof in proofs if not proof.status.has_radius and proof.reason}):
        console.print(Text(f"  {reason}"))


def _left_out(proofs: Sequence[Certificate]) -> str:
    """What the median leaves out, in words."""
    absent = [proof.status for proof in proofs if not proof.status.has_radius]
    return f" ({', '.join(f'{absent.count(s)} {s}' for s in dict.fromkeys(absent))})" if absent else ""


def _cells(inputs: Inputs, index: int, label: int, proof: Certificate) -> list[Text]:
    names = inputs.data.class_names
    moves = tables.class_name(proof.predicted, names)
    if proof.target not in (-1, proof.predicted):
        moves += f" -> {tables.class_name(proof.target, names)}"
    radius = tables.NOTHING
    if proof.status.has_radius:
        radius = tables.number(proof.radius, "certified")
    return [
        Text(str(index)),
        Text(tables.class_name(label, names)),
        Text(moves),
        Text(radius, "bold"),
        Text(proof.method if proof.status.has_radius else tables.NOTHING),
        _status(proof.status),
    ]


def _status(status: CertificateStatus) -> Text:
    certified = status is CertificateStatus.CERTIFIED
    return Text(status.value, "green" if certified else "yellow" if status.has_radius else "red")


def as_document(inputs: Inputs, proofs: Sequence[Certificate], flags: CertifyFlags) -> dict[str, Any]:
    """Everything as plain values for JSON: a radius that is not proved is `None`, an infinite one `"inf"`."""
    labels = inputs.data.labels.tolist()
    return {
        "clearance": __version__,
        **inputs.as_record(),
        "target": as_target(flags.target),
        "settings": flags.settings,
        "results": [
            {"input": inputs.data.indices[index], "label": label, **proof.as_record()}
            for index, (label, proof) in enumerate(zip(labels, proofs, strict=True))
        ],
    }
