"""Budgets: how hard attacks and estimates try, by name."""

from __future__ import annotations

from dataclasses import dataclass

from clearance.errors import InputError


@dataclass(frozen=True)
class Budget:
    """What one budget spends on an input.

    Attributes:
        passes: About how many passes the attacks spend, forward and backward together.
        blocks: Block maxima of the estimate; `None`: as many as its tolerance takes.
        block_size: Gradients of a block at first order; `None`: the sampler's own. At second order the sampler's own
            block size is kept: it is small already.
        max_blocks: Where the estimate stops, if `blocks` is `None`; `None`: the sampler's own limit.
        tolerance: Relative width of the estimate's interval that is narrow enough, if `blocks` is `None`.
    """

    passes: int
    blocks: int | None = None
    block_size: int | None = None
    max_blocks: int | None = None
    tolerance: float = 0.05


BUDGETS = {
    "quick": Budget(passes=280, blocks=12, block_size=128),
    "standard": Budget(passes=2000),
    "thorough": Budget(passes=10000, max_blocks=192, tolerance=0.02),
}
"""Every budget, from the smallest on: its attacks are those of the budget before it, and more."""


def describe_budgets() -> str:
    """The passes of every budget in words, in their order, for `--help`.

    >>> describe_budgets()
    '280, 2,000 or 10,000'
    """
    *others, last = [f"{budget.passes:,}" for budget in BUDGETS.values()]
    return f"{', '.join(others)} or {last}"


def passes_of(budget: str | int) -> int:
    """How many passes, forward and backward together, a budget gives.

    Args:
        budget: A name of `BUDGETS`, or a number of passes.

    Returns:
        The passes.

    Raises:
        InputError: If there is no such budget.

    >>> passes_of("standard"), passes_of(500)
    (2000, 500)
    """
    if isinstance(budget, int) and not isinstance(budget, bool) and budget > 0:
        return budget
    if not isinstance(budget, str) or budget not in BUDGETS:
        raise InputError(f"budget: expected one of {', '.join(BUDGETS)} or a number of passes, got {budget!r}")
    return BUDGETS[budget].passes
