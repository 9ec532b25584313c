"""Robust accuracy at one radius: what each input counts as there, and the shares of a set of inputs.

    share proved  <=  robust accuracy of these inputs  <=  share not broken

Whoever knows proofs and witnesses of a set of inputs, a call that attacks at one radius (`bracket.robust_accuracy`) or
a run that looked for the nearest witness of each input (`report.security`), counts them here. Nothing here imports
torch.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from scipy.special import betaincinv

from clearance.errors import InputError
from clearance.records import Word, in_words

CONTRADICTION = 1e-6
"""Share by which a lower bound must exceed an upper one to contradict it: more than rounding."""


class Robustness(Word):
    """The standing of one input at one radius: each member is its word and carries its `meaning` in a sentence."""

    PROVED = "proved", "correct, and proved: no adversarial example lies within the radius"
    NOT_BROKEN = "not_broken", "correct, no witness found within the radius and nothing proved"
    BROKEN = "broken", "correct, but a witness lies within the radius"
    MISCLASSIFIED = "misclassified", "the prediction differs from the label: it counts as broken"
    NOT_MEASURED = "not_measured", "nothing is known of it yet: it counts as neither proved nor broken"


def is_radius(value: object) -> bool:
    """Whether distances can be held against something: a finite number of at least 0.

    >>> is_radius(8 / 255), is_radius(-1), is_radius("8/255"), is_radius(True)
    (True, False, False, False)
    """
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


def standing(radius: float, *, witness: float, proved: float | None) -> Robustness:
    """What one input counts as at a radius: a witness at the radius itself breaks, a proof up to it holds there.

    Source: the definitions of a witness and of a certified radius; a confirmed witness counts before a proof.

    Args:
        radius: The radius, >= 0.
        witness: Distance of the nearest confirmed witness; infinite without one, NaN for a misclassified input.
        proved: The certified radius; `None` where nothing is proved.

    Returns:
        The standing.

    >>> [standing(r, witness=0.5, proved=0.3).value for r in (0.0, 0.3, 0.4, 0.5)]
    ['proved', 'proved', 'not_broken', 'broken']
    """
    if math.isnan(witness):
        return Robustness.MISCLASSIFIED
    if witness <= radius:
        return Robustness.BROKEN
    return Robustness.PROVED if proved is not None and proved >= radius else Robustness.NOT_BROKEN


@dataclass(frozen=True, repr=False)
class Proportion:
    """A count out of a number of inputs, and the interval for the share of all inputs they were drawn from.

    Attributes:
        count: How many.
        of: Of how many.
        level: Confidence level of the interval.
    """

    count: int
    of: int
    level: float = 0.95

    def __repr__(self) -> str:
        """Count, share and interval in short."""
        if not self.of:
            return "Proportion(0 of 0)"
        low, high = (f"{100 * end:.1f}" for end in self.interval)
        said = f"{100 * self.share:.1f} %, {100 * self.level:.4g} % interval {low} to {high} %"
        return f"Proportion({self.count} of {self.of}, {said})"

    @property
    def share(self) -> float:
        """`count / of`."""
        return self.count / self.of

    @property
    def interval(self) -> tuple[float, float]:
        """The Clopper-Pearson interval of the share: see `clopper_pearson`."""
        return clopper_pearson(self.count, self.of, self.level)

    def as_record(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "share": self.share, "interval": list(self.interval)}


@dataclass(frozen=True, repr=False)
class RobustShares:
    """Robust accuracy at one radius, from both ends.

    Robust accuracy is the share of inputs that are classified correctly and stay so within the radius (Croce and Hein
    2020, section 1): a misclassified input counts as broken.

    Attributes:
        radius: The radius `r` in input units: a witness at distance `r` itself breaks.
        norm: The norm `p` of distances.
        statuses: The standing of each input, in order.
        with_certificates: Whether certificates were asked for.
        level: Confidence level of the intervals.
        doubted: How many inputs are counted as not broken although an audit doubts the attacks on them (masked
            gradients): the upper end may be far too high. 0 where nothing was audited.
    """

    radius: float
    norm: float
    statuses: tuple[Robustness, ...]
    with_certificates: bool
    level: float
    doubted: int = field(default=0, kw_only=True)

    def __repr__(self) -> str:
        """The two ends in short, and what casts doubt on the upper one."""
        proved = f"{self.proved.count} proved, " if self.with_certificates else ""
        said = f"{proved}{self.not_broken.count} not broken of {len(self)} at {self.radius:g}"
        doubt = f"; the audit doubts the attacks on {self.doubted}: they may be far too many" if self.doubted else ""
        return f"{type(self).__name__}({said}{doubt})"

    def __len__(self) -> int:
        """How many inputs there are."""
        return len(self.statuses)

    def __add__(self, others: object) -> RobustShares:
        """Of the inputs of both, the batches of a loader: whoever joins them knows that the network is the same.

        >>> batch = RobustShares(0.1, 2.0, (Robustness.PROVED, Robustness.BROKEN), True, 0.95)
        >>> sum([batch, batch]), (batch + batch + batch).proved
        (RobustShares(2 proved, 2 not broken of 4 at 0.1), Proportion(3 of 6, 50.0 %, 95 % interval 11.8 to 88.2 %))

        Raises:
            InputError: If radius, norm, level or whether certificates were asked for differ.
        """
        if not isinstance(others, RobustShares):
            return NotImplemented
        for name in ("radius", "norm", "level", "with_certificates"):
            ours, theirs = getattr(self, name), getattr(others, name)
            if ours != theirs:
                raise InputError(f"robust accuracy: expected the same {name} to join, {ours!r}, got {theirs!r}")
        statuses = self.statuses + others.statuses
        doubted = self.doubted + others.doubted
        return RobustShares(self.radius, self.norm, statuses, self.with_certificates, self.level, doubted=doubted)

    def __radd__(self, others: object) -> RobustShares:
        """`sum` begins with 0."""
        return self if others == 0 else NotImplemented

    @property
    def correct(self) -> Proportion:
        """Inputs that are classified correctly: clean accuracy."""
        return self._of({Robustness.PROVED, Robustness.NOT_BROKEN, Robustness.BROKEN})

    @property
    def broken(self) -> Proportion:
        """Correct inputs with a witness within the radius."""
        return self._of({Robustness.BROKEN})

    @property
    def not_broken(self) -> Proportion:
        """The upper end: inputs that are neither misclassified nor broken. Robust accuracy is that or less."""
        return self._of({Robustness.PROVED, Robustness.NOT_BROKEN, Robustness.NOT_MEASURED})

    @property
    def proved(self) -> Proportion:
        """The lower end: correct inputs with a certified radius of at least the radius. Robust accuracy is not less."""
        return self._of({Robustness.PROVED})

    @property
    def not_measured(self) -> Proportion:
        """Inputs of which nothing is known yet: none, unless they come from a run with unfinished or failed tasks."""
        return self._of({Robustness.NOT_MEASURED})

    @property
    def interval(self) -> tuple[float, float]:
        """An interval for the robust accuracy of all inputs that these were drawn from at random.

        From the lower end of the proved share's interval to the upper end of the not broken share's. Each of these ends
        misses with a probability of at most `(1 - level) / 2` (Clopper and Pearson 1934), so that both hold with at
        least the level (union bound).
        """
        return self.proved.interval[0] if self.with_certificates else 0.0, self.not_broken.interval[1]

    def _of(self, words: set[Robustness]) -> Proportion:
        return Proportion(sum(status in words for status in self.statuses), len(self), self.level)

    def as_record(self) -> dict[str, Any]:
        """Plain values for JSON; an infinite norm is a word."""
        return {
            "radius": self.radius,
            "norm": in_words(self.norm),
            "inputs": len(self),
            "correct": self.correct.as_record(),
            "broken": self.broken.as_record(),
            "not_broken": self.not_broken.as_record(),
            "proved": self.proved.as_record() if self.with_certificates else None,
            "not_measured": self.not_measured.count,
            "doubted": self.doubted,
            "interval": list(self.interval),
        }


def clopper_pearson(count: int, of: int, level: float = 0.95) -> tuple[float, float]:
    """The exact two-sided interval of a binomial share: `P(X >= k | low) = P(X <= k | high) = (1 - level) / 2`.

    By quantiles of the beta distribution, `low = B(a / 2; k, n - k + 1)` and `high = B(1 - a / 2; k + 1, n - k)` with
    `a = 1 - level`; 0 where `k = 0`, 1 where `k = n`. It covers the share in at least that level of all samples.
    Source: Clopper and Pearson (1934).

    Args:
        count: `k`.
        of: `n`, at least 1.
        level: Between 0 and 1.

    Returns:
        The interval.

    >>> [round(end, 3) for end in clopper_pearson(8, 10)]
    [0.444, 0.975]
    """
    tail = (1 - level) / 2
    low = 0.0 if count == 0 else float(betaincinv(count, of - count + 1, tail))
    high = 1.0 if count == of else float(betaincinv(count + 1, of - count, 1 - tail))
    return low, high


def check_level(level: float) -> float:
    """The confidence level itself, if it lies between 0 and 1.

    Raises:
        InputError: If it does not.
    """
    if isinstance(level, bool) or not isinstance(level, int | float) or not 0 < level < 1:  # pyright: ignore
        raise InputError(f"level: expected a number between 0 and 1, got {level!r}")
    return float(level)
