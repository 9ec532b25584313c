"""Steps of attacks as experiments show them: the points themselves, whether or not they are witnesses."""

from __future__ import annotations

import torch
from torch import Tensor

from clearance.attacks.goals import Goal, soft_margin
from clearance.attacks.passes import evaluate
from clearance.model.classifier import Classifier


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
