"""What was met inside a ball: the largest gradient norm, the steepest slope, the nearest witness, with their points.

Every point `x` at which a margin and its gradient are evaluated speaks about each radius around `x0`:

- its gradient norm `n` is a lower bound of the local Lipschitz constant of every ball that holds `x`, so no radius
  above `max(||x - x0||_p, g(x0) / n)` can be right;
- its slope `|g(x) - g(x0)| / ||x - x0||_p` is one too (mean-value theorem), whatever the gradients say;
- if its margin is not positive, it is a witness: an adversarial example at that distance.

At second order (`MarginProblem.taylor`) the curvature `a` of a point takes the place of its gradient norm, the radius
that it leaves is `2 g / (b + sqrt(b² + 2 a g))` instead of `g / n`, and the *bend*
`2 |g(x) - g(x0) - <∇g(x0), d>| / ||d||_p²`, `d = x - x0`, takes the place of the slope: by Taylor's theorem
`|<d, H d>|` is that large somewhere between.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor

from clearance.geometry.norms import vector_norm
from clearance.model.classifier import Classifier
from clearance.model.margins import ROUNDING

TIE = 1e-6
"""Two records whose values differ by less than this share are taken for equal."""


@dataclass(frozen=True)
class Taylor:
    """What second order knows of the margins at the input itself.

    Attributes:
        kind: Which curvature: `"norm"`, `||H||_{p→q}`, or `"one-sided"`, `max(0, -λ_min(H))`.
        gradients: `∇g(x0)` for each target, `(k, *input)`.
        slopes: `b = ||∇g(x0)||_q` for each target, `(k,)`.
        scale: Largest `|logit|` of the input: what margins are rounded in.
    """

    kind: Literal["norm", "one-sided"]
    gradients: Tensor
    slopes: Tensor
    scale: float


def second_order_radius(margin: float, slope: float, curvature: float) -> float:
    """`2 g / (b + sqrt(b² + 2 a g))`: where `g - b r - ½ a r²` is zero.

    The root of "On Extensions of CLEVER" (Weng et al. 2018, equation 5) in the form that divides nothing by
    `a`: at `a = 0` it is `g / b`, and no digits are lost on the way there.

    Args:
        margin: `g(x0)`, positive.
        slope: `b = ||∇g(x0)||_q`, the dual norm.
        curvature: `a`, at least 0; may be infinite.

    Returns:
        The radius; infinite where both `a` and `b` are 0.

    >>> second_order_radius(1.0, 2.0, 0.0), second_order_radius(1.0, 0.0, 2.0)
    (0.5, 1.0)
    """
    below = slope + math.hypot(slope, math.sqrt(2 * curvature) * math.sqrt(margin))
    return 2 * margin / below if below > 0 else math.inf


@dataclass(frozen=True)
class MarginProblem:
    """One input and the classes it might become: everything that a search or a sampler needs to know.

    Attributes:
        model: The classifier.
        x0: The input, `(*input)`.
        key: Content key of the input, the root of its random streams.
        predicted: Its predicted class `c`.
        targets: Classes to move to, `(k,)`.
        margins: `g(x0)` for each target, `(k,)`.
        norm: The norm `p` of distances.
        dual: The dual norm `q`, of gradients.
        clip: Whether samples are clipped into the classifier's bounds.
        seed: The user's seed.
        taylor: `None` at first order.
        scale: The largest logit at the input, by size: what margins are rounded by.
    """

    model: Classifier
    x0: Tensor
    key: str
    predicted: int
    targets: Tensor
    margins: Tensor
    norm: float
    dual: float
    clip: bool
    seed: int
    taylor: Taylor | None = None
    scale: float = 0.0

    def distance(self, points: Tensor) -> Tensor:
        """`||x - x0||_p` of each point: `(batch, *input) -> (batch,)`."""
        return vector_norm(points - self.x0, self.norm)

    def admit(self, points: Tensor) -> Tensor:
        """Clip points into the bounds where that was asked for. A point of the ball stays in the ball."""
        return self.model.clip(points) if self.clip else points

    def only(self, indices: Sequence[int]) -> MarginProblem:
        """The same input with some of its targets."""
        chosen = torch.tensor(indices, device=self.targets.device)
        taylor = self.taylor
        if taylor is not None:
            taylor = replace(taylor, gradients=taylor.gradients[chosen], slopes=taylor.slopes[chosen])
        return replace(self, targets=self.targets[chosen], margins=self.margins[chosen], taylor=taylor)

    def reach(self, strengths: Tensor, index: int | slice = slice(None)) -> Tensor:
        """The radius that is left by gradient norms (first order: `g / n`) or curvatures (second order).

        Args:
            strengths: One per target, or any number for the target `index`.
            index: Which target they belong to.
        """
        margins, tiny = self.margins[index], torch.finfo(strengths.dtype).tiny
        if self.taylor is None:
            return margins / strengths.clamp_min(tiny)
        slopes = self.taylor.slopes[index]
        root = torch.hypot(
            slopes.expand_as(strengths), (2 * strengths.clamp_min(0)).sqrt() * margins.clamp_min(0).sqrt()
        )
        return 2 * margins / (slopes + root).clamp_min(tiny)

    def slope(self, index: int, points: Tensor, margins: Tensor, distance: Tensor) -> Tensor:
        """The slope of the margin towards each point, less its rounding error; at second order, the bend."""
        origin, size = self.margins[index], distance
        noise = ROUNDING * torch.finfo(margins.dtype).eps * (margins.abs() + origin.abs() + self.scale)
        rise = (margins - origin).abs()
        if self.taylor is not None:
            linear = ((points - self.x0) * self.taylor.gradients[index]).flatten(1).sum(1)
            fall = origin + linear - margins
            rise = 2 * (fall if self.taylor.kind == "one-sided" else fall.abs())
            longest = self.taylor.scale + self.taylor.slopes[index] * distance
            noise = 2 * (noise + ROUNDING * torch.finfo(margins.dtype).eps * longest)
            size = distance**2
        rise = (rise - noise).clamp_min(0.0)
        return torch.where(size > 0, rise / size.clamp_min(torch.finfo(size.dtype).tiny), 0.0)


@dataclass
class Observation:
    """A number, the point where it was met, and that point's distance from the input.

    Attributes:
        value: The number.
        point: `(*input)`, or `None` while nothing was met.
        distance: `||point - x0||_p`.
    """

    value: float
    point: Tensor | None = None
    distance: float = 0.0

    def beats(self, other: Observation) -> Observation:
        """The larger of two records; of two that are equal to within rounding, the nearer one."""
        if other.point is not None and math.isclose(self.value, other.value, rel_tol=TIE):
            return self if self.distance <= other.distance else other
        return self if self.value >= other.value else other


@dataclass
class Evidence:
    """What was met so far for one input and one target.

    Attributes:
        norm: Largest `||∇g||_q`; at second order, the largest curvature.
        slope: Largest `|g(x) - g(x0)| / ||x - x0||_p`, less its rounding error; at second order, the largest bend.
        witness: Nearest point with `g <= 0`; its value is minus its distance.
        refuted_above: Smallest `max(||x - x0||_p, g(x0) / ||∇g(x)||_q)`: no larger radius can be right.
        refuting: Gradient norm (or curvature) at the point that `refuted_above` comes from.
        finite: Whether every margin and gradient was finite.
        samples: How many points were evaluated.
    """

    norm: Observation = field(default_factory=lambda: Observation(-math.inf))
    slope: Observation = field(default_factory=lambda: Observation(0.0))
    witness: Observation = field(default_factory=lambda: Observation(-math.inf))
    refuted_above: float = math.inf
    refuting: Observation = field(default_factory=lambda: Observation(-math.inf))
    finite: bool = True
    samples: int = 0

    def add(self, problem: MarginProblem, index: int, points: Tensor, margins: Tensor, norms: Tensor) -> None:
        """Take in a batch of evaluated points.

        Args:
            problem: The input.
            index: Which of the problem's targets.
            points: `(batch, *input)`.
            margins: `g` at the points, `(batch,)`.
            norms: `||∇g||_q` at the points, `(batch,)`; at second order their curvature, 0 where it was not asked for.
        """
        distance = problem.distance(points)
        self.samples += len(points)
        usable = margins.isfinite() & norms.isfinite()
        if not bool(usable.all()):
            self.finite = False
            points, margins, norms, distance = points[usable], margins[usable], norms[usable], distance[usable]
        if len(points) == 0:
            return
        slopes = problem.slope(index, points, margins, distance)
        self.norm = _record(norms, points, distance).beats(self.norm)
        self.slope = _record(slopes, points, distance).beats(self.slope)
        self.witness = _record(torch.where(margins <= 0, -distance, -math.inf), points, distance).beats(self.witness)
        reach = torch.maximum(distance, problem.reach(norms, index))
        nearest = int(reach.argmin())
        if float(reach[nearest]) < self.refuted_above:
            self.refuted_above = float(reach[nearest])
            self.refuting = Observation(
                float(norms[nearest]), points[nearest].detach().clone(), float(distance[nearest])
            )

    def within(self, radius: float) -> Evidence:
        """The part that speaks about the ball of this radius (records from farther out are dropped)."""
        limit = radius * (1 + 1e-6)
        kept = Evidence(
            refuted_above=self.refuted_above, refuting=self.refuting, finite=self.finite, samples=self.samples
        )
        kept.witness = self.witness
        for met in (self.norm, self.refuting):
            kept.norm = met.beats(kept.norm) if met.distance <= limit else kept.norm
        kept.slope = self.slope if self.slope.distance <= limit else kept.slope
        return kept

    def merged(self, other: Evidence) -> Evidence:
        """Both together."""
        return Evidence(
            norm=self.norm.beats(other.norm),
            slope=self.slope.beats(other.slope),
            witness=self.witness.beats(other.witness),
            refuted_above=min(self.refuted_above, other.refuted_above),
            refuting=self.refuting if self.refuted_above <= other.refuted_above else other.refuting,
            finite=self.finite and other.finite,
            samples=self.samples + other.samples,
        )


def _record(values: Tensor, points: Tensor, distance: Tensor) -> Observation:
    """The largest of `values` with its point."""
    best = int(values.argmax())
    if not math.isfinite(float(values[best])):
        return Observation(-math.inf)
    return Observation(float(values[best]), points[best].detach().clone(), float(distance[best]))
