"""The induced norm `||H||_{p→q}` of symmetric matrices known by their products only: an estimate of a maximum."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from clearance.geometry.eigenvalues import Operator, Remaining
from clearance.geometry.norms import dual_norm, expand, steepest, vector_norm


@dataclass(frozen=True)
class Induced:
    """An estimate of `||H||_{p→q} = max {||H v||_q : ||v||_p = 1}` of each sample, `1/p + 1/q = 1`.

    It is the norm of an image, so never above the true maximum (Higham 1992).

    Attributes:
        value: `||H v||_q` of the best `v` found, `(batch,)`.
        vector: That `v`, `||v||_p = 1`, `(batch, *input)`.
        partner: The `u` with `||u||_p = 1` and `<u, H v> = ||H v||_q`, `(batch, *input)`.
        products: Products that each sample took, `(batch,)`.
    """

    value: Tensor
    vector: Tensor
    partner: Tensor
    products: Tensor


def estimate_induced_norm(
    operator: Operator, starts: Tensor, *, norm: float, tolerance: float = 1e-3, most: int = 64
) -> Induced:
    """An estimate of the maximum `||H||_{p→q}`, `1/p + 1/q = 1`, by the nonlinear power method.

    `v ← argmax {<u, H v> : ||u||_p = 1}` (Boyd 1974; Higham 1992). For a symmetric matrix and dual norms one map does
    both half-steps of the method, and `||H v||_q` never falls. It ends in a local maximum (for `p = 2`: the spectral
    norm); the exact norm is NP-hard to compute for `p = inf` (Rohn 2000), so several starts are tried and the largest
    value is reported.

    Args:
        operator: The matrices.
        starts: Where to start, `(starts, batch, *input)`.
        norm: The norm `p`; the images are measured in its dual.
        tolerance: A start stops when two steps have raised its value by less than this share.
        most: Products per start at most.

    Returns:
        The best of all starts, fields `(batch,)` and `(batch, *input)`.

    >>> from clearance.geometry.eigenvalues import dense
    >>> matrix = torch.tensor([[[1.0, 2.0], [2.0, -3.0]]])
    >>> start = torch.tensor([[[1.0, 0.1]]])
    >>> float(estimate_induced_norm(dense(matrix), start, norm=float("inf")).value)  # |1 - 2| + |2 + 3|
    6.0
    """
    runs = [_climb(operator, start, norm, tolerance, most) for start in starts]
    values = torch.stack([run.value for run in runs])
    best = values.argmax(0)
    rows = torch.arange(len(best), device=best.device)
    vector, partner = (torch.stack(each)[best, rows] for each in ([r.vector for r in runs], [r.partner for r in runs]))
    return Induced(values.amax(0), vector, partner, torch.stack([run.products for run in runs]).sum(0))


def _climb(operator: Operator, start: Tensor, norm: float, tolerance: float, most: int) -> Induced:
    """One start per sample."""
    count = len(start)
    remaining, rows = Remaining(operator, count, start), torch.arange(count, device=start.device)
    v = start / expand(vector_norm(start, norm).clamp_min(torch.finfo(start.dtype).tiny), start)
    best = Induced(start.new_zeros(count), v.clone(), v.clone(), torch.zeros_like(rows))
    before = start.new_full((count, 2), -1.0)
    for step in range(most):
        image = remaining(rows, v)
        size, u = vector_norm(image, dual_norm(norm)), steepest(image, norm)
        better = ~(size < best.value[rows])  # of values that are not finite, too
        kept = rows[better]
        best.value[kept], best.vector[kept], best.partner[kept] = size[better], v[better], u[better]
        best.products[rows] = step + 1
        stay = (size > before[:, 0] * (1 + tolerance)) & size.isfinite() & (size > 0)
        if not bool(stay.any()):
            break
        rows, v, before = rows[stay], u[stay], torch.stack([before[stay, 1], size[stay]], 1)
    return best
