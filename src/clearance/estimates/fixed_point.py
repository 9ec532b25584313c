"""Which ball? The one at which the bound and the ball's radius agree.

For every `R`, no adversarial example lies within `min(g / L(R), R)` (Weng, Zhang, Chen, Yi, Su, Gao, Hsieh and Daniel
2018, corollary 3.2.2). The first term falls as `R` grows, the second rises, so the best of these bounds is at the fixed
point `g / L(R) = R`. Two facts shorten the search for it:

- `L(R)` is at least the gradient norm at the input, so the fixed point is at most `g / ||∇g(x0)||_q`;
- every evaluated point `x` refutes all radii above `max(||x - x0||_p, g / ||∇g(x)||_q)` (see `estimates.evidence`),
  and every ball tried gives `g / L(R)` as a lower end where that is below `R`.

At second order `2 g / (b + sqrt(b² + 2 a(R) g))` takes the place of `g / L(R)`; it is at most `g / b` in every ball.

Bisection on the logarithm of `R`, with the same random numbers in every ball, does the rest. Where `L(R)` jumps there
is no fixed point: the ball chosen holds what jumps, and the estimate errs on the low side. Source: this project; the
paper takes one radius for all inputs (`R = 5`, section 5.1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from clearance.estimates.evidence import Evidence, MarginProblem
from clearance.estimates.samplers.point_curvature import input_curvatures
from clearance.estimates.settings import Settings
from clearance.geometry.norms import vector_norm
from clearance.model.classifier import Classifier
from clearance.model.gradients import margin_gradient_norms

TRIAL_STREAM = "pilot"
"""Names the random streams of trial balls. The word is hashed into their seeds: changing it changes results."""
TRIAL_BLOCKS, TRIAL_BALLS = 8, 7
"""Blocks in each trial ball, and how many balls are tried: seven halvings resolve the radius, and more blocks in each
would only repeat what the final ball measures."""
SMALLEST_TRIAL_BLOCK = 16
"""The fewest evaluations of a trial block: with fewer no part of a directed search gets any."""
FIRST_BALL_FACTOR = 1.5
"""The first ball tried is this many times wider than the first upper end: a steep point just beyond that end is met,
and the search then looks for the nearest one that is as steep."""
BISECTION_PRECISION = 0.006
"""The bisection stops when its ends agree to this share, about an eighth of the default `tolerance`."""
ELIMINATION_FACTOR = 2.0
"""A class whose radius is more than this many times the smallest one is no longer followed: far more than the spread
between two estimates of one class."""
MANY_CLASSES, SCREENING_BLOCKS, SCREENING_DIVISOR, SCREENING_FACTOR = 16, 1, 8, 4.0
"""Of more than this many classes, so many short blocks each, of a trial block's size over the divisor, drop those whose
radius is this many times the smallest one: a wider factor, because so few samples say less."""
BALL_DOUBLINGS = 24
"""A ball is doubled at most this often (to 16 million times its size) before the gradient counts as zero everywhere."""


@dataclass
class Ball:
    """The ball to estimate in, and what was learnt on the way to it.

    Source: this project (the fixed point `g / L(R) = R`).

    Attributes:
        radius: Its radius.
        searched: Whether it was found by search; a radius that was given is not.
        limited: Whether the search ended because no larger ball has a meaning (all valid inputs are inside it, or no
            gradient was met in any ball).
        candidates: Which of the problem's targets are still followed.
        rounds: Evidence of each ball tried: target index → evidence.
    """

    radius: float
    searched: bool = False
    limited: bool = False
    candidates: list[int] = field(default_factory=list[int])
    rounds: list[dict[int, Evidence]] = field(default_factory=list[dict[int, Evidence]])

    def evidence(self, index: int) -> Evidence:
        """What the trial balls say about one target within this ball."""
        found = Evidence()
        for tried in self.rounds:
            if index in tried:
                found = found.merged(tried[index].within(self.radius))
        return found


def choose_ball(problem: MarginProblem, settings: Settings) -> Ball:
    """The ball that was asked for, or the fixed point `g / L(R) = R`.

    Source: this project (the module's text has the reasoning).

    Args:
        problem: The input and its targets.
        settings: `radius`, the sampler, and whether to drop candidate classes (`racing`).

    Returns:
        The ball, with the evidence of the trial samples.
    """
    at_input = _evidence_at_input(problem)
    everyone = list(range(len(problem.targets)))
    if settings.radius != "auto":
        return Ball(settings.radius, candidates=everyone, rounds=[at_input])
    ball = Ball(math.inf, searched=True, candidates=everyone, rounds=[at_input])
    limit = farthest_valid(problem.model, problem.x0, problem.norm)
    high = min([limit, *(found.refuted_above for found in at_input.values())])
    if math.isinf(high):
        high = _first_ball_with_a_bound(problem, settings, ball)
    return _bisect(problem, settings, ball, high, limit)


def _bisect(problem: MarginProblem, settings: Settings, ball: Ball, high: float, limit: float) -> Ball:
    """Narrow the fixed point down between `g / L(R)` of the balls tried and the smallest radius refuted."""
    ball.radius = min(FIRST_BALL_FACTOR * high, limit)
    if settings.racing and len(ball.candidates) > MANY_CLASSES:
        _try_ball(
            problem,
            settings,
            ball,
            high,
            blocks=SCREENING_BLOCKS,
            divisor=SCREENING_DIVISOR,
            factor=SCREENING_FACTOR,
        )
    _, refuted = _try_ball(problem, settings, ball, high)
    high = min(high, refuted)
    low, ball.radius = 0.0, high
    for _ in range(TRIAL_BALLS - 1):
        bound, refuted = _try_ball(problem, settings, ball, high)
        if bound < ball.radius:
            high, low = min(high, ball.radius), max(low, bound)
        else:
            low = max(low, ball.radius)
        high = min(high, max(refuted, low))
        if high <= low * (1 + BISECTION_PRECISION):
            break
        ball.radius = math.sqrt(low * high)
    ball.radius = high if high <= low * (1 + BISECTION_PRECISION) else ball.radius
    ball.limited = ball.limited or ball.radius >= limit
    return ball


def _try_ball(
    problem: MarginProblem,
    settings: Settings,
    ball: Ball,
    refute: float | None = None,
    *,
    blocks: int = TRIAL_BLOCKS,
    divisor: int = 1,
    factor: float = ELIMINATION_FACTOR,
) -> tuple[float, float]:
    """Smallest `g / L` of the candidates in the present ball, secants counted, and the smallest radius refuted."""
    part = problem.only(ball.candidates)
    whole = max(1, settings.size // settings.choice.trial_divisor)
    size = min(whole, max(SMALLEST_TRIAL_BLOCK, whole // divisor))
    maxima, evidence = settings.draw(part, ball.radius, range(blocks), size, TRIAL_STREAM, refute)
    ball.rounds.append(dict(zip(ball.candidates, evidence, strict=True)))
    secants = maxima.new_tensor([found.within(ball.radius).secant.value for found in evidence])
    bounds: Tensor = part.radius_for(torch.where(maxima.isfinite(), maxima, 0.0).amax(1).maximum(secants))
    smallest = float(bounds.min())
    if settings.racing:
        near = (bounds <= factor * smallest).tolist()
        ball.candidates = [index for index, close in zip(ball.candidates, near, strict=True) if close]
    return smallest, min(found.refuted_above for found in evidence)


def _first_ball_with_a_bound(problem: MarginProblem, settings: Settings, ball: Ball) -> float:
    """Where the gradient at the input is zero and nothing bounds it: double a ball until one refutes itself."""
    ball.radius = max(1.0, float(vector_norm(problem.x0[None], problem.norm)))
    for _ in range(BALL_DOUBLINGS):
        bound, _ = _try_ball(problem, settings, ball)
        if bound <= ball.radius:
            return ball.radius
        ball.radius *= 2
    ball.limited = True
    return ball.radius


def _evidence_at_input(problem: MarginProblem) -> dict[int, Evidence]:
    """The gradient (and curvature) at the input itself, which every ball holds."""
    if problem.taylor is not None:
        return dict(enumerate(input_curvatures(problem)))
    points = problem.x0[None]
    margins, norms = margin_gradient_norms(
        problem.model, points, problem.predicted, problem.targets, problem.directions.support
    )
    found = {index: Evidence() for index in range(len(problem.targets))}
    for index, evidence in found.items():
        evidence.add(problem, index, points, margins[:, index], norms[:, index])
        evidence.refuted_above = evidence.refuted_above if evidence.derivative.value > 0 else math.inf
    return found


def farthest_valid(model: Classifier, x0: Tensor, norm: float) -> float:
    """`max ||x - x0||_p` over the valid inputs `low <= x <= high`; infinite without bounds.

    Source: `max ||x - x0||_p` over a box is attained at a corner, coordinate by coordinate.

    Each coordinate is farthest at one of its own two ends, whichever the norm.

    Args:
        model: The classifier, for its bounds.
        x0: The input, `(*input)`.
        norm: The norm `p`.

    Returns:
        The distance, in input units.

    >>> farthest_valid(Classifier(lambda x: x, bounds=(0, 1)), torch.tensor([0.0, 1.0]), 1.0)
    2.0
    """
    if model.bounds is None:
        return math.inf
    low, high = model.bounds
    return float(vector_norm(torch.maximum(x0 - low, high - x0)[None], norm))
