"""Slopes between points: what the function itself says about its Lipschitz constant, gradients aside.

By the mean-value theorem `|g(x) - g(y)| / ||x - y||_p` is a lower bound of the Lipschitz constant of every convex set
that holds both points, whatever the gradients say. `slope_estimate` is the estimate of Wood and Zhang (1996), the
baseline SLOPE of Weng et al. (2018, table 3): the largest slope of random pairs, its endpoint fitted as in CLEVER. It
is poor in many dimensions, where random pairs hardly ever lie along the steep direction.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from clearance.errors import InputError
from clearance.estimates.extremes import ReverseWeibullFit, fit_reverse_weibull
from clearance.geometry.balls import parts, sample_shifts
from clearance.geometry.exponents import as_norm
from clearance.geometry.norms import vector_norm
from clearance.model.classifier import Classifier, check_classifier
from clearance.model.gradients import margin_values
from clearance.model.inputs import CheckedInputs, prepare
from clearance.model.margins import ROUNDING, Target
from clearance.model.seeds import make_generator


@dataclass(frozen=True)
class SlopeEstimate:
    """SLOPE (Wood and Zhang 1996; Weng et al. 2018, table 3) for one input and the nearest of its targets.

    `radius = g(x0) / L`, with `L` from slopes of random pairs: an estimate, and usually one that is far too large.

    Attributes:
        radius: `g(x0) / lipschitz`; the ball does not limit it. NaN for a misclassified input.
        lipschitz: The fitted endpoint of the largest slopes, or the largest slope where that is larger.
        largest: The largest slope that was met.
        margin: `g(x0)`.
        predicted: Predicted class `c`.
        target: The class `t`.
        fit: The reverse Weibull fit; `None` for a misclassified input.
    """

    radius: float
    lipschitz: float
    largest: float
    margin: float
    predicted: int
    target: int
    fit: ReverseWeibullFit | None


def slopes_from(
    x0: Tensor, margin: float, points: Tensor, margins: Tensor, *, norm: float, scale: float = 0.0
) -> Tensor:
    """`|g(x) - g(x0)| / ||x - x0||_p` of each point, less its rounding error: no Lipschitz constant is smaller.

    Source: mean value theorem; Wood and Zhang (1996).

    Args:
        x0: `(*input)`.
        margin: `g(x0)`.
        points: `(batch, *input)`.
        margins: `g` at the points, `(batch,)`.
        norm: The norm `p`.
        scale: The larger of the margin's two logits at the input, by size: what margins are rounded by.

    Returns:
        `(batch,)`; 0 at the input itself.

    >>> slopes_from(torch.zeros(2), 1.0, torch.tensor([[3.0, 4.0]]), torch.tensor([6.0]), norm=2.0).round(decimals=3)
    tensor([1.])
    """
    distance = vector_norm(points - x0, norm)
    noise = ROUNDING * torch.finfo(margins.dtype).eps * (margins.abs() + abs(margin) + scale)
    rise = ((margins - margin).abs() - noise).clamp_min(0.0)
    return torch.where(distance > 0, rise / distance.clamp_min(torch.finfo(distance.dtype).tiny), 0.0)


def slope_estimate(
    model: Classifier,
    x: Tensor,
    labels: Tensor | Sequence[int] | None = None,
    *,
    target: Target = "untargeted",
    norm: float | str = 2.0,
    radius: float = 5.0,
    separation: float = 0.05,
    pairs: int = 1024,
    blocks: int = 50,
    seed: int = 0,
) -> list[SlopeEstimate]:
    """The estimate of Wood and Zhang (1996): the endpoint of the largest slopes of random pairs.

    In each block, `pairs` points uniform in the ball, each with a partner uniform in a ball of `separation * radius`
    around it; the largest slope of each block goes into a reverse Weibull fit.

    Args:
        model: The classifier.
        x: `(batch, *input)`.
        labels: True classes; an input whose prediction differs has a row without numbers.
        target: As in `clever`; untargeted is the smallest radius over the other classes.
        norm: The norm `p`.
        radius: Radius of the ball.
        separation: Largest distance of a pair, as a share of the radius.
        pairs: Pairs in a block.
        blocks: Blocks.
        seed: With each input's content, fixes the pairs.

    Returns:
        One estimate per input. Cost: `2 pairs blocks` forward passes for each input and target; no gradient.

    Raises:
        InputError: If a number is not positive, or a count no whole number.

    >>> network = torch.nn.Linear(1, 2, bias=False)
    >>> with torch.no_grad():
    ...     _ = network.weight.copy_(torch.tensor([[3.0], [0.0]]))
    >>> (found,) = slope_estimate(Classifier(network), torch.ones(1, 1), pairs=64, blocks=8)
    >>> round(found.lipschitz, 3), round(found.radius, 3)
    (3.0, 1.0)
    """
    check_classifier(model)
    as_norm(norm)
    for name, value in {"radius": radius, "separation": separation}.items():
        if not (isinstance(value, int | float) and 0 < value < math.inf):  # pyright: ignore
            raise InputError(f"{name}: expected a positive number, got {value!r}")
    for name, count in {"pairs": pairs, "blocks": blocks}.items():
        if not (isinstance(count, int) and count > 0):  # pyright: ignore
            raise InputError(f"{name}: expected a whole number of at least 1, got {count!r}")
    inputs = prepare(model, x, labels, target=target, norm=norm, seed=seed)
    return [_nearest(one, radius, separation, pairs, blocks) for one in inputs.each()]


def _nearest(inputs: CheckedInputs, radius: float, separation: float, pairs: int, blocks: int) -> SlopeEstimate:
    """The smallest estimate of one input over its targets."""
    own, targets, logits = inputs.predicted[0], inputs.targets[0], inputs.logits[0]
    if inputs.misclassified[0]:
        return SlopeEstimate(math.nan, math.nan, math.nan, math.nan, own, targets[0], None)
    common = (inputs.norm, radius, separation, pairs, blocks, inputs.seed)
    sample = _Pairs(inputs.model, inputs.x[0], inputs.keys[0], *common)
    return min((sample.estimate(logits, own, t) for t in targets), key=lambda one: one.radius)


@dataclass(frozen=True)
class _Pairs:
    """Random pairs in the ball around one input."""

    model: Classifier
    x0: Tensor
    key: str
    norm: float
    radius: float
    separation: float
    pairs: int
    blocks: int
    seed: int

    def estimate(self, logits: Tensor, predicted: int, target: int) -> SlopeEstimate:
        """The estimate for one target."""
        maxima = [self._largest(block, predicted, target) for block in range(self.blocks)]
        fit, largest = fit_reverse_weibull(maxima), max(maxima)
        lipschitz, margin = max(largest, float(fit.location)), float(logits[predicted] - logits[target])
        bound = margin / lipschitz if lipschitz > 0 else math.inf
        return SlopeEstimate(bound, lipschitz, largest, margin, predicted, target, fit)

    def _largest(self, block: int, predicted: int, target: int) -> float:
        """The largest slope of one block of pairs."""
        generator = make_generator(self.x0.device, self.seed, "slope", self.key, block)
        counts = parts(self.pairs, 2 * self.x0.numel())
        return max(self._largest_of(count, generator, predicted, target) for count in counts)

    def _largest_of(self, count: int, generator: torch.Generator, predicted: int, target: int) -> float:
        """The largest slope of so many fresh pairs."""

        def draw(radius: float) -> Tensor:
            return sample_shifts(self.x0, count, norm=self.norm, radius=radius, generator=generator)

        first = self.x0 + draw(self.radius)
        second = first + draw(self.separation * self.radius)
        values, scale = margin_values(self.model, torch.cat([first, second]), predicted, target)
        noise = ROUNDING * torch.finfo(values.dtype).eps * float(scale)
        rise = ((values[:count] - values[count:]).abs() - noise).clamp_min(0.0)
        return float((rise / vector_norm(first - second, self.norm)).max())
