"""Budgets: how hard attacks and estimates try, by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from clearance.errors import InputError

PASSES_PER_GRADIENT = 2
"""A gradient is one forward and one backward pass."""
AUDIT_PASSES = 3400
"""About what the full audit of an input costs: its checks ask for the same points at every budget that has it
(measured: `benchmarks/audit_cost.py`)."""
SHORT_AUDIT_PASSES = 1000
"""About what the audit costs in short, where its references and the witness are near."""
MASKED_AUDIT, MASKED_SHORT_AUDIT = 31_000, 9_000
"""About what both cost where gradients are masked: they try harder then (measured: a small CNN behind a rounding)."""
WHOLE_AUDIT = 6000
"""Passes of a bracket, or of an audit with its own attack and estimate, from which the audit is the full one."""
AUDIT_ESTIMATE, LEAST_AUDIT = 1500, 2000
"""Passes of the estimate that an audit asks for itself, at most, and the fewest of all three together."""
LEAST_BRACKET = 1500
"""The fewest passes that a bracket can be shared out of."""
ATTACK_SHARE, LEAST_ATTACK = 0.1, 280
"""Where a whole bracket is given as a number of passes, the share of them that the attacks get, and the fewest."""


@dataclass(frozen=True)
class Budget:
    """What one budget spends on an input, certificate apart.

    Attributes:
        passes: About how many passes the attacks spend, forward and backward together.
        estimate: How many the estimate spends.
        blocks: Block maxima of a second-order estimate; `None`: as many as its tolerance takes.
        max_blocks: Where that stops, if `blocks` is `None`; `None`: the sampler's own limit.
        tolerance: Relative width of its interval that is narrow enough, if `blocks` is `None`.
        seconds: How long a bracket's certificate may take.
    """

    passes: int
    estimate: int
    blocks: int | None = None
    max_blocks: int | None = None
    tolerance: float = 0.05
    seconds: float = 60.0


BUDGETS = {
    "quick": Budget(passes=280, estimate=3600, blocks=12, seconds=5.0),
    "standard": Budget(passes=2000, estimate=13800, seconds=20.0),
    "thorough": Budget(passes=10000, estimate=64000, max_blocks=192, tolerance=0.02),
}
"""Every budget, from the smallest on: its attacks are those of the budget before it, and more."""


def describe_budgets(part: Literal["attack", "estimate", "audit", "whole", "seconds"]) -> str:
    """The passes of every budget in words (or the seconds of its certificate), in their order, for `--help`.

    >>> describe_budgets("attack"), describe_budgets("whole")
    ('280, 2,000 or 10,000', '7,280, 19,200 or 77,400')
    """
    passes = {
        "attack": [budget.passes for budget in BUDGETS.values()],
        "estimate": [budget.estimate for budget in BUDGETS.values()],
        "audit": [audit_passes(name) for name in BUDGETS],
        "whole": [_whole(budget) for budget in BUDGETS.values()],
        "seconds": [round(budget.seconds) for budget in BUDGETS.values()],
    }
    *others, last = [f"{count:,}" for count in passes[part]]
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
    return _number(budget) or BUDGETS[str(budget)].passes


def estimate_passes(budget: str | int) -> int:
    """How many passes, forward and backward together, a budget gives the estimate of one input.

    Args:
        budget: A name of `BUDGETS`, or a number of passes.

    Returns:
        The passes.

    Raises:
        InputError: If there is no such budget.

    >>> estimate_passes("quick"), estimate_passes(4000)
    (3600, 4000)
    """
    return _number(budget) or BUDGETS[str(budget)].estimate


def certificate_seconds(budget: str | int) -> float:
    """How long the certificate of one input may take in a bracket.

    A number of passes gives the seconds of the smallest budget that has as many, or those of the largest.

    Args:
        budget: A name of `BUDGETS`, or a number of passes.

    Returns:
        The seconds.

    Raises:
        InputError: If there is no such budget.

    >>> certificate_seconds("quick"), certificate_seconds(10_000), certificate_seconds(10**6)
    (5.0, 20.0, 60.0)
    """
    passes = _number(budget)
    if passes is None:
        return BUDGETS[str(budget)].seconds
    enough = [one.seconds for one in BUDGETS.values() if _whole(one) >= passes]
    return enough[0] if enough else max(one.seconds for one in BUDGETS.values())


def whole_passes(budget: str | int) -> int:
    """About how many passes a bracket costs: attack, estimate and audit.

    Args:
        budget: A name of `BUDGETS`, or a number of passes.

    Returns:
        The passes.

    Raises:
        InputError: If there is no such budget.

    >>> whole_passes("quick"), whole_passes(2000)
    (7280, 2000)
    """
    return _number(budget) or _whole(BUDGETS[str(budget)])


def masked_passes(budget: str | int) -> int:
    """About how many passes a bracket costs where gradients are masked.

    >>> masked_passes("quick"), masked_passes(2000)
    (34880, 10000)
    """
    short = share_of_bracket(budget)[2]
    return whole_passes(budget) + (MASKED_SHORT_AUDIT if short else MASKED_AUDIT) - _checks(short)


def _whole(budget: Budget) -> int:
    """The passes of a bracket: attack, estimate and audit."""
    return budget.passes + budget.estimate + AUDIT_PASSES


def share_of_bracket(budget: str | int) -> tuple[str | int, int, bool]:
    """How a bracket's budget is shared out: what `attack` is asked for, the passes of the estimate, the audit's length.

    What is left of a number of passes is the audit's: `AUDIT_PASSES`, or `SHORT_AUDIT_PASSES` below `WHOLE_AUDIT`.

    Args:
        budget: A name of `BUDGETS`, or a number of passes for attack, estimate and audit together.

    Returns:
        The attack's budget, the estimate's, and whether the audit is the short one.

    Raises:
        InputError: If there is no such budget, or it is too small to be shared out.

    >>> share_of_bracket("quick"), share_of_bracket(10_000), share_of_bracket(2000)
    (('quick', 3600, False), (1000, 5600, False), (280, 720, True))
    """
    passes = _number(budget)
    if passes is None:
        return budget, estimate_passes(budget), False
    if passes < LEAST_BRACKET:
        raise InputError(f"budget: expected at least {LEAST_BRACKET:,} passes for a bracket, got {passes}")
    attack, short = max(round(ATTACK_SHARE * passes), LEAST_ATTACK), passes < WHOLE_AUDIT
    return attack, passes - attack - _checks(short), short


def share_of_audit(budget: str | int) -> tuple[str | int, int, bool]:
    """How the budget of an audit is shared out that asks for its own attack and estimate.

    Below `WHOLE_AUDIT` its checks are the short ones. Of a number of passes the attack gets what the others leave.

    Args:
        budget: A name of `BUDGETS`, or a number of passes for attack, estimate and checks together.

    Returns:
        What `attack` is asked for, the passes of the estimate, and whether the checks are the short ones.

    Raises:
        InputError: If there is no such budget, or it is too small to be shared out.

    >>> share_of_audit("quick"), share_of_audit("standard"), share_of_audit(10_000), share_of_audit(2000)
    (('quick', 1500, True), ('standard', 1500, False), (5100, 1500, False), (280, 720, True))
    """
    passes = _number(budget)
    if passes is None:
        return budget, AUDIT_ESTIMATE, passes_of(budget) + AUDIT_ESTIMATE + AUDIT_PASSES < WHOLE_AUDIT
    if passes < LEAST_AUDIT:
        raise InputError(f"budget: expected at least {LEAST_AUDIT:,} passes for an audit, got {passes}")
    short = passes < WHOLE_AUDIT
    left = passes - _checks(short)
    estimate = min(AUDIT_ESTIMATE, left - LEAST_ATTACK)
    return left - estimate, estimate, short


def audit_passes(budget: str | int) -> int:
    """About how many passes an audit costs that asks for its own attack and estimate.

    Args:
        budget: A name of `BUDGETS`, or a number of passes.

    Returns:
        The passes.

    Raises:
        InputError: If there is no such budget, or it is too small to be shared out.

    >>> audit_passes("quick"), audit_passes("standard"), audit_passes(3000)
    (2780, 6900, 3000)
    """
    attack, estimate, short = share_of_audit(budget)
    return passes_of(attack) + estimate + _checks(short)


def masked_audit_passes(budget: str | int) -> int:
    """About how many passes such an audit costs where gradients are masked.

    >>> masked_audit_passes("quick"), masked_audit_passes("standard")
    (10780, 34500)
    """
    short = share_of_audit(budget)[2]
    return audit_passes(budget) + (MASKED_SHORT_AUDIT if short else MASKED_AUDIT) - _checks(short)


def _checks(short: bool) -> int:
    """The passes of an audit's own checks."""
    return SHORT_AUDIT_PASSES if short else AUDIT_PASSES


def _number(budget: str | int) -> int | None:
    """The number of passes that a budget is; `None` for a name of the table."""  # noqa: DOC501
    if isinstance(budget, int) and not isinstance(budget, bool) and budget > 0:
        return budget
    if not isinstance(budget, str) or budget not in BUDGETS:
        raise InputError(f"budget: expected one of {', '.join(BUDGETS)} or a number of passes, got {budget!r}")
    return None
