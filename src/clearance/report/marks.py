"""How numbers and names are written, and the table of the marks: name, colour and shape of each number."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clearance.records import MISSING, PLAIN_POWERS, SIGNIFICANT_DIGITS, count, name_norm, write_number

__all__ = [
    "MARKS",
    "MISSING",
    "NO_ESTIMATE",
    "SERIES_COLOURS",
    "Mark",
    "count",
    "name_norm",
    "name_weights",
    "write_apart",
    "write_ends",
    "write_evidence",
    "write_given",
    "write_norm",
    "write_number",
    "write_numbers",
    "write_share",
]

MOST_DECIMALS = 12
"""Digits after the point, at most, that tell two numbers apart."""


@dataclass(frozen=True)
class Mark:
    """One kind of number of a bracket, or the sign that there is none: its name, how it is drawn.

    Attributes:
        kind: Its name in records, columns and legends.
        words: What it is called in prose.
        colour: In charts; each has a contrast of at least 3 to the white and to the dark page.
        shape: In charts: no kind is told by its colour alone.
    """

    kind: str
    words: str
    colour: str
    shape: str

    @property
    def with_article(self) -> str:
        """What it is called in prose, with its indefinite article.

        >>> MARKS["attacked"].with_article, MARKS["certified"].with_article
        ('an attack distance', 'a certified radius')
        """
        return f"{'an' if self.words[0] in 'aeiou' else 'a'} {self.words}"


MARKS = {
    mark.kind: mark
    for mark in (
        Mark("certified", "certified radius", "#2a8f6d", "square"),
        Mark("estimated", "estimated radius", "#3f7fd1", "circle"),
        Mark("attacked", "attack distance", "#d1495b", "triangle-down"),
    )
}
"""The three numbers of a bracket, by kind and in its order: a proof is never rounded up, a witness never down."""

NO_ESTIMATE = Mark("no estimate", "no estimate that may be read", "#8a8f98", "cross")
"""In the place of an estimate that must not be read."""

SERIES_COLOURS = ("#3f7fd1", "#d1495b", "#2a8f6d", "#b07818", "#8a63d2", "#2b93a8", "#b3589a", "#7d7f45")
"""Colours of targets or runs in one chart; the first three are the marks' own."""


def write_numbers(values: Mapping[str, float | None]) -> dict[str, str]:
    """Several numbers of a bracket, each rounded the safe way for its kind.

    >>> write_numbers({"certified": 0.2309, "attacked": None})
    {'certified': '0.230', 'attacked': '–'}
    """
    return {kind: write_number(value, kind) for kind, value in values.items()}


def write_given(value: float) -> str:
    """A number that was chosen or counted, such as a bound: without digits that say nothing.

    >>> write_given(1.0), write_given(-0.5), write_given(512)
    ('1', '-0.5', '512')
    """
    return f"{value:.6g}"


def write_evidence(value: float | str | None, name: str = "", code: str = "") -> str:
    """A piece of evidence of a flag: whole numbers are counts, others have three digits, rounded the safe way.

    Args:
        value: The number, or a text, which stays.
        name: What it is called: a distance of a witness is never rounded down, what is certified never up.
        code: The flag.

    Returns:
        Its text.

    >>> write_evidence(512.0), write_evidence(0.9), write_evidence(1.06546, "witness_distance"), write_evidence("crown")
    ('512', '0.900', '1.07', 'crown')
    """
    if isinstance(value, str):
        return value
    if value is not None and float(value).is_integer() and abs(value) < 10 ** PLAIN_POWERS[1]:
        return f"{value:.0f}"
    reached = name.endswith("_distance") or code == "attack_spread"
    return write_number(value, "attacked" if reached else "certified" if name == "certified" else "estimated")


def write_share(value: float | None) -> str:
    """A share as per cent.

    >>> write_share(0.125), write_share(None)
    ('12.5 %', '–')
    """
    return MISSING if value is None else f"{100 * value:.3g} %"


def write_ends(interval: tuple[float, float]) -> tuple[str, str]:
    """The ends of an interval of shares in per cent, rounded outwards.

    >>> write_ends((0.35877, 0.4123)), write_ends((0.0, 1.0))
    (('35.8 %', '41.3 %'), ('0 %', '100 %'))
    """
    low, high = (100 * end for end in interval)
    ends = write_number(low, "certified"), "100" if high >= 100.0 else write_number(high, "attacked")
    return f"{ends[0]} %", f"{ends[1]} %"


def write_apart(values: Sequence[float]) -> list[str]:
    """Numbers with so many digits that the largest can be told from the next: logits of a witness at a boundary.

    >>> write_apart([14.835, 3.9931, -0.3251]), write_apart([5.1234567, 5.1234561, 0.5])
    (['14.8', '4.0', '-0.3'], ['5.123457', '5.123456', '0.500000'])
    """
    finite = sorted((value for value in values if math.isfinite(value)), reverse=True)
    if not finite:
        return [write_number(value) for value in values]
    largest = max(abs(finite[0]), 10.0 ** PLAIN_POWERS[0])
    digits = max(0, SIGNIFICANT_DIGITS - 1 - math.floor(math.log10(largest)))
    while len(finite) > 1 and finite[0] > finite[1] and digits < MOST_DECIMALS:
        if f"{finite[0]:.{digits}f}" != f"{finite[1]:.{digits}f}":
            break
        digits += 1
    plain = 10.0 ** PLAIN_POWERS[1]
    return [f"{value:.{digits}f}" if abs(value) < plain else write_number(value) for value in values]


def write_norm(norm: float) -> str:
    """A norm as it is called on the command line.

    >>> write_norm(2.0), write_norm(math.inf)
    ('2', 'inf')
    """
    return "inf" if math.isinf(norm) else f"{norm:g}"


def name_weights(model: str, file: str) -> str:
    """A weights file: as it was given, or by its name alone where it came with the package.

    >>> name_weights("digits-robust", "/opt/python/clearance/zoo/weights/digits-robust.safetensors")
    'digits-robust.safetensors'
    >>> name_weights("net:make", "/home/me/net.safetensors")
    '/home/me/net.safetensors'
    """
    bundled = ["clearance", "zoo", "weights", f"{model}.safetensors"]
    return bundled[-1] if re.split(r"[/\\]", file)[-4:] == bundled else file
