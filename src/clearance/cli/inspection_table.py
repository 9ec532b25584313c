"""How an inspection looks on a screen: sections of a name and what was found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from clearance.certificates.table import CERTIFICATES
from clearance.cli.grid import Grid, GridColumn
from clearance.cli.tables import NOTHING, class_name, make_console
from clearance.cli.values import printable
from clearance.model.robustness import clopper_pearson
from clearance.model.second_derivative import SecondDerivative
from clearance.report.marks import count

if TYPE_CHECKING:
    from clearance.cli.inspection_record import BracketCost, Inspection

NAMES_SHOWN = 10
"""Classes, features or layers that are named one by one; of more, the first ones."""

HOW = {"compiled": "torch.compile", "channels_last": "channels last"}
"""Settings of `model.execution.Execution` in words."""

ENOUGH_FOR_CHANCE = 10
"""Inputs from which an accuracy no better than chance is remarked on."""
BY_CHANCE = (
    "may be no better than chance: are the classes numbered as the model numbers them (--class-names), the inputs "
    "prepared as in its training (--preset, --mean and --std), its weights loaded (--weights)?"
)
"""What to look at there."""

Rows = Iterator[tuple[str, str]]


def print_inspection(found: Inspection) -> None:
    """Everything that was found, section by section.

    Args:
        found: The inspection.
    """
    console = make_console()
    print_section(console, "Model", _model_rows(found))
    print_section(console, "Input and output", _input_rows(found))
    if found.data is not None:
        print_section(console, "Data", _data_rows(found))
    print_section(console, "Speed", _speed_rows(found))
    print_section(console, "What will work", _work_rows(found))
    _print_costs(console, found.brackets)


def print_section(console: Console, title: str, rows: Iterable[tuple[str, str]]) -> None:
    """A title, and names with values in two columns below it."""
    console.print(Text(title, "bold"))
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(min_width=20, no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in rows:
        grid.add_row(Text(f"  {name}"), Text(printable(value)))
    console.print(grid)
    console.print()


def _model_rows(found: Inspection) -> Rows:
    model = found.model
    yield "name", model["name"]
    yield "kind", model["kind"]
    yield "weights", model["weights"] or "none: what the function makes"
    yield "parameters", f"{model['parameters']:,} ({_in_bytes(model['bytes'])})"
    yield "layers", _counts(model["layers"])
    for note in model["notes"]:
        yield "note", note


def _input_rows(found: Inspection) -> Rows:
    asked, given = found.input, {"model": "the model", "data": "the data"}
    yield "input shape", f"{_by(asked['shape'])}, from {given.get(asked['shape_from'], asked['shape_from'])}"
    yield "bounds", _bounds(found, given)
    yield "preprocessing", asked["preprocessing"] or "none"
    if found.model["image_size"] is not None:
        crop = found.model["crop"]
        yield "images", f"resized to {_by(found.model['image_size'])}{f', centre {_by(crop)} kept' if crop else ''}"
    yield "device, precision", f"{asked['device']}, {asked['dtype']}{_how(asked)}, {_batch(asked['micro_batch'])}"
    names = found.output["class_names"] if len(found.output["class_names"]) == found.output["classes"] else []
    yield "classes", f"{found.output['classes']:,}{f': {_first(names)}' if names else ', without names'}"
    if found.output["probabilities"]:
        yield "outputs", "look like probabilities: give a network that ends with its logits, before the softmax"


def _how(asked: Mapping[str, object]) -> str:
    """What differs from calling the network as it is."""
    return "".join(f", {words}" for name, words in HOW.items() if name in asked)


def _bounds(found: Inspection, given: Mapping[str, str]) -> str:
    asked = found.input
    where = given.get(asked["bounds_from"], asked["bounds_from"])
    if asked["bounds"] is None:
        return "none (--no-bounds)" if asked["bounds_from"] == "--no-bounds" else "none known; give --bounds LOW HIGH"
    low, high = asked["bounds"]
    differ = "differ by feature, within " if asked["bounds_differ"] else ""
    return f"{differ}[{low:g}, {high:g}], from {where}"


def _data_rows(found: Inspection) -> Rows:
    assert found.data is not None
    data, names = found.data, found.output["class_names"]
    yield "name", data["name"]
    yield "inputs", f"{data['count']:,} of {data['total']:,}"
    yield "accuracy", f"{100 * data['accuracy']:.1f} % ({data['correct']:,} of {data['count']:,} classified correctly)"
    least, _ = clopper_pearson(data["correct"], data["count"])  # what may be chance: 31 of 90 are of three classes
    if data["count"] >= ENOUGH_FOR_CHANCE and least <= 1 / found.output["classes"]:
        yield "", BY_CHANCE
    yield "labels", _counts({class_name(int(label), names): n for label, n in data["class_counts"].items()})
    yield "distances in", data["unit"]
    if data["feature_names"]:
        yield "features", f"{len(data['feature_names'])}: {_first(data['feature_names'])}"
    if data["fixed"]:
        yield "fixed", _fixed(data["fixed"], data["feature_names"])
    for note in data["notes"]:
        yield "note", note


def _fixed(places: list[int], names: list[str]) -> str:
    """The coordinates that cannot move, by name where they have one."""
    named = [names[place] if place < len(names) else str(place) for place in places]
    return f"{count(len(places), 'coordinate')} that cannot move: {_first(named)}"


def _speed_rows(found: Inspection) -> Rows:
    speed = found.speed
    yield "forward", f"{_rate(speed.forward)} passes per second, {_batch(speed.batch)}"
    if found.second_order[0] is SecondDerivative.FLAT:
        yield "forward + backward", "the gradient is zero: attacks and estimates have nothing to follow"
    elif speed.gradients is None:
        yield "forward + backward", f"no gradients: {speed.refusal}"
    else:
        yield "forward + backward", f"{_rate(speed.gradients)} per second"


def _work_rows(found: Inspection) -> Rows:
    kind, said = found.second_order
    works = kind is SecondDerivative.CURVED
    yield "--order 2", f"{'yes' if works else 'no'}: {kind.meaning}{f' ({said})' if said else ''}"
    proofs = found.certificates
    if proofs.refusal:
        yield "certificates", f"no: {proofs.refusal}"
        if proofs.unknown:
            yield "", f"layers without a proof: {_first(proofs.unknown)}"
    else:
        steps = f"{_counts(proofs.nonlinear)}, of {proofs.units:,} units" if proofs.nonlinear else "none"
        yield "certificates", f"every step has a proof; nonlinear steps: {steps}"
        for name, reason in proofs.methods.items():
            apart = "" if CERTIFICATES[name].in_best else f" (best leaves it out: --certificate {name})"
            yield f"  {name}", f"no: {reason}" if reason else f"yes{apart}"
    yield "ONNX, VNN-LIB", f"no: {found.export}" if found.export else "yes (clearance export-vnnlib)"


def _print_costs(console: Console, costs: Iterable[BracketCost]) -> None:
    console.print(Text("A bracket of one input (clearance bracket --budget ...)", "bold"))
    columns = [
        GridColumn("budget"),
        GridColumn("passes", right=True, drop=1),
        GridColumn("passes take\nabout", right=True),
        GridColumn("certificate\nat most", right=True),
    ]
    grid = Grid(columns, gap=2, more="--json")
    for cost in costs:
        seconds = NOTHING if cost.seconds is None else duration(cost.seconds)
        grid.add_row(cost.budget, f"{cost.passes:,}", seconds, duration(cost.certificate_seconds))
    grid.print(console)
    console.print("\nSeconds are those of one thread. A budget may be a number of passes, such as --budget 2000.")


def duration(seconds: float) -> str:
    """Seconds, minutes or hours, with two digits.

    >>> duration(0.42), duration(13.2), duration(150), duration(9000)
    ('0.42 s', '13 s', '2.5 min', '2.5 h')
    """
    for least, unit, size in ((5400, "h", 3600), (90, "min", 60), (0, "s", 1)):
        if seconds >= least:
            value = seconds / size
            return f"{value:.0f} {unit}" if value >= 10 else f"{value:.2g} {unit}"
    return NOTHING


def _rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _batch(size: int) -> str:
    return f"{size:,} inputs at a time" if size > 1 else "one input at a time"


def _in_bytes(count: int) -> str:
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"


def _by(sizes: int | Iterable[int]) -> str:
    return str(sizes) if isinstance(sizes, int) else " x ".join(map(str, sizes)) or "a number"


def _first(names: Iterable[str]) -> str:
    names = list(names)
    rest = f", ... ({len(names) - NAMES_SHOWN} more)" if len(names) > NAMES_SHOWN else ""
    return ", ".join(names[:NAMES_SHOWN]) + rest


def _counts(counts: Mapping[str, int]) -> str:
    return _first(f"{name}: {count:,}" for name, count in counts.items()) or "none"
