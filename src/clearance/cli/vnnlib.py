"""`clearance export-vnnlib`: a network, and a question for each input and radius, for other provers."""

from __future__ import annotations

from collections.abc import Sequence

import click

from clearance.certificates.vnnlib import INSTANCES_FILE, export_vnnlib
from clearance.cli.flag_values import InputFlags
from clearance.cli.inputs import as_target, check_goal, load_inputs
from clearance.errors import TargetError


def run_export_vnnlib(
    given: InputFlags, *, out: str, radius: list[float], norm: str, target: str, timeout: float, seed: int
) -> None:
    """Write the folder and say what it holds and what is left out.

    Args:
        given: The model and the inputs.
        out: The folder.
        radius: The radii.
        norm: The norm of distances.
        target: Where an adversarial example would go.
        timeout: Seconds for each property.
        seed: For random targets.

    Raises:
        TargetError: If every input has the target class already.
    """
    inputs, goal = load_inputs(given), as_target(target)
    _, reached = check_goal(inputs, goal, seed=seed)
    kept = [place for place, there in enumerate(reached) if not there]
    apart = [inputs.data.indices[place] for place, there in enumerate(reached) if there]
    if not kept:
        raise TargetError(f"target: expected another class than the predicted one, got {target} for every input")
    numbers = [inputs.data.indices[place] for place in kept]
    instances = export_vnnlib(
        inputs.model,
        inputs.data.images[kept],
        inputs.data.labels[kept],
        out=out,
        radius=radius,
        norm=norm,
        target=goal,
        timeout=timeout,
        seed=seed,
        numbers=numbers,
    )
    written = list(dict.fromkeys(instance.number for instance in instances))
    click.echo(
        f"{_counted(len(instances), 'property', 'properties')} of {_counted(len(written), 'input', 'inputs')} and the "
        f"network written to {out}; {INSTANCES_FILE} lists them"
    )
    _say_left_out("misclassified", sorted(set(numbers) - set(written)))
    _say_left_out("of the target class already", apart)


def _say_left_out(why: str, numbers: Sequence[int]) -> None:
    """Name the inputs that are left out, all of them."""
    if numbers:
        click.echo(f"left out, {why}: {'input' if len(numbers) == 1 else 'inputs'} {', '.join(map(str, numbers))}")


def _counted(count: int, one: str, several: str) -> str:
    return f"{count} {one if count == 1 else several}"
