"""Subproblems in which every unit has a sign: the network is affine there, and a linear program has their distances."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy import optimize, sparse
from torch import Tensor

from clearance.certificates.encoding import Array
from clearance.certificates.linear_zero import zero_radius
from clearance.certificates.operations import Affine
from clearance.certificates.region import Region
from clearance.certificates.split_bounds import SplitBounds
from clearance.geometry.least_distance import least_distance

MOST_LEAF_ENTRIES = 256
"""Entries of an input up to which a subproblem is solved as a linear program, as dense matrices."""
MOST_LEAF_UNITS = 256
"""The same for units that can change sign."""
VIOLATION_PRICE = 1e3
"""What a violated constraint costs, in units of the ball's radius: an empty subproblem is one that pays."""
LEAVES_AT_A_TIME, NUMBERS_OF_A_PROGRAM = 32, 2**15
"""Subproblems of one linear program, at most, and numbers of its constraints: setting a program up takes five times as
long as solving it for a small network, and solving several together takes longer for a large one."""
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


def leaf_distances(bounds: SplitBounds, rows: Tensor, signs: Tensor) -> tuple[Tensor, list[Tensor | None]]:
    """Proved lower bounds of the distance to the points with given signs at which a margin is zero or less.

    With the constraints `G d >= h` of such points and any multipliers `y >= 0`, `<G^T y, d> >= <h, y>` for each of
    them; the radius at which that can hold first is the bound, and the solver's multipliers attain the minimum.

    Source: duality of linear programs; Lawson and Hanson (1974), chapter 23, for `p = 2`.

    Args:
        bounds: The network on a ball of one input.
        rows: Each margin's coefficients of the logits, `(n, classes)`.
        signs: 1 or -1 for each unit that can change sign on the ball, `(n, units)`.

    Returns:
        The bounds, `(n,)`, at most the ball's radius, and the solver's points, each `(1, *input)`.
    """
    found, points = [rows.new_zeros(0)], list[Tensor | None]()
    entries = bounds.region.center.numel()
    numbers = (bounds.units + 1 + 2 * entries) * (entries + 2)
    together = min(LEAVES_AT_A_TIME, max(1, NUMBERS_OF_A_PROGRAM // numbers))
    for some, own in zip(rows.split(together), signs.split(together), strict=True):
        normals, offsets = _constraints(bounds, some, own)
        least, steps = (_by_projection if bounds.region.norm == 2 else _by_program)(bounds.region, normals, offsets)
        found.append(least)
        points.extend(_point(bounds.region.center, step) for step in steps)
    return torch.cat(found), points


def _by_projection(region: Region, normals: Array, offsets: Array) -> tuple[Tensor, list[Array | None]]:
    """`p = 2`: the least distance of each subproblem, `normals` `(n, constraints, entries)`."""
    one, box = np.eye(normals.shape[2]), _box(region)
    sides = [] if box is None else [(one, box[0]), (-one, -box[1])]
    solved = [
        least_distance(
            np.vstack([matrix, *(side for side, _ in sides)]),
            np.concatenate([level, *(end for _, end in sides)]),
        )
        for matrix, level in zip(normals, offsets, strict=True)
    ]
    least = torch.tensor([bound for bound, _ in solved], dtype=region.radius.dtype, device=region.radius.device)
    return least.clamp_max(float(region.radius)), [step for _, step in solved]


def _by_program(region: Region, normals: Array, offsets: Array) -> tuple[Tensor, list[Array | None]]:
    """`p` = 1, inf: the bounds that the multipliers of a linear program prove."""
    multipliers, steps = _solve(normals, offsets, _box(region), float(region.radius), region.norm)
    center, terms = region.center, np.abs(normals).sum(2) + np.abs(offsets)
    pull, level, slack = (
        torch.as_tensor(value, dtype=center.dtype, device=center.device)
        for value in (
            -np.einsum("nc,nci->ni", multipliers, normals),
            (multipliers * offsets).sum(1),
            MULTIPLIER_SLACK * (multipliers * terms).sum(1),
        )
    )
    constant = level - pull @ center.flatten()
    start = (1e-6 * region.radius).expand(len(level))
    return zero_radius(region, pull.reshape(-1, *center.shape[1:]), constant, slack, start), steps


def _constraints(bounds: SplitBounds, rows: Tensor, signs: Tensor) -> tuple[Array, Array]:
    """`G`, `(n, units + 1, entries)`, and `h`: signs of units, and a margin of zero or less; each row of size 1."""
    graph, center = bounds.graph, bounds.region.center
    steps = torch.eye(center.numel(), dtype=center.dtype, device=center.device).reshape(-1, *center.shape[1:])
    each = 1 + len(steps)
    moves = (torch.arange(len(rows) * each, device=center.device) % each != 0).to(center)
    values, found = [torch.cat([center, steps]).repeat(len(rows), *[1] * (center.ndim - 1))], list[Tensor]()
    for place, step in enumerate(graph.steps, start=1):
        inputs = [values[i] for i in step.inputs]
        if isinstance(step.operation, Affine):
            moved, constant = step.operation.apply(*inputs), step.operation.constant
            values.append(moved - moves.reshape(-1, *[1] * (moved.ndim - 1)) * constant)
            continue
        layer, flat = bounds.layers[place], inputs[0].flatten(1)
        own = signs[:, layer.columns].repeat_interleave(each, 0)
        found.append(flat[:, layer.undecided] * own)
        coefficient = layer.fixed.repeat(len(flat), 1)
        coefficient[:, layer.undecided] = torch.where(own > 0, 1.0, layer.left).to(coefficient)
        values.append((flat * coefficient).reshape(inputs[0].shape))
    found.append(-(values[-1] * rows.repeat_interleave(each, 0)).sum(1, keepdim=True))
    every = torch.cat(found, 1).unflatten(0, (-1, each))
    normals, offsets = _array(every[:, 1:].mT), -_array(every[:, 0])
    size = np.maximum(np.abs(normals).sum(2), np.abs(offsets)).clip(1e-300)
    return normals / size[:, :, None], offsets / size


def _solve(
    normals: Array, offsets: Array, box: list[Array] | None, radius: float, norm: float
) -> tuple[Array, list[Array | None]]:
    """Multipliers of the constraints, `(n, constraints)`, and nearest points: `min r + price t` for each subproblem.

    Constraints are relaxed by `t`, so that there always is a point. The programs share nothing, and are solved as one.
    """
    count, rows, size = normals.shape
    spread = 1 if math.isinf(norm) else size
    sizes = np.ones((size, 1)) if spread == 1 else np.eye(size)
    one, empty = np.eye(size), np.zeros((size, 1))
    below = np.block([[one, -sizes, empty], [-one, -sizes, empty]])
    aside = np.hstack([np.zeros((rows, spread)), -np.ones((rows, 1))])
    blocks = [sparse.csr_array(np.vstack([np.hstack([-matrix, aside]), below])) for matrix in normals]
    low, high = box or [np.full(size, -math.inf), np.full(size, math.inf)]
    solved = optimize.linprog(
        np.tile(np.concatenate([np.zeros(size), np.ones(spread), [VIOLATION_PRICE]]), count),
        A_ub=sparse.block_diag(blocks, format="csc"),
        b_ub=np.hstack([-offsets / radius, np.zeros((count, 2 * size))]).ravel(),
        bounds=[*zip(low / radius, high / radius, strict=True), *[(0, None)] * (spread + 1)] * count,
        method="highs",
    )
    if solved.status != 0 and count > 1:
        alone = [_solve(normals[[i]], offsets[[i]], box, radius, norm) for i in range(count)]
        return np.concatenate([found for found, _ in alone]), [step for _, steps in alone for step in steps]
    if solved.status != 0:
        return np.zeros((count, rows)), [None] * count
    multipliers = np.maximum(-solved.ineqlin.marginals.reshape(count, -1)[:, :rows], 0.0)
    return multipliers, list(solved.x.reshape(count, -1)[:, :size] * radius)


def _box(region: Region) -> list[Array] | None:
    """How far each entry may fall and rise, flat."""
    return None if region.bounds is None else [_array((end - region.center).flatten()) for end in region.bounds]


def _point(center: Tensor, step: Array | None) -> Tensor | None:
    return None if step is None else center + torch.as_tensor(step, dtype=center.dtype).to(center).reshape(center.shape)


def _array(value: Tensor) -> Array:
    return value.detach().cpu().numpy()
