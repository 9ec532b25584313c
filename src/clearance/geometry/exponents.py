"""The `p` of a norm or of a distance, from a number or text. Without torch, so that what is wrong is said at once."""

from __future__ import annotations

from typing import SupportsFloat

from clearance.errors import InputError

NORM_FORMS = "a number >= 1 or inf, such as 2, l2, inf or linf"
"""How norms are written, for messages."""


def as_norm(norm: SupportsFloat | str) -> float:
    """The `p` of a norm as a float, `1 <= p <= inf`.

    `||x||_p = (sum |x_i|^p)^(1/p)`, the largest `|x_i|` for `p = inf`; below 1 the triangle inequality fails
    (Minkowski).

    Args:
        norm: A number, or text such as `"2"`, `"inf"`, `"linf"`, `"l2"`.

    Returns:
        `p`; `math.inf` for the maximum norm.

    Raises:
        InputError: If it is not a number, or below 1 (then it is no norm).

    >>> as_norm("linf"), as_norm(2)
    (inf, 2.0)
    """
    p = _as_number(norm)
    if not p >= 1:
        raise InputError(f"norm: expected p >= 1, got {norm!r}; l0 is no norm: only attack has an l0 distance")
    return p


def as_distance(norm: SupportsFloat | str) -> float:
    """The `p` of a distance that is measured and nothing else: a norm as `as_norm` takes it, or 0.

    The `l_0` distance is the number of coordinates that differ, `||x||_0 = #{i : x_i != 0}`. It is no norm, since
    `||2 x||_0` is `||x||_0`: there is no dual norm, and so no estimate and no certificate.

    Args:
        norm: A number, or text such as `"0"`, `"l0"`, `"2"`, `"inf"`.

    Returns:
        `p`, 0 or from 1 to `math.inf`.

    Raises:
        InputError: If it is neither 0 nor a norm.

    >>> as_distance("l0"), as_distance(2)
    (0.0, 2.0)
    """
    p = _as_number(norm)
    if not (p == 0 or p >= 1):
        raise InputError(f"norm: expected p >= 1, or 0 for the number of coordinates that differ, got {norm!r}")
    return p


def _as_number(norm: SupportsFloat | str) -> float:
    text = norm.lower().removeprefix("l") if isinstance(norm, str) else norm
    try:
        number = None if isinstance(norm, bool) else float(text)
    except (TypeError, ValueError):
        number = None
    if number is None:
        raise InputError(f"norm: expected {NORM_FORMS}, got {norm!r}")
    return number
