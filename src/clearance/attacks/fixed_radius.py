"""Witnesses within one radius: an input that has one is done, and what is left of the budget goes to the others."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from clearance.attacks.apgd import step_control
from clearance.attacks.ddn import ddn
from clearance.attacks.fast_minimum_norm import fast_minimum_norm
from clearance.attacks.goals import margin
from clearance.attacks.pdpgd import pdpgd
from clearance.attacks.radius_stages import MINIMUM, ROUND, Stage, minimum_for, sequence
from clearance.attacks.result import AttackResult, misclassified
from clearance.attacks.square import PatchSearch
from clearance.attacks.steps import into_ball
from clearance.attacks.survivors import ONE_EVALUATION, ONE_LOOK, Survivors, check_radius
from clearance.attacks.table import ATTACKS, ENSEMBLE
from clearance.errors import InputError
from clearance.model.budgets import passes_of
from clearance.model.cost import Cost
from clearance.model.inputs import CheckedInputs
from clearance.model.progress import unfollowed

GROUP = 256
"""Inputs that are attacked together: few enough that the state of a search over images fits the memory."""
START_LENGTH = 10.0
"""Length of the Gaussian noise of a random start, in radii: projected onto the ball it is a corner in most coordinates
(`p = inf`), a direction (`p = 2`), a few coordinates (`p = 1`)."""
WIDER = (3.0, 2.0, 1.0)
"""Radii of a run that starts in wider balls, in units of the radius, a third of the iterations in each: those of
AutoAttack's runs in `l_1` (Croce and Hein 2021, "Mind the box")."""
FAR_STEPS = 8
"""Steps of the descent that a method of minimum distance starts from: enough to get far beyond the boundary."""


def passes_within(radius: float, norm: float, method: str, budget: str | int) -> int:
    """The most forward and backward passes together that an input may cost at one radius; the choices are checked.

    Source: this project.

    Args:
        radius: The radius in input units.
        norm: The norm `p`.
        method: `"best"`: the sequence of this file is no single method.
        budget: A name of `model.budgets.BUDGETS`, or a number of passes.

    Returns:
        The passes.

    Raises:
        InputError: If the radius or the budget cannot be used, the norm is 0, or the method is a single one.

    >>> passes_within(8 / 255, 2.0, "best", "standard")
    2000
    """
    check_radius(radius)
    if norm == 0:
        raise InputError("norm: expected p >= 1 with a radius, got 0")
    if method != ENSEMBLE:
        raise InputError(f"method: expected {ENSEMBLE!r} with a radius, got {method!r}")
    return passes_of(budget)


def attack_within(
    inputs: CheckedInputs,
    radius: float,
    passes: int,
    started: Cost | None = None,
    advance: Callable[[int], None] = unfollowed,
) -> list[AttackResult]:
    """A witness within the radius for each input that the attacks can break, by no more than so many passes each.

    One sequence of attacks serves every budget, which decides where it is cut off: a larger budget begins with what a
    smaller one does. It is ordered by what breaks most inputs per pass (`attacks.radius_stages`): Auto-PGD on three
    losses, a method of minimum distance, random search without gradients. An input leaves at its first witness, which
    is one if a forward pass of it alone says so; the others go on in a smaller batch. Source: this project, after
    AutoAttack (Croce and Hein 2020).

    What is exact: the same inputs in the same order give the same bits. An input alone, or beside others, has the same
    random numbers and the same confirmation, a pass of its own; but a network may round differently in a batch of
    another size, and batches shrink as inputs are broken, so that another witness, or none, may be found.

    Args:
        inputs: The inputs, `(batch, *input)`.
        radius: The radius in input units, >= 0.
        passes: The most forward and backward passes together that one input may cost, its own prediction included.
        started: What the classifier's meter read when the time began to count; `None`: now.
        advance: Called with how many more inputs are done, after each group.

    Returns:
        One result per input, in order, with the passes that were spent on that input. The distance of a witness is at
        most the radius; it is any witness, not the nearest.

    Raises:
        InputError: If the radius cannot be used.
    """
    radius, meter = check_radius(radius), inputs.model.meter
    started, judged = meter.read() if started is None else started, inputs.judged
    results = [misclassified(own) for own in inputs.predicted]
    with inputs.model.frozen():
        for rows in inputs.groups(judged, GROUP):
            pool = Survivors(inputs.rows(rows), radius, passes)
            if radius > 0:
                _search(pool)
            seconds, started = meter.since(started).seconds / len(rows), meter.read()
            for place, row in enumerate(rows):
                results[row] = pool.result(place, seconds)
            advance(len(rows))
    return results


def _search(pool: Survivors) -> None:
    """Stage after stage, until every input is broken or has spent its passes, or no stage has use for what is left."""
    idle = 0
    for number, stage in enumerate(sequence(pool.norm)):
        if len(pool.open(ONE_LOOK)) == 0 or idle > ROUND:
            return
        before = int(pool.left.sum())
        if stage.rank == 0:
            pool.rank_classes()
        _RUNS.get(stage.method, _descend)(pool, stage, number)
        idle = idle + 1 if int(pool.left.sum()) == before else 0


def _descend(pool: Survivors, stage: Stage, number: int) -> None:
    """Auto-PGD, in one ball or in wider ones first; where the stage names no loss, with the best one of each input."""
    shares = WIDER if stage.wider else (1.0,)
    for loss, begun in pool.by_loss(pool.open(ONE_EVALUATION), stage.loss):
        rows, points = begun, _start(pool, begun, stage, number, shares[0] * pool.radius)
        for share in shares:
            steps = stage.steps // len(shares)
            rows, points = _descend_in_ball(pool, rows, points, share * pool.radius, steps, loss, stage.rank)


def _descend_in_ball(
    pool: Survivors, rows: Tensor, points: Tensor, radius: float, steps: int, loss: str, rank: int | None
) -> tuple[Tensor, Tensor]:
    """Auto-PGD in balls of one radius, from points `(rows, *input)`: which inputs are left, and their best points."""
    if len(rows) == 0:
        return rows, points
    model, norm, x, radii = pool.model, pool.norm, pool.x[rows], pool.x.new_full((len(rows),), radius)
    search = step_control(x, into_ball(model, x, points, norm, radii), norm, radii, steps)
    for step in range(steps):
        kept = pool.still_open(rows, ONE_EVALUATION)
        if len(kept) == 0:
            break
        if len(kept) < len(rows):
            rows, radii = rows[kept], radii[kept]
            search.keep(kept)
        search.learn(step, pool.evaluate(rows, search.points, loss, pool.aim(rows, rank)))
        search.move(model, pool.x[rows], norm, radii)
    kept = pool.still_open(rows, ONE_EVALUATION)
    return rows[kept], search.best[kept]


def _start(pool: Survivors, rows: Tensor, stage: Stage, number: int, radius: float) -> Tensor:
    """The inputs, or Gaussian noise far beyond balls of a radius, for a projection to bring back: `(rows, *input)`."""
    x = pool.x[rows]
    if stage.at_input or len(rows) == 0:
        return x
    spread = START_LENGTH * radius / pool.x[0].numel() ** (1 / pool.norm)
    return x + spread * pool.streams(rows, "start", number).gaussian(*pool.x.shape[1:])


def _patch(pool: Survivors, stage: Stage, number: int) -> None:
    """Random search with square patches; nothing where the norm has none."""
    if not ATTACKS[stage.method].is_for(pool.norm):
        return
    rows = pool.open(ONE_LOOK)
    if len(rows) == 0:
        return
    streams, radii = pool.streams(rows, "square", number), pool.radii(rows)
    search = PatchSearch(pool.model, pool.x[rows], norm=pool.norm, radius=radii, steps=stage.steps, streams=streams)
    for _ in range(stage.steps + 1):
        kept = pool.still_open(rows, ONE_LOOK)
        if len(kept) == 0:
            return
        if len(kept) < len(rows):
            rows = rows[kept]
            search.keep(kept)
        search.learn(margin(pool.look(rows, search.tried, stage.method), pool.goal.rows(rows)))


def _minimise(pool: Survivors, stage: Stage, number: int) -> None:
    """A method of minimum distance, from far beyond the boundary: all of its iterations, or as many as are left."""
    rows = pool.open(ONE_EVALUATION)
    points = _start(pool, rows, stage, number, pool.radius)
    rows, points = _descend_in_ball(pool, rows, points, pool.far_radius, FAR_STEPS, "cross_entropy", None)
    if len(rows) == 0:
        return
    steps = min(stage.steps, int(pool.left[rows].min() - 1) // 2)
    method, x, goal, aim = minimum_for(pool.norm), pool.x[rows], pool.goal.rows(rows), pool.aim(rows, stage.rank)
    if method == "fast_minimum_norm":
        found = fast_minimum_norm(pool.model, x, goal, norm=pool.norm, steps=steps, aim=aim, start=points)
    else:
        found = {"ddn": ddn, "pdpgd": pdpgd}[method](pool.model, x, goal, steps=steps, aim=aim, start=points)
    pool.count(rows, steps, steps)
    pool.offer(rows, found.adversarial, found.success, method)


_RUNS = {"square": _patch, MINIMUM: _minimise}
"""How a stage is carried out, where it is not a descent."""
