"""What to do next, from what a run or a comparison shows: the remedies of its flags first, then what would say more."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from clearance.estimates.status import Status
from clearance.model.budgets import BUDGETS
from clearance.model.robustness import Proportion
from clearance.report.answer import reaches_zero
from clearance.report.chosen_inputs import available, chosen_by_hand, per_class
from clearance.report.contest import Comparison, DifferenceVerdict
from clearance.report.flags import LARGER_FIRST, NO_HASTE, FlagGroup, flag_groups
from clearance.report.marks import count, write_ends
from clearance.report.paired import FEWEST_FOR_INTERVAL
from clearance.report.records import RunRecords
from clearance.report.security import has_robust_accuracy

MOST_STEPS = 6
"""Steps on a page: more would be no advice."""

WIDE_INTERVAL = 0.3
"""An interval of the share of correct inputs that is wider than this asks for more inputs first."""

NEARLY_CLOSED = 0.95
"""A proof below this share of the attack distance leaves a gap that is worth more work."""

LARGER_RUN = 5
"""Of a run with too few inputs, so many times the inputs are proposed."""

LONGER_HELPS = {Status.WIDE, Status.NOT_CONVERGED, Status.POOR_FIT, Status.NO_ENDPOINT}
"""Statuses of an estimate that a larger budget can mend."""


ASKS_FOR_STAND_IN = "put a differentiable stand-in"
"""What the remedy of a flag says that asks for a stand-in (`clearance.audit.CHECKS`)."""

PUT_STAND_IN = (
    "put a differentiable stand-in behind the part that has no gradient: `clearance.bpda(transform)`; then run again, "
    "and read the witnesses"
)
"""The step that all of these remedies amount to."""

LARGER_BUDGET = "Run again with a larger budget: with few passes an ordinary network raises such flags too"
"""The step that comes before any stand-in where a flag may be one of haste."""


@dataclass(frozen=True)
class NextStep:
    """One thing to do.

    Attributes:
        text: What, in a clause.
        why: Because of what.
        command: What to type, or what to add to the command of the run; empty where there is nothing to type.
    """

    text: str
    why: str
    command: str = ""


def next_steps(run: RunRecords) -> list[NextStep]:
    """What to do after a run.

    Args:
        run: The run.

    Returns:
        Steps, the most urgent first; at most `MOST_STEPS`.
    """
    found = [*_completion(run), *_remedies([run]), *_longer(run), *_proofs(run), *_more_inputs(run), *_targets(run)]
    steps = (found + _afterwards(run))[:MOST_STEPS]
    return [_in_python(step) for step in steps] if run.plan.data.in_memory else steps


def steps_of_comparison(comparison: Comparison) -> list[NextStep]:
    """What to do after a comparison.

    Args:
        comparison: What several runs have in common.

    Returns:
        Steps, the most urgent first; at most `MOST_STEPS`.
    """
    runs = comparison.runs
    unfinished = [step for run in runs for step in _completion(run)]
    steps = [*unfinished, *_remedies(runs), *_undecided(comparison), *_each_report(runs)][:MOST_STEPS]
    return [_in_python(step) for step in steps] if any(run.plan.data.in_memory for run in runs) else steps


def _in_python(step: NextStep) -> NextStep:
    """The same step without a command line: choices of a bracket as arguments, and nothing of what needs a folder.

    >>> _in_python(NextStep("Ask for proofs", "", "clearance bracket … --time-limit 120")).command
    'cl.bracket(…, time_limit=120)'
    """
    found = re.fullmatch(r"clearance bracket … --([a-z-]+) (\S+)", step.command)
    if step.command.startswith("clearance docs "):
        return step
    if found is None or found[1] == "count":
        return replace(step, command="")
    value = found[2] if found[2].isdigit() else repr(found[2])
    return replace(step, command=f"cl.bracket(…, {found[1].replace('-', '_')}={value})")


def _completion(run: RunRecords) -> list[NextStep]:
    steps: list[NextStep] = []
    if run.finished < run.total:
        left = count(run.total - run.finished, "task is", "tasks are")
        steps.append(
            NextStep("Finish the run", f"{left} missing", f"clearance bracket … --out {shlex.quote(run.name)} --resume")
        )
    if run.failures:
        failed = count(len(run.failures), "task")
        told = "clearance bracket … --resume --retry-failed"
        steps.append(NextStep("Mend what made tasks fail, then ask for them again", f"{failed} failed", told))
    return steps


def _remedies(runs: Sequence[RunRecords]) -> list[NextStep]:
    """The remedies of flags that cast doubt or take the estimate, each once; the cheapest, a larger budget, first."""
    alike: dict[str, dict[str, None]] = {}
    brackets: dict[str, set[tuple[str, str]]] = {}
    for run in runs:
        for group in flag_groups(run.judged):
            if group.doubts or group.code == "refuted":
                advice = _advice(group)
                alike.setdefault(advice, {})[group.code] = None
                found = group.doubting or group.entries
                brackets.setdefault(advice, set()).update((run.name, one.key) for one in found)
    steps = [
        NextStep(advice, _because(codes, brackets[advice], runs), _to_type(advice, next(iter(codes))))
        for advice, codes in alike.items()
    ]
    return sorted(steps, key=lambda step: step.text != LARGER_BUDGET)


def _advice(group: FlagGroup) -> str:
    """A remedy as a step: flags that ask for more passes or for a stand-in, in their own words, ask for one thing."""
    if LARGER_FIRST in group.remedy:
        return LARGER_BUDGET
    advice = PUT_STAND_IN if ASKS_FOR_STAND_IN in group.remedy else group.remedy
    return f"{advice[:1].upper()}{advice[1:]}"


def _to_type(advice: str, code: str) -> str:
    if advice == LARGER_BUDGET:
        return f"clearance bracket … --budget {NO_HASTE}"
    return f"clearance docs {'guides/masked-models' if ASKS_FOR_STAND_IN in advice.lower() else f'flags/{code}'}"


def _because(codes: Iterable[str], brackets: Collection[tuple[str, str]], runs: Sequence[RunRecords]) -> str:
    names = [run.name for run in runs if any(name == run.name for name, _ in brackets)]
    where = f" of {', '.join(names)}" if len(runs) > 1 else ""
    return f"{', '.join(codes)}, in {count(len(brackets), 'bracket')}{where}"


def _longer(run: RunRecords) -> list[NextStep]:
    """A larger budget, where intervals are empty or wide."""
    shown = [entry for entry in run.judged if entry.own_estimate is not None]
    poor = sum(entry.status in LONGER_HELPS or reaches_zero(entry) for entry in shown)
    if not poor:
        return []
    why = f"{poor} of {count(len(shown), 'estimate')} {'has' if poor == 1 else 'have'} a wide or an empty interval"
    if run.plan.parameters.get("bound") == "ball":
        return [
            NextStep(
                "Take the profile in place of one ball: its intervals are finite",
                why,
                "clearance bracket … --bound profile",
            )
        ]
    budgets = list(BUDGETS)
    budget = run.plan.parameters.get("budget")
    larger = budgets[budgets.index(str(budget)) + 1 :] if budget in BUDGETS else []
    return [NextStep("Ask for a larger budget", why, f"clearance bracket … --budget {larger[0]}")] if larger else []


def _proofs(run: RunRecords) -> list[NextStep]:
    judged = run.judged
    if not judged:
        return []
    if all(entry.certified is None for entry in judged):
        return [
            NextStep(
                "Ask for proofs",
                "an estimate is no bound, and nothing is proved",
                "clearance bracket … --certificate best",
            )
        ]
    if below := sum(one.below_proof for one in judged):
        why = f"in {count(below, 'bracket')} more is proved than was estimated"
        return [NextStep("Quote the certified radius, not the estimated one", why)]
    unknown = [entry for entry in judged if entry.beyond_proofs]
    if 2 * len(unknown) >= len(judged):
        reasons = "; ".join(dict.fromkeys(entry.proof[2] for entry in unknown))
        why = f"no method of proof applies to this network, however long it takes ({reasons})"
        return [NextStep("Prove the network without that part, and say that the proof is of that one", why)]
    unproved = sum(entry.certified == 0 for entry in judged)
    if 2 * unproved >= len(judged):
        why = f"nothing is proved for {unproved} of {count(len(judged), 'input')}"
        return [
            NextStep(
                "Give proofs more time, or train for proofs (`clearance train`)",
                why,
                "clearance bracket … --time-limit 120",
            )
        ]
    return _closing(run)


def _closing(run: RunRecords) -> list[NextStep]:
    """Branch-and-bound, which `best` leaves out, where inputs have few features and a gap is left."""
    if run.plan.threat.features is None or run.plan.parameters.get("certificate") != "best":
        return []
    found = [(one.certified, one.attacked) for one in run.judged]
    gaps = sum(None not in (low, high) and low < NEARLY_CLOSED * high for low, high in found)  # pyright: ignore
    if not gaps:
        return []
    why = f"best leaves it out, and {count(gaps, 'bracket')} {'has' if gaps == 1 else 'have'} a gap"
    text = "For a small network, close the bracket by branch-and-bound (`clearance inspect` says whether it applies)"
    return [NextStep(text, why, "clearance bracket … --certificate branch-and-bound")]


def _more_inputs(run: RunRecords) -> list[NextStep]:
    inputs = {(entry.input_key, entry.label): entry.judged for entry in run.entries}
    if not inputs or run.plan.data.passed_over is not None:  # of correct inputs alone there is no accuracy
        return []
    interval = Proportion(sum(inputs.values()), len(inputs)).interval
    if interval[1] - interval[0] <= WIDE_INTERVAL:
        return []
    low, high = write_ends(interval)
    why = f"{count(len(inputs), 'input')} leave the accuracy anywhere between {low} and {high}"
    wanted = LARGER_RUN * max(len(inputs), len(run.plan.data.input_keys))  # an unfinished run has more than it shows
    return [_take(wanted, [run], NextStep("Take more inputs", why))]


def _take(wanted: int, runs: Sequence[RunRecords], step: NextStep) -> NextStep:
    """A step that asks for more inputs, with the count to ask for: as many as wanted, or all that the set has."""
    left = [available(run) for run in runs]
    most = min((number for number in left if number is not None), default=wanted)
    if most <= max(run.plan.data.count for run in runs):
        all_of_them = f"this run has all {most} of the set" if len(runs) == 1 else f"the set has {most}"
        return replace(step, text="Take a larger set of inputs", why=f"{step.why}; {all_of_them}")
    if each := max(map(per_class, runs)):
        return replace(step, command=f"clearance bracket … --per-class {LARGER_RUN * each}")
    if any(chosen_by_hand(run) and not run.plan.data.in_memory for run in runs):
        return replace(step, text=f"{step.text}: name them in --indices, beside those of the run")
    return replace(step, command=f"clearance bracket … --count {min(wanted, most)}")


def _targets(run: RunRecords) -> list[NextStep]:
    if has_robust_accuracy(run) or not run.entries:
        return []
    why = "this run moves inputs to chosen classes only"
    return [
        NextStep(
            "Let any other class count, to get robust accuracy and its curve",
            why,
            "clearance bracket … --target untargeted",
        )
    ]


def _afterwards(run: RunRecords) -> list[NextStep]:
    if not run.judged:
        return []
    name = shlex.quote(run.name)
    against = NextStep(
        "Hold it against another model", "a distance says most beside another", f"clearance compare {name} …"
    )
    hold = NextStep("Keep it in CI", "a release may not fall behind", f"clearance gate {name} --help")
    return [against, hold]


def _undecided(comparison: Comparison) -> list[NextStep]:
    """More inputs, where a difference of attack distances is not settled."""
    verdicts = [(one, contest) for contest in comparison.contests for one in contest.differences]
    for one, contest in verdicts:
        if one.quantity != "attacked":
            continue
        if one.verdict is DifferenceVerdict.TOO_FEW:
            why = f"an interval needs {FEWEST_FOR_INTERVAL} inputs that both classify correctly, not {one.inputs}"
        elif one.verdict is DifferenceVerdict.UNDECIDED:
            why = f"the interval of the difference between {one.run} and {one.against} holds 0"
        else:
            continue
        return [_take(LARGER_RUN * len(contest.inputs), comparison.runs, NextStep("Take more inputs in each run", why))]
    return []


def _each_report(runs: Sequence[RunRecords]) -> list[NextStep]:
    first, last = (shlex.quote(run.name) for run in (runs[0], runs[-1]))
    keep = f"clearance gate {last} --baseline {first} --max-drop 0.1"
    return [
        NextStep(
            "Read the report of each run", "what was proved, the checklist, every flag", f"clearance report {last}"
        ),
        NextStep("Keep it so in CI", "a release may not fall behind its baseline", keep),
    ]
