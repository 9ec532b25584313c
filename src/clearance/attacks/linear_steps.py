"""One step to the nearest point of the linearised boundary of each class: exact on linear classifiers, with bounds."""

from __future__ import annotations

from torch import Tensor

from clearance.attacks.goals import Goal
from clearance.attacks.passes import evaluate, look
from clearance.attacks.result import Witnesses
from clearance.attacks.steps import room
from clearance.attacks.task import AttackRun, AttackTask
from clearance.geometry.half_space import nearest_in_half_space
from clearance.model.classifier import Classifier

BEYOND = 1e-4
"""How far beyond the linearised boundary the points lie, as a share of its distance: rounding and a slight curvature
leave a witness."""


def linear_steps(model: Classifier, x: Tensor, goal: Goal, *, norm: float, classes: Tensor) -> Witnesses:
    """Points right beyond the boundaries of the model that is linearised at the input, one for each of some classes.

    `x + (1 + BEYOND) d`, clipped, where `d` is the shortest `l_p` step within the bounds with
    `g(x) + <∇g(x), d> = 0`, in closed form (`geometry.half_space.nearest_in_half_space`). Source: DeepFool's step
    (Moosavi-Dezfooli, Fawzi and Frossard 2016, equation 8), within bounds as in Croce and Hein (2020, "Minimally
    distorted adversarial examples", equation 9). Cost: 2 forward passes and 1 backward pass per class and input.

    Args:
        model: The classifier.
        x: `(batch, *input)`, within the bounds.
        goal: Where each input has to go.
        norm: `p`, from 1 to infinity.
        classes: Classes whose boundaries are linearised, `(batch, k)`.

    Returns:
        The nearest witnesses among the points.

    >>> import torch
    >>> line = torch.nn.Linear(2, 2, bias=False)
    >>> _ = line.weight.data.copy_(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
    >>> goal = Goal(torch.tensor([0]), torch.tensor([[False, True]]), torch.tensor([[True, False]]))
    >>> found = linear_steps(Classifier(line), torch.tensor([[1.0, 0.5]]), goal, norm=2.0, classes=torch.tensor([[1]]))
    >>> round(found.distance.item(), 3)
    1.0
    """
    found, (down, up) = Witnesses(x, norm), room(model, x)
    for own in classes.T:
        seen = evaluate(model, x, goal, aim=goal.to_class(own))
        ideal = nearest_in_half_space(seen.gradient, seen.loss, down, up, norm)
        points = model.clip(x + (1 + BEYOND) * ideal)
        found.offer(points, goal.reached(look(model, points, goal)))
    return found


def carry_out(task: AttackTask, run: AttackRun, _: Witnesses) -> Witnesses:
    """`linear_steps` as one run of `attacks.table`: a step to each of the `run.steps` nearest classes."""
    return linear_steps(task.model, task.x, task.goal, norm=task.norm, classes=task.near[:, : run.steps])
