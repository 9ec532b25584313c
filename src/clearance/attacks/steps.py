"""The parts of one step of an attack: radii, directions, projections, starts, and what a visited point is worth."""

from __future__ import annotations

import torch
from torch import Tensor

from clearance.attacks.goals import Goal, Loss
from clearance.attacks.passes import LossEvaluation, Streams, evaluate
from clearance.attacks.result import Witnesses
from clearance.errors import InputError
from clearance.geometry.balls import sample_shifts
from clearance.geometry.boxed_ball import project_boxed
from clearance.geometry.norms import expand, project, steepest
from clearance.model.classifier import Classifier
from clearance.model.gradients import free

SPARSITY = 0.01
"""Share of the coordinates that one `l_1` step moves: few, as the ball asks, but not so few that hundreds of steps are
needed on an image."""


def as_radius(epsilon: float | Tensor, x: Tensor) -> Tensor:
    """A radius for each input.

    Args:
        epsilon: A number, or one per input.
        x: `(batch, *input)`.

    Returns:
        `(batch,)`, in the dtype and on the device of `x`.

    Raises:
        InputError: If it is negative or not finite, or there is neither one nor one per input.
    """
    radius = torch.as_tensor(epsilon, dtype=x.dtype, device=x.device)
    if radius.shape not in {(), (len(x),)}:
        raise InputError(f"epsilon: expected a number or one per input ({len(x)}), got shape {tuple(radius.shape)}")
    if not bool((radius.isfinite() & (radius >= 0)).all()):
        raise InputError(f"epsilon: expected finite numbers >= 0, got {epsilon}")
    return radius.expand(len(x))


def into_ball(model: Classifier, x: Tensor, points: Tensor, norm: float, radius: Tensor) -> Tensor:
    """Bring points into the `l_p` ball around `x` and the bounds: `x + P_r(clip(y) - x)`; for `p = 1` the nearest such.

    Clipping comes first, so that no length is spent outside the bounds; the projection `P_r` (`geometry.norms.project`)
    then moves every coordinate towards that of `x`, which lies within the bounds, and so leaves none of them. For
    `p = inf` both together are the Euclidean projection; for `p = 1` that is `geometry.boxed_ball.project_boxed`
    (Croce and Hein 2021, "Mind the box"). Source: this project, by the convexity of the bounds.

    Args:
        model: The classifier.
        x: Centres, `(batch, *input)`, within the bounds.
        points: `y`, `(batch, *input)`.
        norm: The norm `p`.
        radius: `r`, `(batch,)`.

    Returns:
        `(batch, *input)`.
    """
    if norm == 1 and model.bounds is not None:
        delta = project_boxed(points - x, *room(model, x), radius)
    else:
        delta = project(model.clip(points) - x, norm, radius)
    return model.clip(x + delta)  # the sum is rounded


def descent(model: Classifier, points: Tensor, gradient: Tensor, norm: float) -> Tensor:
    """The direction of `l_p` norm 1 that a fixed-radius attack steps against: steepest among the free coordinates.

    `geometry.norms.steepest` of `free(gradient)`. For `p = 1` that is a single coordinate; as in Tramèr and Boneh
    (2019), "Adversarial training and robustness for multiple perturbations", the step is shared equally by the largest
    few (`SPARSITY` of all).

    Args:
        model: The classifier.
        points: `(batch, *input)`, within the bounds.
        gradient: `(batch, *input)`.
        norm: The norm `p`.

    Returns:
        `(batch, *input)`, each row of `l_p` norm 1, or 0 where no coordinate is free.
    """
    usable = free(model, points, gradient)
    if norm != 1:
        return steepest(usable, norm)
    flat = usable.flatten(1)
    count = max(1, int(SPARSITY * flat.shape[1]))
    top = flat.abs().topk(count, dim=1).indices
    return (torch.zeros_like(flat).scatter(1, top, flat.gather(1, top).sign()) / count).reshape(gradient.shape)


def room(model: Classifier, x: Tensor) -> tuple[Tensor, Tensor]:
    """How far each coordinate may fall and rise within the bounds: `x - low` and `high - x`.

    Source: the definition of the bounds.

    Args:
        model: The classifier.
        x: `(batch, *input)`, within the bounds.

    Returns:
        Both, each `(batch, *input)`, >= 0; infinite without bounds.
    """
    low, high = ends(model, x)
    return x - low, high - x


def ends(model: Classifier, x: Tensor) -> tuple[Tensor, Tensor]:
    """Lower and upper end of the bounds of each coordinate.

    Source: the definition of the bounds.

    Args:
        model: The classifier.
        x: `(batch, *input)`.

    Returns:
        Both, each `(batch, *input)`; infinite without bounds.
    """
    if model.bounds is None:
        return torch.full_like(x, -torch.inf), torch.full_like(x, torch.inf)
    low, high = model.bounds
    return low.expand_as(x), high.expand_as(x)


def keep_rows(state: object, rows: Tensor) -> None:
    """Keep some of the inputs, `(kept,)` of their places, in every tensor that a search has as an attribute.

    Source: this project.
    """
    for name, value in vars(state).items():
        if isinstance(value, Tensor):
            setattr(state, name, value[rows])


def random_points(x: Tensor, streams: Streams, norm: float, radius: Tensor) -> Tensor:
    """One uniform point of each input's `l_p` ball around 0 (see `geometry.balls.sample_shifts`).

    Source: `geometry.balls.sample_ball`.

    Args:
        x: The inputs, `(batch, *input)`.
        streams: Their random streams.
        norm: The norm `p`.
        radius: `(batch,)`.

    Returns:
        `(batch, *input)`.
    """
    draws = [
        sample_shifts(row, 1, norm=norm, radius=1.0, generator=generator)
        for row, generator in zip(x, streams.generators, strict=True)
    ]
    return torch.cat(draws) * expand(radius, x)


def visit(
    model: Classifier, points: Tensor, goal: Goal, found: Witnesses, *, loss: Loss, aim: Goal | None = None
) -> LossEvaluation:
    """Evaluate an attack's current points, and keep those that are nearer witnesses than any before.

    Source: this project.

    Args:
        model: The classifier.
        points: `(batch, *input)`, within the bounds.
        goal: What counts as success.
        found: The nearest witnesses so far; they are brought up to date.
        loss: What the attack lowers.
        aim: The goal that the loss leads to; default: `goal`.

    Returns:
        The loss, its gradient and success at the points. Cost: one forward and one backward pass per point.
    """
    seen = evaluate(model, points, goal, loss=loss, aim=aim)
    found.offer(points, seen.reached)
    return seen
