"""Small networks, inputs and problems that the tests of the estimates share."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from clearance.estimates.evidence import MarginProblem
from clearance.estimates.samplers.point_curvature import with_taylor
from clearance.geometry.feasible import feasible_directions
from clearance.geometry.norms import dual_norm
from clearance.model.classifier import Classifier
from clearance.zoo.networks import initialise, softplus_mlp


def normal(*shape: int, seed: int = 0) -> Tensor:
    """Gaussian numbers in double precision."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def small_mlp(seed: int = 0, size: int = 6) -> nn.Module:
    """A softplus network of one hidden layer, four classes, in double precision."""
    return softplus_mlp((size,), 4, hidden=16, seed=seed).double()


def deep_mlp(activation: nn.Module, *, size: int = 8, seed: int = 0) -> nn.Module:
    """Two hidden layers of an activation, four classes, in double precision."""
    layers = (nn.Flatten(), nn.Linear(size, 24), activation, nn.Linear(24, 16), activation, nn.Linear(16, 4))
    return initialise(nn.Sequential(*layers), seed=seed).double()


class Quadratic(nn.Module):
    """Logits `(m + w.x - x' A x / 2, 0)`: the gradient of the margin is `w - A x`, its Hessian `-A` everywhere."""

    def __init__(self, matrix: Tensor, weight: Tensor, margin: float) -> None:
        super().__init__()
        self.matrix, self.weight, self.margin = matrix, weight, margin

    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(1)
        values = self.margin + flat @ self.weight.to(x) - 0.5 * (flat * (flat @ self.matrix.to(x))).sum(1)
        return torch.stack([values, torch.zeros_like(values)], 1)


def quadratic(size: int, seed: int, margin: float = 2.0) -> Quadratic:
    """A random symmetric matrix and a random weight."""
    square = normal(size, size, seed=seed)
    return Quadratic(square + square.T, normal(size, seed=seed + 100), margin)


def margin_problem(model: Classifier, x0: Tensor, norm: float = 2.0, *, order: int = 1) -> MarginProblem:
    """The margin against the runner-up, as samplers take it."""
    logits = model.logits(x0[None])[0]
    first, second = logits.topk(2).indices.tolist()
    margin = (logits[first] - logits[second]).reshape(1)
    scale = logits[[first, second]].abs().max()[None]
    plain = pose(model, x0, first, second, margin, scale, norm)
    return plain if order == 1 else with_taylor(plain, "norm")


def pose(
    model: Classifier, x0: Tensor, predicted: int, target: int, margin: Tensor, scale: Tensor, norm: float = 2.0
) -> MarginProblem:
    """The margin against one class, over all directions and without clipping; `margin` and `scale` are `(1,)`."""
    directions = feasible_directions(x0, None, norm)
    targets = torch.tensor([target])
    return MarginProblem(
        model, x0, "key", predicted, targets, margin, scale, norm, dual_norm(norm), directions, clip=False, seed=0
    )


def stairs(x: Tensor) -> Tensor:
    """A staircase: the margin moves, the gradient is zero (Goodfellow 2018)."""
    steps = torch.ceil(x.sum(1) * 20) / 20
    return torch.stack([2 + steps, torch.zeros_like(steps)], 1)


def half_hidden(x: Tensor) -> Tensor:
    """A detached branch carries nine tenths of the margin's fall."""
    total = x.sum(1)
    value = 2 + 0.1 * total + 0.9 * total.detach()
    return torch.stack([value, torch.zeros_like(value)], 1)
