"""The runs of each norm's ensemble, in order: what was measured to find the nearest witnesses per pass."""

from __future__ import annotations

import math
from dataclasses import replace

from clearance.attacks.task import AttackRun


def _side_by_side(run: AttackRun, *leads: AttackRun) -> tuple[AttackRun, ...]:
    """The same run from each start and towards each class of some leads."""
    return tuple(replace(lead, method=run.method, steps=run.steps, rounds=run.rounds, walk=run.walk) for lead in leads)


def _refined(steps: int, count: int, walk: int) -> tuple[AttackRun, ...]:
    """Short steps from the nearest witnesses of `count` runs, each with a walk at its end."""
    return _side_by_side(AttackRun("refine", steps, walk=walk), *map(_lead, range(count)))


def _lead(rank: int | None = None, restart: int = 0, inward: int | None = None) -> AttackRun:
    """A start and a class; `inward` is `None` for a start that is not deep."""
    return AttackRun("", 0, rank=rank, restart=restart, deep=inward is not None, inward=inward or 0)


def _regions(starts: int, restart: int = 0) -> AttackRun:
    """Walks between linear regions from some starts."""
    return AttackRun("cutting_planes", 6, rounds=starts, restart=restart)


_LINEAR = AttackRun("linear_steps", 3)
"""A step to each of the classes that are nearest in the linearised model: all that a linear classifier needs."""
_MISSING = AttackRun("box_points", 16)
"""Points all over the bounds, for inputs that the runs before it found no witness for."""
_STILL_MISSING = AttackRun("box_points", 32, rounds=13, restart=1)
"""The same with gradient steps from each of them."""
_LAST_MISSING = AttackRun("box_points", 64, rounds=25, restart=2)
"""The same from more points."""
_QUICK = {
    0.0: (AttackRun("sigma_zero", 70), AttackRun("sigma_zero", 40, restart=1)),
    1.0: (
        _LINEAR,
        AttackRun("fast_minimum_norm", 16, walk=4),
        AttackRun("fast_minimum_norm", 1, deep=True, inward=12, walk=4),
        _MISSING,
        _regions(4),
        AttackRun("refine", 32, walk=5),
    ),
    2.0: (
        _LINEAR,
        AttackRun("fast_minimum_norm", 16, walk=4),
        AttackRun("ddn", 12, deep=True, walk=4),
        _MISSING,
        _regions(4),
        AttackRun("refine", 30, walk=5),
    ),
    math.inf: (
        _LINEAR,
        AttackRun("fast_minimum_norm", 20, walk=2),
        AttackRun("apgd", 7, rounds=5, walk=2),
        _MISSING,
        _regions(4),
        AttackRun("refine", 26, walk=3),
    ),
}
"""The smallest ensemble of each norm (that of infinity serves every other `p`): a short run from the input, one from
far beyond the boundary or with a radius that is bisected, both followed by a walk along the boundary, a few walks
between linear regions, and a longer run with short steps from the nearest of their witnesses. The walks along the
boundary tell which valley is the nearer one: before them the witness of a short run may be several times as far as the
valley's nearest point. Those between regions start elsewhere: on tables with narrow bounds the valley that both runs
lead to may be several times as far as another one."""
_STANDARD = {
    0.0: (
        AttackRun("sigma_zero", 150),
        AttackRun("sigma_zero", 100, rank=0, restart=1),
        AttackRun("sigma_zero", 100, restart=2),
        AttackRun("sigma_zero", 100, rank=1, restart=2),
        AttackRun("sigma_zero", 100, restart=3),
        AttackRun("sigma_zero", 100, rank=0, restart=4),
    ),
    1.0: (
        AttackRun("pdpgd", 40, walk=4),
        *_side_by_side(
            AttackRun("fast_minimum_norm", 60, walk=5),
            *(_lead(inward=30), _lead(restart=2, inward=30), _lead(0, inward=30)),
            *(_lead(0), _lead(restart=1)),
        ),
        *_refined(60, 2, walk=5),
        _regions(22),
        _STILL_MISSING,
        *_refined(20, 1, walk=4),
    ),
    2.0: (
        *_side_by_side(
            AttackRun("ddn", 48, walk=5),
            *(_lead(), _lead(0), _lead(1), _lead(restart=1)),
            *(_lead(0, inward=0), _lead(1, inward=0), _lead(restart=1, inward=0), _lead(restart=3, inward=0)),
        ),
        *_refined(60, 3, walk=5),
        _regions(14),
        _STILL_MISSING,
        *_refined(20, 1, walk=4),
    ),
    math.inf: (
        *_side_by_side(AttackRun("apgd", 10, rounds=6, walk=2), _lead(0), _lead(1)),
        AttackRun("apgd", 10, rounds=6, walk=2),
        *_side_by_side(
            AttackRun("fast_minimum_norm", 60, walk=3),
            *(_lead(), _lead(0), _lead(inward=0), _lead(restart=1, inward=0)),
        ),
        *_refined(60, 3, walk=3),
        _regions(20),
        _STILL_MISSING,
        *_refined(36, 1, walk=4),
    ),
}
"""What the standard budget adds: longer runs, more starts, a second method, single target classes, walks along the
boundary and between linear regions, and short steps from the nearest witness of several runs."""


def levels(norm: float) -> tuple[tuple[AttackRun, ...], ...]:
    """What each budget, from the smallest on, adds to the one below it.

    Source: this project (measured: docs/attacks.md).

    Args:
        norm: The norm `p`, or 0.

    Returns:
        One tuple of runs for each name of `model.budgets.BUDGETS`.

    >>> [run.method for run in levels(2.0)[0]]
    ['linear_steps', 'fast_minimum_norm', 'ddn', 'box_points', 'cutting_planes', 'refine']
    """
    key = norm if norm in _QUICK else math.inf
    return _QUICK[key], _STANDARD[key], _thorough(norm)


def _thorough(norm: float) -> tuple[AttackRun, ...]:
    """More starts and classes with longer runs, a second and a third method, and one without gradients."""
    if norm == 0:
        return tuple(AttackRun("sigma_zero", 200, rank=(None, 0, 1, 2)[k % 4], restart=k + 5) for k in range(18))
    starts = [_lead(restart=restart, inward=0) for restart in range(5, 9)]
    classes = [_lead(rank, inward=0) for rank in range(1, 5)]
    last = _regions(50, restart=1), _LAST_MISSING, *_refined(100, 2, walk=20)
    if norm == 1:
        starts, classes = ([replace(lead, inward=60) for lead in leads] for leads in (starts, classes))
        return (
            *_side_by_side(AttackRun("fast_minimum_norm", 110, walk=8), *starts),
            *_side_by_side(AttackRun("pdpgd", 140, walk=8), *starts[:2], _lead(0), _lead(1)),
            *_side_by_side(AttackRun("fast_minimum_norm", 110, walk=8), *classes, _lead(1), _lead(2)),
            AttackRun("elastic_net", 50, rounds=8),
            *_refined(140, 5, walk=8),
            *last,
        )
    if norm == 2:
        return (
            *_side_by_side(AttackRun("ddn", 220, walk=4), *starts),
            *_side_by_side(AttackRun("fast_minimum_norm", 220, walk=4), _lead(), starts[0], classes[0]),
            *_side_by_side(AttackRun("ddn", 220, walk=4), *classes, _lead(2), _lead(3)),
            AttackRun("carlini_wagner", 60, rounds=6),
            AttackRun("square", 100, rounds=5),
            *_refined(100, 3, walk=4),
            *last,
        )
    return (
        *_side_by_side(AttackRun("apgd", 25, rounds=8, walk=4), *map(_lead, range(4))),
        AttackRun("apgd", 40, rounds=8, walk=4),
        *_side_by_side(AttackRun("fast_minimum_norm", 110, walk=6), *starts, *classes, _lead(0), _lead(1)),
        *((AttackRun("square", 100, rounds=8),) if math.isinf(norm) else ()),
        *_refined(140, 5, walk=6),
        *last,
    )
