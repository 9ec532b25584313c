"""Checks on how attacks fare: what they cannot do where a witness is known, and which of them is nearer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from clearance.attacks.bisect_radius import bisect_radius
from clearance.attacks.given import GIVEN
from clearance.attacks.goals import Goal, soft_margin
from clearance.attacks.passes import Streams, evaluate, look
from clearance.attacks.result import AttackResult, Witnesses
from clearance.attacks.schedule import cosine
from clearance.attacks.segments import bisect_segments
from clearance.attacks.square import square
from clearance.attacks.steps import descent, into_ball, random_points
from clearance.attacks.table import ATTACKS
from clearance.audit.case import Case, Ledger, ratio, threshold
from clearance.audit.effort import FULL, Effort
from clearance.audit.record import Severity
from clearance.audit.references import SPARSE_BELOW, repeat
from clearance.geometry.norms import expand, steepest
from clearance.model.classifier import Classifier
from clearance.model.inputs import CheckedInputs
from clearance.model.space import are_uneven, moving_widths

FIRST_STEP = 0.2
"""Length of their first step, in radii; later ones fall to 0 along a cosine."""
BACK_AGAIN = 0.01
"""A descent has left the witness that it met when its last margin is above this share of its first."""
BLIND_NORMS = (2.0, math.inf)
"""Norms that the square attack knows."""
LINE_POINTS, LINE_RANGE = 24, (0.25, 64.0)
"""How many lengths of the single step are tried, and between which, in radii of the ball."""
LINE_HALVINGS = 8
"""Halvings of the segment back to the input from the nearest witness of the line."""


def attack_blindly(inputs: CheckedInputs, goal: Goal, *, first: Tensor, effort: Effort = FULL) -> Witnesses:
    """The nearest witnesses that random search finds: no gradient is used.

    Square attack (Andriushchenko et al. 2020) inside a bisection of the radius, for `p = 2` and infinity; for other
    norms uniform points of balls of growing radius.

    Args:
        inputs: The inputs.
        goal: Where each input has to go.
        first: First radius of each input, `(batch,)`.
        effort: How many rounds and steps.

    Returns:
        The witnesses.
    """
    model, x, norm, seed, keys = inputs.model, inputs.x, inputs.norm, inputs.seed, inputs.keys

    def patches(epsilon: Tensor, _start: Tensor) -> Witnesses:
        return square(model, x, goal, norm=norm, epsilon=epsilon, steps=effort.blind_steps, seed=seed, keys=keys)

    def points(epsilon: Tensor, _start: Tensor) -> Witnesses:
        found, streams = Witnesses(x, norm), Streams(x, seed, "blind", keys=keys)
        for _ in range(effort.blind_steps):
            tried = model.clip(x + random_points(x, streams, norm, epsilon))
            found.offer(tried, goal.reached(look(model, tried)))
        return found

    search = patches if norm in BLIND_NORMS else points
    found = bisect_radius(search, x, norm=norm, first=first, rounds=effort.blind_rounds)
    return bisect_segments(model, goal, found, steps=LINE_HALVINGS)


@dataclass(frozen=True)
class Distances:
    """The distance of the nearest witness of each kind of attack on one input; infinite where it finds none.

    Source: this project.

    Attributes:
        methods: Iterative methods along gradients, by name.
        best: The smallest of all methods along gradients, iterative or not.
        blind: An attack without gradients.
        lines: The way to inputs of other classes (`audit.references`).
        lost: How many iterative methods found nothing at any distance, with the passes that they were given.
    """

    methods: Mapping[str, float]
    best: float
    blind: float
    lines: float = math.inf
    lost: int = 0

    @property
    def iterative(self) -> float:
        """The smallest of the iterative methods."""
        return min(self.methods.values(), default=math.inf)

    @property
    def nearest(self) -> float:
        """The smallest of all."""
        return min(self.iterative, self.blind, self.lines)


def distances(results: Sequence[AttackResult], blind: float, lines: float = math.inf) -> Distances:
    """Sort the distances of one ensemble or of several; a witness of the blind kind in it counts as blind.

    Source: this project.
    """
    best: dict[str, float] = {}
    for name, found in ((name, found) for one in results for name, found in one.distances.items()):
        best[name] = min(found, best.get(name, math.inf))
    blind = min(blind, best.pop("square", math.inf))
    best.pop(GIVEN, None)  # a caller's own witness says nothing of gradients
    methods = {name: found for name, found in best.items() if name in ATTACKS and ATTACKS[name].iterative}
    lost = {name for one in results for name, found in one.distances.items() if name in methods and math.isinf(found)}
    return Distances(methods, min(best.values(), default=math.inf), blind, lines, len(lost))


def check_attacks(case: Case, ledger: Ledger, found: Distances) -> Witnesses:
    """Raise `unbounded_fails`, `attack_spread`, `reference_wins`, `blind_wins`, `one_step_wins`; then trace descents.

    Ratios of distances are held against the thresholds of `audit.flags.CHECKS`: the largest over the smallest iterative
    one, that of the way to another class, of an attack without gradients and of a single step over it (Athalye,
    Carlini and Wagner 2018, section 3.1; Carlini et al. 2019, section 4; Brendel et al. 2018).

    Args:
        case: The input.
        ledger: Where flags go.
        found: Distances of the attacks that were run already.

    Returns:
        The nearest witness on the ray down the gradient.
    """
    best = found.iterative
    gradient = min(best, found.best)
    if math.isinf(best):
        ledger.raise_flag("unbounded_fails", Severity.WARNING, blind_distance=found.blind)
    else:
        worst = max(found.methods.values())
        spread = ratio(worst, best)
        ledger.measured["attack_spread"] = spread
        if spread >= threshold("attack_spread"):
            ledger.raise_flag("attack_spread", Severity.WARNING, smallest=best, largest=worst)
    if math.isfinite(found.lines):
        _judge_lines(case, ledger, found)
    _compare(ledger, "blind_wins", found.blind, gradient)
    ray = _one_step(case)
    _compare(ledger, "one_step_wins", float(ray.distance[0]), best)
    _check_traces(case, ledger, min(found.nearest, float(ray.distance[0])))
    return ray


def _judge_lines(case: Case, ledger: Ledger, found: Distances) -> None:
    """`reference_wins`: the way to another class is nearer, or an attack misses at any distance what lies on it."""
    share = ratio(found.lines, found.best)
    lost = found.lost if case.norm >= SPARSE_BELOW and not _uneven(case) else 0
    ledger.measured["reference_wins"] = share
    if share < threshold("reference_wins") or lost:
        evidence = {
            "reference_distance": found.lines,
            "gradient_distance": found.best,
            "methods_without_witness": float(lost),
        }
        ledger.raise_flag("reference_wins", Severity.WARNING, **evidence)


def _uneven(case: Case) -> bool:
    """Whether an attack may be lost because ranges are so unlike: that says nothing of gradients."""
    bounds = case.model.bounds
    return bounds is not None and are_uneven(moving_widths(bounds, case.model.fixed, case.x0.shape))


def _compare(ledger: Ledger, code: str, other: float, best: float) -> None:
    """Whether a weaker kind of attack is nearer than the iterative ones."""
    share = ratio(other, best)
    ledger.measured[code] = share
    if share < threshold(code):
        name = code.removesuffix("_wins")
        ledger.raise_flag(code, Severity.WARNING, **{f"{name}_distance": other}, gradient_distance=best)


def _one_step(case: Case) -> Witnesses:
    """The nearest witness on the ray along the steepest direction at the input (a line search)."""
    x = case.x0[None]
    gradient = evaluate(case.model, x, case.goal, loss=soft_margin).gradient
    low, high = (math.log(edge * case.reach) for edge in LINE_RANGE)
    lengths = torch.linspace(low, high, LINE_POINTS, dtype=x.dtype, device=x.device).exp()
    points = case.model.clip(x - expand(lengths, x) * steepest(gradient, case.norm))
    goal = repeat(case.goal, LINE_POINTS)
    line = Witnesses(x.expand_as(points), case.norm)
    line.offer(points, goal.reached(look(case.model, points)))
    kept = line.distance.argsort(stable=True)[: case.effort.bisected]  # on a rough ray the nearest may not stay so
    some = Witnesses(x.expand(len(kept), *x.shape[1:]), case.norm)
    some.offer(line.adversarial[kept], line.success[kept])
    some = bisect_segments(case.model, repeat(case.goal, len(kept)), some, steps=LINE_HALVINGS)
    nearest, best = Witnesses(x, case.norm), int(some.distance.argmin())
    nearest.offer(some.adversarial[best : best + 1], some.success[best : best + 1])
    return nearest


@dataclass(frozen=True)
class Traces:
    """Plain gradient descents side by side, one for each radius.

    Source: this project.

    Attributes:
        radii: `(k,)`.
        margins: Margin of each iterate, `(k, steps + 1)`.
        reached: Whether it was adversarial, `(k, steps + 1)`.
    """

    radii: Tensor
    margins: Tensor
    reached: Tensor


def trace(model: Classifier, starts: Tensor, case: Case, *, radii: Tensor) -> Traces:
    """Projected gradient descent of the margin in balls of several radii, with every iterate on record.

    `x_{k+1} = P(x_k - a_k r d_k)`, `d_k` the steepest direction of unit `l_p` norm and `a_k` falling to 0 along a
    cosine (Madry et al. 2018, section 2.1, with the margin as loss).

    Args:
        model: The classifier.
        starts: Where each begins, `(k, *input)`.
        case: The input, what counts as a witness, and the class whose margin is lowered.
        radii: `(k,)`.

    Returns:
        The traces. Cost: `k (n + 1)` forward and `k n` backward passes for the `n` steps of the case's effort.
    """
    steps = case.effort.trace_steps
    x, points = case.x0.expand_as(starts), starts
    goal = repeat(case.goal, len(radii))
    aim = goal.to_class(torch.full_like(goal.source, case.target))
    margins, reached = [], []
    for step in range(steps + 1):
        seen = evaluate(model, points, goal, aim=aim)
        margins.append(seen.margin)
        reached.append(seen.reached)
        if step < steps:
            length = expand(cosine(FIRST_STEP, 0.0, step, steps) * radii, x)
            ahead = points - length * descent(model, points, seen.gradient, case.norm)
            points = into_ball(model, x, ahead, case.norm, radii)
    return Traces(radii, torch.stack(margins, 1), torch.stack(reached, 1))


def _check_traces(case: Case, ledger: Ledger, nearest: float) -> None:
    """Balls that hold a witness and are lost all the same; descents cut short; witnesses passed by."""
    base = nearest if math.isfinite(nearest) else case.reach
    radii = base * torch.tensor(case.effort.trace_radii, dtype=case.x0.dtype, device=case.x0.device)
    traces = trace(case.model, case.x0.expand(len(radii), *case.x0.shape), case, radii=radii)
    judge_descents(ledger, traces)
    won = bool(traces.reached[-1].any()) or _try_again(case, radii[-1:].expand(case.effort.restarts))
    judge_success(ledger, float(radii[-1]), won, nearest)


def _try_again(case: Case, radii: Tensor) -> bool:
    """Whether a descent from any of several random points of the ball meets a witness."""
    x = case.x0.expand(len(radii), *case.x0.shape)
    shift = case.shifts("restarts", len(radii), float(radii[0]))
    return bool(trace(case.model, case.model.clip(x + shift), case, radii=radii).reached.any())


def judge_success(ledger: Ledger, radius: float, won: bool, nearest: float) -> None:
    """Raise `budget`: gradient descent fails in a ball of radius `4 d`, `d` the distance of a known witness.

    Source: success must rise to 100 % with the budget (Carlini et al. 2019, section 4).
    """
    known = radius >= threshold("budget") * nearest * (1 - 1e-6)
    ledger.measured["budget"] = float(known and not won)
    if known and not won:
        ledger.raise_flag("budget", Severity.WARNING, radius=radius, witness_distance=nearest)


def judge_descents(ledger: Ledger, traces: Traces) -> None:
    """Raise `incomplete` (of descents that failed although they fell) and `silent_success`.

    `incomplete` is the share of a descent's whole fall that its last quarter brought,
    `(g_{3n/4} - g_n) / (g_0 - min_k g_k)`; both are failures of Pintor et al. (2022, section 3).
    """
    lost = ~traces.reached.any(1)
    start, last = traces.margins[:, 0], traces.margins[:, -1]
    late = traces.margins[:, -1 - (traces.margins.shape[1] - 1) // 4] - last
    whole = start - traces.margins.amin(1)
    share = torch.where(lost & late.isfinite() & (whole > 0), late / whole, 0.0).clamp(0.0, 1.0)
    worst = int(share.argmax())
    ledger.measured["incomplete"] = float(share[worst])
    if float(share[worst]) >= threshold("incomplete"):
        ledger.raise_flag("incomplete", Severity.INFO, share=float(share[worst]), radius=float(traces.radii[worst]))
    passed = traces.reached.any(1) & ~traces.reached[:, -1] & (last > BACK_AGAIN * start)
    if bool(passed.any()):
        ledger.raise_flag("silent_success", Severity.INFO, radius=float(traces.radii[passed.nonzero()[0, 0]]))
