"""Whether two records of a network's answers are those of one network.

Logits `a` (then) and `b` (now) of one input are the same answer where, for every class `k`,

    |a_k - b_k| <= 1024 eps max(|a_k|, t) + 6 s sqrt(1 / m + 1 / n)

with `eps` the rounding unit of the precision and `t` the larger absolute value of the two largest logits: room for what
another order of summation or another processor moves, and none for the size of other classes' logits. The second term
is 0 unless the network is random: then `a` and `b` are means over `m` and `n` calls, and `s` is the largest standard
deviation of a logit from call to call.
Source: this project (the standard error of a difference of two means).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from clearance.runs.plan import Answers

ROUNDING_UNITS = 1024
"""Answers agree up to this many units of rounding: far more than another order of summation moves a logit, and a
relative change of 1e-4 in float32."""

STANDARD_ERRORS = 6.0
"""Means of random answers agree up to so many standard errors: normal ones exceed that once in 5e8 comparisons."""


def changed_answer(then: Answers, now: Answers, dtype: str) -> str:
    """How a network's answers differ from those that were recorded; inputs that only one of them holds do not count.

    Args:
        then: Recorded in the plan.
        now: Recorded from the network at hand.
        dtype: The precision, such as `float32`.

    Returns:
        Where and how, in words; empty where they agree.
    """
    if (then.spread > 0) != (now.spread > 0):
        words = ("at random", "the same each time")
        one, two = words if then.spread > 0 else words[::-1]
        return f"it answered {one}, and answers {two}"
    noise = STANDARD_ERRORS * max(then.spread, now.spread) * math.sqrt(1 / then.calls + 1 / now.calls)
    answered = dict(zip(now.keys, now.logits, strict=True))
    for place, (key, old) in enumerate(zip(then.keys, then.logits, strict=True)):
        moved = _moved(old, answered[key], dtype, noise) if key in answered else ""
        if moved:
            return f"{moved} (answer {place + 1} of {len(then.keys)})"
    return ""


def agree(one: Sequence[Sequence[float]], two: Sequence[Sequence[float]], dtype: str) -> bool:
    """Whether two lists of answers to the same inputs are the same up to rounding.

    >>> agree([[1.0, 2.0]], [[1.0, 2.0001]], "float32"), agree([[1.0, 2.0]], [[1.0, 2.001]], "float32")
    (True, False)
    """
    return not any(_moved(old, new, dtype, 0.0) for old, new in zip(one, two, strict=True))


def _moved(old: Sequence[float], new: Sequence[float], dtype: str, noise: float) -> str:
    """Which logit has moved most, from where to where; empty where all agree."""
    if len(old) != len(new):
        return f"it gave {len(old)} logits and gives {len(new)}"
    if not old:
        return ""
    a, b = np.asarray(old), np.asarray(new)
    top = np.abs([np.sort(a)[-2:], np.sort(b)[-2:]]).max()
    gap = np.abs(a - b) - ROUNDING_UNITS * float(np.finfo(dtype).eps) * np.maximum(np.abs(a), top) - noise
    worst = int(gap.argmax())
    return "" if gap[worst] <= 0 else f"a logit was {a[worst]:.6g} and is {b[worst]:.6g}"
