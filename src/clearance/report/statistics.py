"""What the figures and tables of a report say, as plain rows: computed from entries, of one run or of several.

An estimate that must not be read (refuted, masked), or in whose place a larger proof stands, is in none of the
averages. Where that leaves out an input, the number of inputs that are left is beside the average.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from clearance.estimates.extremes.reverse_weibull import POOR_FIT_P_VALUE, fit_reverse_weibull
from clearance.estimates.status import Status
from clearance.report.records import Entry

FEWEST_BLOCKS = 4
"""Fewest block maxima that an estimate is refitted to: three parameters, and one more."""


@dataclass(frozen=True, order=True)
class Group:
    """What brackets must share to be averaged.

    Attributes:
        norm: The norm of distances.
        target: Class to move to.
        order: Order of the estimate.
    """

    norm: float
    target: str
    order: int


@dataclass(frozen=True)
class Average:
    """Averages of a group, in the form of tables 2 and 3 of Weng et al. 2018.

    Attributes:
        group: Norm, target and order.
        inputs: Correctly classified inputs.
        paired: How many of them have both an estimate of their own that may be read and a witness: the averages are
            over these.
        certified: Average certified radius; `None` where no certificate was asked for.
        estimated: Average estimated radius.
        attacked: Average attack distance.
    """

    group: Group
    inputs: int
    paired: int
    certified: float | None
    estimated: float | None
    attacked: float | None


@dataclass(frozen=True)
class Doubt:
    """How often the estimates of a group are contradicted or doubted, in the form of table 4 of Weng et al. 2018.

    Attributes:
        group: Norm, target and order.
        inputs: Correctly classified inputs.
        exceeded: Share of them whose estimate exceeds the distance of a witness; `None` without inputs.
        refuted: Share with the status `refuted`.
        masked: Share with the status `masked`.
        flagged: Share with a warning or an error.
    """

    group: Group
    inputs: int
    exceeded: float | None
    refuted: float | None
    masked: float | None
    flagged: float | None


@dataclass(frozen=True)
class FitShare:
    """How many fits the Kolmogorov-Smirnov test does not reject (figure 3 and table 5 of Weng et al. 2018).

    Attributes:
        group: Norm, target and order.
        fits: How many fits there are.
        share: Share of them with a p-value above 0.05; `None` without fits.
    """

    group: Group
    fits: int
    share: float | None


@dataclass(frozen=True)
class GapShare:
    """The gap of one input in an empirical distribution: `share` of the inputs have a gap of at most `gap`."""

    group: Group
    gap: float
    share: float


@dataclass(frozen=True)
class Refit:
    """Averages when only the first blocks are used.

    Attributes:
        group: Norm, target and order.
        blocks: How many block maxima.
        estimated: Average estimate, refitted to them.
        attacked: Average attack distance of the same inputs; `None` where one has no witness.
        inputs: How many inputs.
    """

    group: Group
    blocks: int
    estimated: float
    attacked: float | None
    inputs: int


def grouped(entries: Iterable[Entry]) -> dict[Group, list[Entry]]:
    """Entries by norm, target and order, in the order in which these first appear."""
    groups: dict[Group, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(Group(entry.norm, entry.target, entry.order), []).append(entry)
    return groups


def averages(entries: Iterable[Entry]) -> list[Average]:
    """Averages of each group over the inputs that have both an estimate and a witness."""
    return [_average(group, [e for e in found if e.judged]) for group, found in grouped(entries).items()]


def _average(group: Group, judged: Sequence[Entry]) -> Average:
    paired = [entry for entry in judged if entry.own_estimate is not None and entry.attacked is not None]
    certified = [entry.certified for entry in paired if entry.certified is not None]
    return Average(
        group,
        inputs=len(judged),
        paired=len(paired),
        certified=fmean(certified) if certified else None,
        estimated=_mean(entry.own_estimate for entry in paired),
        attacked=_mean(entry.attacked for entry in paired),
    )


def doubts(entries: Iterable[Entry]) -> list[Doubt]:
    """How often the estimates of each group are contradicted or doubted."""
    return [_doubt(group, [e for e in found if e.judged]) for group, found in grouped(entries).items()]


def _doubt(group: Group, judged: Sequence[Entry]) -> Doubt:
    return Doubt(
        group,
        len(judged),
        exceeded=share(entry.exceeded for entry in judged),
        refuted=share(entry.status is Status.REFUTED for entry in judged),
        masked=share(entry.status is Status.MASKED for entry in judged),
        flagged=share(any(flag.doubts for flag in entry.flags) for entry in judged),
    )


def share(answers: Iterable[bool]) -> float | None:
    """Share of yes; `None` where nothing was asked.

    >>> share([True, False]), share([])
    (0.5, None)
    """
    known = list(answers)
    return sum(known) / len(known) if known else None


def fit_shares(entries: Iterable[Entry]) -> list[FitShare]:
    """Share of each group's fits with a p-value above 0.05; maxima that are all equal have nothing to fit."""
    found: list[FitShare] = []
    for group, members in grouped(entries).items():
        values = [entry.fit.p_value for entry in members if entry.fit is not None and entry.fit.scale > 0]
        found.append(FitShare(group, len(values), share(value > POOR_FIT_P_VALUE for value in values)))
    return found


def gaps(entries: Iterable[Entry]) -> list[GapShare]:
    """The distribution of attack distance less estimate (figure 5 of Weng et al. 2018), over inputs with a witness.

    An input whose estimate must not be read counts as a gap below all others: each curve starts at the share of these.
    One of which more is proved than was estimated is left out.
    """
    steps: list[GapShare] = []
    for group, members in grouped(entries).items():
        attacked = [e for e in members if e.judged and e.attacked is not None and not e.below_proof]
        known = sorted(e.attacked - e.estimated for e in attacked if e.attacked is not None and e.estimated is not None)
        lost = len(attacked) - len(known)
        if known:
            steps.append(GapShare(group, min(0.0, known[0]), lost / len(attacked)))
            steps += [GapShare(group, gap, (lost + rank) / len(attacked)) for rank, gap in enumerate(known, start=1)]
    return steps


def refits(entries: Iterable[Entry]) -> list[Refit]:
    """Average estimates from the first blocks only (figures 7 and 9 of Weng et al. 2018), for halvings of all blocks.

    The reverse Weibull distribution is fitted again to the first `n` stored maxima, and its endpoint `L` alone gives
    the estimate: `min(g / L, R)` (Weng et al. 2018, corollary 3.2.2); at second order, where `L` bounds the curvature
    and `b` is the gradient norm at the input, `min(2 g / (b + sqrt(b² + 2 L g)), R)` (Weng et al. 2018, "On Extensions
    of CLEVER", theorem 3.1). The largest norm met outside the blocks is not used. All points of a group are over the
    same inputs, those of the directed sampler whose estimate may be read.
    """
    found: list[Refit] = []
    for group, members in grouped(entries).items():
        usable = [entry for entry in members if _refittable(entry)]
        most = min((len(entry.maxima) for entry in usable), default=0)
        distances = [entry.attacked for entry in usable if entry.attacked is not None]
        attacked = fmean(distances) if usable and len(distances) == len(usable) else None
        for blocks in block_counts(most):
            endpoints = fit_reverse_weibull(np.stack([entry.maxima[:blocks] for entry in usable])).location
            radii = [_radius(e, float(end)) for e, end in zip(usable, np.asarray(endpoints), strict=True)]
            found.append(Refit(group, blocks, fmean(radii), attacked, len(usable)))
    return found


def block_counts(most: int) -> list[int]:
    """Halvings of a number of blocks down to `FEWEST_BLOCKS`, the smallest first.

    >>> block_counts(24), block_counts(3)
    ([6, 12, 24], [])
    """
    counts: list[int] = []
    while most >= FEWEST_BLOCKS:
        counts.insert(0, most)
        most //= 2
    return counts


def _refittable(entry: Entry) -> bool:
    known = entry.own_estimate is not None and entry.margin is not None and entry.ball_radius is not None
    return known and entry.sampler == "directed" and len(entry.maxima) >= FEWEST_BLOCKS


def _radius(entry: Entry, endpoint: float) -> float:
    """The radius that an endpoint gives: of gradient norms, or at second order of curvatures."""
    margin, largest, gradient = entry.margin or 0.0, entry.ball_radius or 0.0, entry.gradient_norm
    if entry.order == 2 and gradient is not None:
        below = gradient + math.sqrt(gradient**2 + 2 * max(0.0, endpoint) * margin)
        return min(2 * margin / below, largest) if below > 0 else largest
    return min(margin / endpoint, largest) if endpoint > 0 else largest


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
