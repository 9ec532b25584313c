"""One pool of evidence for each input: every point at which its margin and gradient were evaluated.

A gradient met at distance `s` from the input counts for every ball that holds its point, whoever met it: the way to a
witness, a block of a search, a probe. So an estimate that reads the pool contradicts nothing that was met.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clearance.estimates.evidence import MarginProblem
from clearance.geometry.norms import expand, vector_norm
from clearance.model.gradients import finite_rows, nearest_margin_gradients
from clearance.model.margins import ROUNDING
from clearance.model.placement import rounds_to_tf32

NO_BLOCK = -1
"""The block of a point that no block of a search visited."""
KEPT_BYTES = 2**28
"""Points and gradients are kept up to this size; then the half with the smallest falls is let go."""
TF32_ROUNDING = 2.0**-8
"""Four units of rounding of TF32, which GPUs multiply float32 in unless they are told not to."""
FIRST_FEW = 4
"""Gradients of each level whose support function is computed first when the largest is looked for; then twice as many,
again and again."""
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Visit:
    """What one forward and one backward pass say about a batch of points. Source: this project.

    Attributes:
        margins: `g`, `(batch,)`; infinite where it is not finite.
        gradients: `∇g`, `(batch, *input)`; 0 where a part of it is not finite.
        falls: The support function of the gradients over the directions open at the input, `(batch,)`.
        slopes: The radial slopes `-<∇g(x), (x - x0) / ||x - x0||_p>`, `(batch,)`; 0 at the input itself.
    """

    margins: Tensor
    gradients: Tensor
    falls: Tensor
    slopes: Tensor


@dataclass
class _Columns:
    """One list of tensors for each thing that is known of every point, in the order of the visits."""

    distance: list[Tensor] = field(default_factory=list[Tensor])
    margin: list[Tensor] = field(default_factory=list[Tensor])
    slope: list[Tensor] = field(default_factory=list[Tensor])
    fall: list[Tensor] = field(default_factory=list[Tensor])
    block: list[Tensor] = field(default_factory=list[Tensor])


class Pool:
    """Every point at which the margin of one input was evaluated, and what it says of each distance.

    Source: this project; by Hölder's inequality and the mean value theorem each gradient bounds, from below, the local
    Lipschitz constant of every ball that holds its point.

    Args:
        problem: The input. With several targets `g` is the margin against the nearest of them.

    Attributes:
        problem: The input.
        margin: `g(x0)`.
        finite: Whether every margin and gradient was finite.
        samples: How many points were evaluated.
        witness: The nearest point with `g <= 0`, `(*input)`, or `None`.
        nearest: Its distance; infinite without one.
    """

    def __init__(self, problem: MarginProblem) -> None:
        self.problem = problem
        self.margin = float(problem.margins.min())
        self.finite, self.samples = True, 0
        self.witness: Tensor | None = None
        self.nearest = math.inf
        self._columns, self._places = _Columns(), list[NDArray[np.int64]]()
        self._points, self._gradients = list[Tensor](), list[Tensor]()
        self._kept = 0

    def visit(self, points: Tensor, blocks: Tensor | None = None) -> Visit:
        """Evaluate points and keep what they say.

        Source: the chain rule, by one reverse pass.

        Args:
            points: `(batch, *input)`.
            blocks: The block that each belongs to, `(batch,)`; `None` for none.

        Returns:
            What was met.
        """
        return self.keep(points, *self.evaluate(points), blocks)

    def evaluate(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Margins and gradients of points, which are not kept; infinite and 0 where one of them is not finite."""
        problem = self.problem
        margins, gradients = nearest_margin_gradients(problem.model, points, problem.predicted, problem.targets)
        good = margins.isfinite() & finite_rows(gradients)
        if not bool(good.all()):
            self.finite = False
            margins = torch.where(good, margins, math.inf)
            gradients = torch.where(expand(good, gradients), gradients, 0.0)
        return margins, gradients

    def keep(self, points: Tensor, margins: Tensor, gradients: Tensor, blocks: Tensor | None = None) -> Visit:
        """Keep what points say that have been evaluated; as `visit` otherwise."""
        problem, columns = self.problem, self._columns
        shifts = points - problem.x0
        distance, falls = vector_norm(shifts, problem.norm), problem.directions.support(gradients)
        away = (gradients * shifts).flatten(1).sum(1)
        slopes = torch.where(distance > 0, -away / distance.clamp_min(torch.finfo(points.dtype).tiny), 0.0)
        self._note_witness(points, margins, distance)
        columns.distance.append(distance)
        columns.margin.append(margins)
        columns.slope.append(slopes)
        columns.fall.append(falls)
        columns.block.append(torch.full((len(points),), NO_BLOCK, device=points.device) if blocks is None else blocks)
        self._points.append(points.detach())
        self._gradients.append(gradients.detach())
        self._places.append(np.arange(self.samples, self.samples + len(points)))
        self.samples += len(points)
        self._kept += 2 * gradients.numel() * gradients.element_size()
        if self._kept > KEPT_BYTES:
            self._let_go()
        return Visit(margins, gradients, falls, slopes)

    def _note_witness(self, points: Tensor, margins: Tensor, distance: Tensor) -> None:
        flipped = torch.where(margins <= 0, distance, math.inf)
        nearest = int(flipped.argmin())
        if float(flipped[nearest]) < self.nearest:
            self.nearest, self.witness = float(flipped[nearest]), points[nearest].detach().clone()

    def _let_go(self) -> None:
        """Keep the half of the gradients with the largest falls; of the others the fall itself is kept."""
        falls, places = self.column("fall"), np.concatenate(self._places)
        kept = np.sort(np.argsort(-falls[places], kind="stable")[: len(places) // 2])
        rows = torch.from_numpy(kept).to(self._gradients[0].device)
        self._places = [places[kept]]
        self._points, self._gradients = ([torch.cat(parts)[rows]] for parts in (self._points, self._gradients))
        self._kept //= 2

    def column(self, name: str) -> Values:
        """`distance`, `margin`, `slope`, `fall` or `block` of every point, in the order of the visits."""
        return torch.cat(getattr(self._columns, name)).double().cpu().numpy()

    def point(self, place: int) -> Tensor | None:
        """A point by its place in the order of the visits, `(*input)`; `None` where it was let go."""
        return self.points([place])[0] if bool(self.kept(np.array([place]))[0]) else None

    def kept(self, places: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which points, by their places in the order of the visits, have not been let go."""
        return np.isin(places, np.concatenate(self._places))

    def points(self, places: list[int]) -> Tensor:
        """Points that are kept, by their places in the order of the visits, `(len(places), *input)`."""
        rows = np.searchsorted(np.concatenate(self._places), places)
        starts = np.cumsum([0, *map(len, self._points)])
        parts = np.searchsorted(starts, rows, side="right") - 1
        return torch.stack([self._points[part][row] for part, row in zip(parts, rows - starts[parts], strict=True)])

    def steepest(self, reaches: list[float], by: str, count: int) -> list[NDArray[np.int64]]:
        """Places of the points with the largest falls or slopes within some distances, among those that are kept.

        Source: this project.

        Args:
            reaches: The distances.
            by: `"fall"` or `"slope"`.
            count: How many for each, at most.

        Returns:
            For each distance `(count,)` or fewer, the steepest first.
        """
        places = np.concatenate(self._places)
        ranked = places[np.argsort(-self.column(by)[places], kind="stable")]
        distance = self.column("distance")[ranked]
        return [ranked[distance <= reach][:count] for reach in reaches]

    def reader(self) -> EvidenceReader:
        """What the pool says of directions by their signs alone; `at` has longer reaches. Source: this project."""
        return EvidenceReader(self, torch.cat(self._gradients), np.concatenate(self._places))

    def noise(self) -> float:
        """What margins are rounded by, from the logits that are compared: a fall within this says nothing.

        Source: this project.
        """
        sizes = np.abs(self.column("margin"))
        largest = (
            float(sizes[np.isfinite(sizes)].max(initial=0.0))
            + self.margin
            + float(self.problem.scale[self.problem.margins.argmin()])
        )
        return max(ROUNDING * torch.finfo(self.problem.x0.dtype).eps, _tensor_core_rounding(self.problem)) * largest

    def slack(self) -> float:
        """By how much rounding of `x0 + d` changes a distance: `eps ||x0||_p`. Source: this project."""
        x0 = self.problem.x0[None]
        return 2 * torch.finfo(x0.dtype).eps * float(vector_norm(x0, self.problem.norm).double())


def _tensor_core_rounding(problem: MarginProblem) -> float:
    """What a margin may be off by, as a share, where a GPU multiplies float32 in TF32 (10 bits); else 0."""
    return TF32_ROUNDING if rounds_to_tf32(problem.x0) else 0.0


class EvidenceReader:
    """The largest support functions and radial slopes of a pool, for directions valid as far as `reach`.

    `h(w)` falls as the reach grows, so the fall that a visit measured, with the signs alone, is its upper bound: the
    largest `h` of many gradients is found by computing those with the largest falls, until none that is left can exceed
    it. Where a gradient was let go its fall counts. Source: this project.

    Args:
        pool: The evidence.
        gradients: Those that are kept, `(kept, *input)`.
        places: Their places in the order of the visits, `(kept,)`.

    Attributes:
        reach: How far from the input the directions have to stay valid.
        fall: The falls by the signs alone, of every point.
        slope: The radial slopes of every point.
    """

    def __init__(self, pool: Pool, gradients: Tensor, places: NDArray[np.int64]) -> None:
        self.reach = 0.0
        self.fall, self.slope = pool.column("fall"), pool.column("slope")
        self._directions, self._gradients = pool.problem.directions, gradients
        self._row = np.full(pool.samples, -1)
        self._row[places] = np.arange(len(places))
        self._bound, self._support = self.fall, np.full(pool.samples, np.nan)

    def at(self, reach: float) -> EvidenceReader:
        """The same evidence, for directions that stay valid as far as `reach`, which is no shorter than this one's."""
        other = copy(self)
        other.reach = max(reach, self.reach)
        other._bound = np.fmin(self._bound, self._support)  # what was found for a shorter reach is an upper bound
        other._support = np.full_like(self._support, np.nan)
        return other

    def support(self, places: NDArray[np.int64]) -> Values:
        """`h` of the gradients at these places of the pool."""
        missing = places[np.isnan(self._support[places])]
        self._support[missing] = self._bound[missing]
        kept = missing[self._row[missing] >= 0]
        if len(kept):
            chosen = torch.from_numpy(self._row[kept]).to(self._gradients.device)
            found = self._directions.support(self._gradients[chosen], self.reach)
            self._support[kept] = np.minimum(found.double().cpu().numpy(), self._bound[kept])
        return self._support[places]

    def radial(self, places: NDArray[np.int64]) -> Values:
        """The radial slopes at these places, at most `h`: no ray that stays valid to the reach falls faster."""
        return np.minimum(self.slope[places], self.support(places))

    def largest_supports(self, groups: list[NDArray[np.int64]]) -> Values:
        """The largest `h` among the places of each group and of all groups before it; 0 if there are none."""
        return self._largest(groups, self._bound, self.support, rising=True)

    def largest_radials(self, groups: list[NDArray[np.int64]]) -> Values:
        """The largest radial slope among the places of each group; 0 if there are none."""
        return self._largest(groups, np.minimum(self.slope, self._bound), self.radial, rising=False)

    @staticmethod
    def _largest(
        groups: list[NDArray[np.int64]],
        bound: Values,
        value: Callable[[NDArray[np.int64]], Values],
        *,
        rising: bool,
    ) -> Values:
        """The next few of each group side by side, the largest bounds first, where one might still be the largest."""
        ranked = [places[np.argsort(-bound[places], kind="stable")] for places in groups]
        largest, start, count = np.zeros(len(groups)), 0, FIRST_FEW
        while True:
            reached = np.maximum.accumulate(largest) if rising else largest
            parts = {
                group: places[start : start + count]
                for group, places in enumerate(ranked)
                if start < len(places) and bound[places[start]] > reached[group]
            }
            if not parts:
                return reached
            owners = np.repeat(list(parts), [len(part) for part in parts.values()])
            np.maximum.at(largest, owners, value(np.concatenate(list(parts.values()))))
            start, count = start + count, 2 * count
