"""What a bracket asks of its parts: settings by budget, the attack, and the estimate that begins at its witness."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from torch import Tensor

from clearance.attacks.best import MOST_TOGETHER, attack_inputs
from clearance.attacks.ensembles import ensemble
from clearance.attacks.goals import goal_of
from clearance.attacks.passes import look
from clearance.attacks.result import AttackResult
from clearance.audit.effort import Effort
from clearance.audit.gradients import cut_off
from clearance.certificates import Certificate
from clearance.estimates.clever import iterate_scores
from clearance.estimates.judgement import without_number
from clearance.estimates.profile.search import Known
from clearance.estimates.scores import Score
from clearance.estimates.settings import Bound, Settings
from clearance.estimates.status import Status
from clearance.model.budgets import BUDGETS, PASSES_PER_GRADIENT
from clearance.model.cost import Cost
from clearance.model.inputs import CheckedInputs

MOST_STARTS = 64
"""Other inputs that the estimate's search may start towards; the first ones of the references."""
LEAST_BALL_BLOCKS = 2
"""Blocks of an estimate in one ball, where a number of passes pays for fewer."""


@dataclass(frozen=True)
class Choices:
    """What is asked of each part of a bracket: settings of the estimate, budget of the attack, effort of the audit."""

    settings: Settings
    attack: str | int
    budget: str | int
    certificate: str
    time_limit: float
    effort: Effort


def settings_of(inputs: CheckedInputs, order: int, bound: Bound | None, budget: str | int, passes: int) -> Settings:
    """What a budget asks of the estimate, whose share of it is `passes`."""
    plain = Settings(norm=inputs.norm, order=order, bound=bound, seed=inputs.seed)
    if plain.bound == "profile":
        return replace(plain, budget=passes)
    if isinstance(budget, int):
        blocks = max(LEAST_BALL_BLOCKS, passes // (PASSES_PER_GRADIENT * plain.size))
        return replace(plain, blocks=blocks)
    chosen = BUDGETS[budget]
    return replace(plain, blocks=chosen.blocks or "auto", max_blocks=chosen.max_blocks, tolerance=chosen.tolerance)


@dataclass(frozen=True)
class Begun:
    """One input after its attack, which it may have shared batches with others for.

    Attributes:
        inputs: The input, a batch of one.
        cut: Why there is no gradient to follow; `None` where there is one.
        attacked: What the attacks found; `None` where they had nothing to follow.
        cost: Of what was done so far.
    """

    inputs: CheckedInputs
    cut: str | None
    attacked: AttackResult | None
    cost: Cost


def begin(inputs: CheckedInputs, choices: Choices) -> Iterator[Begun]:
    """The attack of every input, some of them together; an input that is not judged costs nothing.

    Args:
        inputs: The inputs.
        choices: What is asked for.

    Yields:
        Each input with what was found, in order.
    """
    meter, runs = inputs.model.meter, ensemble(inputs.norm, choices.attack)
    for places in inputs.groups(range(len(inputs)), MOST_TOGETHER):
        cuts, spent = list[str | None](), list[Cost]()
        part = [inputs.rows([place]) for place in places]
        for one in part:
            before = meter.read()
            cuts.append(None if one.misclassified[0] else cut_off(one.model, one.x))
            spent.append(meter.since(before))
        open_ = [place for place, cut in zip(places, cuts, strict=True) if cut is None]
        found = dict(zip(open_, attack_inputs(inputs.rows(open_), runs) if open_ else [], strict=True))
        for place, one, cut, cost in zip(places, part, cuts, spent, strict=True):
            attacked = found.get(place)
            more = Cost() if attacked is None or one.misclassified[0] else attacked.cost
            yield Begun(one, cut, attacked, cost + more)


def estimate(
    inputs: CheckedInputs, attacked: AttackResult, choices: Choices, starts: Tensor
) -> tuple[AttackResult, Score]:
    """What the estimate says that begins at the attack's witness; its own witness counts as an attack."""
    met = inputs.x[:0] if attacked.adversarial is None else attacked.adversarial[None]
    (score,) = iterate_scores(inputs, choices.settings, Known(met, starts))
    return _or_met(inputs, attacked, score), score


def _or_met(inputs: CheckedInputs, witness: AttackResult, score: Score) -> AttackResult:
    """The witness that the estimate's search met, where it is nearer and a fresh forward pass confirms it."""
    if score.witness is None or not score.witness_distance < witness.distance:
        return witness
    logits = look(inputs.model, score.witness[None])
    if not bool(goal_of(inputs).reached(logits)[0]):
        return witness
    return witness.with_nearer(score.sampler, score.witness, score.witness_distance, logits)


def without_gradients(inputs: CheckedInputs, choices: Choices) -> tuple[AttackResult, Score]:
    """No witness and no number: there is nothing to follow, and only the audit's search without gradients goes on."""
    own = inputs.predicted[0]
    score = without_number(choices.settings, Status.NO_GRADIENT, predicted=own, target=inputs.targets[0][0])
    return AttackResult(None, math.inf, False, own, "none", Cost()), score


def at_least(score: Score, proof: Certificate | None) -> Score:
    """The estimate, never below the proof: both bound the distance from below, so the larger counts.

    Source: this project. Where the proof is larger, the flag `below_certificate` keeps what was estimated.

    Args:
        score: The estimate.
        proof: The certificate; `None` where none was asked for.

    Returns:
        The estimate, or one with the proved radius.
    """
    if proof is None or not proof.status.has_radius or not score.radius < proof.radius < math.inf:
        return score
    return replace(score, radius=proof.radius, interval=(proof.radius, max(proof.radius, score.interval[1])))
