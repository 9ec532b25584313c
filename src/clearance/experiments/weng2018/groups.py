"""Averages over the inputs of one network, target and norm: what a row of the paper's tables is made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from clearance.estimates.extremes.reverse_weibull import POOR_FIT_P_VALUE, fit_reverse_weibull
from clearance.experiments.weng2018.scores import PAPER_RADIUS, Measurement

Reading = Callable[[Measurement], float | None]
"""One number of a record."""


@dataclass(frozen=True)
class MeasuredGroup:
    """The records of one network, target and norm.

    Attributes:
        network: What the paper calls the network.
        target: Name of the target.
        norm: The norm of distances.
        members: The records.
    """

    network: str
    target: str
    norm: float
    members: tuple[Measurement, ...]

    def mean(self, reading: Reading) -> float | None:
        """The average of a number over the inputs that have it; `None` where none has."""
        known = self.known(reading)
        return fmean(known) if known else None

    def known(self, reading: Reading) -> list[float]:
        """The finite values of a number."""
        values = (reading(one) for one in self.members)
        return [value for value in values if value is not None and math.isfinite(value)]

    def means(self, first: Reading, second: Reading) -> tuple[float, float] | None:
        """The averages of two numbers over the inputs that have both; `None` where none has."""
        pairs = [(first(one), second(one)) for one in self.members]
        both = [(a, b) for a, b in pairs if a is not None and b is not None and math.isfinite(a) and math.isfinite(b)]
        return (fmean(a for a, _ in both), fmean(b for _, b in both)) if both else None

    @property
    def fit_share(self) -> float | None:
        """Share of fits whose Kolmogorov-Smirnov p-value is above .05 (table 5); `None` without fits."""
        values = [one.fit.p_value for one in self.members if one.fit is not None]
        return fmean(value > POOR_FIT_P_VALUE for value in values) if values else None

    def share_above(self, reading: Reading) -> float | None:
        """Share of inputs whose score is greater than an attack's distance (table 4); `None` without any."""
        pairs = [(one.clever, reading(one)) for one in self.members]
        answers = [score > distance for score, distance in pairs if distance is not None]
        return fmean(answers) if answers else None

    def refitted(self, blocks: int) -> float | None:
        """The average score with the first blocks alone (figures 7 and 9); `None` where there are not so many."""
        fits = [one.fit for one in self.members if one.fit is not None and len(one.fit.maxima) >= blocks]
        if not fits:
            return None
        ends = [float(fit_reverse_weibull(fit.maxima[:blocks]).location) for fit in fits]
        return fmean(min(fit.margin / end, PAPER_RADIUS) for fit, end in zip(fits, ends, strict=True))


def group(measured: Sequence[Measurement]) -> list[MeasuredGroup]:
    """Records by network, target and norm, in the order in which these first appear.

    Args:
        measured: The records.

    Returns:
        The groups.
    """
    found: dict[tuple[str, str, float], list[Measurement]] = {}
    for one in measured:
        found.setdefault((one.network, one.target, one.norm), []).append(one)
    return [MeasuredGroup(*key, tuple(members)) for key, members in found.items()]


def pick(
    groups: Sequence[MeasuredGroup], *, target: str | None = None, norm: float | None = None
) -> list[MeasuredGroup]:
    """The groups of a target and of a norm.

    Args:
        groups: All of them.
        target: The target; `None` for all.
        norm: The norm; `None` for all.

    Returns:
        The groups that remain.
    """
    return [one for one in groups if target in (None, one.target) and norm in (None, one.norm)]


def cw(one: Measurement) -> float | None:
    """Distance of Carlini and Wagner's witness."""
    return one.cw


def ifgsm(one: Measurement) -> float | None:
    """Distance of I-FGSM's witness."""
    return one.ifgsm


def nearer(one: Measurement) -> float | None:
    """The smaller of both attacks' distances."""
    return min(one.cw, one.ifgsm)


def clever_score(one: Measurement) -> float | None:
    """The paper's score."""
    return one.clever


def slope_score(one: Measurement) -> float | None:
    """The score by SLOPE."""
    return one.slope


def estimate(one: Measurement) -> float | None:
    """The profile's estimate."""
    return one.estimate


def witness(one: Measurement) -> float | None:
    """The nearest witness."""
    return one.witness


def proof(one: Measurement) -> float | None:
    """The certified radius."""
    return one.proof
