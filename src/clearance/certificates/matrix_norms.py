"""Upper bounds of the operator norm `max ||A x||_p / ||x||_p` of a linear map that may be too large to write down.

p = 1, inf     exact: the largest column or row sum of |A|
p = 2          exact where the smaller side has at most `LARGEST_GRAM` entries: sqrt(lambda_max(A A^T)), a dense
               symmetric eigenvalue problem (no power iteration: that finds a lower bound of the norm). Otherwise
               `||A||_2 <= sqrt(||A||_1 ||A||_inf)` (Schur's test)
other p        the Riesz-Thorin theorem: log ||A||_p is convex in 1/p, so it is interpolated between 1, 2 and inf
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

LARGEST_GRAM = 4096
"""Side of the largest symmetric matrix whose eigenvalues are computed: some seconds, 128 MiB."""
LARGEST_BLOCK = 2**23
"""Numbers in one block of rows of that matrix at most, 64 MiB."""


_KNOWN: dict[bytes, float] = {}
"""Norms computed in this process, by a digest of the map: one number for each layer of each network."""


@dataclass(frozen=True)
class LinearMap:
    """A linear map `A` as functions on batches.

    Attributes:
        shape: Shape of an input.
        output: Shape of an output.
        forward: `A x`, `(batch, *shape)` to `(batch, *output)`.
        backward: `A^T y`, back.
        absolute: `|A| x`, entry by entry.
        like: A tensor of the map's dtype and device.
    """

    shape: tuple[int, ...]
    output: tuple[int, ...]
    forward: Callable[[Tensor], Tensor]
    backward: Callable[[Tensor], Tensor]
    absolute: Callable[[Tensor], Tensor]
    like: Tensor


def operator_norm(linear: LinearMap, norm: float, *, mixes: bool = True) -> float:
    """An upper bound of `||A||_{p -> p}`, equal to it for `p = 1, inf` and for `p = 2` of maps of moderate size.

    `p = 2`: `sqrt(lambda_max(A A^T))`, or `sqrt(||A||_1 ||A||_inf)` (Schur's test) where that is smaller. Other `p`:
    with `1/p = (1 - s) / p_0 + s / p_1`, `||A||_p <= ||A||_{p_0}^(1 - s) ||A||_{p_1}^s` (Riesz and Thorin).

    Args:
        linear: The map.
        norm: `p`.
        mixes: False skips the eigenvalues, for maps whose product of sums is sharp.

    Returns:
        The bound.
    """
    columns, rows = column_sum(linear), row_sum(linear)
    if norm == 1:
        return columns
    if math.isinf(norm):
        return rows
    spectral = math.sqrt(columns * rows)
    if mixes:
        spectral = min(spectral, gram_norm(linear))
    if norm == 2:
        return spectral
    if norm < 2:
        share = 2 - 2 / norm  # 1/p = (1 - share) / 1 + share / 2
        return columns ** (1 - share) * spectral**share
    share = 1 - 2 / norm  # 1/p = (1 - share) / 2 + share / inf
    return spectral ** (1 - share) * rows**share


def known_norm(linear: LinearMap, norm: float, parts: Sequence[object]) -> float:
    """As `operator_norm`; computed once for the same map and norm in this process.

    Args:
        linear: The map.
        norm: `p`.
        parts: All that the map is made of: tensors count by their numbers, anything else by its `repr`.

    Returns:
        The bound.
    """
    digest = hashlib.blake2b(repr((norm, linear.like.dtype)).encode())
    for part in parts:
        if isinstance(part, Tensor):
            digest.update(repr(part.shape).encode())
            digest.update(part.detach().cpu().contiguous().numpy().tobytes())
        else:
            digest.update(repr(part).encode())
    key = digest.digest()
    if key not in _KNOWN:
        _KNOWN[key] = operator_norm(linear, norm)
    return _KNOWN[key]


def row_sum(linear: LinearMap) -> float:
    """`||A||_inf`: the largest sum of a row of `|A|` (textbook, such as Golub and Van Loan, section 2.3)."""
    return float(linear.absolute(linear.like.new_ones(1, *linear.shape)).amax())


def column_sum(linear: LinearMap) -> float:
    """`||A||_1`: the largest sum of a column of `|A|` (textbook, such as Golub and Van Loan, section 2.3)."""
    ones = linear.like.new_ones(1, *linear.output)
    return float(transposed(linear.absolute, [linear.shape], ones)[0].amax())


def transposed(function: Callable[..., Tensor], shapes: Sequence[tuple[int, ...]], rows: Tensor) -> Sequence[Tensor]:
    """`J_i^T y` of an affine function, by automatic differentiation.

    (`torch.func.vjp` would do; its first call imports a compiler, for seconds.) Gradients pass through to `rows`.

    Args:
        function: From one tensor `(batch, *shape)` for each shape to `(batch, *output)`.
        shapes: Shapes of its inputs without the batch dimension.
        rows: `y`, `(rows, *output)`.

    Returns:
        One `(rows, *shape)` for each input.
    """
    followed = torch.is_grad_enabled() and rows.requires_grad
    with torch.enable_grad():
        zeros = [rows.new_zeros(len(rows), *shape).requires_grad_(True) for shape in shapes]
        found = torch.autograd.grad(
            function(*zeros), zeros, rows, allow_unused=True, materialize_grads=True, create_graph=followed
        )
    return found if followed else [part.detach() for part in found]


def gram_norm(linear: LinearMap) -> float:
    """`||A||_2` from the largest eigenvalue of `A A^T` or `A^T A`, whichever matrix is smaller.

    Dense, by LAPACK; raised by its rounding, `side * eps`. (Power iteration would give a lower bound of the norm.)

    Args:
        linear: The map, from `shape` to `output`.

    Returns:
        The norm; infinite where the matrix would be larger than `LARGEST_GRAM`.
    """
    inputs, outputs = math.prod(linear.shape), math.prod(linear.output)
    side = min(inputs, outputs)
    if side > LARGEST_GRAM:
        return math.inf
    narrow_output = outputs <= inputs
    shape = linear.output if narrow_output else linear.shape
    step = max(1, LARGEST_BLOCK // max(inputs, outputs))
    one = torch.eye(side, dtype=linear.like.dtype, device=linear.like.device).reshape(side, *shape)
    parts: list[Tensor] = []
    for start in range(0, side, step):
        part = one[start : start + step]
        there_and_back = (
            linear.forward(linear.backward(part)) if narrow_output else linear.backward(linear.forward(part))
        )
        parts.append(there_and_back.flatten(1))
    gram = torch.cat(parts)
    largest = float(torch.linalg.eigvalsh((gram + gram.T) / 2)[-1].clamp_min(0.0))
    return math.sqrt(largest) * (1 + side * torch.finfo(gram.dtype).eps)
