"""Witnesses that a caller hands over: each is confirmed before anything is built on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from clearance.attacks.goals import goal_of
from clearance.attacks.passes import look
from clearance.attacks.result import AttackResult
from clearance.errors import ClearanceError, InputError, ShapeError
from clearance.geometry.norms import vector_norm
from clearance.model.classifier import Classifier
from clearance.model.inputs import CheckedInputs
from clearance.model.measured import around, scaled

GIVEN = "given"
"""The method of a witness that was handed over."""
LOOKS = 16
"""Forward passes of which one has to confirm a witness; all alike, the network is taken for one that does not draw."""


def check_witnesses(
    model: Classifier, inputs: CheckedInputs, witnesses: Sequence[Tensor | None] | None, name: str
) -> list[Tensor | None]:
    """Confirm that each witness is one: within the bounds, and predicted as a class that its input has to go to.

    Source: the definition of an adversarial example. That of a misclassified input is not looked at, and where a
    network's answers are random no witness is refused for its class.

    Args:
        model: The caller's classifier.
        inputs: The inputs, in units of its scale.
        witnesses: For each input a point `(*input)` in the caller's units, or `None`; `None` for none at all.
        name: The argument that they were given as.

    Returns:
        The same points in units of the scale, on the inputs' device and in their precision.

    Raises:
        ShapeError: If there is not one for each input, or one has another shape.
        InputError: If one is none.
    """
    if witnesses is None:
        return [None] * len(inputs)
    if len(witnesses) != len(inputs):
        raise ShapeError(f"{name}: expected one per input ({len(inputs)}), got {len(witnesses)}")
    found = list[Tensor | None]()
    with torch.random.fork_rng(devices=[]):  # a random network draws on as if it had not been asked
        for place, (one, point) in enumerate(zip(inputs.each(), witnesses, strict=True)):
            said = f"{name}: the witness of input {place}"
            found.append(None if point is None or one.misclassified[0] else _confirmed(model, one, point, said))
    return found


def with_witness(inputs: CheckedInputs, attacked: AttackResult, witness: Tensor | None) -> AttackResult:
    """What attacks found, or a confirmed witness of a caller's own where that is nearer. Source: this project.

    Args:
        inputs: The input, a batch of one.
        attacked: What was found.
        witness: The caller's, `(*input)`; `None` for none.

    Returns:
        The nearer of the two; its distances have both.
    """
    if witness is None:
        return attacked
    distance = float(vector_norm(witness[None] - inputs.x, inputs.norm))
    if distance < attacked.distance:
        return attacked.with_nearer(GIVEN, witness, distance, look(inputs.model, witness[None]))
    return replace(attacked, distances={**attacked.distances, GIVEN: distance})


def _confirmed(model: Classifier, one: CheckedInputs, point: Tensor, said: str) -> Tensor:
    """The point in units of the scale, where it is a witness."""  # noqa: DOC501
    if not isinstance(point, Tensor):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InputError(f"{said}: expected a tensor, got {type(point).__name__}")
    expected, got = tuple(one.x.shape[1:]), tuple(point.shape)
    if got != expected:
        raise ShapeError(f"{said}: expected shape {expected}, got {got}")
    try:
        whole = scaled(model, point[None].to(one.x))
        checked = around(one.model, one.x).check_inputs(whole)
    except ClearanceError as error:
        raise InputError(f"{said}: {error}") from None
    goal, answers = goal_of(one), [look(one.model, checked)]
    while not bool(goal.reached(answers[-1])[0]) and len(answers) < LOOKS:
        answers.append(look(one.model, checked))
    random = any(not torch.equal(answer, answers[0]) for answer in answers)  # it may have been one when it was found
    if not bool(goal.reached(answers[-1])[0]) and not random:
        (first, *others), own = one.targets[0], one.predicted[0]
        allowed = f"another class than {own}" if others else f"class {first}"
        predicted = int(answers[-1].argmax())
        raise InputError(f"{said}: expected a point that is predicted as {allowed}, got one of class {predicted}")
    return checked[0]
