"""What a claim about a defence owes its readers, item by item, with what a run shows of it.

The items follow the two guidelines for whoever wants a defence to be believed in "Lecture 10: Empirical defenses for
adversarial examples" (2019, section 1): make concrete and reproducible claims, in a threat model that is fully stated;
evaluate against attacks that are aimed at this very defence. Which evidence an item asks for is this project's choice;
nothing is met without evidence from the run, and what no run can show is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from clearance.attacks.table import ATTACKS
from clearance.records import Word
from clearance.report.flags import FlagGroup, flag_groups
from clearance.report.marks import count, name_norm, name_weights
from clearance.report.records import RunRecords
from clearance.report.repeat import command_of, lacks
from clearance.report.security import missing_curve, security_curves
from clearance.report.security_tables import write_count, write_radius

BLIND_CHECKS = {
    "blind_wins": "the audit's attack without gradients",
    "reference_wins": "walks to inputs of other classes (decision-based)",
}
"""Checks of the audit that carry out a search without gradients, and what that search is."""

RANDOM_FLAG = "random"
"""The flag of a network whose answers differ from call to call."""

FORWARD_CHECK = "precision"
"""A check that is carried out with the one for randomness, and leaves a number where that leaves none."""

REFUTED_FLAG = "refuted"
"""A flag about the estimate, whatever its remedy names."""

GRADIENTS_CHECK = "path_integral"
"""The check that compares gradients with the function along segments."""

STAND_IN = "bpda"
"""What the remedy of a flag names, where the flag says that gradients belong to another function."""


class Met(Word):
    """Whether an item is met: each member is its word and carries its `meaning` in a sentence."""

    YES = "met", "the run shows that it is"
    NO = "not met", "the run shows that it is not"
    UNKNOWN = "not known", "the run cannot show it, or has not looked"


@dataclass(frozen=True)
class ChecklistItem:
    """One item.

    Attributes:
        demand: What is asked for.
        met: Whether the run shows it.
        evidence: What the run shows, in a sentence.
    """

    demand: str
    met: Met
    evidence: str


@dataclass(frozen=True)
class Shown:
    """What is held against the checklist.

    Attributes:
        run: The run.
        radii: The radii of the claim; empty where none were named.
    """

    run: RunRecords
    radii: Sequence[float]


Answer = tuple[Met, str]
"""Whether an item is met, and the evidence."""

WHITE_BOX = "white-box: every attack of a run may use the network's answers and gradients at any point"
"""What the attacks of every run know (`bracket.Threat.access`)."""

NO_OWN_ATTACK = (
    "the attacks of a run are the same for every network: that somebody who knows this defence has tried to break it "
    "with attacks made for it is for its authors to show"
)
"""Why no run shows that a defence was attacked by those who know it."""


def checklist(run: RunRecords, radii: Sequence[float] = ()) -> dict[str, list[ChecklistItem]]:
    """Every item, with what a run shows of it.

    Args:
        run: The run.
        radii: The radii of the claim, where some were named.

    Returns:
        Guideline → its items.
    """
    shown = Shown(run, radii)
    return {
        guideline: [ChecklistItem(demand, *answer(shown)) for demand, answer in items]
        for guideline, items in GUIDELINES.items()
    }


def _threat(shown: Shown) -> Answer:
    threat = shown.run.plan.threat
    norms = ", ".join(map(name_norm, threat.norms))
    targets = ", ".join(map(str, threat.targets))
    return Met.YES, f"{norms}; target {targets}; {threat.range}; distances in {threat.units}"


def _claim(shown: Shown) -> Answer:
    run = shown.run
    if missing := missing_curve(run):
        return Met.NO, missing
    if not shown.radii:
        return (
            Met.UNKNOWN,
            "no radius was named: `clearance report RUN --at EPS` writes the claim of this run at EPS down",
        )
    said: list[str] = []
    for curve in security_curves(run):
        for radius in shown.radii:
            found = curve.at(radius)
            ends = f"at most {write_count(found.not_broken)} robust"
            if found.with_certificates:
                ends += f", at least {write_count(found.proved)}"
            said.append(f"{name_norm(curve.norm)}, radius {write_radius(radius)}: {ends}")
    return Met.YES, "; ".join(said)


def _finished(shown: Shown) -> Answer:
    run = shown.run
    failed = len(run.failures)
    said = f"{run.finished:,} of {count(run.total, 'task')} finished{f', {failed} of them failed' if failed else ''}"
    return (Met.NO if failed or run.finished < run.total else Met.YES), said


def _repeatable(shown: Shown) -> Answer:
    plan, answers = shown.run.plan, shown.run.plan.model.answers
    versions = ", ".join(f"{name} {value[:12]}" for name, value in plan.versions.items())
    hashes = f"plan {plan.id[:12]}, weights {plan.model.weights_hash[:12]}, every input by its content"
    timed = plan.parameters.get("certificate") != "none"
    limit = "; proofs end at a time limit, so that another machine may prove more or less" if timed else ""
    said = f"{hashes}; seed {plan.seed}; {versions}{limit}"
    if lacking := lacks(plan):
        known = command_of(plan)
        again = f"; as far as it is known: `{known}`" if known.startswith("clearance ") else ""
        return Met.NO, f"{lacking}; {said}{again}"
    said = f"{said}; computed again by `{command_of(plan)}`"
    if answers is None:
        return Met.UNKNOWN, f"{said}; the plan does not say whether the network answers twice in the same way"
    if answers.calls > 2:
        return Met.NO, f"the network's answers differ from call to call; {said}"
    return Met.YES, said


def _published(shown: Shown) -> Answer:
    model = shown.run.plan.model
    if model.weights is not None and name_weights(model.name, model.weights) != model.weights:
        return Met.YES, f"the network and its weights are part of this package ({model.name})"
    return Met.UNKNOWN, "a run cannot tell whether others can get the network's code and weights"


def _gradient_attacks(shown: Shown) -> Answer:
    run = shown.run
    names = {name.removeprefix("deep_") for name in run.attacks}
    followed = sorted(name for name in names if name in ATTACKS and ATTACKS[name].backwards)
    carried = max((run.attacks.get(name, run.attacks.get(f"deep_{name}", 0)) for name in followed), default=0)
    budget = run.plan.parameters.get("budget")
    met, said = _carried_out(run, carried, f"{', '.join(followed)}; budget {budget}")
    if met is Met.YES and any(group.doubts for group in _misleading(run)):
        return Met.NO, f"{said}; but what they followed may not be the function's gradients (see the flags)"
    return met, said


def _other_attacks(shown: Shown) -> Answer:
    run = shown.run
    named = {name: n for name, n in run.attacks.items() if name in ATTACKS and not ATTACKS[name].backwards}
    named |= {words: run.checks[code] for code, words in BLIND_CHECKS.items() if code in run.checks}
    return _carried_out(run, max(named.values(), default=0), ", ".join(named))


def _carried_out(run: RunRecords, carried: int, names: str) -> Answer:
    """What was carried out in so many brackets, against all brackets with something to attack."""
    judged = len(run.judged)
    if not judged:
        return Met.UNKNOWN, "nothing was attacked: no input that is classified correctly has a result"
    if not run.attacks and not run.checks:
        return Met.UNKNOWN, "the results of this run do not name the attacks that were carried out"
    if not carried:
        return Met.NO, f"in none of {count(judged, 'bracket')}"
    return (
        Met.YES if carried >= judged else Met.NO
    ), f"in {min(carried, judged)} of {count(judged, 'bracket')}: {names}"


def _misleading(run: RunRecords) -> list[FlagGroup]:
    """The flags that say that gradients belong to another function than the network's."""
    return [group for group in flag_groups(run.judged) if STAND_IN in group.remedy and group.code != REFUTED_FLAG]


def _own_gradients(shown: Shown) -> Answer:
    run = shown.run
    raised = _misleading(run)
    doubts = [f"{group.code} ({count(len(group.doubting), 'bracket')})" for group in raised if group.doubts]
    if doubts:
        return (
            Met.NO,
            f"{', '.join(doubts)}: attack a differentiable stand-in (`clearance.bpda`), and evaluate that",
        )
    looked, judged = run.checks.get(GRADIENTS_CHECK, 0), len(run.judged)
    if not judged or looked < judged:
        return Met.UNKNOWN, f"gradients were held against the function in {looked} of {count(judged, 'bracket')}"
    steps = f"; noted without doubt: {', '.join(group.code for group in raised)}" if raised else ""
    return Met.YES, f"the gradients integrate to the function's changes in {count(judged, 'bracket')}{steps}"


def _randomness(shown: Shown) -> Answer:
    run = shown.run
    answers, average = run.plan.model.answers, "attack its average (`clearance.eot`), and evaluate that"
    raised = sum(any(flag.code == RANDOM_FLAG for flag in entry.flags) for entry in run.judged)
    if raised or (answers is not None and answers.calls > 2):
        return Met.NO, f"the network's answers differ from call to call: {average}"
    if answers is not None:
        return Met.YES, f"the network answers twice in the same way ({count(len(answers.keys), 'point')} asked)"
    looked, judged = run.checks.get(FORWARD_CHECK, 0), len(run.judged)
    if not judged or looked < judged:
        return Met.UNKNOWN, f"whether the network answers twice in the same way was looked at in {looked} of {judged}"
    return Met.YES, f"asked again, the network gives each input the same answer ({count(judged, 'bracket')})"


def _audit(shown: Shown) -> Answer:
    run = shown.run
    judged = len(run.judged)
    if not judged:
        return Met.UNKNOWN, "nothing was audited"
    doubts = [group for group in flag_groups(run.judged) if group.doubts]
    if not doubts:
        return Met.YES, f"no warning and no error in {count(judged, 'bracket')}"
    codes = ", ".join(f"{group.code} {len(group.doubting)}" for group in doubts)
    return Met.NO, f"flags that cast doubt, by the number of brackets (of {judged}): {codes}"


def _settled(shown: Shown) -> Answer:
    curves = security_curves(shown.run)
    if not curves:
        return Met.UNKNOWN, missing_curve(shown.run)
    if not shown.radii:
        return Met.UNKNOWN, "no radius was named (`--at EPS`)"
    left: list[str] = []
    for curve in curves:
        for radius in shown.radii:
            found = curve.at(radius)
            if unsettled := found.not_broken.count - found.proved.count:
                left.append(
                    f"{name_norm(curve.norm)}, radius {write_radius(radius)}: {unsettled} of {len(found)} inputs"
                )
    if left:
        return Met.NO, f"neither proved nor broken: {'; '.join(left)}"
    return Met.YES, "every input is proved, broken or misclassified at the radii that were named"


GUIDELINES: dict[str, tuple[tuple[str, Callable[[Shown], Answer]], ...]] = {
    "Concrete and reproducible claims": (
        ("Norm, target, valid inputs and units are stated", _threat),
        ("What the attacker knows is stated", lambda _: (Met.YES, WHITE_BOX)),
        ("The claim is a number at a stated radius", _claim),
        ("Every input was evaluated", _finished),
        ("The evaluation can be repeated and recognised", _repeatable),
        ("Code and weights are there for others to attack", _published),
    ),
    "Attacks aimed at this very defence": (
        ("Attacks along gradients", _gradient_attacks),
        ("Attacks without gradients", _other_attacks),
        ("Gradients are those of the function (else: BPDA)", _own_gradients),
        ("The network is not random (else: EOT)", _randomness),
        ("The audit finds nothing to doubt", _audit),
        ("Attacks written against this defence", lambda _: (Met.UNKNOWN, NO_OWN_ATTACK)),
        ("Nothing remains open at the stated radius", _settled),
    ),
}
"""Guideline → its items: what is asked for, and what says whether a run shows it."""
