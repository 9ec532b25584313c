"""Which ball? The one at which the bound and the ball's radius agree.

For every `R`, no adversarial example lies within `min(g / L(R), R)`. The first term falls as `R` grows, the second
rises, so the best of these bounds is at the fixed point `g / L(R) = R`. Two facts shorten the search for it:

- `L(R)` is at least the gradient norm at the input, so the fixed point is at most `g / ||∇g(x0)||_q`;
- every evaluated point `x` refutes all radii above `max(||x - x0||_p, g / ||∇g(x)||_q)` (see `estimates.evidence`),
  and every ball tried gives `g / L(R)` as a lower end where that is below `R`.

At second order `2 g / (b + sqrt(b² + 2 a(R) g))` takes the place of `g / L(R)`; it is at most `g / b` in every ball.

Bisection on the logarithm of `R`, with the same random numbers in every ball, does the rest. Where `L(R)` jumps there
is no fixed point: the ball chosen holds what jumps, and the estimate errs on the low side.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from clearance.estimates.evidence import Evidence, MarginProblem
from clearance.estimates.samplers.curvature_search import SMALLEST_BLOCK, centre_bends
from clearance.estimates.settings import Settings
from clearance.geometry.norms import vector_norm
from clearance.model.classifier import Classifier
from clearance.model.gradients import margin_gradient_norms

PILOT_BLOCKS = 8
PILOT_ROUNDS = 7
PILOT_SHARES = {"directed": 2, "uniform": 4}
"""A pilot block spends the sampler's block size divided by this."""
WIDE = 1.5
"""The first ball tried is this many times wider than the first upper end: what is found beyond it is pulled in."""
PRECISION = 0.006
"""The bisection stops when its ends agree to this share."""
RACE_SLACK = 2.0
"""A class whose radius is more than this many times the smallest one is no longer followed."""
MANY, SCOUT_BLOCKS, SCOUT_SHARE, SCOUT_SLACK = 16, 1, 8, 4.0
"""Of more than this many classes a few short blocks each, of a pilot's size divided by the share, drop the first."""
DOUBLINGS = 24


@dataclass
class Ball:
    """The ball to estimate in, and what was learnt on the way to it.

    Attributes:
        radius: Its radius.
        searched: Whether it was found by search; a radius that was given is not.
        limited: Whether the search ended because no larger ball has a meaning (all valid inputs are inside it, or no
            gradient was met in any ball).
        rivals: Which of the problem's targets are still followed.
        rounds: Evidence of each ball tried: target index → evidence.
    """

    radius: float
    searched: bool = False
    limited: bool = False
    rivals: list[int] = field(default_factory=list[int])
    rounds: list[dict[int, Evidence]] = field(default_factory=list[dict[int, Evidence]])

    def evidence(self, index: int) -> Evidence:
        """What the pilot balls say about one target within this ball."""
        found = Evidence()
        for tried in self.rounds:
            if index in tried:
                found = found.merged(tried[index].within(self.radius))
        return found


def choose_ball(problem: MarginProblem, settings: Settings) -> Ball:
    """The ball that was asked for, or the fixed point.

    Args:
        problem: The input and its targets.
        settings: `radius`, the sampler, and whether to race.

    Returns:
        The ball, with the evidence of the pilot samples.
    """
    centre = _centre_evidence(problem)
    everyone = list(range(len(problem.targets)))
    if settings.radius != "auto":
        return Ball(settings.radius, rivals=everyone, rounds=[centre])
    ball = Ball(math.inf, searched=True, rivals=everyone, rounds=[centre])
    limit = farthest_valid(problem.model, problem.x0, problem.norm)
    high = min([limit, *(found.refuted_above for found in centre.values())])
    if math.isinf(high):
        high = _first_steep_ball(problem, settings, ball)
    return _bisect(problem, settings, ball, high, limit)


def _bisect(problem: MarginProblem, settings: Settings, ball: Ball, high: float, limit: float) -> Ball:
    """Narrow the fixed point down between `g / L(R)` of the balls tried and the smallest radius refuted."""
    ball.radius = min(WIDE * high, limit)
    if settings.racing and len(ball.rivals) > MANY:
        _try_ball(problem, settings, ball, high, blocks=SCOUT_BLOCKS, share=SCOUT_SHARE, slack=SCOUT_SLACK)
    _, refuted = _try_ball(problem, settings, ball, high)
    high = min(high, refuted)
    low, ball.radius = 0.0, high
    for _ in range(PILOT_ROUNDS - 1):
        bound, refuted = _try_ball(problem, settings, ball, high)
        if bound < ball.radius:
            high, low = min(high, ball.radius), max(low, bound)
        else:
            low = max(low, ball.radius)
        high = min(high, max(refuted, low))
        if high <= low * (1 + PRECISION):
            break
        ball.radius = math.sqrt(low * high)
    ball.radius = high if high <= low * (1 + PRECISION) else ball.radius
    ball.limited = ball.limited or ball.radius >= limit
    return ball


def _try_ball(
    problem: MarginProblem,
    settings: Settings,
    ball: Ball,
    beat: float | None = None,
    *,
    blocks: int = PILOT_BLOCKS,
    share: int = 1,
    slack: float = RACE_SLACK,
) -> tuple[float, float]:
    """Smallest `g / L` of the rivals in the present ball, slopes counted, and the smallest radius that was refuted."""
    part = problem.only(ball.rivals)
    whole = max(1, settings.size // PILOT_SHARES[settings.sampler])
    size = min(whole, max(SMALLEST_BLOCK, whole // share))
    maxima, evidence = settings.draw(part, ball.radius, range(blocks), size, "pilot", beat)
    ball.rounds.append(dict(zip(ball.rivals, evidence, strict=True)))
    slopes = maxima.new_tensor([found.within(ball.radius).slope.value for found in evidence])
    bounds: Tensor = part.reach(torch.where(maxima.isfinite(), maxima, 0.0).amax(1).maximum(slopes))
    smallest = float(bounds.min())
    if settings.racing:
        near = (bounds <= slack * smallest).tolist()
        ball.rivals = [rival for rival, close in zip(ball.rivals, near, strict=True) if close]
    return smallest, min(found.refuted_above for found in evidence)


def _first_steep_ball(problem: MarginProblem, settings: Settings, ball: Ball) -> float:
    """Where the gradient at the input is zero and nothing bounds it: double a ball until one refutes itself."""
    ball.radius = max(1.0, float(vector_norm(problem.x0[None], problem.norm)))
    for _ in range(DOUBLINGS):
        bound, _ = _try_ball(problem, settings, ball)
        if bound <= ball.radius:
            return ball.radius
        ball.radius *= 2
    ball.limited = True
    return ball.radius


def _centre_evidence(problem: MarginProblem) -> dict[int, Evidence]:
    """The gradient (and curvature) at the input itself, which every ball holds."""
    if problem.taylor is not None:
        return dict(enumerate(centre_bends(problem)))
    points = problem.x0[None]
    margins, norms = margin_gradient_norms(problem.model, points, problem.predicted, problem.targets, problem.dual)
    found = {index: Evidence() for index in range(len(problem.targets))}
    for index, evidence in found.items():
        evidence.add(problem, index, points, margins[:, index], norms[:, index])
        evidence.refuted_above = evidence.refuted_above if evidence.norm.value > 0 else math.inf
    return found


def farthest_valid(model: Classifier, x0: Tensor, norm: float) -> float:
    """Distance from an input to the farthest point within the classifier's bounds; infinite without bounds.

    >>> farthest_valid(Classifier(lambda x: x, bounds=(0, 1)), torch.tensor([0.0, 1.0]), 1.0)
    2.0
    """
    if model.bounds is None:
        return math.inf
    low, high = model.bounds
    return float(vector_norm(torch.maximum(x0 - low, high - x0)[None], norm))
