"""The iterative fast gradient sign method over a grid of radii (Weng et al. 2018, section 5.3)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from clearance.attacks.goals import Goal
from clearance.attacks.pgd import pgd
from clearance.attacks.result import Witnesses
from clearance.attacks.task import AttackRun, AttackTask
from clearance.errors import InputError
from clearance.geometry.exponents import as_norm
from clearance.model.classifier import Classifier

GRID = (0.01, 0.025, 0.05, 0.1, 0.3, 0.5, 0.8, 1.0)
"""The radii of Weng et al. 2018, section 5.3, for inputs of a range of 1."""


def ifgsm(
    model: Classifier,
    x: Tensor,
    goal: Goal,
    *,
    norm: float = math.inf,
    epsilons: Sequence[float] = GRID,
    steps: int = 50,
) -> Witnesses:
    """For each radius, `steps` steps of length `epsilon / steps` along the sign of the gradient, from `x` itself.

    The step raises the cross-entropy of the source, or lowers that of the target (Kurakin, Goodfellow and Bengio 2016,
    section 2.2); the witness of the smallest distance over all radii and iterates is kept, per input. Other norms than
    infinity use their own steepest direction. Cost: `len(epsilons) * steps` backward passes per input and
    `len(epsilons) * (steps + 1)` forward passes.

    Args:
        model: The classifier.
        x: `(batch, *input)`, within the bounds.
        goal: Where each input has to go.
        norm: `p`, from 1 to infinity; the paper's is infinity.
        epsilons: Radii in input units.
        steps: Iterations for each radius; the paper has 50 (500 for its distilled MNIST network).

    Returns:
        The nearest witnesses.

    Raises:
        InputError: If there is no radius, or an argument has no meaning.
    """
    if not epsilons:
        raise InputError("epsilons: expected at least one radius, got none")
    norm = as_norm(norm)
    found = Witnesses(x, norm)
    for epsilon in sorted(epsilons):
        step_size = 1 / max(steps, 1)
        run = pgd(model, x, goal, norm=norm, epsilon=epsilon, steps=steps, step_size=step_size, random_start=False)
        found.absorb(run)
    return found


def carry_out(task: AttackTask, run: AttackRun, _: Witnesses) -> Witnesses:
    """`ifgsm` as one run of `attacks.table`: the paper's grid of radii, in input units, `run.steps` steps for each."""
    return ifgsm(task.model, task.x, task.goal, norm=task.norm, steps=run.steps)
