"""The CLEVER score: an extreme-value estimate of a lower bound on the minimum adversarial distortion.

`min(g(x0) / L, R)`, where `g = f_c - f_t` is the margin and `L` the largest dual norm of its gradient in the ball of
radius `R`, estimated as the endpoint of a reverse Weibull distribution fitted to block maxima (Weng, Zhang, Chen, Yi,
Su, Gao, Hsieh and Daniel 2018, algorithms 1 and 2). The score is an estimate of a bound, not a bound: read it with its
interval and its status.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Literal

import torch
from torch import Tensor

from clearance.estimates.ball import RACE_SLACK, Ball, choose_ball
from clearance.estimates.evidence import Evidence, MarginProblem
from clearance.estimates.extremes import fit_reverse_weibull
from clearance.estimates.samplers.curvature_search import SAMPLE_TOLERANCE, with_taylor
from clearance.estimates.scores import CleverScore, TargetEstimate, judge, on_boundary, without_number
from clearance.estimates.settings import Settings
from clearance.estimates.smoothness import is_twice_differentiable
from clearance.estimates.status import Status
from clearance.geometry.norms import dual_norm
from clearance.model.classifier import Classifier, look_like_probabilities
from clearance.model.curvature import Kind
from clearance.model.inputs import CheckedInputs, prepare
from clearance.model.margins import Target, margins


def clever(
    model: Classifier,
    x: Tensor,
    labels: Tensor | Sequence[int] | None = None,
    *,
    target: Target = "untargeted",
    norm: float = 2.0,
    sampler: str = "directed",
    radius: float | Literal["auto"] = "auto",
    blocks: int | Literal["auto"] = "auto",
    block_size: int | None = None,
    tolerance: float = 0.05,
    max_blocks: int | None = None,
    racing: bool = True,
    clip: Literal["project"] | None = None,
    level: float = 0.95,
    bootstrap: int = 0,
    seed: int = 0,
    order: int = 1,
    curvature: Kind = "norm",
) -> list[CleverScore]:
    """Estimated radius of each input: how far it can move before the network changes its mind.

    Algorithms 1 (one target) and 2 (untargeted: the minimum over the other classes) of Weng et al. 2018.

    Args:
        model: The classifier.
        x: `(batch, *input)`, in input units.
        labels: True classes; an input whose prediction differs is skipped, with the status `misclassified`.
        target: `"untargeted"`, `"runner-up"`, `"random"`, `"least-likely"`, a class index, or one per input.
        norm: The norm `p` of distances, from 1 to `math.inf`.
        sampler: How a block finds its maximum: `"directed"` (a search) or `"uniform"` (the paper's way).
        radius: Radius `R` of the ball, or `"auto"` for the fixed point `g / L(R) = R`, the best of all these
            bounds where `L` does not jump.
        blocks: Number of block maxima, or `"auto"`: doubled until the interval is narrower than `tolerance`.
        block_size: Gradient evaluations per block; default 256 (directed) or 1,024 (uniform).
        tolerance: For `blocks="auto"`: width of the interval, as a share of its upper end, that is narrow enough.
        max_blocks: For `blocks="auto"`: where to stop; default 48 (24 at order 2).
        racing: Untargeted only: drop classes that cannot be the nearest; False keeps all of them to the end.
        clip: `"project"` clips the samples into the bounds; the paper's scheme does not.
        level: Confidence level of the interval.
        bootstrap: Resamples for the bootstrap p-value of the fit; 0 leaves it out.
        seed: With the content of an input, fixes all of its samples.
        order: 1, or 2 for second-order CLEVER (Weng et al. 2018, "On Extensions of CLEVER", theorem 3.1), which wants a
            network that is twice differentiable. There a block's default is 96 gradients and Hessian-vector products
            (directed) or 32 points (uniform), and at most 24 blocks.
        curvature: For order 2: `"norm"`, `||H||_{p→q}`, the paper's, or for `p = 2` `"one-sided"`, `max(0, -λ_min(H))`:
            never a smaller radius, because the estimate by the norm is made as well, and the larger one counts.

    Returns:
        One `CleverScore` per input, in order.

    Raises:
        ClearanceError: If an argument cannot be used; the subclass and the message say which and why.

    >>> network = torch.nn.Linear(2, 2, bias=False)
    >>> with torch.no_grad():
    ...     _ = network.weight.copy_(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
    >>> score = clever(Classifier(network), torch.tensor([[1.0, 1.0]]), norm=2)[0]
    >>> round(score.radius, 4), score.status.value  # 7 / ||(3, 4)||_2
    (1.4, 'ok')
    """
    settings = Settings(
        norm=norm,
        sampler=sampler,
        radius=radius,
        blocks=blocks,
        block_size=block_size,
        tolerance=tolerance,
        max_blocks=max_blocks,
        racing=racing,
        clip=clip,
        level=level,
        bootstrap=bootstrap,
        seed=seed,
        order=order,
        curvature=curvature,
    )
    return list(iterate_clever(model, x, settings, labels=labels, target=target))


def iterate_clever(
    model: Classifier,
    x: Tensor,
    settings: Settings,
    *,
    labels: Tensor | Sequence[int] | None = None,
    target: Target = "untargeted",
) -> Iterator[CleverScore]:
    """As `clever`, one score at a time as they are finished; arguments are checked before the first.

    Args:
        model: The classifier.
        x: `(batch, *input)`.
        settings: All other choices.
        labels: As in `clever`.
        target: As in `clever`.

    Returns:
        An iterator over the scores, in order.
    """
    inputs = prepare(model, x, labels, target=target, norm=settings.norm, seed=settings.seed, one_by_one=True)
    return iterate_scores(inputs, settings)


def iterate_scores(inputs: CheckedInputs, settings: Settings) -> Iterator[CleverScore]:
    """As `iterate_clever`, for inputs that have been checked.

    Args:
        inputs: The inputs; their norm and seed are those of the settings.
        settings: All other choices.

    Returns:
        An iterator over the scores, in order.
    """
    return (_score(one, settings) for one in inputs.each())


def _score(inputs: CheckedInputs, settings: Settings) -> CleverScore:
    """The score of one input: its ball, its blocks, its fit, its standing."""
    model, x0, logits = inputs.model, inputs.x[0], inputs.logits[0]
    predicted, targets = inputs.predicted[0], inputs.targets[0]
    if inputs.misclassified[0]:
        return without_number(settings, Status.MISCLASSIFIED, predicted=predicted, target=targets[0])
    tied = next((target for target in targets if logits[target] == logits[predicted]), None)
    if tied is not None:
        return on_boundary(settings, x0, predicted=predicted, target=tied)
    start, problem = model.meter.read(), _pose(inputs, settings)
    with model.frozen():
        outcome = _estimate(problem, settings) if settings.order == 1 else _second_order(problem, settings, logits)
    if outcome is None:
        status, margin = Status.NOT_TWICE_DIFFERENTIABLE, float(problem.margins[0])
        cost = model.meter.since(start)
        return without_number(settings, status, predicted=predicted, target=targets[0], margin=margin, cost=cost)
    return judge(settings, outcome, look_like_probabilities(logits[None]), model.meter.since(start))


def _pose(inputs: CheckedInputs, settings: Settings) -> MarginProblem:
    """The margins of one input, as samplers take them."""
    logits, predicted, targets = inputs.logits[0], inputs.predicted[0], inputs.targets[0]
    index = torch.tensor(targets, device=logits.device)
    return MarginProblem(
        model=inputs.model,
        x0=inputs.x[0],
        key=inputs.keys[0],
        predicted=predicted,
        targets=index,
        margins=margins(logits[None], predicted, index)[0],
        norm=settings.norm,
        dual=dual_norm(settings.norm),
        clip=settings.clip == "project",
        seed=settings.seed,
        scale=float(logits[[predicted, *targets]].abs().max()),
    )


def _estimate(problem: MarginProblem, settings: Settings) -> TargetEstimate:
    """The ball, the blocks, the nearest target."""
    return _Race(problem, settings, choose_ball(problem, settings)).run()


def _second_order(problem: MarginProblem, settings: Settings, logits: Tensor) -> TargetEstimate | None:
    """The same with curvatures; `None` where the Hessian says nothing. One-sided, the better of both curvatures."""
    problem = with_taylor(problem, "norm", float(logits.abs().max()))
    if not is_twice_differentiable(problem, None if settings.radius == "auto" else settings.radius):
        return None
    outcome = _estimate(problem, settings)
    if settings.curvature == "norm":
        return outcome
    other = _estimate(with_taylor(problem, "one-sided", float(logits.abs().max())), settings)
    if other.target == outcome.target:  # no norm of a Hessian can be below what the one-sided searches met
        met = other.evidence.within(outcome.ball.radius)
        outcome.evidence.slope = met.norm.beats(outcome.evidence.slope)
    better, worse = (other, outcome) if other.radius >= outcome.radius else (outcome, other)
    better.evidence.witness = better.evidence.witness.beats(worse.evidence.witness)
    return better


class _Race:
    """The targets of one input, sampled side by side until one of them is known to be the nearest."""

    def __init__(self, problem: MarginProblem, settings: Settings, ball: Ball) -> None:
        self.problem, self.settings, self.ball = problem, settings, ball
        self.rivals = ball.rivals
        self.maxima: dict[int, list[float]] = {index: [] for index in self.rivals}
        self.evidence: dict[int, Evidence] = {index: ball.evidence(index) for index in self.rivals}

    def run(self) -> TargetEstimate:
        """Draw blocks, drop rivals that are out of the race, and return the nearest target's outcome."""
        nearest: TargetEstimate | None = None
        for count in self.settings.schedule(len(self.rivals)):
            self._extend(count)
            outcomes = [self._outcome(index) for index in self.rivals]
            nearest = min(outcomes, key=lambda outcome: (outcome.reach, outcome.radius))
            if self.settings.racing:
                kept = [_may_be_nearest(outcome, nearest) for outcome in outcomes]
                self.rivals = [rival for rival, keep in zip(self.rivals, kept, strict=True) if keep]
            if self.settings.blocks == "auto" and nearest.width <= self.settings.tolerance:
                break
        assert nearest is not None, "a schedule is never empty"
        for index in range(len(self.problem.targets)):
            found = self.evidence.get(index) or self.ball.evidence(index)
            nearest.evidence.witness = nearest.evidence.witness.beats(found.witness)
        return nearest

    def _extend(self, count: int) -> None:
        """Draw the blocks that are missing to `count`, for every rival."""
        drawn = len(self.maxima[self.rivals[0]])
        part, settings = self.problem.only(self.rivals), self.settings
        maxima, evidence = settings.draw(part, self.ball.radius, range(drawn, count), settings.size, settings.sampler)
        for rival, row, found in zip(self.rivals, maxima.tolist(), evidence, strict=True):
            self.maxima[rival] += row
            self.evidence[rival] = self.evidence[rival].merged(found)

    def _outcome(self, index: int) -> TargetEstimate:
        maxima = [value for value in self.maxima[index] if math.isfinite(value)]
        settings, taylor = self.settings, self.problem.taylor
        if taylor is not None and maxima and max(maxima) - min(maxima) <= SAMPLE_TOLERANCE * max(maxima):
            maxima = [max(maxima)] * len(maxima)
        fit = fit_reverse_weibull(maxima, level=settings.level, tail_rate=settings.tail_rate) if maxima else None
        return TargetEstimate(
            predicted=self.problem.predicted,
            target=int(self.problem.targets[index]),
            margin=float(self.problem.margins[index]),
            ball=self.ball,
            maxima=tuple(maxima),
            fit=fit,
            evidence=self.evidence[index],
            slope=None if taylor is None else float(taylor.slopes[index]),
            kind="norm" if taylor is None else taylor.kind,
        )


def _may_be_nearest(outcome: TargetEstimate, nearest: TargetEstimate) -> bool:
    """Whether the interval of a rival reaches down to the nearest one's.

    Where the fit leaves the lower end open, the estimate divided by `RACE_SLACK` stands in for it.
    """
    low, _ = outcome.interval
    return min(low or outcome.radius / RACE_SLACK, outcome.reach) <= nearest.interval[1]
