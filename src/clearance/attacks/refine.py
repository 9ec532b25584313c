"""The last part of a minimum-norm attack from a witness that another method found: short steps only."""

from __future__ import annotations

from clearance.attacks.fast_minimum_norm import fast_minimum_norm
from clearance.attacks.goals import Goal
from clearance.attacks.known import brought_nearer
from clearance.attacks.result import Witnesses
from clearance.attacks.schedule import as_steps
from clearance.attacks.task import AttackRun, AttackTask
from clearance.model.classifier import Classifier

REFINE_STEP = 0.2
"""Length of the first gradient step, in units of the longest `l_2` vector of the ball. A step across the ball, as
`fast_minimum_norm` begins with, leads out of the valley that the witness lies in; from 0.1 to 0.4 it matters little."""


def refine(model: Classifier, goal: Goal, witnesses: Witnesses, *, steps: int = 24) -> Witnesses:
    """From each witness down its valley towards the input, by `fast_minimum_norm` with short steps.

    A witness of a short run, of a walk along the boundary or of another norm's attack lies in a valley of the loss
    whose nearest point is elsewhere. The ball is that of the witness, and the first step is a fifth of it. Source: this
    project, with the steps of Pintor et al. 2021 (algorithm 1). Cost: `steps` forward and backward passes per input.

    Args:
        model: The classifier.
        goal: Where each input has to go.
        witnesses: Where to start, with their inputs `(batch, *input)`; left unchanged. Inputs without a witness stay
            without.
        steps: Iterations.

    Returns:
        Witnesses at most as far as the given ones.

    Raises:
        InputError: If `steps` is below 1, or the norm of the witnesses is below 1.
    """

    def down(own: Witnesses, aims: Goal) -> Witnesses:
        start = own.adversarial
        return fast_minimum_norm(model, own.x, aims, norm=own.norm, steps=steps, first_step=REFINE_STEP, start=start)

    as_steps(steps)
    return brought_nearer(witnesses, goal, down)


def carry_out(task: AttackTask, run: AttackRun, known: Witnesses) -> Witnesses:
    """`refine` as one run of `attacks.table`, from the witnesses that are known."""
    return refine(task.model, task.goal, known, steps=run.steps)
