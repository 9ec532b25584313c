"""How a number changes over the iterations of an attack."""

from __future__ import annotations

import math

from clearance.errors import InputError


def as_steps(steps: int) -> int:
    """Check a number of iterations.

    Args:
        steps: The number.

    Returns:
        The same number.

    Raises:
        InputError: If it is below 1.
    """
    if steps < 1:
        raise InputError(f"steps: expected at least 1, got {steps}")
    return steps


def cosine(first: float, last: float, step: int, steps: int) -> float:
    """Cosine annealing: `last + (first - last) (1 + cos(pi k / (n - 1))) / 2` (Loshchilov and Hutter 2017, equation 5).

    Args:
        first: The value at step 0.
        last: The value at the last step.
        step: `k`, counted from 0.
        steps: `n`.

    Returns:
        The value at step `k`.

    >>> cosine(1.0, 0.0, 0, 5), cosine(1.0, 0.5, 4, 5)
    (1.0, 0.5)
    """
    return last + (first - last) * 0.5 * (1 + math.cos(math.pi * step / max(steps - 1, 1)))
