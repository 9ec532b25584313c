"""The audit of one input, from the first forward pass to the sorted flags."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from clearance.attacks.best import attack_inputs
from clearance.attacks.ensembles import ensemble
from clearance.attacks.given import GIVEN
from clearance.attacks.goals import goal_of
from clearance.attacks.passes import look
from clearance.attacks.result import AttackResult, Witnesses
from clearance.attacks.table import ATTACKS
from clearance.attacks.task import AttackRun
from clearance.audit.case import Case, Ledger, ratio, threshold
from clearance.audit.effort import FULL, Effort
from clearance.audit.estimates import check_estimate
from clearance.audit.flags import CHECKS
from clearance.audit.forward import check_forward, check_mode, check_stairs, is_random
from clearance.audit.gradients import check_gradients, cut_off
from clearance.audit.optimisation import attack_blindly, check_attacks, distances
from clearance.audit.path_integral import input_scale
from clearance.audit.record import Audit, Flag, Severity, sort_flags
from clearance.audit.references import nearest_on_lines
from clearance.estimates.clever import iterate_scores
from clearance.estimates.fixed_point import farthest_valid
from clearance.estimates.profile.search import Known
from clearance.estimates.scores import Score
from clearance.estimates.settings import Settings
from clearance.geometry.norms import vector_norm
from clearance.model.budgets import AUDIT_ESTIMATE
from clearance.model.cost import Cost
from clearance.model.gradients import margin_gradients
from clearance.model.inputs import CheckedInputs
from clearance.model.seeds import derive_seed
from clearance.model.transforms import eot, stand_ins

WITHOUT_GRADIENTS = "box_points"
"""The method of the ensemble that looks for a first witness without gradients: runs after it may begin there."""
SECOND_METHODS = {"ddn": 1, "fast_minimum_norm": 1, "apgd": 5}
"""What a single method from the input is held against, the first of these that is another one and knows the norm, and
over how many rounds it shares out its steps. The last two know every norm."""
SECOND_STEPS = 40
"""Its steps, over all its rounds: enough for `ddn` to meet a witness on every honest network of the tests and on the
public ones, while it meets none on most of the masked ones."""
SHARE_OF_SPACE, LEAST_SHARE = 0.1, 1e-3
"""Radius of the ball where no witness is known, and the least radius where one is, as shares of the distance to the
farthest valid point: in a ball much smaller, margins move by little more than their rounding."""
DRAWS = 8
"""Draws of a random network that are averaged before its gradients are looked at."""


@dataclass(frozen=True)
class Given:
    """What the caller knows of one input already. Source: this project.

    Attributes:
        score: An estimate to check; `None`: a quick one is made.
        attack: What `attack` said; `None`: it is asked.
        references: Inputs to walk to, `(count, *input)`, checked; none is fine.
        effort: How much the checks spend.
        budget: That of the attack, where it is asked.
        score_passes: Passes of the estimate, where it is made.
    """

    score: Score | None
    attack: AttackResult | None
    references: Tensor
    effort: Effort = FULL
    budget: str | int = "standard"
    score_passes: int = AUDIT_ESTIMATE


def audit_input(inputs: CheckedInputs, known: Given) -> Audit:
    """Run every check of `audit.flags.CHECKS` on one input.

    Source: the table names the paper behind each check; how the flags are weighed (`settle`) is this project's.

    Args:
        inputs: The input, a batch of one, `(1, *input)`.
        known: What is known of it.

    Returns:
        The audit; without flags where the input is misclassified.
    """
    if inputs.misclassified[0]:
        return Audit((), None, Cost())
    return audit_judged(inputs, known, cut=cut_off(inputs.model, inputs.x))


def audit_judged(inputs: CheckedInputs, known: Given, *, cut: str | None) -> Audit:
    """As `audit_input` (same source), where the prediction is right and the flow of gradients has been looked at.

    Args:
        inputs: The input, a batch of one, `(1, *input)`.
        known: What is known of it.
        cut: What keeps autograd from the input (`audit.gradients.cut_off`).

    Returns:
        The audit.
    """
    start, ledger = inputs.model.meter.read(), Ledger(stand_in=bool(stand_ins(inputs.model)))
    known = replace(known, references=inputs.model.clip(known.references))  # to this input's fixed coordinates
    check_mode(inputs.model, ledger)
    with inputs.model.frozen():
        witness, nearest = _run_checks(inputs, ledger, known, cut)
    flags = sort_flags(settle(ledger))
    if ledger.stand_in:  # who has one must not be told to put one in place
        flags = tuple(replace(flag, remedy=CHECKS[flag.code].beside_stand_in or flag.remedy) for flag in flags)
    worst = flags[0].severity if flags else None
    cost = inputs.model.meter.since(start)
    return Audit(flags, worst, cost, ledger.measured, tuple(ledger.integrals), witness, nearest)


def _run_checks(inputs: CheckedInputs, ledger: Ledger, given: Given, cut: str | None) -> tuple[Tensor | None, float]:
    """Write what every check finds to the ledger; returns the nearest witness that anyone met, and its distance."""
    result, score = _gradient_attack(inputs, ledger, given, cut), given.score
    lines = nearest_on_lines(inputs, given.references, given.effort)
    results = [result, *([] if cut else _try_harder(inputs, result, lines.compared))]
    results += [] if cut else _second_method(inputs, results)
    result = min(results, key=lambda one: one.distance)
    known = Witnesses(inputs.x, inputs.norm)
    for one in (result, given.attack):
        if one is not None and one.adversarial is not None:
            known.offer(one.adversarial[None], torch.tensor([True], device=inputs.x.device))
    width = farthest(inputs)
    blind = _blind_attack(inputs, result.distance if result.success else SHARE_OF_SPACE * width, given.effort)
    known.absorb(blind)
    known.absorb(lines.witness)
    spread = is_random(inputs.model, inputs.x[0])
    case = _make_case(inputs, result, known, lines.ends, given.effort, random=spread > 0, differentiable=cut is None)
    check_forward(case, ledger, spread)
    if cut is None:
        check_gradients(case, ledger)
    check_stairs(case, ledger)
    nearest = float(known.distance[0])
    if cut is None:
        points = given.attack.distances.get(WITHOUT_GRADIENTS, math.inf) if given.attack else math.inf
        found = distances(results, min(points, float(blind.distance[0])), lines.compared)
        known.absorb(check_attacks(case, ledger, found))
        nearest = float(known.distance[0])
        if score is None and ledger.severity("non_finite") is None:
            score = _quick_score(inputs, case, given.score_passes)
        if score is not None:
            check_estimate(case, ledger, score, nearest)
    return (known.adversarial[0] if bool(known.success[0]) else None), nearest


def _gradient_attack(inputs: CheckedInputs, ledger: Ledger, given: Given, cut: str | None) -> AttackResult:
    """What attacks along gradients found: nothing where there are none (`no_gradient`), else as given, or asked now.

    An attack that found its first witness without gradients, among the points of the bounds, says nothing of them.
    """
    if cut is not None:
        ledger.raise_flag("no_gradient", Severity.ERROR, seen=cut)
        return AttackResult(None, math.inf, False, inputs.predicted[0], "none", Cost())
    known = given.attack
    if known is not None and not math.isfinite(known.distances.get(WITHOUT_GRADIENTS, math.inf)):
        if not _from_anywhere(known.method):
            return known
        others = [distance for name, distance in known.distances.items() if not _from_anywhere(name)]
        if math.isfinite(nearest := min(others, default=math.inf)):
            return replace(known, distance=nearest)
    return attack_inputs(inputs, _gradient_runs(inputs.norm, given.budget))[0]


def _gradient_runs(norm: float, budget: str | int) -> tuple[AttackRun, ...]:
    """The ensemble of a budget without the runs that begin all over the bounds."""
    return tuple(run for run in ensemble(norm, budget) if not _from_anywhere(run.method))


def _from_anywhere(name: str) -> bool:
    """Whether a name of `AttackResult.distances` says nothing of gradients: of points all over the bounds, or given."""
    return name == GIVEN or (name in ATTACKS and ATTACKS[name].anywhere)


def _try_harder(inputs: CheckedInputs, result: AttackResult, lines: float) -> list[AttackResult]:
    """Attacks of the standard budget, where what was found on the way to other classes puts those so far in doubt.

    Before it is said that attacks along gradients are misled, they get the passes that they need on an honest network.
    """
    runs = _gradient_runs(inputs.norm, "standard")
    beaten = ratio(lines, result.distance) < threshold("reference_wins")
    if not beaten or {run.method for run in runs} <= set(result.distances):
        return []
    return attack_inputs(inputs, runs)


def _second_method(inputs: CheckedInputs, results: list[AttackResult]) -> list[AttackResult]:
    """Another method from the input itself, where the ensemble has only one that begins there: do they agree?"""
    begun = {name for one in results for name in one.distances if name in ATTACKS and ATTACKS[name].iterative}
    if len(begun) > 1:
        return []
    method = next(name for name in SECOND_METHODS if name not in begun and ATTACKS[name].is_for(inputs.norm))
    rounds = SECOND_METHODS[method]
    return attack_inputs(inputs, (AttackRun(method, SECOND_STEPS // rounds, rounds),))


def _make_case(
    inputs: CheckedInputs,
    result: AttackResult,
    known: Witnesses,
    references: Tensor,
    effort: Effort,
    *,
    random: bool,
    differentiable: bool,
) -> Case:
    """What is audited; a random network by the average of several fixed draws."""
    model, logits, width = inputs.model, inputs.logits[0], farthest(inputs)
    witness, nearest = result.adversarial, known.adversarial[0] if bool(known.success[0]) else None
    reach = float(known.distance[0]) if nearest is not None else SHARE_OF_SPACE * width
    other = nearest if nearest is not None and reach < result.distance else None
    target = result.predicted if result.success else inputs.targets[0][0]
    if other is not None and not result.success:
        target = int(look(inputs.model, other[None]).argmax())
    return Case(
        model=eot(model, DRAWS, seed=derive_seed(inputs.seed, "audit") % 2**31) if random else model,
        x0=inputs.x[0],
        key=inputs.keys[0],
        logits=logits,
        predicted=inputs.predicted[0],
        target=target,
        goal=goal_of(inputs),
        norm=inputs.norm,
        reach=max(reach, LEAST_SHARE * width),
        width=width,
        witness=witness,
        nearest=other,
        references=references,
        rounding=_rounding(inputs, target, differentiable),
        seed=inputs.seed,
        effort=effort,
    )


def _rounding(inputs: CheckedInputs, target: int, differentiable: bool) -> float:
    """What one unit of rounding moves the margin by, `ε (max(|f_c|, |f_t|) + Σ |∂g/∂x_i| |x_i|)`."""
    own, logits = inputs.predicted[0], inputs.logits[0]
    size = float(logits[[own, target]].abs().max())
    if differentiable:
        _, gradient = margin_gradients(inputs.model, inputs.x, own, target)
        size += input_scale(inputs.x, gradient)
    return torch.finfo(logits.dtype).eps * size


def _quick_score(inputs: CheckedInputs, case: Case, passes: int) -> Score:
    """A short estimate for the class whose margin is followed, from the witness that attacks found."""
    settings, nobody = Settings(norm=inputs.norm, budget=passes, seed=inputs.seed), inputs.x[:0]
    witnesses = nobody if case.witness is None else case.witness[None]
    (score,) = iterate_scores(
        replace(inputs, targets=((case.target,),), untargeted=False), settings, Known(witnesses, nobody)
    )
    return score


def settle(ledger: Ledger) -> list[Flag]:
    """Weigh the flags against each other. Source: this project.

    - Gradients that fail on short segments only are a stand-in's, declared or behind stairs (info), else a mask around
      the input.
    - Signs from attacks count as signs of masking only where something puts the gradients themselves in doubt. Where
      they are whole, an attack that fails says that attacks are weak there: worth knowing, because the attack distance
      may be too large, but no reason to distrust the estimate.
    """
    steps = ledger.small_steps or ledger.severity("locally_constant") is not None
    if ledger.severity("path_integral") is Severity.INFO and not steps:
        ledger.flags = [
            replace(flag, severity=Severity.WARNING) if flag.code == "path_integral" else flag for flag in ledger.flags
        ]
    if any(CHECKS[flag.code].about == "gradients" and flag.severity is not Severity.INFO for flag in ledger.flags):
        return ledger.flags
    return [
        replace(flag, severity=Severity.INFO) if CHECKS[flag.code].about == "attacks" else flag for flag in ledger.flags
    ]


def farthest(inputs: CheckedInputs) -> float:
    """Distance to the farthest valid point; without bounds, ten times the input's own length, or 10 for a zero input.

    Source: `estimates.fixed_point.farthest_valid`; without bounds, this project.

    Args:
        inputs: The input, a batch of one, `(1, *input)`.

    Returns:
        The distance, above 0.
    """
    limit = farthest_valid(inputs.model, inputs.x[0], inputs.norm)
    length = limit if math.isfinite(limit) else 10 * float(vector_norm(inputs.x, inputs.norm))
    return length if length > 0 else 10.0


def _blind_attack(inputs: CheckedInputs, reach: float, effort: Effort) -> Witnesses:
    """The nearest witness that random search finds."""
    first = torch.full((1,), reach, dtype=inputs.x.dtype, device=inputs.x.device)
    return attack_blindly(inputs, goal_of(inputs), first=first, effort=effort)
