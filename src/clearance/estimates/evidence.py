"""What was met inside a ball: the largest gradient norm, the largest slope, the nearest witness, with their points.

Every point `x` at which a margin and its gradient are evaluated says something about each radius around `x0`:

- its gradient norm `n` is a lower bound of the local Lipschitz constant of every ball that holds `x`, so no radius
  above `max(||x - x0||_p, g(x0) / n)` can be right;
- its slope `|g(x) - g(x0)| / ||x - x0||_p` is one too (mean value theorem), whatever the gradients say;
- if its margin is not positive, it is a witness: an adversarial example at that distance.

At second order (`MarginProblem.taylor`) the curvature `a` of a point takes the place of its gradient norm, the radius
that it leaves is `2 g / (b + sqrt(b² + 2 a g))` instead of `g / n`, and the *secant curvature*
`2 |g(x) - g(x0) - <∇g(x0), d>| / ||d||_p²`, `d = x - x0`, takes the place of the slope: by Taylor's theorem with
Lagrange's remainder `|<d, H d>| / ||d||_p²` is that large somewhere between.

What both orders share has one name here: the *derivative* of a point is its gradient norm or its curvature, the
*secant* of a point is its slope or its secant curvature.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from clearance.estimates.second_order import Taylor
from clearance.geometry.feasible import FeasibleDirections
from clearance.geometry.norms import project, vector_norm
from clearance.model.classifier import Classifier
from clearance.model.margins import ROUNDING

TIE = 1e-6
"""Two observations whose values differ by less than this share are taken for equal: rounding of float32 gradients."""
INSIDE_TOLERANCE = 1e-6
"""A point counts as in the ball up to this share of its radius: what rounding of float32 points adds to a distance."""


@dataclass(frozen=True)
class MarginProblem:
    """One input and the classes it might become: everything that a search or a sampler needs to know.

    The margins are those of Weng et al. 2018, theorem 3.2: `g = f_c - f_t`.

    Attributes:
        model: The classifier.
        x0: The input, `(*input)`.
        key: Content key of the input, the root of its random streams.
        predicted: Its predicted class `c`.
        targets: Classes to move to, `(k,)`.
        margins: `g(x0)` for each target, `(k,)`.
        scale: The larger of each margin's two logits at the input, by size: what it is rounded by, `(k,)`.
        norm: The norm `p` of distances.
        dual: The dual norm `q`, of gradients.
        directions: The directions in which the input can move: what of a gradient counts.
        clip: Whether samples are clipped into the classifier's bounds.
        seed: The user's seed.
        taylor: `None` at first order.
    """

    model: Classifier
    x0: Tensor
    key: str
    predicted: int
    targets: Tensor
    margins: Tensor
    scale: Tensor
    norm: float
    dual: float
    directions: FeasibleDirections
    clip: bool
    seed: int
    taylor: Taylor | None = None

    def distance(self, points: Tensor) -> Tensor:
        """`||x - x0||_p` of each point: `(batch, *input) -> (batch,)`."""
        return vector_norm(points - self.x0, self.norm)

    def admit(self, points: Tensor) -> Tensor:
        """Clip points into the bounds where that was asked for. A point of the ball stays in the ball."""
        return self.model.clip(points) if self.clip else points

    def into_ball(self, points: Tensor, radius: Tensor | float) -> Tensor:
        """Back into the ball, of each row where there are several radii, then into the bounds: it stays in the ball."""
        return self.admit(self.x0 + project(points - self.x0, self.norm, radius))

    def only(self, indices: Sequence[int]) -> MarginProblem:
        """The same input with some of its targets, at these places of `targets`."""
        chosen = torch.tensor(indices, device=self.targets.device)
        taylor = self.taylor
        if taylor is not None:
            taylor = replace(taylor, gradients=taylor.gradients[chosen], gradient_norms=taylor.gradient_norms[chosen])
        return replace(
            self,
            targets=self.targets[chosen],
            margins=self.margins[chosen],
            scale=self.scale[chosen],
            taylor=taylor,
        )

    def radius_for(self, derivatives: Tensor, index: int | slice = slice(None)) -> Tensor:
        """The radius that gradient norms `n` leave, `g / n`, or curvatures, `2 g / (b + sqrt(b² + 2 a g))`.

        Source: Weng, Zhang, Chen, Yi, Su, Gao, Hsieh and Daniel 2018, corollary 3.2.2, without the ball's radius;
        Weng, Zhang, Chen, Lozano, Hsieh and Daniel 2018, equation 5, in the form of `second_order_radius`.

        Args:
            derivatives: Gradient norms or curvatures: one per target `(k,)`, or any number `(n,)` for target `index`.
            index: Which target they belong to.

        Returns:
            The radii, of the same shape.
        """
        margins, tiny = self.margins[index], torch.finfo(derivatives.dtype).tiny
        if self.taylor is None:
            return margins / derivatives.clamp_min(tiny)
        linear = self.taylor.gradient_norms[index]
        root = torch.hypot(
            linear.expand_as(derivatives), (2 * derivatives.clamp_min(0)).sqrt() * margins.clamp_min(0).sqrt()
        )
        return 2 * margins / (linear + root).clamp_min(tiny)

    def secants(self, index: int, points: Tensor, margins: Tensor, distance: Tensor) -> Tensor:
        """The slope of the margin towards each point, or its secant curvature, less the rounding error.

        First order `|g(x) - g(x0)| / ||x - x0||_p`, where only feasible directions count its falls alone; second order
        `2 |g(x) - g(x0) - <∇g(x0), x - x0>| / ||x - x0||_p²`, one-sided only where `g` is below its tangent. Source:
        mean value theorem; Taylor's theorem.

        Args:
            index: Which of the targets.
            points: `(batch, *input)`.
            margins: `g` at the points, `(batch,)`.
            distance: `||x - x0||_p` of the points, `(batch,)`.

        Returns:
            At least 0, `(batch,)`; 0 at the input itself.
        """
        origin, size = self.margins[index], distance
        noise = ROUNDING * torch.finfo(margins.dtype).eps * (margins.abs() + origin.abs() + self.scale[index])
        rise = (origin - margins) if self.directions.bounded else (margins - origin).abs()
        if self.taylor is not None:
            linear = ((points - self.x0) * self.taylor.gradients[index]).flatten(1).sum(1)
            fall = origin + linear - margins
            rise = 2 * (fall if self.taylor.kind == "one-sided" else fall.abs())
            longest = self.scale[index] + self.taylor.gradient_norms[index] * distance
            noise = 2 * (noise + ROUNDING * torch.finfo(margins.dtype).eps * longest)
            size = distance**2
        rise = (rise - noise).clamp_min(0.0)
        return torch.where(size > 0, rise / size.clamp_min(torch.finfo(size.dtype).tiny), 0.0)


@dataclass
class Observation:
    """A number, the point where it was met, and that point's distance from the input.

    Source: this project.

    Attributes:
        value: The number.
        point: `(*input)`, or `None` while nothing was met.
        distance: `||point - x0||_p`.
    """

    value: float
    point: Tensor | None = None
    distance: float = 0.0

    def larger_of(self, other: Observation) -> Observation:
        """The larger of two observations; of two that are equal to within rounding, the nearer one."""
        if other.point is not None and math.isclose(self.value, other.value, rel_tol=TIE):
            return self if self.distance <= other.distance else other
        return self if self.value >= other.value else other


@dataclass
class Evidence:
    """What was met so far for one input and one target.

    Attributes:
        derivative: Largest `||∇g||_q`; at second order, the largest curvature.
        secant: Largest `|g(x) - g(x0)| / ||x - x0||_p`, less its rounding error; at second order, the largest
            `2 |g(x) - g(x0) - <∇g(x0), x - x0>| / ||x - x0||_p²`.
        witness: Nearest point with `g <= 0`; its value is minus its distance.
        refuted_above: Smallest `max(||x - x0||_p, g(x0) / ||∇g(x)||_q)`: no larger radius can be right (Weng et al.
            2018, corollary 3.2.2, for a ball that reaches to `x`).
        refuting: Gradient norm (or curvature) at the point that `refuted_above` comes from.
        finite: Whether every margin and gradient was finite.
        samples: How many points were evaluated.
    """

    derivative: Observation = field(default_factory=lambda: Observation(-math.inf))
    secant: Observation = field(default_factory=lambda: Observation(0.0))
    witness: Observation = field(default_factory=lambda: Observation(-math.inf))
    refuted_above: float = math.inf
    refuting: Observation = field(default_factory=lambda: Observation(-math.inf))
    finite: bool = True
    samples: int = 0

    def add(self, problem: MarginProblem, index: int, points: Tensor, margins: Tensor, derivatives: Tensor) -> None:
        """Take in a batch of evaluated points; one that is not finite is only counted, and noted in `finite`.

        Args:
            problem: The input.
            index: Which of the problem's targets.
            points: `(batch, *input)`.
            margins: `g` at the points, `(batch,)`.
            derivatives: `||∇g||_q` at the points, `(batch,)`; at second order their curvature, 0 where it was not
                asked for.
        """
        distance = problem.distance(points)
        self.samples += len(points)
        usable = margins.isfinite() & derivatives.isfinite()
        if not bool(usable.all()):
            self.finite = False
            points, margins, derivatives, distance = (
                values[usable] for values in (points, margins, derivatives, distance)
            )
        if len(points) == 0:
            return
        secants = problem.secants(index, points, margins, distance)
        adversarial = torch.where(margins <= 0, -distance, -math.inf)
        self.derivative = _largest(derivatives, points, distance).larger_of(self.derivative)
        self.secant = _largest(secants, points, distance).larger_of(self.secant)
        self.witness = _largest(adversarial, points, distance).larger_of(self.witness)
        left = torch.maximum(distance, problem.radius_for(derivatives, index))
        nearest = int(left.argmin())
        if float(left[nearest]) < self.refuted_above:
            self.refuted_above = float(left[nearest])
            self.refuting = Observation(
                float(derivatives[nearest]), points[nearest].detach().clone(), float(distance[nearest])
            )

    def within(self, radius: float) -> Evidence:
        """What this evidence says about the ball of a radius.

        The largest derivative and the largest secant are kept where their points lie in that ball (in place of a
        derivative from farther out, the one at `refuting`, if it lies in the ball). The nearest witness and
        `refuted_above` say something about every radius and are kept whatever their distance, as are `finite` and
        `samples`.

        Args:
            radius: Radius of the ball.

        Returns:
            Evidence of its own; this one stays as it is.
        """
        limit = radius * (1 + INSIDE_TOLERANCE)
        kept = Evidence(
            refuted_above=self.refuted_above, refuting=self.refuting, finite=self.finite, samples=self.samples
        )
        kept.witness = self.witness
        for met in (self.derivative, self.refuting):
            kept.derivative = met.larger_of(kept.derivative) if met.distance <= limit else kept.derivative
        kept.secant = self.secant if self.secant.distance <= limit else kept.secant
        return kept

    def merged(self, other: Evidence) -> Evidence:
        """Both together: the larger of each observation, the smaller `refuted_above`, all samples."""
        return Evidence(
            derivative=self.derivative.larger_of(other.derivative),
            secant=self.secant.larger_of(other.secant),
            witness=self.witness.larger_of(other.witness),
            refuted_above=min(self.refuted_above, other.refuted_above),
            refuting=self.refuting if self.refuted_above <= other.refuted_above else other.refuting,
            finite=self.finite and other.finite,
            samples=self.samples + other.samples,
        )


def _largest(values: Tensor, points: Tensor, distance: Tensor) -> Observation:
    """The largest of `values` with its point."""
    best = int(values.argmax())
    if not math.isfinite(float(values[best])):
        return Observation(-math.inf)
    return Observation(float(values[best]), points[best].detach().clone(), float(distance[best]))
