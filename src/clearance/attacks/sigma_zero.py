"""Sigma-zero (Cinà et al. 2025): the number of coordinates that differ, minimised through a smooth stand-in."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from clearance.attacks.adam import Adam
from clearance.attacks.goals import Goal, margin
from clearance.attacks.linear_model import linear_distance
from clearance.attacks.passes import Streams
from clearance.attacks.result import Witnesses
from clearance.attacks.schedule import as_steps, cosine
from clearance.attacks.steps import ends, random_points, visit
from clearance.attacks.task import AttackRun, AttackTask
from clearance.geometry.norms import expand, vector_norm
from clearance.model.classifier import Classifier

SIGMA = 1e-3
"""`sigma` of the smooth count, the paper's value: a coordinate that moves by a tenth of its width counts as .9."""
PENALTY_WEIGHT = 1e-3
"""Weight of the smooth count beside a loss whose largest partial derivative is 1: about one over the number of
coordinates of a small image, the paper's weight, but the same for any number of coordinates and any scale of logits."""
SIGMA_ZERO_STEPS = 1.0, 0.1
"""First and last learning rate, in widths of a coordinate: from across it to a tenth, as in the paper."""
FIRST_THRESHOLD, THRESHOLD_RATE = 0.3, 0.01
"""The first threshold, in widths, and by which share of the learning rate it moves: `tau_0` and `t` of the paper."""
START_NOISE = 0.5
"""How far restarts begin from the input: a uniform point of the `l_2` ball whose radius is this many widths times the
root of the number of coordinates. Far out, other coordinates lead back."""


def sigma_zero(
    model: Classifier,
    x: Tensor,
    goal: Goal,
    *,
    steps: int = 200,
    aim: Goal | None = None,
    start: Tensor | None = None,
) -> Witnesses:
    """Minimum `l_0` distance, the number of coordinates that differ, by gradient steps and a moving threshold.

    `z` is the step from the input in widths of the coordinates (of the bounds; where there are none, the linear
    estimate of the `l_1` distance). Each iteration takes one step of Adam on

        max(g(x + z), 0) + c sum_i z_i^2 / (z_i^2 + sigma),

    clips it to the bounds, and puts every coordinate with `|z_i| < tau` back to 0. The threshold rises by `t` times the
    learning rate on a witness, and falls by as much otherwise, within [0, 1]; the learning rate falls along a cosine
    (Cinà et al. 2025, "Sigma-zero: gradient-based optimization of l0-norm adversarial examples", algorithm 1). Here
    the gradient of the margin is divided by its largest entry before the smooth count is added, and not only the sum,
    so that neither the scale of the logits nor the number of coordinates matters. Cost: `steps` forward and backward
    passes per input, and one more of each without bounds.

    Args:
        model: The classifier.
        x: `(batch, *input)`, within the bounds.
        goal: Where each input has to go.
        steps: Iterations.
        aim: The goal whose margin is lowered; default: `goal`.
        start: Points to start from; default: `x`.

    Returns:
        The witnesses with the fewest coordinates that differ, over all iterates.

    Raises:
        InputError: If `steps` is below 1.

    >>> line = torch.nn.Linear(3, 2, bias=False)
    >>> _ = line.weight.data.copy_(torch.tensor([[1.0, 1.0, 1.0], [-3.0, -1.0, 0.0]]))
    >>> goal = Goal(torch.tensor([0]), torch.tensor([[False, True]]), torch.tensor([[True, False]]))
    >>> sigma_zero(Classifier(line, (-1, 1)), torch.full((1, 3), 0.5), goal).distance
    tensor([1.])
    """
    steps, found, adam = as_steps(steps), Witnesses(x, 0.0), Adam(x)
    points, widths = x if start is None else model.clip(start), coordinate_widths(model, x, aim or goal)
    threshold = torch.full_like(found.distance, FIRST_THRESHOLD, dtype=x.dtype)
    for step in range(steps):
        seen = visit(model, points, goal, found, loss=margin, aim=aim)
        moved = (points - x) / widths
        loss = _unit_peak(torch.where(expand(seen.reached, x), 0.0, seen.gradient * widths))
        rate = cosine(*SIGMA_ZERO_STEPS, step, steps)
        change = rate * adam.direction(_unit_peak(loss + PENALTY_WEIGHT * smooth_count_gradient(moved)))
        points = model.clip(points - widths * change)
        threshold = threshold + torch.where(seen.reached, 1.0, -1.0) * (THRESHOLD_RATE * rate)
        threshold = threshold.clamp(0.0, 1.0)
        points = torch.where((points - x).abs() < expand(threshold, x) * widths, x, points)
    return found


def smooth_count_gradient(z: Tensor) -> Tensor:
    """The gradient `2 sigma z_i / (z_i^2 + sigma)^2` of the smooth count `sum_i z_i^2 / (z_i^2 + sigma)`.

    Source: Cinà et al. (2025), section 2.

    Args:
        z: `(batch, *input)`, in widths of the coordinates.

    Returns:
        `(batch, *input)`.

    >>> smooth_count_gradient(torch.tensor([[0.0, 1.0]])).round(decimals=4)
    tensor([[0.0000, 0.0020]])
    """
    return 2 * SIGMA * z / (z.square() + SIGMA).square()


def coordinate_widths(model: Classifier, x: Tensor, goal: Goal) -> Tensor:
    """How far a coordinate may have to move: the width of its bounds, or the linear estimate of the `l_1` distance.

    Source: this project. In the linearised model without bounds one coordinate is enough, and that is its way.

    Args:
        model: The classifier.
        x: `(batch, *input)`.
        goal: Where each input has to go.

    Returns:
        `(batch, *input)`, positive; 1 where the bounds leave a coordinate no room.
    """
    low, high = ends(model, x)
    widths = high - low
    if not bool(widths.isfinite().all()):
        linear = linear_distance(model, x, goal, 1.0)
        widths = torch.where(widths.isfinite(), widths, expand(torch.where(linear.isfinite(), linear, 1.0), x))
    return torch.where(widths > 0, widths, 1.0)


def _unit_peak(vectors: Tensor) -> Tensor:
    """Each row over its largest absolute entry; a zero row stays zero."""
    largest = vector_norm(vectors, math.inf)
    return vectors / expand(torch.where(largest > 0, largest, 1.0), vectors)


def carry_out(task: AttackTask, run: AttackRun, _: Witnesses) -> Witnesses:
    """`sigma_zero` as one run of `attacks.table`: from the input, or for restarts from a random point around it."""
    model, x, start = task.model, task.x, None
    if run.restart:
        streams = Streams(x, task.seed, "start", run.method, keys=task.keys)
        radius = torch.full_like(task.scale, START_NOISE * math.sqrt(x[0].numel()))
        start = x + coordinate_widths(model, x, task.goal) * random_points(x, streams, 2.0, radius)
    return sigma_zero(model, x, task.goal, steps=run.steps, aim=task.aim, start=start)
