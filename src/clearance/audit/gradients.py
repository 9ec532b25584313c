"""Checks on gradients: are there any, are they finite, do they hang together, do they integrate to the function?"""

from __future__ import annotations

import torch
from torch import Tensor

from clearance.audit.case import Case, Ledger, threshold
from clearance.audit.path_integral import PathIntegral, integrate
from clearance.audit.record import Severity
from clearance.errors import NetworkError
from clearance.geometry.balls import sample_directions, sample_shifts
from clearance.geometry.norms import steepest, unit
from clearance.model.classifier import Classifier
from clearance.model.gradients import finite_rows, margin_gradients

APART = 1 / 32
"""How far neighbouring gradients are apart, in radii of the ball."""
FEWEST_PAIRS = 6
"""With fewer pairs of non-zero gradients nothing is said about their directions."""
MOSTLY = 0.5
"""Gradients that miss more than this share of the margin's movement belong to another function altogether."""
SMALL_STEPS = 0.1
"""What a declared stand-in may miss, as a share of what the margin does over the whole ball. On MNIST networks behind
255 levels it was .04, and .07 where the nearest witness lies nine levels away; behind 31, .08 to .25 (max norm)."""
ZERO_WITH_FAILURE = 0.1
"""Share of the zero-gradient threshold that is enough where the path integral fails too."""


def check_gradients(case: Case, ledger: Ledger) -> None:
    """Raise `non_finite`, `zero_gradient`, `vanishing_gradient`, `path_integral` and `rough_gradient`.

    Gradients `∇g` are taken at uniform points of the ball and a thirty-second of its radius away: the share of zeros
    (Goodfellow 2018, section 3; Pintor et al. 2022, section 3), and the median cosine of neighbours (shattered
    gradients: Balduzzi et al. 2017; Athalye, Carlini and Wagner 2018, section 3.1). Whether `∫ ∇g·d ds = g(x + d) -
    g(x)` holds, and whether `||∇g||_q` is far too small to have any part in it, are this project's tests (fundamental
    theorem of calculus, Hölder's inequality). An integral that the points do not settle says neither.
    """
    gradients, apart = _pairs(case)
    found = _follow(case)
    ledger.integrals += found
    if not bool(gradients.isfinite().all()) or not all(one.finite for _, one in found):
        broken = float((~finite_rows(torch.cat([gradients, apart]))).double().mean())
        ledger.raise_flag("non_finite", Severity.ERROR, share_of_gradients=broken)
        return
    count = len(found) // (1 + len(case.effort.shorter))  # the segments as long as the ball come first
    long, short = ([one for _, one in some] for some in (found[:count], found[count:]))
    _judge_integrals(case, ledger, long, short)
    _judge_zeros(ledger, torch.cat([gradients, apart]), long)
    _judge_vanishing(ledger, found)
    _judge_roughness(ledger, gradients, apart)


def cut_off(model: Classifier, x: Tensor) -> str | None:
    """What keeps autograd from the input, in words; `None` if nothing does.

    Source: unavailable gradients in Pintor et al. (2022, section 3). Cost: one forward and one backward pass.

    Args:
        model: The classifier.
        x: `(1, *input)`.

    Returns:
        The reason.
    """
    follows: list[bool] = []

    def watch(logits: Tensor) -> Tensor:
        follows.append(logits.requires_grad)
        return logits

    try:
        _, _, pull = model.vjp(x, watch)
        pull(0)
    except NetworkError as error:
        return str(error)
    return None if follows[-1] else "the logits do not require a gradient"


def _pairs(case: Case) -> tuple[Tensor, Tensor]:
    """Gradients at uniform points of the ball, and at one neighbour of each; both `(centres, *input)`."""
    count = case.effort.centres
    generator = case.generator("pairs")
    shift = sample_shifts(case.x0, count, norm=case.norm, radius=case.reach, generator=generator)
    step = APART * case.reach * sample_directions(case.x0, count, norm=case.norm, generator=generator)
    centres = case.model.clip(case.x0 + shift)
    points = torch.cat([centres, case.model.clip(centres + step)])
    _, gradients = margin_gradients(case.model, points, case.predicted, case.target)
    return gradients[:count], gradients[count:]


def _follow(case: Case) -> list[tuple[str, PathIntegral]]:
    """Path integrals along segments of several kinds and lengths."""
    kinds, ends = _directions(case)
    starts = case.x0.expand_as(ends)
    short = torch.cat([starts + length * (ends - starts) for length in case.effort.shorter])
    found = integrate(
        case.model,
        case.x0.expand(len(ends) + len(short), *case.x0.shape),
        torch.cat([ends, short]),
        (case.predicted, case.target),
        norm=case.norm,
        seed=case.seed,
        strata=(case.effort.first_strata, case.effort.open_strata, case.effort.most_strata),
    )
    names = kinds + [f"{kind} / {round(1 / length)}" for length in case.effort.shorter for kind in kinds]
    return list(zip(names, found, strict=True))


def _directions(case: Case) -> tuple[list[str], Tensor]:
    """Ends of the segments as long as the ball: random ones, down the gradient, to the nearest witnesses."""
    model, generator = case.model, case.generator("ends")
    count = case.effort.random_directions
    random = case.reach * sample_directions(case.x0, count, norm=case.norm, generator=generator)
    kinds, ends = ["random"] * count, [model.clip(case.x0 + random)]
    _, gradient = margin_gradients(model, case.x0[None], case.predicted, case.target)
    down = case.x0 - case.reach * steepest(gradient.nan_to_num(0.0, 0.0, 0.0), case.norm)
    if bool((down != case.x0).any()):
        kinds, ends = [*kinds, "descent"], [*ends, model.clip(down)]
    for kind, witness in {"witness": case.witness, "nearest": case.nearest}.items():
        if witness is not None:
            kinds, ends = [*kinds, kind], [*ends, witness[None]]
    return kinds, torch.cat(ends)


def _judge_integrals(case: Case, ledger: Ledger, long: list[PathIntegral], short: list[PathIntegral]) -> None:
    """`path_integral`: graver the longer the segment that fails and the more of the movement is missed.

    A declared stand-in is allowed the steps of what it stands for, where they are small in the ball (`_small_steps`).
    """
    missed = [_missed(one) for one in long + short if one.measurable]
    if missed:
        ledger.measured["path_integral"] = max(missed)
    deep = [one for one in long if one.fails]
    failed = deep + [one for one in short if one.fails]
    ledger.small_steps = ledger.stand_in and _small_steps(long, failed)
    if not failed:
        return
    worst = max(deep or failed, key=_missed)
    if not deep or ledger.small_steps:
        severity = Severity.INFO
    else:
        severity = Severity.ERROR if _missed(worst) > MOSTLY else Severity.WARNING
    ledger.raise_flag("path_integral", severity, **_numbers(worst, case.reach))


def _small_steps(long: list[PathIntegral], failed: list[PathIntegral]) -> bool:
    """Whether no failing segment misses more than a share of what the margin does over the whole ball.

    Across a step, function and stand-in differ by that step, however short the segment. Along a short one, or one
    along which the margin hardly moves, it is a large share of the movement, and says nothing of the ball.
    """
    over_ball = max(abs(one.difference) for one in long)
    return all(one.discrepancy <= SMALL_STEPS * over_ball for one in failed)


def _missed(found: PathIntegral) -> float:
    """Share of the margin's movement that the gradients do not account for."""
    return found.discrepancy / found.variation if found.variation > 0 else 0.0


def _numbers(found: PathIntegral, reach: float) -> dict[str, float]:
    return {
        "integral": found.integral,
        "difference": found.difference,
        "missed": _missed(found),
        "standard_error": found.error,
        "length": found.length,
        "length_in_balls": found.length / reach,
        "points": float(found.points),
    }


def _judge_zeros(ledger: Ledger, gradients: Tensor, long: list[PathIntegral]) -> None:
    """`zero_gradient`: share over the ball's points or over a segment as long as the ball, whichever is larger."""
    none = float((gradients.flatten(1) == 0).all(1).double().mean())
    flat = max((one.zero for one in long if one.measurable), default=0.0)
    share, limit = max(none, flat), threshold("zero_gradient")
    ledger.measured["zero_gradient"] = share
    failing = ledger.severity("path_integral") not in {None, Severity.INFO}
    agreeing = [one for one in long if one.measurable and one.resolved and not one.fails]
    if share >= limit:
        severity = Severity.WARNING if agreeing and len(agreeing) == len(long) else Severity.ERROR
        ledger.raise_flag("zero_gradient", severity, share_of_gradients=share)
    elif failing and share >= ZERO_WITH_FAILURE * limit:
        ledger.raise_flag("zero_gradient", Severity.WARNING, share_of_gradients=share)


def _judge_vanishing(ledger: Ledger, found: list[tuple[str, PathIntegral]]) -> None:
    """`vanishing_gradient`: gradients too small to have any part in what the margin does along the same segment."""
    measured = [(one.vanishing, kind, one) for kind, one in found if one.measurable]
    share, kind, worst = max(measured, key=lambda one: one[0], default=(0.0, "", None))
    ledger.measured["vanishing_gradient"] = share
    if worst is not None and share >= threshold("vanishing_gradient"):
        evidence = {"share_of_gradients": share, "segment": kind, "movement_of_margin": worst.variation}
        ledger.raise_flag("vanishing_gradient", Severity.WARNING, **evidence, length=worst.length)


def _judge_roughness(ledger: Ledger, gradients: Tensor, apart: Tensor) -> None:
    """`rough_gradient`: cosines of neighbouring gradients, whatever their length."""
    first, second = unit(gradients.double()).flatten(1), unit(apart.double()).flatten(1)
    usable = (first != 0).any(1) & (second != 0).any(1)
    if int(usable.sum()) < FEWEST_PAIRS:
        return
    cosine = float((first * second).sum(1)[usable].median())
    ledger.measured["rough_gradient"] = cosine
    if cosine < threshold("rough_gradient"):
        pairs = float(usable.sum())
        ledger.raise_flag("rough_gradient", Severity.WARNING, median_cosine=cosine, pairs=pairs)
