"""How many points and steps the checks of an audit spend on an input: in full, or in short for a small budget."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Effort:
    """What the checks of one input spend. Source: this project.

    Attributes:
        first_strata: Strata of a path integral in its first round; two gradients each.
        open_strata: And where it stops if nothing speaks against the gradients, though they do not settle it.
        most_strata: And in its last.
        shorter: Lengths of the shorter segments, as shares of the ball's radius.
        random_directions: Segments in random directions.
        centres: Pairs of neighbouring gradients.
        trace_steps: Steps of the gradient descents.
        trace_radii: Their balls, in distances of the nearest known witness.
        restarts: Descents from random points that must fail as well, before the largest ball counts as lost.
        blind_rounds: Rounds of the attack without gradients.
        blind_steps: Its steps.
        lines: How many references are walked to, the nearest first.
        at_once: How many references are predicted in one batch to find them.
        groups: Into how many groups of coordinates a witness is split that gives back what it does not need.
        bisected: How many witnesses on the ray down the gradient are bisected, the nearest first.
    """

    first_strata: int = 8
    open_strata: int = 64
    most_strata: int = 256
    shorter: tuple[float, ...] = (1 / 4, 1 / 16)
    random_directions: int = 2
    centres: int = 24
    trace_steps: int = 40
    trace_radii: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0)
    restarts: int = 3
    blind_rounds: int = 6
    blind_steps: int = 60
    lines: int = 16
    at_once: int = 64
    groups: tuple[int, ...] = (8, 32, 64)
    bisected: int = 24


FULL = Effort()
"""The audit as it is documented: about `model.budgets.AUDIT_PASSES` passes."""
SHORT = Effort(
    open_strata=16,
    most_strata=128,
    shorter=(1 / 8,),
    random_directions=1,
    centres=8,
    trace_steps=20,
    trace_radii=(1.0, 4.0),
    blind_rounds=3,
    blind_steps=30,
    lines=2,
    at_once=16,
    groups=(8,),
    bisected=1,
)
"""The same checks in about `model.budgets.SHORT_AUDIT_PASSES` passes."""
