"""Steps of attacks as experiments show them: the points themselves, whether or not they are witnesses."""

from __future__ import annotations

import torch
from torch import Tensor

from clearance.attacks.goals import Goal, soft_margin
from clearance.attacks.passes import evaluate
from clearance.model.classifier import Classifier
from clearance.model.seeds import make_generator

PATH = 2.5
"""Length of all steps together, in radii: from any start the far side is reached, with some way left to turn back."""


def away_from(labels: Tensor, classes: int) -> Goal:
    """The goal of leaving each label's class, whatever an input is predicted as.

    Args:
        labels: `(batch,)`.
        classes: How many classes there are.

    Returns:
        The goal.

    >>> away_from(torch.tensor([1]), 3).wanted
    tensor([[ True, False,  True]])
    """
    own = torch.nn.functional.one_hot(labels, classes).bool()
    return Goal(labels, ~own, own)


def signed_step(model: Classifier, x: Tensor, labels: Tensor, eps: float) -> Tensor:
    """The fast gradient sign method: `x + eps sign(∇_x J(x, y))` with cross-entropy `J`, within the bounds.

    The gradient is that of `log(P(other) / P(y))`, an increasing function of the cross-entropy: it has the same sign
    and does not vanish where a network is sure. Source: Goodfellow, Shlens and Szegedy (2015), section 4; Meyer (2017),
    equation 3.

    Args:
        model: The classifier.
        x: `(batch, *input)`.
        labels: `(batch,)`.
        eps: Size of the step in each coordinate.

    Returns:
        `(batch, *input)`.
    """
    goal = away_from(labels, model.logits(x[:1]).shape[1])
    gradient = evaluate(model, x, goal, loss=soft_margin).gradient
    return model.clip(x - eps * gradient.sign())  # the loss falls where the cross-entropy rises


def signed_ascent(model: Classifier, x: Tensor, labels: Tensor, eps: float, *, steps: int, seed: int) -> Tensor:
    """Projected gradient ascent in the `l_inf` ball, from a random point: where its last step ends.

    As `attacks.pgd`, which returns witnesses only: here every input has a point, so that a defence can be judged on it
    with other draws or by a detector. The loss and its sign are those of `signed_step`, the step is
    `PATH eps / steps`. Source: Madry, Makelov, Schmidt, Tsipras and Vladu (2018), section 2.1.

    Args:
        model: The classifier whose gradients are followed.
        x: `(batch, *input)`.
        labels: `(batch,)`.
        eps: Radius of the ball.
        steps: How many.
        seed: Fixes the random points.

    Returns:
        `(batch, *input)`, within the ball and the bounds.
    """
    goal = away_from(labels, model.logits(x[:1]).shape[1])
    generator = make_generator(x.device, seed, "signed-ascent")
    uniform = torch.rand(x.shape, generator=generator, device=x.device, dtype=x.dtype)
    points = model.clip(x + eps * (2 * uniform - 1))
    for _ in range(steps):
        gradient = evaluate(model, points, goal, loss=soft_margin).gradient
        moved = points - PATH * eps / steps * gradient.sign()
        points = model.clip(torch.minimum(torch.maximum(moved, x - eps), x + eps))
    return points
