"""Projected gradient descent inside a ball of fixed radius, with random starts and restarts."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from clearance.attacks.geometry import as_radius, as_steps, descent, into_ball
from clearance.attacks.goals import Goal, Loss, soft_margin
from clearance.attacks.passes import Streams, evaluate, look
from clearance.attacks.result import Witnesses
from clearance.geometry.balls import sample_shifts
from clearance.geometry.norms import as_norm, expand
from clearance.model.classifier import Classifier


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
        step_size: Step in radii; default `2.5 / steps`.
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
    length = expand(radius * (2.5 / as_steps(steps) if step_size is None else step_size), x)
    found, streams = Witnesses(x, norm), Streams(x, seed, "pgd", norm, keys=keys)
    for _ in range(as_steps(restarts)):
        points = model.clip(x + random_points(x, streams, norm, radius)) if random_start else x
        for _ in range(steps):
            seen = evaluate(model, points, goal, loss=loss)
            found.offer(points, seen.reached)
            points = into_ball(model, x, points - length * descent(model, points, seen.gradient, norm), norm, radius)
        found.offer(points, goal.reached(look(model, points)))
    return found


def random_points(x: Tensor, streams: Streams, norm: float, radius: Tensor) -> Tensor:
    """One uniform point of each input's `l_p` ball around 0, `(batch, *input)`."""
    draws = [
        sample_shifts(row, 1, norm=norm, radius=1.0, generator=generator)
        for row, generator in zip(x, streams.generators, strict=True)
    ]
    return torch.cat(draws) * expand(radius, x)
