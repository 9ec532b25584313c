"""The fast gradient sign method: one step of fixed length along the steepest direction."""

from torch import Tensor

from clearance.attacks.bisect_radius import bisect_radius
from clearance.attacks.goals import Goal, soft_margin
from clearance.attacks.passes import evaluate, look
from clearance.attacks.result import Witnesses
from clearance.attacks.steps import as_radius
from clearance.attacks.task import AttackRun, AttackTask
from clearance.geometry.exponents import as_norm
from clearance.geometry.norms import expand, steepest
from clearance.model.classifier import Classifier


def fgsm(model: Classifier, x: Tensor, goal: Goal, *, norm: float, epsilon: float | Tensor) -> Witnesses:
    """`x + epsilon d`, where `d` of unit `l_p` norm raises the cross-entropy fastest.

    For `p = inf` it is `x + epsilon sign(∇J)` (Goodfellow, Shlens and Szegedy 2015; Meyer 2017, equation 3); for other
    norms the sign gives way to that norm's steepest direction. Targeted, the target's cross-entropy is lowered.
    Cost: 2 forward passes and 1 backward pass per input.

    Args:
        model: The classifier.
        x: `(batch, *input)`, within the bounds.
        goal: Where each input has to go.
        norm: `p`, from 1 to infinity.
        epsilon: Length of the step in input units, a number or `(batch,)`.

    Returns:
        The witnesses.

    Raises:
        InputError: If `norm < 1` or epsilon is negative or not finite.
    """
    norm, radius = as_norm(norm), as_radius(epsilon, x)
    gradient = evaluate(model, x, goal, loss=soft_margin).gradient
    points = model.clip(x - expand(radius, x) * steepest(gradient, norm))
    found = Witnesses(x, norm)
    found.offer(points, goal.reached(look(model, points, goal)))
    return found


def carry_out(task: AttackTask, run: AttackRun, _: Witnesses) -> Witnesses:
    """`fgsm` as one run of `attacks.table`: `run.rounds` radii for each input, whatever the number of steps."""

    def within(epsilon: Tensor, _: Tensor) -> Witnesses:
        return fgsm(task.model, task.x, task.goal, norm=task.norm, epsilon=epsilon)

    return bisect_radius(within, task.x, norm=task.norm, first=2 * task.scale, rounds=run.rounds)
