"""The path-integral test: do the gradients that a network reports integrate to the function that it computes?

For any segment from `y` to `y + d`, `∫ ∇g(y + s d)·d ds = g(y + d) - g(y)` (fundamental theorem of calculus, which
holds for every function that is continuous along the segment and differentiable almost everywhere on it, ReLU and max
pooling included). A staircase, a detached branch, a rescaled or a quantised path breaks it. The test needs no list of
layers and has no free scale: it compares two numbers in the same units.

The left side is estimated by two jittered points in each of `n` equal strata, which is unbiased and comes with a
standard error of its own (half the squared difference within each stratum). `n` is doubled until that error is small
against what the margin does along the segment. The right side costs forward passes only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from clearance.audit.effort import FULL
from clearance.errors import ShapeError
from clearance.geometry.exponents import as_norm
from clearance.geometry.norms import dual_norm, expand, vector_norm
from clearance.model.classifier import Classifier, check_classifier
from clearance.model.gradients import margin_gradients, margin_values
from clearance.model.margins import ROUNDING
from clearance.model.seeds import make_generator

MISSED_SHARE = 0.05
"""Largest discrepancy of honest gradients, as a share of the segment's variation (they keep to .003 at 256 points)."""
SIGMAS = 4.0
"""Standard errors that are granted on top."""
JUMPS = 0.15
"""Share of the variation that may happen between neighbouring points without a trace in either of their gradients: on
280 segments around inputs of public networks it was .052 at the most, behind a hard gate it is .4 to 1."""
ROUNDING_OF_STEP = 4.0
"""Units of rounding of one difference of margins."""
FIRST_STRATA, MOST_STRATA = FULL.first_strata, FULL.most_strata
"""Strata of the first round and of the last; two gradients each."""
VANISHING = 0.05
"""A gradient has vanished where `||∇g||_q ||d||_p` is below this share of the segment's variation. By Hölder's
inequality it must be at least 1 on average; on ten public networks, robust ones included, its smallest value along 150
segments was .1."""


@dataclass(frozen=True)
class PathIntegral:
    """Both sides of `∫ ∇g(y + s d)·d ds = g(y + d) - g(y)` along one segment, and how far they agree.

    Source: this project (fundamental theorem of calculus).

    Attributes:
        integral: `∫ ∇g·d ds`, from gradients.
        difference: `g(y + d) - g(y)`, from forward passes.
        discrepancy: The largest `|∫ ∇g·d ds - (g - g(y))|` over the segment's beginnings, so that errors of opposite
            sign do not cancel.
        error: Standard error of the integral.
        variation: How far the margin moves along the segment, up and down added: as the gradients say or as the
            forward passes say, whichever is larger.
        rounding: Differences of margins below this are rounding.
        zero: Share of the gradients that are exactly zero.
        vanishing: Share of the gradients with `||∇g||_q ||d||_p` below `VANISHING` of the variation.
        unexplained: How far the margin moves within strata whose own two gradients agree on another movement, added up:
            `Σ_i max(0, |∫_i - Δ_i| - 4 e_i)`. A steep gate leaves it, and a large `error` with it.
        points: Gradients evaluated in the last round.
        length: `||d||_p`.
        finite: Whether all values and gradients were finite; the numbers are NaN where not.
    """

    integral: float
    difference: float
    discrepancy: float
    error: float
    variation: float
    rounding: float
    zero: float
    points: int
    length: float
    finite: bool = True
    vanishing: float = 0.0
    unexplained: float = 0.0

    @property
    def measurable(self) -> bool:
        """Whether the margin moves by enough, against rounding, for the comparison to mean something."""
        return self.finite and MISSED_SHARE * self.variation > self.rounding

    @property
    def fails(self) -> bool:
        """Whether the two sides differ by more than tolerance, standard error and rounding explain, or by jumps.

        Jumps count where the standard error decides nothing: a staircase with a stand-in's gradient has them too.
        """
        allowed = MISSED_SHARE * self.variation + SIGMAS * self.error + self.rounding
        jumps = not self.resolved and self.unexplained > JUMPS * self.variation
        return self.measurable and (self.discrepancy > allowed or jumps)

    @property
    def resolved(self) -> bool:
        """Whether the standard error is small enough for the comparison to decide."""
        return SIGMAS * self.error <= MISSED_SHARE * self.variation


def path_integrals(
    model: Classifier,
    starts: Tensor,
    ends: Tensor,
    *,
    predicted: int,
    target: int,
    norm: float | str = 2.0,
    most_strata: int = MOST_STRATA,
    seed: int = 0,
) -> list[PathIntegral]:
    """Compare, along each segment, the integral of the margin's gradient with the margin's difference.

    `∫_0^1 ∇g(y + s d)·d ds` against `g(y + d) - g(y)` (fundamental theorem of calculus; the test is this project's),
    the left side by two jittered points in each of `n` equal strata.

    Args:
        model: The classifier.
        starts: `(segments, *input)`.
        ends: `(segments, *input)`.
        predicted: The class `c` of the margin `f_c - f_t`.
        target: The class `t`.
        norm: The norm in which lengths are stated.
        most_strata: Where the doubling of the strata stops.
        seed: Fixes the jitter.

    Returns:
        One record per segment. Cost: at most `2 most_strata` gradients in the last round of a segment, as many again
        in all rounds before, and half as many forward passes.

    Raises:
        ShapeError: If starts and ends differ in shape.
        ClearanceError: If an argument or the network cannot be used.

    >>> network = torch.nn.Linear(2, 2, bias=False)
    >>> with torch.no_grad():
    ...     _ = network.weight.copy_(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
    >>> ends = torch.tensor([[1.0, 1.0]])
    >>> (found,) = path_integrals(Classifier(network), torch.zeros(1, 2), ends, predicted=0, target=1)
    >>> round(found.integral, 4), round(found.difference, 4), found.fails
    (7.0, 7.0, False)
    """
    check_classifier(model)
    norm, starts, ends = as_norm(norm), model.check_inputs(starts), model.check_inputs(ends)
    if starts.shape != ends.shape:
        raise ShapeError(f"ends: expected the shape of starts {tuple(starts.shape)}, got {tuple(ends.shape)}")
    return integrate(
        model, starts, ends, (predicted, target), norm=norm, strata=(FIRST_STRATA, most_strata, most_strata), seed=seed
    )


def integrate(
    model: Classifier,
    starts: Tensor,
    ends: Tensor,
    classes: tuple[int, int],
    *,
    norm: float,
    seed: int,
    strata: tuple[int, int, int] = (FIRST_STRATA, MOST_STRATA, MOST_STRATA),
) -> list[PathIntegral]:
    """As `path_integrals`, for segments that have been checked.

    Source: as `path_integrals`.

    Args:
        model: The classifier.
        starts: `(segments, *input)`.
        ends: `(segments, *input)`.
        classes: The classes `c` and `t` of the margin `f_c - f_t`.
        norm: The norm in which lengths are stated.
        seed: Fixes the jitter.
        strata: How many there are at first, where their doubling stops if nothing fails, and where it stops anyway.

    Returns:
        One record per segment.
    """
    lengths = vector_norm(ends - starts, norm).tolist()
    with model.frozen():
        return [
            _refine(_Path(model, start, end, *classes, norm, seed, index), length, *strata)
            for index, (start, end, length) in enumerate(zip(starts, ends, lengths, strict=True))
        ]


def _refine(path: _Path, length: float, first: int, unsettled: int, most: int) -> PathIntegral:
    """Double the strata until the comparison is decided."""
    strata = min(first, most)
    while True:
        found = path.compare(strata, length)
        if strata >= most or not found.finite or (found.resolved and not _close(found)):
            return found
        if strata >= unsettled and not found.fails:
            return found
        strata = min(2 * strata, most)


def _close(found: PathIntegral) -> bool:
    """Whether the discrepancy is near enough to the limit for more points to be worth it."""
    return found.measurable and found.discrepancy > 0.5 * MISSED_SHARE * found.variation


@dataclass(frozen=True)
class _Path:
    """One segment and the margin that is followed along it."""

    model: Classifier
    start: Tensor
    end: Tensor
    predicted: int
    target: int
    norm: float
    seed: int
    index: int

    def at(self, shares: Tensor) -> Tensor:
        """The points at these shares of the segment, `(count, *input)`."""
        return self.start + expand(shares, self.start[None]) * (self.end - self.start)

    def derivatives(self, shares: Tensor) -> tuple[Tensor, Tensor, float]:
        """`∇g·d` and `||∇g||_q` at these shares, both `(count,)`, and the mean of `Σ |∂g/∂x_i| |x_i|`."""
        points = self.at(shares)
        _, gradients = margin_gradients(self.model, points, self.predicted, self.target)
        along = (gradients * (self.end - self.start)).flatten(1).sum(1)
        return along, vector_norm(gradients, dual_norm(self.norm)), input_scale(points, gradients)

    def compare(self, strata: int, length: float) -> PathIntegral:
        """Both sides with this many strata."""
        generator = make_generator(self.start.device, self.seed, "integral", self.index, strata)
        device, dtype = self.start.device, self.start.dtype
        jitter = torch.rand(strata, 2, generator=generator, device=device, dtype=dtype)
        edges = torch.arange(strata + 1, device=device, dtype=dtype) / strata
        along, norms, moved = self.derivatives((edges[:-1, None] + jitter / strata).flatten())
        derivatives = along.reshape(strata, 2).double()
        values, scale = margin_values(self.model, self.at(edges), self.predicted, self.target)
        steps, parts = values.double().diff(), derivatives.mean(1) / strata
        finite = bool(steps.isfinite().all() and derivatives.isfinite().all())
        ulp = torch.finfo(values.dtype).eps * (float(scale) + moved)
        variation = float(torch.maximum(derivatives.abs().mean(), steps.abs().sum()))
        return PathIntegral(
            integral=float(parts.sum()),
            difference=float(steps.sum()),
            discrepancy=float((parts - steps).cumsum(0).abs().max()),
            error=float(derivatives.diff(dim=1).square().sum().sqrt()) / (2 * strata),
            variation=variation,
            rounding=ROUNDING * ulp,
            zero=float((norms == 0).double().mean()),
            points=derivatives.numel(),
            length=length,
            finite=finite,
            unexplained=_unexplained(parts, steps, derivatives, ROUNDING_OF_STEP * ulp),
            vanishing=float((norms.double() * length < VANISHING * variation).double().mean()),
        )


def _unexplained(parts: Tensor, steps: Tensor, derivatives: Tensor, rounding: float) -> float:
    """`Σ_i max(0, |∫_i - Δ_i| - 4 e_i)` over the strata, `e_i` the standard error of each by its own two points."""
    own = SIGMAS * derivatives.diff(dim=1)[:, 0].abs() / (2 * len(parts)) + rounding
    return float(((parts - steps).abs() - own).clamp_min(0.0).sum())


def input_scale(points: Tensor, gradients: Tensor) -> float:
    """The mean of `Σ_i |∂g/∂x_i| |x_i|` over some points: what one unit of rounding of the input moves the margin by.

    Source: first-order conditioning (Higham 2002, chapter 1). Logits may cancel, so that their own
    size says too little: near a decision boundary the margin is small, and the terms that it is the sum of are not.

    Args:
        points: `(batch, *input)`.
        gradients: `∇g` at the points, `(batch, *input)`.

    Returns:
        The mean; 0 where gradients are not finite.

    >>> input_scale(torch.tensor([[2.0, -1.0]]), torch.tensor([[3.0, 4.0]]))
    10.0
    """
    moved = float((points.double().abs() * gradients.double().abs()).flatten(1).sum(1).mean())
    return moved if math.isfinite(moved) else 0.0
