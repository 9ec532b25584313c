"""Several runs side by side: who is ahead on the inputs that all of them have, and by how much.

**Leaderboard.** Runs are ranked by the median attack distance over the shared inputs, the one number that is a fact
about each model. What is not shown counts as 0 there: a misclassified input, an input whose attacks the audit doubts,
an input without a witness. So masking can only lower a rank; a run for which more than half of the inputs count as 0
has none.

**Differences.** Every other run is compared with the first, input by input, over the inputs that both classify
correctly and whose number counts in both (`counted`): the median difference with its bootstrap interval, and on how
many inputs each is ahead. Where these are fewer than half of the inputs that both classify correctly, there is no
difference to read; nor is there one of proofs where no method of proof applies to one of the networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from clearance.errors import InputError
from clearance.report.contest import Comparison, Contest, Difference, Middle, Standing
from clearance.report.marks import count, name_norm
from clearance.report.paired import (
    QUANTITIES,
    Key,
    bootstrap_interval,
    by_input,
    counted,
    distance_doubted,
    input_key,
    readable,
    relabelled,
    setup_differences,
    shared_inputs,
    shown_distance,
    subtract,
    threat_differences,
    threat_name,
)
from clearance.report.records import Entry, RunRecords
from clearance.report.statistics import Group, grouped, share
from clearance.runs.summary import READABLE_SHARE, middle


def compare(runs: Sequence[RunRecords]) -> Comparison:
    """Compare runs on the inputs, norms, targets and orders that all of them have.

    Args:
        runs: At least two, with different names; the first is what the others are compared with.

    Returns:
        The comparison.

    Raises:
        InputError: If they are fewer than two, their threat models differ, or they share no finished input.
    """
    if len(runs) < 2:
        raise InputError(f"expected at least two runs to compare, got {len(runs)}")
    first, *others = runs
    found = [difference for other in others for difference in threat_differences(first, other)]
    if found:
        raise InputError(f"expected runs that can be compared, got others ({'; '.join(found)})")
    groups = [group for group in grouped(first.entries) if all(group in grouped(other.entries) for other in others)]
    keys = shared_inputs(runs)
    contests = [contest for group in groups if (contest := _contest(runs, group, keys)) is not None]
    if not contests:
        raise InputError(
            f"expected runs that have something in common, got none ({_nothing_shared(runs, keys, groups)})"
        )
    kept = tuple(_kept(run, contests) for run in runs)
    return Comparison(kept, tuple(contests), tuple(_notes(runs, contests)))


def _contest(runs: Sequence[RunRecords], group: Group, keys: Sequence[Key]) -> Contest | None:
    members = [by_input(grouped(run.entries)[group]) for run in runs]
    shared = [key for key in keys if all(key in entries for entries in members)]
    if not shared:
        return None
    columns = [[entries[key] for key in shared] for entries in members]
    distances = tuple(zip(*([shown_distance(entry) for entry in column] for column in columns), strict=True))
    standings = [_standing(runs, place, columns[place], distances) for place in range(len(runs))]
    ranked = sorted(standings, key=lambda one: (one.shown == 0, -one.shown))
    return Contest(
        group,
        threat_name(group, runs[0]),
        tuple((input_key(entry), entry.index) for entry in columns[0]),
        distances,
        tuple(ranked),
        tuple(
            _difference(run.name, runs[0].name, quantity, column, columns[0])
            for run, column in zip(runs[1:], columns[1:], strict=True)
            for quantity in QUANTITIES
        ),
    )


def _standing(
    runs: Sequence[RunRecords], place: int, entries: Sequence[Entry], distances: Sequence[Sequence[float]]
) -> Standing:
    """A run's line; its rank is one more than the number of runs that are strictly ahead."""
    medians = [middle([row[each] for row in distances]) for each in range(len(runs))]
    own, judged = medians[place], [entry for entry in entries if entry.judged]
    return Standing(
        run=runs[place].name,
        model=runs[place].plan.model.name,
        rank=None if own == 0 else 1 + sum(other > own for other in medians),
        shown=own,
        ahead=share(row[place] > max((*row[:place], *row[place + 1 :])) for row in distances) or 0.0,
        misclassified=share(not entry.judged for entry in entries) or 0.0,
        flagged=share(not entry.status.has_number for entry in judged),
        doubted=share(distance_doubted(entry) for entry in judged),
        unattacked=share(not distance_doubted(e) and readable(e, "attacked") is None for e in judged),
        medians={quantity: _middle(judged, quantity) for quantity in QUANTITIES},
        passes=round(sum(map(_passes, entries)) / len(entries)),
    )


def _passes(entry: Entry) -> int:
    return sum(one.forward + one.backward for one in entry.costs if one.part == "all")


def _middle(judged: Sequence[Entry], quantity: str) -> Middle:
    numbers = [value for entry in judged if (value := counted(entry, quantity)) is not None]
    enough = numbers and len(numbers) >= READABLE_SHARE * len(judged)
    below = sum(entry.below_proof for entry in judged) if quantity == "estimated" else 0
    return Middle(middle(numbers) if enough else None, len(numbers), len(judged), below)


def _difference(run: str, against: str, quantity: str, entries: Sequence[Entry], others: Sequence[Entry]) -> Difference:
    both = [(one, other) for one, other in zip(entries, others, strict=True) if one.judged and other.judged]
    proofs = quantity == "certified"
    provable = [pair for pair in both if not (proofs and any(entry.beyond_proofs for entry in pair))]
    numbers = [(counted(one, quantity), counted(other, quantity)) for one, other in provable]
    pairs = [(one, other) for one, other in numbers if one is not None and other is not None]
    if not pairs or len(pairs) < READABLE_SHARE * len(both):
        lost = len(provable) < len(both)
        return Difference(run, against, quantity, len(pairs), len(both), None, None, None, None, no_method=lost)
    values = subtract([one for one, _ in pairs], [other for _, other in pairs])
    return Difference(
        run,
        against,
        quantity,
        len(pairs),
        len(both),
        value=middle(values),
        interval=bootstrap_interval(middle, values),
        ahead=float((values > 0).mean()),
        behind=float((values < 0).mean()),
    )


def _kept(run: RunRecords, contests: Sequence[Contest]) -> RunRecords:
    """What is compared of a run, with the places that its inputs have in the first run."""
    places = {(contest.group, key): place for contest in contests for key, place in contest.inputs}
    entries = [
        replace(entry, index=places[group, input_key(entry)])
        for group, members in grouped(run.entries).items()
        for entry in by_input(members).values()
        if (group, input_key(entry)) in places
    ]
    return replace(run, entries=tuple(entries))


def _notes(runs: Sequence[RunRecords], contests: Sequence[Contest]) -> list[str]:
    """What is left out of the comparison, and what else may explain a difference."""
    first, *others = runs
    notes = list(dict.fromkeys(note for other in others for note in setup_differences(first, other)))
    compared = {(c.group.norm, c.group.target, c.group.order) for c in contests}
    everywhere = set(first.plan.data.input_keys).intersection(*(other.plan.data.input_keys for other in others))
    for run in runs:
        planned = {
            (n, str(t), o) for n in run.plan.threat.norms for t in run.plan.threat.targets for o in run.plan.orders
        }
        left = sorted(f"{name_norm(norm)}, {target}, order {order}" for norm, target, order in planned - compared)
        notes += [f"not compared, because not all runs have it: {'; '.join(left)} of {run.name}"] if left else []
        extra = len(set(run.plan.data.input_keys) - everywhere)
        notes += [f"{run.name} has {count(extra, 'input')} more that not all runs have"] if extra else []
        notes += (
            [f"{run.name} is not finished: {run.finished} of {run.total} tasks"] if run.finished < run.total else []
        )
        notes += [f"{count(len(run.failures), 'task')} of {run.name} failed"] if run.failures else []
    for other in others:
        lost = relabelled(first, other)
        notes += [f"{count(lost, 'input')} of {first.name} and {other.name} left out: other labels"] if lost else []
        same = first.plan.model.weights_hash == other.plan.model.weights_hash
        notes += [f"{first.name} and {other.name} have the same weights"] if same else []
    return notes


def _nothing_shared(runs: Sequence[RunRecords], keys: Sequence[Key], groups: Sequence[Group]) -> str:
    if not keys:
        return "no input with the same content and label is in all of them"
    if not groups:
        return "no norm, target and order has results in all of them"
    return f"no input has finished in all {len(runs)}"
