"""Which attacks are tried within one radius: one sequence of stages for every budget, which is where it is cut off."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain, cycle

MINIMUM = "minimum"
"""The method of a stage that is the norm's own method of minimum distance (`minimum_for`)."""


@dataclass(frozen=True)
class Stage:
    """One part of the sequence of attacks, which an input leaves when it is broken or its passes are spent.

    Source: this project.

    Attributes:
        method: `"apgd"` or `"square"`; or `MINIMUM`, whose witness counts if it lies within the radius.
        steps: Iterations.
        loss: What Auto-PGD lowers: a name of `attacks.survivors.LOSSES`; `None`: for each input the one with which the
            stages before met the smallest margin.
        rank: Lead the loss to the wanted class of this rank; `None`: to any. Rank 0 ranks the classes anew, by the
            smallest margin that any pass before had against them.
        at_input: Start at the input, not at a random point of the ball.
        wider: Auto-PGD: start in wider balls.
    """

    method: str
    steps: int
    loss: str | None = None
    rank: int | None = None
    at_input: bool = False
    wider: bool = False


def _towards(steps: int, *ranks: int, wider: bool = False) -> tuple[Stage, ...]:
    """A run of Auto-PGD for each of these classes, with the targeted difference of logits."""
    return tuple(Stage("apgd", steps, loss="dlr", rank=rank, wider=wider) for rank in ranks)


_LOOK = Stage("apgd", 10, loss="cross_entropy", at_input=True)
"""A few steps from the input: most inputs that can be broken are broken here."""
_MARGIN = Stage("apgd", 29, loss="margin")
"""The third loss: with it each has been tried within the passes of the quick budget (`p = inf`)."""
_WIDE = Stage("apgd", 30, loss="cross_entropy", wider=True)
"""A short run through wider balls: one that is trapped is best begun again."""
_FAR = Stage(MINIMUM, 110)
"""A method of minimum distance, from far beyond the boundary."""
_PATCHES = Stage("square", 2500)
"""Random search, without gradients."""
_FIRST = {
    1.0: (
        replace(_LOOK, at_input=False),
        *(_WIDE, replace(_WIDE, loss="margin")) * 2,
        *_towards(30, 0, wider=True),
        *(_WIDE,) * 24,
    ),
    2.0: (
        _LOOK,
        replace(_FAR, at_input=True),
        *_towards(50, 0, 1, 2),
        _MARGIN,
        *(_FAR,) * 3,
        *(replace(_WIDE, loss=None),) * 2,
        _PATCHES,
    ),
    math.inf: (
        _LOOK,
        *_towards(50, 0, 1),
        _MARGIN,
        *_towards(50, 0, 1, 2),
        replace(_WIDE, loss=None),
        *_towards(50, 0, 1, 2),
        _PATCHES,
    ),
}
"""What every input gets, by norm, in the order of what breaks most per pass (docs/attacks.md): first come as many
passes as the quick budget has, then as the standard one. In `l_1` runs through wider balls find most, in `l_2` the
method of minimum distance, for `p = inf`, whose sequence serves every other `p`, targeted runs and random search."""
_AGAIN = (
    *_towards(100, *range(9)),
    *(Stage("apgd", 100), Stage("apgd", 99, wider=True)) * 3,
    *(replace(_FAR, rank=rank) for rank in range(3)),
    *(_FAR,) * 3,
    _PATCHES,
)
"""What comes next, over and over, from other random points."""
ROUND = len(_AGAIN)
"""Stages after which all of them have come up again: if none had a use for the passes left, none will."""


def sequence(norm: float) -> Iterator[Stage]:
    """The stages for a norm, without an end: a budget is where an input leaves it.

    Source: this project (measured: docs/attacks.md).

    >>> from itertools import islice
    >>> [stage.method for stage in islice(sequence(2.0), 3)]
    ['apgd', 'minimum', 'apgd']
    """
    return chain(_FIRST.get(norm, _FIRST[math.inf]), cycle(_AGAIN))


def minimum_for(norm: float) -> str:
    """The method of minimum distance that looks for a witness at one radius.

    Source: this project (measured: docs/attacks.md).

    >>> minimum_for(2.0), minimum_for(3.0)
    ('ddn', 'fast_minimum_norm')
    """
    return {1.0: "pdpgd", 2.0: "ddn"}.get(norm, "fast_minimum_norm")
