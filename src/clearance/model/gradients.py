"""Gradients of margins with respect to the input, and their dual norms: one backward pass per sample and target."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from clearance.geometry.norms import vector_norm
from clearance.model.classifier import Classifier
from clearance.model.margins import margins


def margin_gradients(
    model: Classifier, x: Tensor, predicted: Tensor | int, target: Tensor | int
) -> tuple[Tensor, Tensor]:
    """Margin and its gradient at each point, for one target per point.

    Args:
        model: The classifier.
        x: `(batch, *input)`.
        predicted: The class `c`, one for all points or `(batch,)`.
        target: The class `t`, one for all points or `(batch,)`.

    Returns:
        `g(x)` of shape `(batch,)` and `∇g(x)` of shape `(batch, *input)`.
    """
    index = torch.stack(
        [torch.as_tensor(c, device=x.device).expand(len(x)) for c in (predicted, target)], 1
    )  # sliced beside x, so that a micro-batch sees its own rows
    offset = 0

    def part(points: Tensor) -> tuple[Tensor, Tensor]:
        nonlocal offset
        rows = index[offset : offset + len(points)]
        _, values, pull = model.vjp(points, lambda logits: margins(logits, rows[:, 0], rows[:, 1:]))
        gradient = pull(0)
        offset += len(points)
        return values[:, 0], gradient

    value, gradient = model.in_micro_batches(part, x)
    return value, gradient


def margin_values(model: Classifier, x: Tensor, predicted: int, target: int) -> tuple[Tensor, Tensor]:
    """Margin at each point by forward passes only, and the larger of its two logits: the scale of its rounding.

    Args:
        model: The classifier.
        x: `(batch, *input)`.
        predicted: The class `c`.
        target: The class `t`.

    Returns:
        `g(x)` of shape `(batch,)`, finite or not, and `max(|f_c|, |f_t|)` over all points, a scalar.
    """
    classes = torch.tensor([target], device=x.device)

    def part(points: Tensor) -> tuple[Tensor, Tensor]:
        logits, values, _ = model.vjp(points, lambda output: margins(output, predicted, classes))
        return values[:, 0], logits[:, [predicted, target]].abs().amax(1)

    with torch.no_grad():
        value, scale = model.in_micro_batches(part, x)
    return value, scale.max()


def margin_gradient_norms(
    model: Classifier, x: Tensor, predicted: int, targets: Tensor, measure: Callable[[Tensor], Tensor]
) -> tuple[Tensor, Tensor]:
    """Margins and norms of their gradients at each point for several targets, the forward pass shared by them all.

    Args:
        model: The classifier.
        x: `(batch, *input)`.
        predicted: The class `c`.
        targets: The classes `t`, `(k,)`.
        measure: From gradients `(batch, *input)` to their norms `(batch,)`, such as the dual norm `||∇g(x)||_q`.

    Returns:
        Margins and norms, both `(batch, k)`.
    """

    def part(points: Tensor) -> tuple[Tensor, Tensor]:
        _, values, pull = model.vjp(points, lambda logits: margins(logits, predicted, targets))
        return values, torch.stack([measure(pull(k)) for k in range(len(targets))], 1)

    value, norm = model.in_micro_batches(part, x)
    return value, norm


def nearest_margin_gradients(model: Classifier, x: Tensor, predicted: int, targets: Tensor) -> tuple[Tensor, Tensor]:
    """The margin against the nearest of several classes, `g = f_c - max_t f_t`, and its gradient at each point.

    With all other classes as targets it is the untargeted margin. It is locally Lipschitz; its gradient is, almost
    everywhere, that of the class that is ahead of the other targets there (Danskin's theorem).

    Args:
        model: The classifier.
        x: `(batch, *input)`.
        predicted: The class `c`.
        targets: The classes `t`, `(k,)`.

    Returns:
        `g(x)` of shape `(batch,)` and `∇g(x)` of shape `(batch, *input)`: one forward and one backward pass per point.

    >>> model = Classifier(torch.nn.Identity())
    >>> nearest_margin_gradients(model, torch.tensor([[5.0, 1.0, 2.0]]), 0, torch.tensor([1, 2]))
    (tensor([3.]), tensor([[ 1.,  0., -1.]]))
    """

    def part(points: Tensor) -> tuple[Tensor, Tensor]:
        _, values, pull = model.vjp(points, lambda logits: margins(logits, predicted, targets).amin(1, keepdim=True))
        return values[:, 0], pull(0)

    value, gradient = model.in_micro_batches(part, x)
    return value, gradient


def free(model: Classifier, points: Tensor, gradient: Tensor) -> Tensor:
    """The gradient without the coordinates in which a step against it would leave the bounds at once.

    Source: the Karush-Kuhn-Tucker conditions of a box: such coordinates are at their optimum.

    `w_i = 0` where `y_i` is at its lowest value and `w_i > 0`, or at its highest and `w_i < 0`: the projection of `-w`
    onto the tangent cone of the box. A step that is normalised afterwards would otherwise be spent on coordinates that
    clipping puts back.

    Args:
        model: The classifier.
        points: `y`, `(batch, *input)`, within the bounds.
        gradient: `w`, `(batch, *input)`.

    Returns:
        `(batch, *input)`.
    """
    if model.bounds is None:
        return gradient
    low, high = model.bounds
    most = torch.finfo(gradient.dtype).max
    # Signs and a clamp: on a CPU a choice element by element takes five times as long.
    return gradient.clamp((points - high).clamp_max(0).sign() * most, (points - low).clamp_min(0).sign() * most)


def finite_rows(gradient: Tensor) -> Tensor:
    """Whether every entry of each row is finite, `(batch, *input) -> (batch,)`. Source: this project.

    >>> finite_rows(torch.tensor([[1.0, 2.0], [1.0, torch.nan]]))
    tensor([ True, False])
    """
    return vector_norm(gradient, math.inf).isfinite()
