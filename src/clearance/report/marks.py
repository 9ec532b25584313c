"""How numbers and names are written, and the colour and symbol of each kind of number."""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

DIGITS = 3
"""Significant digits of a number in text and tables."""

MISSING = "–"
"""In place of a number that is not there."""

ROUNDING = {"certified": ROUND_FLOOR, "estimated": ROUND_HALF_EVEN, "attacked": ROUND_CEILING}
"""A proof is never rounded up, a witness never down."""

KINDS = ("certified", "estimated", "attacked", "no estimate")
"""The kinds of marks in a chart of brackets."""

COLOURS = ("#2a8f6d", "#3f7fd1", "#d1495b", "#8a8f98")
"""Of `KINDS`, in order; each has a contrast of 3 to white and to the dark page."""

SHAPES = ("square", "circle", "triangle-down", "cross")
"""Of `KINDS`, in order: no kind is told by its colour alone."""

SERIES = ("#3f7fd1", "#d1495b", "#2a8f6d", "#b07818", "#8a63d2", "#2b93a8", "#b3589a", "#7d7f45")
"""Colours of targets or runs in one chart."""


def write_number(value: float | None, kind: str = "estimated") -> str:
    """A number with three significant digits, rounded the safe way for its kind.

    >>> write_number(0.23456, "certified"), write_number(0.23456, "attacked"), write_number(None)
    ('0.234', '0.235', '–')
    """
    if value is None or math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    exact = Decimal(repr(float(value)))
    unit = Decimal(1).scaleb(exact.adjusted() - DIGITS + 1)
    rounded = float(exact.quantize(unit, rounding=ROUNDING[kind])) if value else 0.0
    return f"{rounded:.{DIGITS}g}"


def write_share(value: float | None) -> str:
    """A share as per cent.

    >>> write_share(0.125), write_share(None)
    ('12.5 %', '–')
    """
    return MISSING if value is None else f"{100 * value:.3g} %"


def write_norm(norm: float) -> str:
    """A norm as it is called on the command line.

    >>> write_norm(2.0), write_norm(math.inf)
    ('2', 'inf')
    """
    return "inf" if math.isinf(norm) else f"{norm:g}"


def name_norm(norm: float) -> str:
    """A norm in prose.

    >>> name_norm(2.0), name_norm(math.inf)
    ('l2', 'l∞')
    """
    return "l∞" if math.isinf(norm) else f"l{norm:g}"


def count(number: int, noun: str, plural: str | None = None) -> str:
    """A number of things.

    >>> count(1, "input"), count(1200, "input")
    ('1 input', '1,200 inputs')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
