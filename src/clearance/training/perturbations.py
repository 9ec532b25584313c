"""The perturbations that training defends against, and the inner maximisation over them.

The **robust loss** of a network is `E[max over X' in P(X) of loss(f(X'), Y)]`. Its gradient is, by **Danskin's
theorem** (Danskin 1967; Madry et al. 2018, appendix A; lecture 10, theorem 2.1), the gradient of the loss at a
maximiser: if `loss(f_theta(x'), y)` is differentiable in `theta` with a gradient that is continuous in `(theta, x')`,
and the maximiser `x*` is unique, then the gradient of `max over x' of loss(f_theta(x'), y)` is that of
`loss(f_theta(x*), y)`. What training does with it is a **heuristic**: `ascend` does not find the maximiser but some
point with a large loss, and ReLU networks are differentiable almost everywhere only.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from clearance.errors import InputError
from clearance.geometry.balls import sample_shifts
from clearance.geometry.exponents import as_norm
from clearance.geometry.norms import project, steepest

NORMS = (2.0, math.inf)
"""Norms of the perturbations of training: those of Madry et al. (2018)."""
TRAVEL = 2.5
"""Steps times step size over radius, where no step size is given: far enough to reach the boundary from any start, and
to move along it (Madry et al. 2018)."""


@dataclass(frozen=True)
class PerturbationSet:
    """Every change of an input that the adversary may make: a ball of radius `radius`, inside the valid range.

    Attributes:
        norm: The norm `p` of the ball: 2 or infinity.
        radius: Its radius, in input units.
        bounds: The valid range of an input, `(low, high)`; `None` for no limit.

    >>> PerturbationSet(norm=float("inf"), radius=0.3).in_words()
    'l_inf, radius 0.3, inputs in [0, 1]'
    """

    norm: float
    radius: float
    bounds: tuple[float, float] | None = (0.0, 1.0)

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InputError: If the norm is neither 2 nor infinity, the radius not positive, or the bounds not in order.
        """
        if as_norm(self.norm) not in NORMS:
            raise InputError(f"norm: training knows 2 and inf, got {self.norm}")
        if not 0 < self.radius < math.inf:
            raise InputError(f"radius: expected a positive number, got {self.radius}")
        if self.bounds is not None and not self.bounds[0] < self.bounds[1]:
            raise InputError(f"bounds: expected low < high, got {self.bounds}")

    def in_words(self) -> str:
        """The threat model in one line."""
        valid = "no bounds" if self.bounds is None else f"inputs in [{self.bounds[0]:g}, {self.bounds[1]:g}]"
        return f"l_{self.norm:g}, radius {self.radius:g}, {valid}"

    def restrict(self, x: Tensor, centre: Tensor) -> Tensor:
        """The points moved into the set: `(batch, *input)`.

        For `l_inf` that is the projection. For `l_2` the ball comes first and the valid range second, which leaves a
        point of both, not always the nearest one; clipping to a range that holds the centre never adds distance.
        """
        if math.isinf(self.norm):
            x = torch.clamp(x, centre - self.radius, centre + self.radius)
        else:
            x = centre + project(x - centre, self.norm, self.radius)
        return x if self.bounds is None else x.clamp(*self.bounds)

    def box(self, centre: Tensor) -> tuple[Tensor, Tensor]:
        """The ends of the smallest box that holds the set of each centre: two of `(batch, *input)`."""
        low, high = centre - self.radius, centre + self.radius
        return (low, high) if self.bounds is None else (low.clamp(*self.bounds), high.clamp(*self.bounds))

    def draw(self, centre: Tensor, generator: torch.Generator) -> Tensor:
        """A random point of each centre's set, `(batch, *input)`: uniform; for `l_2` in the ball, then clipped."""
        if math.isinf(self.norm):
            low, high = self.box(centre)
            uniform = torch.rand(centre.shape, generator=generator, device=centre.device, dtype=centre.dtype)
            return low + (high - low) * uniform
        shifts = sample_shifts(centre, 1, norm=self.norm, radius=self.radius, generator=generator)
        return self.restrict(centre + shifts.reshape(centre.shape), centre)


def ascend(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    perturbations: PerturbationSet,
    *,
    steps: int,
    generator: torch.Generator,
    step_size: float | None = None,
    loss: Callable[[Tensor, Tensor], Tensor] | None = None,
) -> Tensor:
    """Projected gradient ascent on the loss from a random point: the inner maximisation (Madry et al. 2018, eq. 2.1).

    Each step goes a fixed length along the steepest direction of the norm (the sign of the gradient for `l_inf`, the
    unit gradient for `l_2`), and back into the set.

    Args:
        network: Maps `(batch, *input)` to logits. Used in the mode it is in (training mode is usual in training); the
            gradients of its parameters are left alone.
        images: `(batch, *input)`, the centres.
        labels: `(batch,)`, the classes to move away from.
        perturbations: Where the points may lie.
        steps: How many; 0 gives the random points themselves.
        generator: Where the random points come from; on the images' device.
        step_size: Length of one step, in input units; `None` is `2.5 radius / steps`.
        loss: Maps logits and labels to the sum of what is maximised; `None` is the cross-entropy.

    Returns:
        `(batch, *input)`, each in its set.
    """
    centre = images.detach()
    x = perturbations.draw(centre, generator)
    length = TRAVEL * perturbations.radius / max(steps, 1) if step_size is None else step_size
    for _ in range(steps):
        gradient = loss_gradient(network, x, labels, loss)
        x = perturbations.restrict(x + length * steepest(gradient, perturbations.norm), centre)
    return x


def loss_gradient(
    network: nn.Module, x: Tensor, labels: Tensor, loss: Callable[[Tensor, Tensor], Tensor] | None = None
) -> Tensor:
    """The gradient of the summed loss with respect to the inputs, `(batch, *input)`; parameters keep theirs.

    Args:
        network: Maps `(batch, *input)` to logits.
        x: `(batch, *input)`.
        labels: `(batch,)`.
        loss: Maps logits and labels to a sum; `None` is the cross-entropy.
    """
    with torch.enable_grad():
        moved = x.detach().requires_grad_(True)
        logits = network(moved)
        value = cross_entropy(logits, labels, reduction="sum") if loss is None else loss(logits, labels)
        (gradient,) = torch.autograd.grad(value, moved)
    return gradient
