"""Checks on the function itself, by forward passes: randomness, batch effects, stairs, saturation, precision."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _NormBase  # pyright: ignore[reportPrivateUsage]
from torch.nn.modules.dropout import _DropoutNd  # pyright: ignore[reportPrivateUsage]

from clearance.attacks.passes import look
from clearance.audit.case import Case, Ledger, threshold
from clearance.audit.record import Severity
from clearance.geometry.balls import sample_directions
from clearance.geometry.norms import expand
from clearance.model.classifier import Classifier
from clearance.model.gradients import margin_values
from clearance.model.margins import ROUNDING
from clearance.model.outputs import look_like_probabilities

REPEATS = 4
"""Forward passes of the same input."""
COMPANIONS = 7
"""Other points in the batch that may change an input's logits."""
BATCH_NOISE = 1e-3
"""Changes of a margin below this share of its two logits come from the order of summation."""
WIDE_POINTS, WIDE_SCALES = 4, (1.0, 1 / 4, 1 / 16)
"""Points far from the input, and their distances as shares of that of the farthest valid point: what is said of the
outputs' range must hold there too."""
END = 1e-3
"""An output is at an end of its range where it is within this share of the range of it."""
UNITS = 8.0
"""Units of rounding of the margin's two logits that a usual network's arithmetic loses."""
STAIRS, STAIR_SCALES = 16, 6
"""Steps along a segment, and lengths of the segment: the ball's radius and a quarter of the last each time."""
STAIR_NOISE = 64.0
"""Units of rounding by which an expected step must exceed 0."""


def is_random(model: Classifier, x0: Tensor) -> float:
    """How far repeated forward passes of one input differ: `max_k (max f_k - min f_k) / |f_k|`, 0 up to rounding.

    Source: stochastic gradients in Athalye, Carlini and Wagner (2018, section 3.1); AutoAttack's check for randomised
    defences (Croce and Hein 2020).

    Args:
        model: The classifier.
        x0: The input, `(*input)`.

    Returns:
        The largest difference of any logit over its size; 0 where it is rounding.
    """
    answers = torch.cat([look(model, x0[None]) for _ in range(REPEATS)])
    scale, spread = answers.abs().amax(0), answers.amax(0) - answers.amin(0)
    beyond = spread > ROUNDING * torch.finfo(answers.dtype).eps * scale
    share = torch.where(beyond, spread / scale.clamp_min(torch.finfo(answers.dtype).tiny), 0.0)
    return float(share.max())


def check_forward(case: Case, ledger: Ledger, spread: float) -> None:
    """Raise `random`, `batch_dependent`, `probabilities`, `squashed`, `saturated`, `flat` and `precision`.

    What is measured: `batch_dependent`, the change of a margin among other inputs, `max_k |g_k - g_k'| / max(|f_c|,
    |f_k|)`; `squashed`, the share of points, near and far, whose two largest outputs lie at an end of the range of
    all of them; `saturated`, the margin over the largest exponent, `(f_c - max_{k ≠ c} f_k) / -log(tiny)` (Goodfellow
    2018, section 4; Carlini and Wagner 2017); `flat`, the largest `f_(1) - f_(2)` of any of these points; `precision`,
    `8 ε max(|f_c|, |f_t|) / g` (Goodfellow 2018, section 4), with `ε` the unit of rounding. Only logits that are
    compared count: a class that is masked at -1e9 is in none of these scales.

    Args:
        case: The input.
        ledger: Where flags go.
        spread: What `is_random` said.
    """
    among, wide = _among_others(case), _wide(case)
    rows = torch.cat([case.logits[None], among, wide])
    rows = rows[rows.isfinite().all(1)]
    if spread > 0:
        ledger.raise_flag("random", Severity.WARNING, spread_of_logits=spread)
    else:
        _check_batch(case, ledger, among[0])
    moving = rows.amax(0) > rows.amin(0)  # an unused class is constant, at 0 or at -1e9
    if bool(moving.any()) and look_like_probabilities(rows[:, moving]):
        ledger.raise_flag("probabilities", Severity.WARNING, largest=float(case.logits.max()))
    _check_ends(ledger, rows)
    _check_range(case, ledger, rows)


def _among_others(case: Case) -> Tensor:
    """Logits of the input, and of uniform points of the ball in the same batch, `(1 + COMPANIONS, classes)`."""
    others = case.shifts("batch", COMPANIONS, case.reach)
    return look(case.model, torch.cat([case.x0[None], case.model.clip(case.x0 + others)]))


def _wide(case: Case) -> Tensor:
    """Logits of points at several distances, up to the farthest valid ones, and of the references."""
    generator, ways = case.generator("wide"), list[Tensor]()
    for scale in WIDE_SCALES:
        ways.append(scale * sample_directions(case.x0, WIDE_POINTS, norm=case.norm, generator=generator))
    points = case.model.clip(case.x0 + case.width * torch.cat(ways))
    return look(case.model, torch.cat([points, case.references]))


def _check_batch(case: Case, ledger: Ledger, among: Tensor) -> None:
    """The same input alone and among others: each margin against the size of its own two logits."""
    alone, own = case.logits, case.predicted
    change = ((among - among[own]) - (alone - alone[own])).abs()
    size = torch.maximum(alone.abs(), alone[own].abs()).clamp_min(case.rounding / torch.finfo(alone.dtype).eps)
    share = float((change / size.clamp_min(torch.finfo(alone.dtype).tiny)).nan_to_num(math.inf).max())
    ledger.measured["batch_dependent"] = share
    if share > BATCH_NOISE:
        ledger.raise_flag("batch_dependent", Severity.WARNING, change_of_logits=share)


def _check_ends(ledger: Ledger, rows: Tensor) -> None:
    """Raise `squashed`: nearly everywhere the two largest outputs lie at an end of the range of all outputs.

    Only classes that are among the two largest somewhere count: one that is never in play says nothing of the range.
    """
    top, classes = rows.topk(2, dim=1)
    played = rows[:, classes.unique()]
    highest, lowest = float(played.max()), float(played.min())
    near = END * (highest - lowest)
    at_end = (top >= highest - near) | (top <= lowest + near)
    share = float(at_end.all(1).double().mean()) if highest > lowest else 0.0
    ledger.measured["squashed"] = share
    if share >= threshold("squashed"):
        ledger.raise_flag("squashed", Severity.WARNING, share_of_points=share, lowest=lowest, highest=highest)


def check_mode(model: Classifier, ledger: Ledger) -> None:
    """Raise `train_mode`: layers that came in train mode and would have done something else in it.

    Source: this project.
    """
    modules = model.training_modules
    dropping = [name for name, module in modules if isinstance(module, _DropoutNd) and module.p > 0]
    normalising = [name for name, module in modules if isinstance(module, _NormBase) and module.track_running_stats]
    if dropping or normalising:
        severity = Severity.WARNING if dropping else Severity.INFO
        named = ", ".join(name or "the network itself" for name in (dropping + normalising)[:3])
        ledger.raise_flag("train_mode", severity, modules=named, active_dropout=float(len(dropping)))


def _check_range(case: Case, ledger: Ledger, rows: Tensor) -> None:
    """Logits too large for a softmax, too close together for one, or too large for their own differences."""
    limits = torch.finfo(case.logits.dtype)
    others = torch.cat([case.logits[: case.predicted], case.logits[case.predicted + 1 :]])
    nearest = float(case.logits[case.predicted] - others.max())
    share = nearest / -math.log(limits.tiny)
    ledger.measured["saturated"] = share
    if share >= threshold("saturated"):
        ledger.raise_flag("saturated", Severity.WARNING, margin=nearest, largest_exponent=-math.log(limits.tiny))
    spread = float(rows.topk(2, dim=1).values.diff(dim=1).abs().max())
    ledger.measured["flat"] = spread
    if spread < threshold("flat") and not ledger.severity("probabilities"):
        ledger.raise_flag("flat", Severity.WARNING, largest_margin=spread)
    rounding = UNITS * limits.eps * case.scale / max(abs(case.margin), limits.tiny)
    ledger.measured["precision"] = rounding
    if rounding >= threshold("precision"):
        ledger.raise_flag("precision", Severity.WARNING, rounding_over_margin=rounding)


def check_stairs(case: Case, ledger: Ledger) -> None:
    """Raise `locally_constant`: exactly equal outputs over small steps where the coarse movement predicts a change.

    On segments of length `reach / 4^k` the share of `g(x_{i+1}) = g(x_i)` among 16 equal steps; a staircase is constant
    on steps that are shorter than its stairs (Goodfellow 2018, section 3).
    """
    unit = sample_directions(case.x0, 1, norm=case.norm, generator=case.generator("stairs"))
    flat, at, coarse = 0.0, 0.0, 0.0
    for level in range(STAIR_SCALES):
        length = case.reach / 4**level
        steps, ulp = _steps(case, unit, length)
        ulp = max(ulp, case.rounding)
        coarse = max(coarse / 4, float(steps.abs().sum()))
        if coarse / STAIRS <= STAIR_NOISE * ulp:
            break
        share = float((steps == 0).double().mean())
        flat, at = (share, length / STAIRS) if share > flat else (flat, at)
    ledger.measured["locally_constant"] = flat
    if flat >= threshold("locally_constant"):
        failing = ledger.severity("path_integral") not in {None, Severity.INFO}
        severity = Severity.WARNING if failing else Severity.INFO
        ledger.raise_flag("locally_constant", severity, share_of_steps=flat, step=at)


def _steps(case: Case, unit: Tensor, length: float) -> tuple[Tensor, float]:
    """Changes of the margin over equal steps along a segment of this length, and one unit of rounding."""
    shares = torch.arange(STAIRS + 1, dtype=case.x0.dtype, device=case.x0.device) / STAIRS
    points = case.model.clip(case.x0 + expand(shares * length, unit) * unit)
    values, scale = margin_values(case.model, points, case.predicted, case.target)
    return values.double().diff(), torch.finfo(values.dtype).eps * float(scale)
