"""How far the medians of a release fall below those of a baseline, paired by input.

The drop of a median is `1 - median(release) / median(baseline)`, over the inputs that the baseline classifies correctly
and whose number may be read in both runs; an input that only the release misclassifies counts with 0 there, and one
whose task failed in the release has no number. It passes where the upper end of its 95 % bootstrap interval is at most
what is allowed: the drop was shown to be no larger.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

from clearance.errors import InputError
from clearance.report import paired
from clearance.report.demands import Part, part_of
from clearance.report.marks import MARKS, count
from clearance.report.outcome import GateCheck, precise
from clearance.report.records import Entry, RunRecords
from clearance.runs.summary import READABLE_SHARE, middle


def find_same(run: RunRecords, baseline: RunRecords, parts: Sequence[Part]) -> list[Part]:
    """The same norms, targets and orders of the baseline.

    Raises:
        InputError: If it has not all of them, shares no input, or its threat model is another.
    """
    found = paired.threat_differences(run, baseline)
    have = set(product(baseline.plan.threat.norms, map(str, baseline.plan.threat.targets), baseline.plan.orders))
    absent = [part for part in parts if (part.group.norm, part.group.target, part.group.order) not in have]
    found += [f"{part.threat}: not in {baseline.name}" for part in absent]
    if not paired.shared_inputs([run, baseline]):
        lost = paired.relabelled(run, baseline)
        found += [f"inputs: none in common{f', {lost} have other labels' if lost else ''}"]
    if found:
        raise InputError(f"--baseline: expected a run that can be compared, got another ({'; '.join(found)})")
    return [part_of(baseline, part.group) for part in parts]


def compare_plans(run: RunRecords, baseline: RunRecords) -> list[str]:
    """What a reader of a drop should know: what else differs, and which inputs it leaves out."""
    shared = len(paired.shared_inputs([run, baseline]))
    sizes = [len(paired.planned_inputs(each)) for each in (run, baseline)]
    notes = paired.setup_differences(run, baseline)
    if max(sizes) > shared:
        notes += [
            f"the drop is over the {count(shared, 'input')} that both runs have ({sizes[0]} here, {sizes[1]} there)"
        ]
    if lost := paired.relabelled(run, baseline):
        notes += [f"{count(lost, 'input')} of both runs are left out: their labels differ"]
    unfinished = [each for each in (run, baseline) if each.finished < each.total]
    notes += [f"{each.name} is not finished: {each.finished} of {each.total} tasks" for each in unfinished]
    if run.plan.model.weights_hash == baseline.plan.model.weights_hash:
        notes += [f"{baseline.name} has the same weights"]
    return notes


def drop(part: Part, earlier: Part, name: str, limit: float) -> GateCheck:
    """How far a median fell from the baseline's."""
    before, now = paired.by_input(earlier.judged), paired.by_input(part.entries)
    lost = {(failure.input_key, failure.label) for failure in part.failures}
    both = [(now.get(key), old) for key, old in before.items() if key in now or key in lost]
    numbers = [(None if new is None else _now(new, name), paired.readable(old, name)) for new, old in both]
    known = [(new, old) for new, old in numbers if new is not None and old is not None]
    columns = [new for new, _ in known], [old for _, old in known]
    value = relative_drop(*columns) if known else None
    interval = paired.bootstrap_interval(relative_drop, *columns)
    shown = "nothing" if value is None else precise(value)
    if interval is not None:
        shown += f" (95 %: {precise(interval[0])} to {precise(interval[1], limit)}; {len(known)} of {len(both)} inputs)"
    few, median = _too_few_pairs(len(known), len(both)), f"median {MARKS[name].words}"
    return GateCheck(
        flag="max-drop",
        criterion=f"relative drop of the {median}",
        threat=part.threat,
        wanted=f"at most {precise(limit)}",
        got=shown if interval is not None else f"{shown} ({len(known)} of {count(len(both), 'input')})",
        passed=not few and interval is not None and interval[1] <= limit,
        reason=few or f"a drop of the {median} by more than {precise(limit)} is not excluded: {shown}",
        value=value,
        limit=limit,
        interval=interval,
    )


def _now(entry: Entry, name: str) -> float | None:
    return paired.readable(entry, name) if entry.judged else 0.0


def _too_few_pairs(known: int, both: int) -> str:
    if known < paired.FEWEST_FOR_INTERVAL:
        return f"only {count(known, 'input')} can be compared; an interval needs {paired.FEWEST_FOR_INTERVAL}"
    if known < READABLE_SHARE * both:
        return f"only {known} of {both} inputs have a number that may be read in both runs; at least half must"
    return ""


def relative_drop(now: Sequence[float], before: Sequence[float]) -> float:
    """`1 - median(now) / median(before)`; negative for a rise, 0 where there was nothing to lose.

    >>> relative_drop([0.75, 1.5], [1.5, 1.5]), relative_drop([0.0], [0.0])
    (0.25, 0.0)
    """
    new, old = middle(now), middle(before)
    if old in {0, new}:
        return 0.0
    return 1.0 if math.isinf(old) else 1 - new / old
