"""Carlini and Wagner's attacks (2017), for `l_2` and `l_inf`, with a confidence."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from clearance.attacks.adam import Adam
from clearance.attacks.constants import ConstantSearch, Penalty, make_penalty
from clearance.attacks.goals import Goal
from clearance.attacks.result import Witnesses
from clearance.attacks.schedule import as_steps, cosine
from clearance.attacks.task import AttackRun, AttackTask
from clearance.errors import InputError
from clearance.geometry.exponents import as_norm
from clearance.geometry.norms import expand
from clearance.model.classifier import Classifier

LEARNING_RATES = 0.3, 0.01
"""Adam's first and last learning rate, in units of the typical coordinate of a perturbation of the estimated length: a
few steps cross it, and the last ones settle to a hundredth."""
THRESHOLD_DECREASE = 0.9
"""Factor by which the `l_inf` threshold falls after each round that kept below it (section VI.C of the paper, and its
value)."""


def carlini_wagner(
    model: Classifier,
    x: Tensor,
    goal: Goal,
    *,
    norm: float = 2,
    searches: int = 9,
    steps: int = 100,
    confidence: float = 0.0,
) -> Witnesses:
    """Minimise a distance plus `c` times a penalty on the margin, with Adam, over a search for `c`.

    `l_2`: `||y - x||_2^2 + c max(g(y) + k, 0)`, binary search over `c` (Carlini and Wagner 2017, section VI.A).
    `l_inf`: `sum_i max(|y_i - x_i| - tau, 0) + c max(g(y) + k, 0)`, where
    `tau` falls after each success and `c` doubles after each failure (section VI.C). Lengths are in units of the linear
    estimate of the distance and margins in units of the first one, so that constants and rates fit any scale. Of the
    paper's three ways to keep to the bounds (section V.B) this is projection: the hyperbolic tangent is flat at
    the bounds, where most pixels of a digit lie. Cost: `searches * steps` forward and backward passes per input, plus
    2 forward passes and 1 backward pass.

    Args:
        model: The classifier.
        x: `(batch, *input)`, within the bounds.
        goal: Where each input has to go.
        norm: 2 or infinity.
        searches: Constants (`l_2`) or thresholds (`l_inf`) that are tried.
        steps: Iterations for each.
        confidence: `k`: by how many logits the goal has to be ahead.

    Returns:
        The nearest witnesses (with the confidence) over all iterates.

    Raises:
        InputError: If `norm` is neither 2 nor infinity, or another argument has no meaning.
    """
    norm = as_norm(norm)
    if norm not in {2.0, math.inf}:
        raise InputError(f"norm: expected 2 or inf for carlini_wagner, got {norm!r}")
    penalty = make_penalty(model, x, goal, norm=norm, confidence=confidence)
    attack = _euclidean if norm == 2 else _maximum
    return attack(x, penalty, as_steps(searches), as_steps(steps))


def _euclidean(x: Tensor, penalty: Penalty, searches: int, steps: int) -> Witnesses:
    found, constants = Witnesses(x, 2.0), ConstantSearch(torch.ones_like(penalty.scale))
    unit = expand(penalty.distance, x)
    for _ in range(searches):
        points, adam, worked = x, Adam(x), torch.zeros_like(found.success)
        for step in range(steps):
            push, reached = penalty.at(points)
            found.offer(points, reached)
            worked = worked | reached
            gradient = 2 * (points - x) / unit + expand(constants.constant, x) * push
            rate = _rate(step, steps) * unit / math.sqrt(x[0].numel())
            points = penalty.model.clip(points - rate * adam.direction(gradient))
        constants.learn(worked)
    return found


def _maximum(x: Tensor, penalty: Penalty, searches: int, steps: int) -> Witnesses:
    found, constant = Witnesses(x, math.inf), torch.ones_like(penalty.scale)
    unit, size = expand(penalty.distance, x), x[0].numel()
    threshold, begin = penalty.distance, x
    for _ in range(searches):
        points, adam, round_found = begin, Adam(x), Witnesses(x, math.inf)
        for step in range(steps):
            push, reached = penalty.at(points)
            round_found.offer(points, reached)
            beyond = (points - x).abs() > expand(threshold, x)
            gradient = (points - x).sign() * beyond / size + expand(constant, x) * push
            points = penalty.model.clip(points - _rate(step, steps) * unit * adam.direction(gradient))
        found.absorb(round_found)
        constant = torch.where(round_found.success, constant, 2 * constant)
        threshold = torch.where(found.success, THRESHOLD_DECREASE * torch.minimum(threshold, found.distance), threshold)
        begin = found.adversarial
    return found


def _rate(step: int, steps: int) -> float:
    return cosine(*LEARNING_RATES, step, steps)


def carry_out(task: AttackTask, run: AttackRun, _: Witnesses) -> Witnesses:
    """`carlini_wagner` as one run of `attacks.table`: `run.rounds` weights (or thresholds), `run.steps` steps each."""
    return carlini_wagner(task.model, task.x, task.goal, norm=task.norm, searches=run.rounds, steps=run.steps)
