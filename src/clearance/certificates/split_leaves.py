"""Subproblems in which every unit has a sign: the network is affine there, and a linear program has their distance."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy import optimize
from torch import Tensor

from clearance.certificates.encoding import Array
from clearance.certificates.linear_zero import zero_radius
from clearance.certificates.operations import Affine
from clearance.certificates.split_bounds import SplitBounds
from clearance.geometry.least_distance import least_distance

MOST_LEAF_ENTRIES = 256
"""Entries of an input up to which a subproblem is solved as a linear program, as dense matrices."""
MOST_LEAF_UNITS = 256
"""The same for units that can change sign."""
VIOLATION_PRICE = 1e3
"""What a violated constraint costs, in units of the ball's radius: an empty subproblem is one that pays."""
MULTIPLIER_SLACK = 1e-12
"""Share of the sum of the constraints' terms by which their weighted sum must exceed zero: above rounding."""


def solves_leaves(bounds: SplitBounds) -> bool:
    """Whether subproblems without undecided units are solved: for `p` = 1, 2, inf and small networks.

    Args:
        bounds: The network on a ball.

    Returns:
        Whether they are.
    """
    small = bounds.region.center.numel() <= MOST_LEAF_ENTRIES and bounds.units <= MOST_LEAF_UNITS
    return small and bounds.region.norm in {1.0, 2.0, math.inf}


def leaf_distance(bounds: SplitBounds, row: Tensor, signs: Tensor) -> tuple[float, Tensor | None]:
    """A proved lower bound of the distance to the points with these signs at which the margin is zero or less.

    With the constraints `G d >= h` of such points and any multipliers `y >= 0`, `<G^T y, d> >= <h, y>` for each of
    them; the radius at which that can hold first is the bound, and the solver's multipliers attain the minimum.

    Source: duality of linear programs; Lawson and Hanson (1974), chapter 23, for `p = 2`.

    Args:
        bounds: The network on a ball of one input.
        row: The margin's coefficients of the logits, `(classes,)`.
        signs: 1 or -1 for each unit that can change sign on the ball, `(units,)`.

    Returns:
        The bound, at most the ball's radius, and the solver's point `(1, *input)`.
    """
    normals, offsets = _constraints(bounds, row, signs)
    region, center = bounds.region, bounds.region.center
    box = None if region.bounds is None else [_array((end - center).flatten()) for end in region.bounds]
    if region.norm == 2:
        one = np.eye(center.numel())
        sides = [] if box is None else [(one, box[0]), (-one, -box[1])]
        bound, step = least_distance(
            np.vstack([normals, *(matrix for matrix, _ in sides)]),
            np.concatenate([offsets, *(end for _, end in sides)]),
        )
        return min(bound, float(region.radius)), _point(center, step)
    multipliers, step = _solve(normals, offsets, box, float(region.radius), region.norm)
    pull = torch.as_tensor(-(multipliers @ normals), dtype=center.dtype, device=center.device).reshape(center.shape)
    level = float(multipliers @ offsets)
    slack = MULTIPLIER_SLACK * float(multipliers @ (np.abs(normals).sum(1) + np.abs(offsets)))
    constant, start = region.radius.new_tensor([level]) - (pull * center).sum(), 1e-6 * region.radius
    bound = zero_radius(region, pull, constant, region.radius.new_tensor([slack]), start)
    return float(bound), _point(center, step)


def _constraints(bounds: SplitBounds, row: Tensor, signs: Tensor) -> tuple[Array, Array]:
    """`G`, `(units + 1, entries)`, and `h`: the units' signs, and a margin of zero or less; each row of size 1."""
    graph, center = bounds.graph, bounds.region.center
    steps = torch.eye(center.numel(), dtype=center.dtype, device=center.device).reshape(-1, *center.shape[1:])
    values, found = [torch.cat([center, steps])], list[Tensor]()
    for place, step in enumerate(graph.steps, start=1):
        inputs = [values[i] for i in step.inputs]
        if isinstance(step.operation, Affine):
            moved, constant = step.operation.apply(*inputs), step.operation.constant
            values.append(torch.cat([moved[:1], moved[1:] - constant]))
            continue
        layer, flat = bounds.layers[place], inputs[0].flatten(1)
        found.append(flat[:, layer.undecided] * signs[layer.columns])
        coefficient = layer.fixed.clone()
        coefficient[layer.undecided] = torch.where(signs[layer.columns] > 0, 1.0, layer.left).to(coefficient)
        values.append((flat * coefficient).reshape(inputs[0].shape))
    found.append(-(values[-1] @ row)[:, None])
    every = torch.cat(found, 1)
    normals, offsets = _array(every[1:].T), -_array(every[0])
    size = np.maximum(np.abs(normals).sum(1), np.abs(offsets)).clip(1e-300)
    return normals / size[:, None], offsets / size


def _solve(
    normals: Array, offsets: Array, box: list[Array] | None, radius: float, norm: float
) -> tuple[Array, Array | None]:
    """Multipliers of the constraints and the nearest point, by `min r + price t` with constraints relaxed by `t`."""
    rows, size = normals.shape
    spread = 1 if math.isinf(norm) else size
    sizes = np.ones((size, 1)) if spread == 1 else np.eye(size)
    one, empty = np.eye(size), np.zeros((size, 1))
    matrix = np.block(
        [[-normals, np.zeros((rows, spread)), -np.ones((rows, 1))], [one, -sizes, empty], [-one, -sizes, empty]]
    )
    low, high = box or [np.full(size, -math.inf), np.full(size, math.inf)]
    solved = optimize.linprog(
        np.concatenate([np.zeros(size), np.ones(spread), [VIOLATION_PRICE]]),
        A_ub=matrix,
        b_ub=np.concatenate([-offsets / radius, np.zeros(2 * size)]),
        bounds=[*zip(low / radius, high / radius, strict=True), *[(0, None)] * (spread + 1)],
        method="highs",
    )
    if solved.status != 0:
        return np.zeros(rows), None
    return np.maximum(-solved.ineqlin.marginals[:rows], 0.0), solved.x[:size] * radius


def _point(center: Tensor, step: Array | None) -> Tensor | None:
    return None if step is None else center + torch.as_tensor(step, dtype=center.dtype).to(center).reshape(center.shape)


def _array(value: Tensor) -> Array:
    return value.detach().cpu().numpy()
