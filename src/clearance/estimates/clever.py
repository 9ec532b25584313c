"""The CLEVER score: an extreme-value estimate of a lower bound on the minimum adversarial distortion.

`min(g(x0) / L, R)`, where `g = f_c - f_t` is the margin and `L` the largest dual norm of its gradient in the ball of
radius `R`, estimated as the endpoint of a reverse Weibull distribution fitted to block maxima (Weng, Zhang, Chen, Yi,
Su, Gao, Hsieh and Daniel 2018, algorithms 1 and 2). The score is an estimate of a bound, not a bound: read it with its
interval and its status.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal, Unpack, overload

import torch
from torch import Tensor

from clearance.estimates.ball import estimate_nearest, estimate_second_order
from clearance.estimates.evidence import MarginProblem
from clearance.estimates.judgement import judge, on_boundary, without_number
from clearance.estimates.profile.estimate import estimate_profile
from clearance.estimates.profile.score import ProfileScore
from clearance.estimates.profile.search import Known
from clearance.estimates.scores import CleverScore, Score
from clearance.estimates.second_order import SecondOrderScore
from clearance.estimates.settings import Bound, ScoreOptions, Settings, Slope
from clearance.estimates.status import Status
from clearance.geometry.feasible import feasible_directions
from clearance.geometry.norms import dual_norm
from clearance.model.classifier import Classifier
from clearance.model.curvature import Kind
from clearance.model.inputs import CheckedInputs, prepare
from clearance.model.margins import Target, margin_scale, margins
from clearance.model.measured import in_input_units
from clearance.model.outputs import look_like_probabilities
from clearance.model.progress import Progress, tracked


@overload
def clever(
    model: Classifier,
    x: Tensor,
    labels: Tensor | Sequence[int] | None = None,
    *,
    target: Target = "untargeted",
    order: Literal[1] = 1,
    bound: Literal["profile"] | None = None,
    progress: Progress = False,
    **options: Unpack[ScoreOptions],
) -> list[ProfileScore]: ...


@overload
def clever(
    model: Classifier,
    x: Tensor,
    labels: Tensor | Sequence[int] | None = None,
    *,
    target: Target = "untargeted",
    order: Literal[1] = 1,
    bound: Literal["ball"],
    progress: Progress = False,
    **options: Unpack[ScoreOptions],
) -> list[CleverScore]: ...


@overload
def clever(
    model: Classifier,
    x: Tensor,
    labels: Tensor | Sequence[int] | None = None,
    *,
    target: Target = "untargeted",
    order: Literal[2],
    bound: Literal["ball"] | None = None,
    progress: Progress = False,
    **options: Unpack[ScoreOptions],
) -> list[SecondOrderScore]: ...


@overload
def clever(
    model: Classifier,
    x: Tensor,
    labels: Tensor | Sequence[int] | None = None,
    *,
    target: Target = "untargeted",
    order: int,
    bound: Bound | None = None,
    progress: Progress = False,
    **options: Unpack[ScoreOptions],
) -> list[ProfileScore] | list[CleverScore] | list[SecondOrderScore]: ...


def clever(
    model: Classifier,
    x: Tensor,
    labels: Tensor | Sequence[int] | None = None,
    *,
    target: Target = "untargeted",
    norm: float = 2.0,
    bound: Bound | None = None,
    slope: Slope = "norm",
    feasible: bool = True,
    budget: str | int = "standard",
    sampler: str = "directed",
    radius: float | Literal["auto"] = "auto",
    blocks: int | Literal["auto"] = "auto",
    block_size: int | None = None,
    tolerance: float = 0.05,
    max_blocks: int | None = None,
    racing: bool = True,
    clip: Literal["project"] | None = "project",
    level: float = 0.95,
    bootstrap: int = 0,
    seed: int = 0,
    order: int = 1,
    curvature: Kind = "norm",
    progress: Progress = False,
) -> list[Any]:
    """Estimated radius of each input: how far it can move before the network changes its mind.

    By the Lipschitz profile: `R` with `∫_0^R L(s) ds = g(x0)`, where `g` is the margin against the nearest target and
    `L(s)` the largest fall of `g` per unit of distance that any gradient within distance `s` allows, over feasible
    directions; `L` is searched for at levels up to the nearest witness (docs/estimate.md). In one ball
    (`bound="ball"`): `min(g(x0) / L, R)`, with `L` the estimated largest `||∇g||_q` in the ball of radius `R`; at
    second order `min(2 g(x0) / (b + sqrt(b² + 2 a g(x0))), R)`, with `b = ||∇g(x0)||_q` and `a` the estimated largest
    curvature.

    Source: this project for the profile (mean value theorem; the local Lipschitz constant of the papers); in one ball
    Weng, Zhang, Chen, Yi, Su, Gao, Hsieh and Daniel 2018, algorithms 1 (one target) and 2 (untargeted: the
    minimum over the other classes); second order: Weng, Zhang, Chen, Lozano, Hsieh and Daniel 2018, "On Extensions of
    CLEVER", theorem 3.1. The cost of a profile is its budget; in one ball it is about `blocks × block_size` gradients
    for each class that is followed.

    Args:
        model: The classifier.
        x: `(batch, *input)`, in input units.
        labels: True classes; an input whose prediction differs is skipped, with the status `misclassified`.
        target: A name of `model.targets.TARGETS`, such as `"untargeted"` (any other class), a class index, or one per
            input.
        norm: The norm `p` of distances, from 1 to `math.inf`.
        bound: `"profile"`, the default at first order, or `"ball"`: the papers' bound in one ball, for which the
            arguments from `sampler` to `racing` are.
        slope: Which reading of the profile is shown, `"norm"` or `"radial"`; the record has both.
        feasible: Count only directions in which a valid input can move; False counts all of them, as the papers do.
            Without bounds there is no difference; at second order gradients and curvatures are the papers'.
        budget: For a profile: a name of `model.budgets.BUDGETS`, such as `"quick"`, or the number of passes, forward
            and backward together, that the estimate of an input may cost. In one ball the blocks are the cost, and a
            budget is refused.
        sampler: How a block finds its maximum, a name of `estimates.samplers.table.SAMPLERS`, such as `"uniform"`
            (the paper's).
        radius: Radius `R` of the ball, or `"auto"` for the fixed point `g / L(R) = R`, the best of all these
            bounds where `L` does not jump.
        blocks: Number of block maxima, or `"auto"`: doubled until the interval is narrower than `tolerance`.
        block_size: Gradient evaluations per block; default: the sampler's own, in its table.
        tolerance: For `blocks="auto"`: width of the interval, as a share of its upper end, that is narrow enough.
        max_blocks: For `blocks="auto"`: where to stop; default: the sampler's own, in its table.
        racing: Untargeted only: drop classes that cannot be the nearest; False keeps all of them to the end.
        clip: `"project"` keeps the samples within the bounds; `None`, the paper's scheme, does not.
        level: Confidence level of an estimate's interval in one ball, and of the fit's in every record. The interval of
            a profile has none: what it claims was measured (docs/estimate.md).
        bootstrap: Resamples for the bootstrap p-value of the fit; 0 leaves it out.
        seed: With the content of an input, fixes all of its samples.
        order: 1, or 2 for second-order CLEVER, which wants a network that is twice differentiable. There a block is
            counted in gradients and Hessian-vector products together (directed) or in points (uniform).
        curvature: For order 2: `"norm"`, `||H||_{p→q}`, the paper's, or for `p = 2` `"one-sided"`, `max(0, -λ_min(H))`:
            never a smaller radius, because the estimate by the norm is made as well, and the larger one counts.
        progress: True: a bar where a person watches, a terminal or a notebook; a function: it is told
            `(done, total, left)` after each input, `left` in seconds; False: neither.

    Returns:
        One `ProfileScore` per input, in order; with `bound="ball"` one `CleverScore`, at order 2 one
        `SecondOrderScore`.

    Raises:
        ClearanceError: If an argument cannot be used; the subclass and the message say which and why.

    >>> import torch
    >>> import clearance as cl
    >>> network = torch.nn.Linear(2, 2, bias=False)
    >>> with torch.no_grad():
    ...     _ = network.weight.copy_(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
    >>> score = cl.clever(cl.Classifier(network), torch.tensor([[1.0, 1.0]]), norm=2)[0]
    >>> round(score.radius, 4), score.status.value  # 7 / ||(3, 4)||_2
    (1.4, 'ok')
    """
    settings = Settings(
        norm=norm,
        bound=bound,
        slope=slope,
        feasible=feasible,
        budget=budget,
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
    found = iterate_clever(model, x, settings, labels=labels, target=target)
    return list(tracked(progress, "scoring", found, len(x)))


def iterate_clever(
    model: Classifier,
    x: Tensor,
    settings: Settings,
    *,
    labels: Tensor | Sequence[int] | None = None,
    target: Target = "untargeted",
) -> Iterator[Score]:
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
    return (in_input_units(model, score) for score in iterate_scores(inputs, settings))


def iterate_scores(inputs: CheckedInputs, settings: Settings, known: Known | None = None) -> Iterator[Score]:
    """As `iterate_clever`, for inputs that have been checked.

    Args:
        inputs: The inputs; their norm and seed are those of the settings.
        settings: All other choices.
        known: What is known of the input, where it is one: a profile's search begins there.

    Returns:
        An iterator over the scores, in order.
    """
    return (_score(one, settings, known) for one in inputs.each())


def _score(inputs: CheckedInputs, settings: Settings, known: Known | None) -> Score:
    """The score of one input: its ball, its blocks, its fit, its standing."""
    model, x0, logits = inputs.model, inputs.x[0], inputs.logits[0]
    predicted, targets = inputs.predicted[0], inputs.targets[0]
    if inputs.misclassified[0]:
        return without_number(settings, Status.MISCLASSIFIED, predicted=predicted, target=targets[0])
    tied = (logits[list(targets)] == logits[predicted]).nonzero()
    if len(tied):
        return on_boundary(settings, x0, predicted=predicted, target=targets[int(tied[0])])
    start, problem, probabilities = model.meter.read(), _pose(inputs, settings), look_like_probabilities(logits[None])
    if settings.bound == "profile":
        with model.frozen():
            score = estimate_profile(problem, settings, known or Known(inputs.x[:0], inputs.x[:0]), probabilities)
        return replace(score, cost=model.meter.since(start))
    with model.frozen():
        estimate = (
            estimate_nearest(problem, settings) if settings.order == 1 else estimate_second_order(problem, settings)
        )
    if estimate is None:
        status, margin = Status.NOT_TWICE_DIFFERENTIABLE, float(problem.margins[0])
        cost = model.meter.since(start)
        return without_number(settings, status, predicted=predicted, target=targets[0], margin=margin, cost=cost)
    return judge(settings, estimate, probabilities, model.meter.since(start))


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
        scale=margin_scale(logits[None], predicted, index)[0],
        norm=settings.norm,
        dual=dual_norm(settings.norm),
        directions=feasible_directions(inputs.x[0], inputs.model.bounds, settings.norm, settings.feasible),
        clip=settings.clip == "project",
        seed=settings.seed,
    )
