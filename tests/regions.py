"""One-hidden-layer ReLU networks whose activation regions inside a ball are enumerated exactly (001, theorem D.1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linprog, nnls
from torch import nn

Array = NDArray[np.float64]
DUAL = {1.0: np.inf, 2.0: 2.0, np.inf: 1.0}


@dataclass(frozen=True)
class ReluNetwork:
    """`f(x) = V relu(W x + b) + v` with two classes, as arrays and as a module."""

    weight: Array
    bias: Array
    head: Array
    offset: Array

    @staticmethod
    def random(dimension: int, units: int, seed: int) -> ReluNetwork:
        """Gaussian weights; the bias leaves most hyperplanes near the origin, the offset keeps class 0 ahead there."""
        rng = np.random.default_rng(seed)
        weight = rng.standard_normal((units, dimension))
        bias, head = 0.5 * rng.standard_normal(units), rng.standard_normal((2, units))
        margin = (head[0] - head[1]) @ np.maximum(bias, 0)
        return ReluNetwork(weight, bias, head, np.array([1.0 - margin, 0.0]))

    def module(self) -> nn.Sequential:
        """The same network in torch, in double precision."""
        units, dimension = self.weight.shape
        network = nn.Sequential(nn.Linear(dimension, units), nn.ReLU(), nn.Linear(units, 2)).double()
        values = (self.weight, self.bias, self.head, self.offset)
        with torch.no_grad():
            for parameter, value in zip(network.parameters(), values, strict=True):
                parameter.copy_(torch.from_numpy(value))
        return network

    def gradient(self, active: Array) -> Array:
        """Gradient of `f_0 - f_1` in the region where exactly the units `active` (0 or 1) are on."""
        return ((self.head[0] - self.head[1]) * active) @ self.weight


def regions(network: ReluNetwork, norm: float, radius: float) -> Iterator[Array]:
    """Activation patterns of the regions that reach into the ball around the origin, hyperplane by hyperplane."""
    patterns: list[tuple[float, ...]] = [()]
    for _ in range(len(network.bias)):
        grown = ((*pattern, sign) for pattern in patterns for sign in (1.0, -1.0))
        patterns = [pattern for pattern in grown if reach(network, pattern, norm) < radius]
    for pattern in patterns:
        yield (np.array(pattern) > 0).astype(float)


def reach(network: ReluNetwork, signs: tuple[float, ...], norm: float) -> float:
    """Smallest norm of a point where `signs * (W x + b) >= 0` holds for the first units; infinite if there is none."""
    sides = np.array(signs)
    matrix, bound = sides[:, None] * network.weight[: len(sides)], -sides * network.bias[: len(sides)]
    if norm == 2:  # least-distance programming as non-negative least squares (Lawson and Hanson 1974, chapter 23)
        system = np.vstack([matrix.T, bound])
        target = np.zeros(len(system))
        target[-1] = 1.0
        solution, residual = nnls(system, target)
        if residual < 1e-9:
            return np.inf
        rest = system @ solution - target
        return float(np.linalg.norm(rest[:-1] / rest[-1]))
    dimension = matrix.shape[1]
    sizes = np.eye(dimension) if norm == 1 else np.ones((dimension, 1))  # |x_i| is at most its own size, or the one
    upper = np.vstack([np.hstack([-matrix, np.zeros((len(bound), sizes.shape[1]))]),
                       np.hstack([np.eye(dimension), -sizes]), np.hstack([-np.eye(dimension), -sizes])])  # fmt: skip
    costs = np.concatenate([np.zeros(dimension), np.ones(sizes.shape[1])])
    result = linprog(costs, upper, np.concatenate([-bound, np.zeros(2 * dimension)]), bounds=(None, None))
    return float(result.fun) if result.status == 0 else np.inf


def largest_norm(network: ReluNetwork, norm: float, radius: float) -> float:
    """Exact `max ||∇g||_q` over the ball around the origin."""
    return max(float(np.linalg.norm(network.gradient(active), DUAL[norm])) for active in regions(network, norm, radius))


def exact_profile(network: ReluNetwork, norm: float, levels: Array) -> Array:
    """Exact `L(s) = max ||∇g||_q` over the ball of each radius around the origin."""
    sizes = [
        (reach(network, tuple(2 * active - 1), norm), np.linalg.norm(network.gradient(active), DUAL[norm]))
        for active in regions(network, norm, float(levels[-1]))
    ]
    return np.array([max(size for near, size in sizes if near < level) for level in levels])
