"""Small encoded networks for the tests of the exact solvers, and the distance to a target by enumeration."""

import itertools
import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy import optimize
from torch import nn

from clearance import Classifier
from clearance.certificates.encoding import Array, Encoding, encode
from clearance.certificates.region import Region
from clearance.certificates.relaxation import relax
from clearance.certificates.translate import translate
from closed_forms import random_inputs, random_network


@dataclass(frozen=True)
class Case:
    """A network around one input, encoded in a ball, and the rows of logits that must be nonnegative."""

    encoding: Encoding
    ahead: Array
    radius: float
    norm: float
    box: tuple[Array, Array]

    def distance(self) -> float:
        """Over all sign patterns of the units: a linear (1, inf) or quadratic (2) program each; infinite outside."""
        patterns = itertools.product((False, True), repeat=len(self.encoding.offsets))
        return min((self._of(pattern) for pattern in patterns), default=math.inf)

    def _of(self, active: tuple[bool, ...]) -> float:
        network, size = self.encoding, self.encoding.size
        values, normals, offsets = np.zeros((0, size + 1)), [], []
        for j, on in enumerate(active):
            row = network.units[j]
            before = np.append(row[:size], network.offsets[j]) + row[size : size + j] @ values
            normals.append(before[:size] * (1 if on else -1))
            offsets.append(-before[size] * (1 if on else -1))
            values = np.vstack([values, before * (1 if on else network.left_coefficients[j])])
        logits = np.column_stack([network.logits[:, :size], network.biases]) + network.logits[:, size:] @ values
        goal = self.ahead @ logits
        matrix = np.vstack([*normals, goal[:, :size]]) if normals else goal[:, :size]
        return self._nearest(matrix, np.concatenate([offsets, -goal[:, size]]))

    def _nearest(self, normals: Array, offsets: Array) -> float:
        """`min ||d||_p` with `normals d >= offsets` within the box."""
        size, low, high = self.encoding.size, *self.box
        if self.norm == 2:
            return self._nearest_euclidean(normals, offsets)
        sizes = size if self.norm == 1 else 1
        spread = np.eye(size) if self.norm == 1 else np.ones((size, 1))
        matrix = np.block(
            [[np.eye(size), -spread], [-np.eye(size), -spread], [-normals, np.zeros((len(normals), sizes))]]
        )
        solved = optimize.linprog(
            np.concatenate([np.zeros(size), np.ones(sizes)]),
            A_ub=matrix,
            b_ub=np.concatenate([np.zeros(2 * size), -offsets]),
            bounds=[*zip(low, high, strict=True), *[(0, None)] * sizes],
            method="highs",
        )
        return float(solved.fun) if solved.status == 0 and solved.fun <= self.radius else math.inf

    def _nearest_euclidean(self, normals: Array, offsets: Array) -> float:
        size, low, high = self.encoding.size, *self.box
        feasible = optimize.linprog(
            np.zeros(size), A_ub=-normals, b_ub=-offsets, bounds=list(zip(low, high, strict=True)), method="highs"
        )
        if feasible.status != 0:
            return math.inf
        solved = optimize.minimize(
            lambda d: d @ d,
            feasible.x,
            jac=lambda d: 2 * d,
            bounds=list(zip(low, high, strict=True)),
            constraints={"type": "ineq", "fun": lambda d: normals @ d - offsets, "jac": lambda d: normals},
            method="SLSQP",
            options={"maxiter": 200, "ftol": 1e-12},
        )
        length = float(np.linalg.norm(solved.x))
        return length if length <= self.radius and (normals @ solved.x >= offsets - 1e-6).all() else math.inf


def make_case(
    seed: int, norm: float, *, bounds: bool, left: float = 0.0, sizes: tuple[int, ...] = (3, 4, 3, 3)
) -> Case:
    """A random network whose second class is looked for within a ball that may or may not hold it."""
    network = random_network(seed, sizes, lambda: nn.LeakyReLU(left))  # type: ignore[arg-type]
    x = random_inputs(seed, 1, sizes[0])
    graph = translate(Classifier(network), (sizes[0],))
    source = int(graph(x).argmax())
    radius, target = 1.5 * (1 + seed % 2), (source + 1) % sizes[-1]
    box = (torch.zeros_like(x), torch.ones_like(x)) if bounds else None
    encoding = encode(relax(graph, Region(x, torch.tensor([radius], dtype=torch.float64), norm, box)))
    one, point = np.eye(sizes[-1]), x[0].numpy()
    low, high = (-point, 1 - point) if bounds else (np.full(sizes[0], -np.inf), np.full(sizes[0], np.inf))
    return Case(encoding, one[[target]] - one[[source]], radius, norm, (low, high))
