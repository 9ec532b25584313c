"""The audit of one input, from the first forward pass to the sorted flags."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from clearance.attacks import AttackResult, Goal, Witnesses, attack, make_goal
from clearance.audit.case import Case, Ledger
from clearance.audit.estimates import check_estimate
from clearance.audit.forward import check_forward, check_stairs, is_random
from clearance.audit.gradients import check_gradients, cut_off
from clearance.audit.optimisation import attack_blindly, check_attacks, distances
from clearance.audit.record import Audit, Flag, Severity, sort_flags
from clearance.estimates.ball import farthest_valid
from clearance.estimates.clever import clever
from clearance.estimates.scores import CleverScore
from clearance.geometry.norms import vector_norm
from clearance.model.classifier import Classifier
from clearance.model.cost import Cost
from clearance.model.seeds import content_key, derive_seed
from clearance.model.transforms import eot

SCORE_BLOCKS = 8
"""Blocks of the estimate that an audit makes for itself."""
SHARE_OF_SPACE = 0.1
"""Radius of the ball where no witness is known, as a share of the distance to the farthest valid point."""
GRADIENTS = {"no_gradient", "non_finite", "zero_gradient", "path_integral", "rough_gradient", "random", "probabilities"}
"""Flags that put the gradients in doubt."""
ATTACKS = {"unbounded_fails", "budget", "blind_wins", "one_step_wins", "attack_spread"}
"""Flags that say how attacks fare."""
DRAWS = 8
"""Draws of a random network that are averaged before its gradients are looked at."""


def examine(
    model: Classifier,
    x: Tensor,
    logits: Tensor,
    targets: list[int],
    *,
    norm: float,
    score: CleverScore | None,
    result: AttackResult | None,
    seed: int,
) -> Audit:
    """Run every check on one input.

    Args:
        model: The classifier.
        x: `(1, *input)`, correctly classified.
        logits: Its logits, `(classes)`.
        targets: Classes it may move to, as `resolve_targets` gives them.
        norm: The norm `p`.
        score: An estimate to check; `None`: a quick one is made.
        result: What `attack` said; `None`: it is asked.
        seed: The user's seed.

    Returns:
        The audit.
    """
    start, ledger = model.meter.read(), Ledger()
    predicted = int(logits.argmax())
    goal = make_goal(logits.argmax()[None], [targets], len(logits))
    cut = cut_off(model, x)
    if cut is not None:
        ledger.raise_flag("no_gradient", Severity.ERROR, seen=cut)
        result = AttackResult(None, math.inf, False, predicted, "none", Cost())
    elif result is None:
        chosen = "untargeted" if len(targets) > 1 else targets
        (result,) = attack(model, x, norm=norm, target=chosen, seed=seed)
    reach = result.distance if result.success else SHARE_OF_SPACE * _farthest(model, x[0], norm)
    known = Witnesses(x, norm)
    if result.adversarial is not None:
        known.offer(result.adversarial[None], torch.tensor([True], device=x.device))
    blind = _blind(model, x, goal, norm, reach, seed)
    known.absorb(blind)
    found, nearest = distances(result, float(blind.distance[0])), float(known.distance[0])
    spread = is_random(model, x[0])
    steady = model if spread == 0 else eot(model, DRAWS, seed=derive_seed(seed, "audit") % 2**31)
    case = Case(
        model=steady,
        x0=x[0],
        key=content_key(x[0]),
        logits=logits,
        predicted=predicted,
        target=result.predicted if result.success else targets[0],
        goal=goal,
        norm=norm,
        reach=nearest if math.isfinite(nearest) else reach,
        witness=result.adversarial,
        seed=seed,
    )
    check_forward(case, ledger, spread)
    if cut is None:
        check_gradients(case, ledger)
    check_stairs(case, ledger)
    if cut is None:
        known.absorb(check_attacks(case, ledger, found))
        nearest = float(known.distance[0])
        if score is None and ledger.severity("non_finite") is None:
            (score,) = clever(model, x, target=[case.target], norm=norm, blocks=SCORE_BLOCKS, seed=seed)
        if score is not None:
            check_estimate(case, ledger, score, nearest)
    flags = sort_flags(settle(ledger))
    worst = flags[0].severity if flags else None
    witness = known.adversarial[0] if bool(known.success[0]) else None
    return Audit(flags, worst, model.meter.since(start), ledger.measured, tuple(ledger.integrals), witness, nearest)


def settle(ledger: Ledger) -> list[Flag]:
    """Weigh the flags against each other.

    - Gradients that fail on short segments only are a stand-in's behind stairs (info), else a mask around the input.
    - Signs from attacks count as signs of masking only where something puts the gradients themselves in doubt. Where
      they are whole, an attack that fails says that attacks are weak there: worth knowing, because the attack distance
      may be too large, but no reason to distrust the estimate.
    """
    if ledger.severity("path_integral") is Severity.INFO and ledger.severity("locally_constant") is None:
        ledger.flags = [
            replace(flag, severity=Severity.WARNING) if flag.code == "path_integral" else flag for flag in ledger.flags
        ]
    if any(flag.code in GRADIENTS and flag.severity is not Severity.INFO for flag in ledger.flags):
        return ledger.flags
    return [replace(flag, severity=Severity.INFO) if flag.code in ATTACKS else flag for flag in ledger.flags]


def _farthest(model: Classifier, x0: Tensor, norm: float) -> float:
    """Distance to the farthest valid point; without bounds, ten times the input's own length or at least 10."""
    limit = farthest_valid(model, x0, norm)
    return limit if math.isfinite(limit) else 10 * max(1.0, float(vector_norm(x0[None], norm)))


def _blind(model: Classifier, x: Tensor, goal: Goal, norm: float, reach: float, seed: int) -> Witnesses:
    """The nearest witness that random search finds."""
    first = torch.full((1,), reach, dtype=x.dtype, device=x.device)
    return attack_blindly(model, x, goal, norm=norm, first=first, seed=seed)
