"""Auto-PGD: projected gradient descent that chooses its own steps (Croce and Hein 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from clearance.attacks.bisect_radius import bisect_radius
from clearance.attacks.goals import Goal, Loss, dlr, soft_margin
from clearance.attacks.passes import LossEvaluation, Streams
from clearance.attacks.result import Witnesses
from clearance.attacks.schedule import as_steps
from clearance.attacks.sparse_steps import SparseControl
from clearance.attacks.steps import as_radius, descent, into_ball, keep_rows, random_points, visit
from clearance.attacks.task import AttackRun, AttackTask
from clearance.geometry.exponents import as_norm
from clearance.geometry.norms import expand
from clearance.model.classifier import Classifier

MOMENTUM = 0.75
"""Weight of the new step against the one before: `alpha` of the paper, and its value."""
ENOUGH_FALLS = 0.75
"""Share of iterations that must lower the loss, or the step is halved: `rho` of the paper, and its value."""
FIRST_PERIOD, PERIOD_DECREASE, LAST_PERIOD = 0.22, 0.03, 0.06
"""Checkpoints, as shares of the iterations, with the paper's values: the first period, how much each next one is
shorter, and the shortest."""


def apgd(
    model: Classifier,
    x: Tensor,
    goal: Goal,
    *,
    norm: float,
    epsilon: float | Tensor,
    steps: int = 100,
    restarts: int = 1,
    loss: Loss = dlr,
    aim: Goal | None = None,
    start: Tensor | None = None,
    seed: int = 0,
    keys: Sequence[str] = (),
) -> Witnesses:
    """Projected gradient descent with momentum, whose step is halved at checkpoints where progress stalls.

    `z = P(y_k - a d_k)`, `y_{k+1} = P(y_k + 0.75 (z - y_k) + 0.25 (y_k - y_{k-1}))` with `d_k` of unit `l_p` norm.
    At each checkpoint the step is halved, and the search goes back to its best point, if fewer than 75 % of the steps
    since the last lowered the loss, or if neither step nor best value changed (Croce and Hein 2020, "Reliable
    evaluation of adversarial robustness", algorithm 1). The first step is `2 epsilon`. The losses are those of
    `clearance.attacks.goals`; with an `aim` of one class, `dlr` is its targeted form. For `p = 1` the steps are those
    of `sparse_steps.SparseControl` (Croce and Hein 2021, "Mind the box"); for other `p` than 1, 2 and infinity the
    steepest direction takes the place of the paper's. Cost: `restarts * steps` forward and backward passes.

    Args:
        model: The classifier.
        x: `(batch, *input)`, within the bounds.
        goal: Where each input has to go.
        norm: `p`, from 1 to infinity.
        epsilon: Radius of the ball in input units, a number or `(batch,)`.
        steps: Iterations of each restart.
        restarts: Runs; the first from `start`, if given, the others from uniform points of the ball.
        loss: What to lower.
        aim: The goal that the loss leads to; default: `goal`.
        start: Points for the first run; they are brought into the ball.
        seed: With the input's content, fixes the starts.
        keys: Content keys of the inputs, where the caller knows them.

    Returns:
        The nearest witnesses over all iterates.

    Raises:
        InputError: If an argument has no meaning.
    """
    norm, radius = as_norm(norm), as_radius(epsilon, x)
    found, streams = Witnesses(x, norm), Streams(x, seed, "apgd", norm, keys=keys)
    for restart in range(as_steps(restarts)):
        drawn = x + random_points(x, streams, norm, radius)
        points = into_ball(model, x, start if start is not None and restart == 0 else drawn, norm, radius)
        search = step_control(x, points, norm, radius, steps)
        for step in range(as_steps(steps)):
            search.learn(step, visit(model, search.points, goal, found, loss=loss, aim=aim))
            search.move(model, x, norm, radius)
    return found


def step_control(x: Tensor, points: Tensor, norm: float, radius: Tensor, steps: int) -> StepControl | SparseControl:
    """What chooses the steps of a run in a norm: sparse steps for `p = 1`, else those of algorithm 1.

    Source: Croce and Hein (2020), algorithm 1, with a first step of `2 epsilon`; for `p = 1` Croce and Hein (2021),
    with a first step of `epsilon`.

    Args:
        x: The inputs, `(batch, *input)`.
        points: Where the run starts, `(batch, *input)`.
        norm: The norm `p`.
        radius: `epsilon`, `(batch,)`.
        steps: Iterations of the whole run.

    Returns:
        The state of the run.
    """
    return SparseControl(x, points, radius, steps) if norm == 1 else StepControl(points, 2 * radius, steps)


@dataclass
class _Checkpoints:
    """When to judge the step: at 0.22 n, then after periods that shrink by 0.03 n down to 0.06 n."""

    steps: int
    last: int = 0

    def __post_init__(self) -> None:
        self.period = max(1, round(FIRST_PERIOD * self.steps))

    def due(self, step: int) -> bool:
        """Whether the step with this number ends a period."""
        return step - self.last >= self.period

    def advance(self, step: int) -> None:
        """Start the next, shorter period."""
        self.last = step
        shorter = self.period - round(PERIOD_DECREASE * self.steps)
        self.period = max(1, shorter, round(LAST_PERIOD * self.steps))


class StepControl:
    """The state of one run for each input: where it is, where it was best, and how long its steps are.

    Source: Croce and Hein (2020), algorithm 1.

    Args:
        points: Where the run starts, `(batch, *input)`.
        step: Length of the first step, `(batch,)`.
        steps: Iterations of the whole run: they decide when the step is judged.

    Attributes:
        points: Where the run is, `(batch, *input)`.
        best: The point with the smallest loss so far, `(batch, *input)`.
    """

    def __init__(self, points: Tensor, step: Tensor, steps: int) -> None:
        self.points, self.before, self.best = points, points, points
        self.step = step
        self.gradient = self.best_gradient = torch.zeros_like(points)
        self.loss = self.best_loss = self.judged_loss = torch.full_like(step, torch.inf)
        self.falls, self.judged_step = torch.zeros_like(step), step
        self.checkpoints = _Checkpoints(steps)

    def learn(self, step: int, seen: LossEvaluation) -> None:
        """Take in the evaluation of the current points, and judge the step at checkpoints."""
        self.falls = self.falls + (seen.loss < self.loss)
        self.loss, self.gradient = seen.loss, seen.gradient
        better = seen.loss < self.best_loss
        chosen = expand(better, self.points)
        self.best_loss = torch.where(better, seen.loss, self.best_loss)
        self.best = torch.where(chosen, self.points, self.best)
        self.best_gradient = torch.where(chosen, seen.gradient, self.best_gradient)
        if step > 0 and self.checkpoints.due(step):
            self._judge()
            self.checkpoints.advance(step)

    def keep(self, rows: Tensor) -> None:
        """Go on with some of the inputs only, `(kept,)` of their places; the others need no more passes."""
        keep_rows(self, rows)

    def _judge(self) -> None:
        few = self.falls < ENOUGH_FALLS * self.checkpoints.period
        stuck = (self.step == self.judged_step) & (self.best_loss >= self.judged_loss)
        halve = few | stuck
        back = expand(halve, self.points)
        self.judged_step, self.judged_loss = self.step, self.best_loss
        self.step = torch.where(halve, self.step / 2, self.step)
        self.points = torch.where(back, self.best, self.points)
        self.before = torch.where(back, self.best, self.before)
        self.gradient = torch.where(back, self.best_gradient, self.gradient)
        self.loss = torch.where(halve, self.best_loss, self.loss)
        self.falls = torch.zeros_like(self.falls)

    def move(self, model: Classifier, x: Tensor, norm: float, radius: Tensor) -> None:
        """One projected step with momentum."""
        downhill = expand(self.step, x) * descent(model, self.points, self.gradient, norm)
        plain = into_ball(model, x, self.points - downhill, norm, radius)
        momentum = MOMENTUM * (plain - self.points) + (1 - MOMENTUM) * (self.points - self.before)
        self.points, self.before = into_ball(model, x, self.points + momentum, norm, radius), self.points


def carry_out(task: AttackTask, run: AttackRun, known: Witnesses) -> Witnesses:
    """`apgd` as one run of `attacks.table`: `run.rounds` radii for each input, each from the best witness so far.

    Restarts begin at random points of the ball. Towards one class the loss is `dlr`, and the run begins at the input;
    else it is `soft_margin`, and the first radius and start are those of the nearest witness that is known.
    """
    aim, loss = task.aim, soft_margin if run.rank is None else dlr
    begin = known if run.rank is None else None

    def within(epsilon: Tensor, start: Tensor) -> Witnesses:
        return apgd(
            task.model,
            task.x,
            task.goal,
            norm=task.norm,
            epsilon=epsilon,
            steps=run.steps,
            loss=loss,
            aim=aim,
            start=start if run.restart == 0 else None,
            seed=task.seed,
            keys=task.keys,
        )

    return bisect_radius(within, task.x, norm=task.norm, first=2 * task.scale, rounds=run.rounds, known=begin)
