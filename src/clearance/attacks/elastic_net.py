"""The elastic-net attack, EAD (Chen, Sharma, Zhang, Yi and Hsieh 2018): sparse witnesses for `l_1`."""

from __future__ import annotations

import torch
from torch import Tensor

from clearance.attacks.constants import ConstantSearch, make_penalty
from clearance.attacks.goals import Goal
from clearance.attacks.result import Witnesses
from clearance.attacks.schedule import as_steps, cosine
from clearance.attacks.task import AttackRun, AttackTask
from clearance.errors import InputError
from clearance.geometry.norms import expand, soft_threshold
from clearance.model.classifier import Classifier

EAD_STEPS = 0.1, 0.001
"""First and last step of the iteration, over the weight of the `l_1` term: soft thresholding then takes off a tenth of
the estimated distance at first, a thousandth at last."""


def elastic_net(
    model: Classifier,
    x: Tensor,
    goal: Goal,
    *,
    beta: float = 10.0,
    searches: int = 9,
    steps: int = 100,
    confidence: float = 0.0,
) -> Witnesses:
    """Minimise `c max(g(y) + k, 0) + ||y - x||_2^2 + beta ||y - x||_1` by iterative shrinkage with momentum.

    Each step is a gradient step on the smooth terms, soft thresholding by `beta` and clipping, from a point carried on
    by the momentum `j / (j + 3)`, within a binary search over `c` (Chen et al. 2018, algorithm 1 and equation 7).
    Lengths are in units of the linear `l_1` estimate of the distance and margins in units of the first one, so `beta`
    fits any scale; the paper's `l_1` decision rule picks the witness. Cost: `searches * steps` forward and backward
    passes per input, plus 2 and 1.

    Args:
        model: The classifier.
        x: `(batch, *input)`, within the bounds.
        goal: Where each input has to go.
        beta: Weight of the `l_1` term, positive.
        searches: Constants that are tried.
        steps: Iterations for each.
        confidence: `k`: by how many logits the goal has to be ahead.

    Returns:
        The nearest witnesses in `l_1` over all iterates.

    Raises:
        InputError: If an argument has no meaning.
    """
    if not 0 < beta < torch.inf:
        raise InputError(f"beta: expected a positive finite number, got {beta}")
    penalty = make_penalty(model, x, goal, norm=1.0, confidence=confidence)
    found, constants = Witnesses(x, 1.0), ConstantSearch(torch.full_like(penalty.scale, 2 * beta))
    unit = expand(penalty.distance, x)
    for _ in range(as_steps(searches)):
        points = ahead = x
        worked = torch.zeros_like(found.success)
        for step in range(as_steps(steps)):
            push, reached = penalty.at(ahead)
            found.offer(ahead, reached)
            worked = worked | reached
            length = cosine(*EAD_STEPS, step, steps) / beta
            gradient = 2 * (ahead - x) / unit + expand(constants.constant, x) * push
            moved = (ahead - x) / unit - length * gradient
            shrunk = soft_threshold(moved, torch.full_like(found.distance, length * beta))
            before, points = points, model.clip(x + unit * shrunk)
            ahead = model.clip(points + step / (step + 3) * (points - before))
        constants.learn(worked)
    return found


def carry_out(task: AttackTask, run: AttackRun, _: Witnesses) -> Witnesses:
    """`elastic_net` as one run of `attacks.table`: `run.rounds` weights for each input, `run.steps` steps for each."""
    return elastic_net(task.model, task.x, task.goal, searches=run.rounds, steps=run.steps)
