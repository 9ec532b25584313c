"""Curvature of margins: Hessian-vector products, extreme eigenvalues (`p = 2`), induced norms (other `p`).

By Taylor's theorem `g(x0 + d) = g(x0) + <∇g(x0), d> + ½ <d, H d>` with the Hessian `H` at a point between, so what a
margin can lose to curvature within a ball is governed by

- `||H||_{p→q} = max ||H v||_q` over `||v||_p = 1`, where `1/p + 1/q = 1`; for `p = 2` the largest `|eigenvalue|`;
- for `p = 2` also by `max(0, -λ_min(H))` alone: positive curvature only raises the margin.

No Hessian is ever formed: everything here asks for products `H v`, for a batch of samples at once, and a sample leaves
the batch as soon as its own number has converged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from clearance.errors import InputError
from clearance.geometry.eigenvalues import lanczos
from clearance.geometry.induced_norms import estimate_induced_norm
from clearance.geometry.norms import expand
from clearance.model.classifier import Classifier, Product
from clearance.model.margins import margins

Kind = Literal["norm", "one-sided"]
"""Which curvature: the norm of the Hessian, or its most negative eigenvalue alone."""

CURVATURE_TOLERANCE = 1e-3
"""Relative error at which the curvature of a point counts as converged: an estimate of a radius has fewer digits than
that, and each further digit costs products."""

RESOLVED_SHARES = {"norm": 1.0, "one-sided": 0.05}
"""An end of the spectrum is not resolved below this share of the spectral norm. The norm needs the larger end alone, so
the other needs no more accuracy than it. The negative end alone is resolved down to a twentieth of the norm: a smaller
one is nearly no curvature, and resolving it can take many times the products."""

BASIS_NUMBERS = 2**25
"""Numbers that the Lanczos bases of the points solved at once may hold (128 MiB in single precision); more points are
solved in parts."""


@dataclass(frozen=True)
class Curvature:
    """Margins, gradients and curvature at a batch of points.

    The curvature is `max ||H v||_q` over `||v||_p = 1` (Weng et al. 2018b, theorem 3.1), or `max(0, -λ_min(H))`.

    Attributes:
        margins: `g`, `(batch,)`.
        gradients: `∇g`, `(batch, *input)`.
        values: The curvature of the kind that was asked for, `(batch,)`, at least 0.
        vectors: Directions `v` that attain it, `||v||_p = 1`, `(batch, *input)`.
        partners: Directions `u` with `||u||_p = 1` and `<u, H v>` the value (where it is not 0), `(batch, *input)`.
    """

    margins: Tensor
    gradients: Tensor
    values: Tensor
    vectors: Tensor
    partners: Tensor


def margin_curvature(
    model: Classifier,
    x: Tensor,
    predicted: int,
    target: int,
    starts: Tensor,
    *,
    norm: float = 2.0,
    kind: Kind = "norm",
    tolerance: float = CURVATURE_TOLERANCE,
    most: int = 32,
) -> Curvature:
    """Curvature of a margin at each point: `||H||_{p→q}`, or `max(0, -λ_min(H))`, `H` the Hessian of `g = f_c - f_t`.

    Of `p = 2` by `lanczos` (Weng et al. 2018b, section 3.4), of other norms by `estimate_induced_norm`, an estimate
    from below. The one-sided kind is this project's: in Taylor's theorem `½ <d, H d>` is at least `½ λ_min ||d||_2²`.

    Args:
        model: The classifier.
        x: `(batch, *input)`.
        predicted: The class `c`.
        target: The class `t`.
        starts: First directions, `(starts, batch, *input)`; `p = 2` needs one only.
        norm: The norm `p`.
        kind: `"norm"`: `||H||_{p→q}`; `"one-sided"`: `max(0, -λ_min)`, `p = 2` only.
        tolerance: Relative error, as for those two.
        most: Products per point (and start) at most.

    Returns:
        One value per point, fields `(batch,)` and `(batch, *input)`.

    Raises:
        InputError: If `kind="one-sided"` is asked for another norm than 2.
    """
    if kind == "one-sided" and norm != 2:
        raise InputError(f"curvature: expected norm 2 for 'one-sided', got {norm:g}")
    offset, at_once = 0, max(1, BASIS_NUMBERS // (x[0].numel() * (most + 1)))

    def part(points: Tensor) -> tuple[Tensor, ...]:
        nonlocal offset
        found: list[tuple[Tensor, ...]] = []
        for some in points.split(at_once):
            done = offset + sum(len(row[0]) for row in found)
            operator = MarginHessian(model, some, predicted, target)
            largest = _largest(operator, starts[:, done : done + len(some)], norm, kind, tolerance, most)
            found.append((operator.margins, operator.gradients, *largest))
        offset += len(points)
        return tuple(torch.cat(column) for column in zip(*found, strict=True))

    return Curvature(*model.in_micro_batches(part, x))


def _largest(
    operator: MarginHessian, starts: Tensor, norm: float, kind: Kind, tolerance: float, most: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Curvature of one pass of points, and the two directions that attain it."""
    if norm != 2:
        found = estimate_induced_norm(operator, starts, norm=norm, tolerance=tolerance, most=most)
        return found.value, found.vector, found.partner
    ends = lanczos(operator, starts[0], tolerance=tolerance, floor=RESOLVED_SHARES[kind], most=most)
    if kind == "one-sided":
        return ends.one_sided, ends.low_vector, -ends.low_vector
    lower = expand(-ends.low >= ends.high, starts[0])
    vector = torch.where(lower, ends.low_vector, ends.high_vector)
    return ends.norm, vector, torch.where(lower, -vector, vector)


def margin_hessian_vectors(
    model: Classifier, x: Tensor, predicted: int, target: int, vectors: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Margin `g = f_c - f_t`, gradient `∇g` and one Hessian-vector product `H v = ∇<∇g, v>` at each point.

    By a second reverse pass through the graph of the gradient, exact up to rounding (Pearlmutter 1994 has the same
    product by forward over reverse mode).

    Args:
        model: The classifier.
        x: `(batch, *input)`.
        predicted: The class `c`.
        target: The class `t`.
        vectors: `(batch, *input)`.

    Returns:
        `g(x)` of shape `(batch,)`, `∇g(x)` and `H(x) v` of shape `(batch, *input)`.
    """
    offset = 0

    def part(points: Tensor) -> tuple[Tensor, ...]:
        nonlocal offset
        operator = MarginHessian(model, points, predicted, target)
        image = operator.whole(vectors[offset : offset + len(points)])
        offset += len(points)
        return operator.margins, operator.gradients, image

    margin, gradient, image = model.in_micro_batches(part, x)
    return margin, gradient, image


class MarginHessian:
    """The Hessians of one margin `g = f_c - f_t` at a batch of points, as an operator.

    See `geometry.eigenvalues.Operator`. `H v = ∇<∇g, v>`, by a second reverse pass through the graph of the gradient
    (see `margin_hessian_vectors`).

    Args:
        model: The classifier.
        x: `(batch, *input)`, few enough for one pass.
        predicted: The class `c`.
        target: The class `t`.

    Attributes:
        margins: `g(x)`, `(batch,)`.
        gradients: `∇g(x)`, `(batch, *input)`.
    """

    def __init__(self, model: Classifier, x: Tensor, predicted: int, target: int) -> None:
        self.model, self.x, self.classes = model, x, (predicted, target)
        self.margins, self.gradients, self.whole = self._build(x)

    def __call__(self, rows: Tensor) -> Product:
        """The products of some points.

        Args:
            rows: Point numbers `(n,)`, ascending.

        Returns:
            Maps vectors `(n, *input)` to `H v`, `(n, *input)`.
        """
        return self.whole if len(rows) == len(self.x) else self._build(self.x[rows])[2]

    def _build(self, points: Tensor) -> tuple[Tensor, Tensor, Product]:
        predicted, target = self.classes
        classes = torch.tensor([target], device=points.device)
        return self.model.hessian(points, lambda logits: margins(logits, predicted, classes)[:, 0])
