"""Classifiers whose minimum adversarial distortion is known exactly: formulas and (mixed-integer) linear programs."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import optimize
from torch import Tensor

from clearance.geometry.norms import dual_norm, vector_norm

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Linear:
    """Logits `W x + b`, in float64."""

    weight: Tensor
    bias: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.weight.T.to(x) + self.bias.to(x)

    def distance(self, x: Tensor, order: float) -> Tensor:
        """Untargeted, without bounds: `min_t (f_c - f_t) / ||w_c - w_t||_q` for each input; 1 for `l_0`."""
        logits = self(x)
        if order == 0:
            return torch.ones_like(logits[:, 0])
        source = logits.argmax(1)
        gaps = logits.gather(1, source[:, None]) - logits
        slopes = torch.stack([vector_norm(self.weight[c] - self.weight, dual_norm(order)) for c in source.tolist()])
        return torch.where(slopes > 0, gaps / slopes, math.inf).amin(1)


@dataclass(frozen=True)
class OneHidden:
    """Logits `V max(W x + a, 0) + b`, in float64."""

    weight: Tensor
    offset: Tensor
    last: Tensor
    bias: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        hidden = (x.flatten(1) @ self.weight.T.to(x) + self.offset.to(x)).clamp_min(0.0)
        return hidden @ self.last.T.to(x) + self.bias.to(x)


def ball_classifier(x: Tensor) -> Tensor:
    """Two classes split by the unit sphere around 0: a point inside is `1 - ||x||_2` away from the other class."""
    inside = 1 - x.flatten(1).square().sum(1)
    return torch.stack([inside, torch.zeros_like(inside)], 1)


def random_linear(seed: int, *, classes: int = 4, size: int = 6) -> Linear:
    draw = torch.Generator().manual_seed(seed)
    weight = torch.randn(classes, size, generator=draw, dtype=torch.float64)
    return Linear(weight, torch.randn(classes, generator=draw, dtype=torch.float64))


def random_relu(seed: int, *, classes: int = 3, size: int = 4, hidden: int = 8) -> OneHidden:
    draw = torch.Generator().manual_seed(seed)
    shapes = ((hidden, size), (hidden,), (classes, hidden), (classes,))
    return OneHidden(*(torch.randn(*shape, generator=draw, dtype=torch.float64) for shape in shapes))


def random_inputs(seed: int, count: int, size: int) -> Tensor:
    draw = torch.Generator().manual_seed(seed + 1_000_003)
    return torch.rand(count, size, generator=draw, dtype=torch.float64)


def exact_linear(model: Linear, x: Tensor, order: float, targets: Sequence[int], low: float, high: float) -> float:
    """Smallest `l_1` or `l_inf` distance within the bounds at which one of the targets has the largest logit (LP).

    Untargeted, pass all other classes: the nearest point where any class is level with the source is also one where
    some class has the largest logit. Infinite where no target can be reached.
    """
    size, classes = x.numel(), len(model.weight)
    best = math.inf
    for target in targets:
        others = [k for k in range(classes) if k != target]
        ahead = (model.weight[others] - model.weight[target]).numpy()
        excess = (model(x[None])[0][others] - model(x[None])[0, target]).numpy()
        rows, limits, cost = _distance_rows(size, order)
        rows = np.vstack([rows, np.hstack([ahead, np.zeros((len(others), rows.shape[1] - size))])])
        limits = np.concatenate([limits, -excess])
        span = [(low - v, high - v) for v in x.tolist()] + [(0, None)] * (rows.shape[1] - size)
        solved = optimize.linprog(cost, A_ub=rows, b_ub=limits, bounds=span, method="highs")
        best = min(best, float(solved.fun)) if solved.status == 0 else best
    return best


def fewest_linear(model: Linear, x: Tensor, targets: Sequence[int], low: float, high: float) -> float:
    """Fewest coordinates to change within the bounds so that one of the targets is ahead of the source, or infinity.

    For each target the coordinates are ranked by the most that each can lower the margin, `|w_i|` times its room; the
    fewest whose sum exceeds the margin are needed, and enough. Untargeted, pass all other classes.
    """
    logits, best = model(x[None])[0], math.inf
    source = int(logits.argmax())
    for target in targets:
        rate = model.weight[source] - model.weight[target]
        falls = torch.where(rate > 0, rate * (x - low), -rate * (high - x)).sort(descending=True).values
        enough = falls.cumsum(0) > logits[source] - logits[target]
        best = min(best, int(enough.to(torch.uint8).argmax()) + 1) if enough.any() else best
    return best


def exact_relu(model: OneHidden, x: Tensor, order: float, targets: Sequence[int], low: float, high: float) -> float:
    """As `exact_linear` for one hidden layer, by a big-M mixed-integer program; a proven lower end of its optimum.

    `order` may be 0 as well, for the number of coordinates that differ.
    """
    return min(_relu_to(model, x.numpy(), order, target, low, high) for target in targets)


def _relu_to(model: OneHidden, x: Array, order: float, target: int, low: float, high: float) -> float:
    """Variables: step d, its sizes s, hidden values z, and a binary a for each hidden unit."""
    weight, offset, last, bias = (t.numpy() for t in (model.weight, model.offset, model.last, model.bias))
    size, hidden = len(x), len(offset)
    rows, limits, cost = _distance_rows(size, order, high - low)
    sizes = rows.shape[1] - size
    positive, negative = weight.clip(0), weight.clip(None, 0)
    most = positive @ np.full(size, high) + negative @ np.full(size, low) + offset
    least = positive @ np.full(size, low) + negative @ np.full(size, high) + offset
    at_input, one, none = weight @ x + offset, np.eye(hidden), np.zeros((hidden, hidden))
    gap = np.zeros((hidden, sizes))
    others = [k for k in range(len(bias)) if k != target]
    blocks = [
        np.hstack([rows, np.zeros((len(rows), 2 * hidden))]),
        np.hstack([weight, gap, -one, none]),  # pre-activation <= z
        np.hstack([-weight, gap, one, -np.diag(np.minimum(least, 0))]),  # z <= pre-activation - least (1 - a)
        np.hstack([np.zeros((hidden, size)), gap, one, -np.diag(np.maximum(most, 0))]),  # z <= most a
        np.hstack(
            [np.zeros((len(others), size + sizes)), last[others] - last[target], np.zeros((len(others), hidden))]
        ),
    ]
    upper = np.concatenate(
        [limits, -at_input, at_input - np.minimum(least, 0), np.zeros(hidden), bias[target] - bias[others]]
    )
    lower_bounds = np.concatenate([low - x, np.zeros(sizes + 2 * hidden)])
    most_sizes = np.full(sizes, 1.0 if order == 0 else np.inf)
    upper_bounds = np.concatenate([high - x, most_sizes, np.full(hidden, np.inf), np.ones(hidden)])
    solved = optimize.milp(
        np.concatenate([cost, np.zeros(2 * hidden)]),
        constraints=optimize.LinearConstraint(np.vstack(blocks), -np.inf, upper),
        integrality=np.concatenate([np.zeros(size), np.full(sizes, order == 0), np.zeros(hidden), np.ones(hidden)]),
        bounds=optimize.Bounds(lower_bounds, upper_bounds),
        options={"mip_rel_gap": 1e-7},
    )
    return float(solved.mip_dual_bound) if solved.status == 0 else math.inf


def _distance_rows(size: int, order: float, width: float = 1.0) -> tuple[Array, Array, Array]:
    """`|d_i| <= s_i` and cost `sum s_i` (l_1), or `|d_i| <= s` and cost `s` (l_inf), as rows, limits and costs.

    For l_0, `|d_i| <= width s_i` with binary `s_i` and cost `sum s_i`.
    """
    if order not in {0.0, 1.0, math.inf}:
        raise ValueError(f"expected order 0, 1 or inf, got {order}")
    one = np.eye(size)
    sizes = np.ones((size, 1)) if math.isinf(order) else one * (width if order == 0 else 1.0)
    rows = np.vstack([np.hstack([one, -sizes]), np.hstack([-one, -sizes])])
    return rows, np.zeros(2 * size), np.concatenate([np.zeros(size), np.ones(sizes.shape[1])])


def as_module(model: Linear | OneHidden) -> torch.nn.Sequential:
    """The same classifier as layers."""
    if isinstance(model, Linear):
        return torch.nn.Sequential(torch.nn.Flatten(), _layer(model.weight, model.bias))
    first, last = _layer(model.weight, model.offset), _layer(model.last, model.bias)
    return torch.nn.Sequential(torch.nn.Flatten(), first, torch.nn.ReLU(), last)


def _layer(weight: Tensor, bias: Tensor) -> torch.nn.Linear:
    layer = torch.nn.Linear(weight.shape[1], weight.shape[0], dtype=weight.dtype)
    layer.weight.data.copy_(weight)
    layer.bias.data.copy_(bias)
    return layer


def random_network(seed: int, sizes: Sequence[int], activation: type[torch.nn.Module]) -> torch.nn.Sequential:
    """Linear layers of these sizes with an activation between them, normal weights, in float64."""
    draw = torch.Generator().manual_seed(seed)
    layers: list[torch.nn.Module] = [torch.nn.Flatten()]
    for inputs, outputs in itertools.pairwise(sizes):
        weight = torch.randn(outputs, inputs, generator=draw, dtype=torch.float64) / math.sqrt(inputs)
        layers += [_layer(weight, torch.randn(outputs, generator=draw, dtype=torch.float64) / 2), activation()]
    return torch.nn.Sequential(*layers[:-1])


def nearest_on_rays(
    network: torch.nn.Module,
    x: Tensor,
    order: float,
    farthest: float,
    *,
    target: int | None = None,
    bounds: tuple[float, float] | None = None,
    rays: int = 720,
    steps: int = 400,
) -> float:
    """Brute force in two dimensions: the nearest point of another class on many rays, up to a distance.

    Args:
        network: Maps `(batch, 2)` to logits.
        x: `(2,)`.
        order: The norm.
        farthest: Distance of the last point of a ray.
        target: The class to reach; `None` for any other.
        bounds: Points outside do not count.
        rays: How many directions.
        steps: How many points on each ray.

    Returns:
        The distance, an upper bound of the minimum distortion; infinite where there is no such point.
    """
    angle = torch.arange(rays, dtype=torch.float64) * (2 * math.pi / rays)
    directions = torch.stack([angle.cos(), angle.sin()], 1)
    directions = directions / vector_norm(directions, order)[:, None]
    lengths = torch.arange(1, steps + 1, dtype=torch.float64) * (farthest / steps)
    points = (x + lengths[:, None, None] * directions).reshape(-1, 2)
    with torch.no_grad():
        logits, source = network(points), int(network(x[None]).argmax())
    reached = logits.argmax(1) != source if target is None else logits.argmax(1) == target
    if bounds is not None:
        reached &= ((points >= bounds[0]) & (points <= bounds[1])).all(1)
    distances = vector_norm(points - x, order)
    return float(torch.where(reached, distances, math.inf).min())
