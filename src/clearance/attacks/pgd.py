"""Projected gradient descent inside a ball of fixed radius, with random starts and restarts."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from clearance.attacks.bisect_radius import bisect_radius
from clearance.attacks.goals import Goal, Loss, soft_margin
from clearance.attacks.passes import Streams, look
from clearance.attacks.result import Witnesses
from clearance.attacks.schedule import as_steps
from clearance.attacks.steps import as_radius, descent, into_ball, random_points, visit
from clearance.attacks.task import AttackRun, AttackTask
from clearance.geometry.exponents import as_norm
from clearance.geometry.norms import expand
from clearance.model.classifier import Classifier

PGD_PATH = 2.5
"""Length of all steps together, in radii, where no step is given: with it, as Madry et al. have it, the end of the ball
can be reached from any start, and there is some way left to move along the boundary."""


def pgd(
    model: Classifier,
    x: Tensor,
    goal: Goal,
    *,
    norm: float,
    epsilon: float | Tensor,
    steps: int = 40,
    restarts: int = 1,
    step_size: float | None = None,
    random_start: bool = True,
    loss: Loss = soft_margin,
    seed: int = 0,
    keys: Sequence[str] = (),
) -> Witnesses:
    """Steepest descent of the loss in the `l_p` ball: `y <- P(y - a d)`, with `d` of unit `l_p` norm.

    For `p = inf`, `d` is the sign of the gradient (Madry et al. 2018, section 2.1); for `p = 2` the unit gradient; for
    `p = 1` the coordinate of the largest gradient. `P` is the projection onto the ball and then the bounds.
    Cost: `restarts * (steps + 1)` forward and `restarts * steps` backward passes per input.

    Args:
        model: The classifier.
        x: `(batch, *input)`, within the bounds.
        goal: Where each input has to go.
        norm: `p`, from 1 to infinity.
        epsilon: Radius of the ball in input units, a number or `(batch,)`.
        steps: Iterations of each restart.
        restarts: Runs, each from its own start.
        step_size: Step in radii; default `PGD_PATH / steps`.
        random_start: Start uniformly in the ball instead of at `x`.
        loss: What to lower.
        seed: With the input's content, fixes the starts.
        keys: Content keys of the inputs, where the caller knows them.

    Returns:
        The nearest witnesses over all iterates.

    Raises:
        InputError: If an argument has no meaning.
    """
    norm, radius = as_norm(norm), as_radius(epsilon, x)
    length = expand(radius * (PGD_PATH / as_steps(steps) if step_size is None else step_size), x)
    found, streams = Witnesses(x, norm), Streams(x, seed, "pgd", norm, keys=keys)
    for _ in range(as_steps(restarts)):
        points = model.clip(x + random_points(x, streams, norm, radius)) if random_start else x
        for _ in range(steps):
            seen = visit(model, points, goal, found, loss=loss)
            points = into_ball(model, x, points - length * descent(model, points, seen.gradient, norm), norm, radius)
        found.offer(points, goal.reached(look(model, points, goal)))
    return found


def carry_out(task: AttackTask, run: AttackRun, _: Witnesses) -> Witnesses:
    """`pgd` as one run of `attacks.table`: `run.rounds` radii for each input, each from one random point."""

    def within(epsilon: Tensor, _: Tensor) -> Witnesses:
        return pgd(
            task.model,
            task.x,
            task.goal,
            norm=task.norm,
            epsilon=epsilon,
            steps=run.steps,
            seed=task.seed,
            keys=task.keys,
        )

    return bisect_radius(within, task.x, norm=task.norm, first=2 * task.scale, rounds=run.rounds)
