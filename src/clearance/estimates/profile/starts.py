"""Where a block of a profile's search begins: a random draw from a mixture of starts."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from clearance.geometry.balls import sample_shifts
from clearance.geometry.feasible import onto_sphere
from clearance.geometry.norms import expand
from clearance.model.bounds import points_between

SPARSE_SHARE = 0.02
"""Share of the coordinates that a sparse shift moves."""
AT_INPUT = 1e-3
"""How far from the input a start "at the input" lies, as a share of the ball: at the input itself all are one."""
NEAREST_SHIFT = 0.05
"""The smallest shift of a start that lies inward from a witness, as a share of the ball; log-uniform up to 1."""


@dataclass(frozen=True)
class StartDraw:
    """The random parts that starts are made of, each of `l_p` norm 1 or less, `(blocks, *input)`.

    Source: this project.

    Attributes:
        ball: Uniform points of the ball.
        sparse: Shifts of a few coordinates.
        other: Directions to valid inputs of other classes, or to random valid points.
        witness: Directions to witnesses; where there is none, `other`.
        steepest: Shifts to the steepest points met about the ball, not yet in it; where there is none, `other`.
        share: Uniform in [0, 1), `(blocks, 1, ...)`.
        width: Log-uniform between `NEAREST_SHIFT` and 1, `(blocks, 1, ...)`.
    """

    ball: Tensor
    sparse: Tensor
    other: Tensor
    witness: Tensor
    steepest: Tensor
    share: Tensor
    width: Tensor

    def rows(self, places: Tensor) -> StartDraw:
        """Those of some blocks. Source: this project."""
        return StartDraw(**{part.name: getattr(self, part.name)[places] for part in fields(self)})


STARTS: dict[str, tuple[float, Callable[[StartDraw], Tensor]]] = {
    "input": (0.025, lambda draw: AT_INPUT * draw.ball),
    "ball": (0.1, lambda draw: draw.ball),
    "sparse": (0.05, lambda draw: draw.share * draw.sparse),
    "other": (0.025, lambda draw: draw.share * draw.other),
    "witness": (0.1, lambda draw: draw.witness + draw.width * draw.ball),
    "witness_sparse": (0.1, lambda draw: draw.witness + draw.width * draw.sparse),
    "witness_other": (0.1, lambda draw: draw.witness + draw.width * draw.other),
    "steepest": (0.25, lambda draw: draw.steepest),
    "steepest_ball": (0.25, lambda draw: draw.steepest + draw.width * draw.ball),
}
"""Each start with its probability, and how it is made, as a share of the ball's radius (`benchmarks/profiles.py starts`
shows which of them finds what)."""


def draw_starts(
    x0: Tensor,
    radius: Tensor,
    norm: float,
    generator: torch.Generator,
    *,
    witnesses: Tensor,
    others: Tensor,
    steepest: Tensor,
    bounds: tuple[Tensor, Tensor] | None,
    kinds: tuple[str, ...] = tuple(STARTS),
) -> Tensor:
    """One start for each block, not yet brought into its ball.

    Source: this project. The kind is part of the draw, so that blocks of one ball and one round are independent and
    identically distributed, given what was met before the round.

    Args:
        x0: The input, `(*input)`.
        radius: Radius of each block's ball, `(blocks,)`.
        norm: The norm `p`.
        generator: Where the random numbers come from.
        witnesses: Known witnesses, `(k, *input)`; none is fine.
        others: Valid inputs of other classes, `(k, *input)`; without any, random valid points take their place.
        steepest: For each block one of the steepest points met about its ball, `(blocks, *input)`; the input: none.
        bounds: The valid range, where there is one.
        kinds: The starts that may be drawn, with their probabilities of `STARTS`.

    Returns:
        `(blocks, *input)`.
    """
    draw = _draw(x0, len(radius), norm, generator, witnesses, others, bounds)
    shift = expand(1 / radius, steepest) * (steepest - x0)
    draw = replace(draw, steepest=torch.where(expand(shift.flatten(1).any(1), shift), shift, draw.other))
    weights = torch.tensor([STARTS[kind][0] for kind in kinds], device=x0.device, dtype=x0.dtype)
    chosen = torch.multinomial(weights, len(radius), replacement=True, generator=generator)
    shifts = torch.empty_like(steepest)
    for place, kind in enumerate(kinds):
        rows = (chosen == place).nonzero().flatten()
        shifts[rows] = STARTS[kind][1](draw.rows(rows))
    return x0 + expand(radius, shifts) * shifts


def _draw(
    x0: Tensor,
    count: int,
    norm: float,
    generator: torch.Generator,
    witnesses: Tensor,
    others: Tensor,
    bounds: tuple[Tensor, Tensor] | None,
) -> StartDraw:
    uniform = torch.rand(3, count, generator=generator, device=x0.device, dtype=x0.dtype)
    one, shape = torch.ones_like(uniform[0]), (count, *x0.shape)
    ball = sample_shifts(x0, count, norm=norm, radius=1.0, generator=generator)
    moved = torch.rand(shape, generator=generator, device=x0.device, dtype=x0.dtype) < SPARSE_SHARE
    noise = torch.randn(shape, generator=generator, device=x0.device, dtype=x0.dtype)
    sparse = torch.where(moved, noise.sign() if math.isinf(norm) else noise, 0.0)
    if len(others):
        way = others[(uniform[0] * len(others)).long()] - x0
    elif bounds is not None:
        uniformly = torch.rand(shape, generator=generator, device=x0.device, dtype=x0.dtype)
        way = points_between(bounds, uniformly, x0 + noise) - x0
    else:
        way = noise
    other = onto_sphere(way, norm, one)
    known = onto_sphere(witnesses[(uniform[1] * len(witnesses)).long()] - x0, norm, one) if len(witnesses) else other
    share, width = expand(uniform[0].roll(1), ball), expand(NEAREST_SHIFT ** uniform[2], ball)
    return StartDraw(ball, onto_sphere(sparse, norm, one), other, known, other, share, width)
