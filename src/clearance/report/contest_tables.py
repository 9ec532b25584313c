"""A comparison as tables: the leaderboard, the differences, and the inputs on which the runs are furthest apart."""

from __future__ import annotations

from collections.abc import Sequence

from clearance.report.contest import Comparison, Contest, Middle, Standing
from clearance.report.marks import MARKS, MISSING, name_norm, write_number, write_share
from clearance.report.paired import by_input, distance_doubted
from clearance.report.records import Entry
from clearance.report.row_words import BELOW, NONE_EXISTS, distance_text, estimate_text
from clearance.report.statistics import grouped
from clearance.report.tables import Table

MOST_APART = 20
"""Inputs in the table of those on which the runs are furthest apart."""


def comparison_tables(comparison: Comparison) -> list[Table]:
    """The three tables of a comparison."""
    return [leaderboard(comparison.contests), differences(comparison.contests), furthest_apart(comparison)]


def leaderboard(contests: Sequence[Contest]) -> Table:
    """The runs by their median attack distance, where what is not shown counts as 0."""
    rows = [
        (
            *_about(contests, contest),
            MISSING if one.rank is None else str(one.rank),
            one.run,
            one.model,
            distance_text(one.shown, "attacked"),
            write_share(one.ahead),
            write_share(one.misclassified),
            write_share(one.flagged),
            *(_median(one.medians[kind], kind) for kind in MARKS),
            f"{one.passes:,}",
        )
        for contest in contests
        for one in contest.standings
    ]
    numbers = ("ranking distance", "ahead on", "wrong", "unread", "certified", "estimated", "attacked", "passes")
    head = (*_heads(contests), "rank", "run", "model")
    return Table(
        "leaderboard",
        "Leaderboard",
        "By ranking distance: the median attack distance over all shared inputs, where an input counts as 0 if it is "
        "misclassified, if the audit doubts its attacks, or if it has no witness. A run for which more than half of "
        "the inputs count as 0 has no rank. Ahead on: share of the inputs on which this distance is the largest of "
        "all runs. Unread: share of the correctly classified inputs whose estimate must not be read. Certified, "
        "estimated, attacked: medians over the correctly classified inputs alone whose number may be read "
        "(estimated: and lies above what is proved), left out where these are fewer than half; so attacked is larger "
        f"than the ranking distance where inputs count as 0. {BELOW[0].upper()}{BELOW[1:]}: more is proved than "
        f"estimated for most inputs. {NONE_EXISTS[0].upper()}{NONE_EXISTS[1:]}: it is proved that there is no "
        "adversarial example. Passes: forward and backward, of one input on average; audits of masked networks take "
        "more.",
        (*head, *numbers),
        tuple(rows),
        len(head),
    )


def differences(contests: Sequence[Contest]) -> Table:
    """Every other run against the first, input by input."""
    rows = [
        (
            *_about(contests, contest),
            one.run,
            one.against,
            MARKS[one.quantity].words,
            one.verdict,
            f"{one.inputs} of {one.asked}",
            write_number(one.value),
            MISSING if one.interval is None else " to ".join(write_number(end) for end in one.interval),
            write_share(one.ahead),
            write_share(one.behind),
        )
        for contest in contests
        for one in contest.differences
    ]
    head = (*_heads(contests), "run", "against", "number", "verdict")
    return Table(
        "differences",
        "Differences, input by input",
        "Median of the run's number less that of the run it is compared with, over the inputs that both classify "
        "correctly and whose number counts in both: it may be read, and an estimate lies above what is proved; with "
        "its 95 % bootstrap interval (inputs are resampled). Ahead and behind: where the interval excludes 0. "
        "Unreadable: it counts in both on fewer than half of the inputs that both classify correctly. No method: no "
        "method of proof applies to one of the two, so that its proofs are not compared. A difference of attack "
        "distances or estimates is no proof that one model is more robust; one of certified radii says what was "
        "proved, not what is true.",
        (*head, "inputs", "difference", "95 % interval", "larger on", "smaller on"),
        tuple(rows),
        len(head),
    )


def furthest_apart(comparison: Comparison) -> Table:
    """The inputs whose shown distances differ most between the runs."""
    contests, names = comparison.contests, [run.name for run in comparison.runs]
    rows: list[tuple[str, ...]] = []
    for contest in contests:
        found = [by_input(grouped(run.entries)[contest.group]) for run in comparison.runs]
        pairs = zip(contest.inputs, contest.distances, strict=True)
        ranked = sorted(pairs, key=lambda pair: (-_spread(pair[1]), pair[0][1]))[:MOST_APART]
        rows += [
            (
                *_about(contests, contest),
                comparison.runs[0].class_name(key[1]),
                str(place),
                *(_as_counted(entries[key], distance) for entries, distance in zip(found, row, strict=True)),
            )
            for (key, place), row in ranked
            if _spread(row) > 0
        ]
    head = (*_heads(contests), "class")
    return Table(
        "apart",
        "Where they are furthest apart",
        f"The {MOST_APART} inputs whose attack distances differ most, as they count on the leaderboard. In "
        "parentheses: why an input counts as 0 there; in doubt: the audit doubts its attacks, and the distance that "
        "they reached stands beside it. The input's number is its place in the first run.",
        (*head, "input", *names),
        tuple(rows),
        len(head),
    )


def _as_counted(entry: Entry, distance: float) -> str:
    """An attack distance as it counts on the leaderboard, and why it counts as 0."""
    if distance > 0 or entry.attacked == 0:
        return distance_text(distance, "attacked")
    if not entry.judged:
        return "0 (misclassified)"
    if distance_doubted(entry):
        return f"0 (in doubt: {'no witness' if entry.attacked is None else write_number(entry.attacked, 'attacked')})"
    return "0 (no witness)"


def unranked(contest: Contest) -> list[str]:
    """Why runs have no rank, a sentence for each.

    Args:
        contest: The comparison for one norm, target and order.

    Returns:
        The sentences.
    """
    return [_why(contest, one) for one in contest.standings if one.rank is None]


def _why(contest: Contest, one: Standing) -> str:
    wrong, right = one.misclassified, 1 - one.misclassified
    doubted, unattacked = (one.doubted or 0.0) * right, (one.unattacked or 0.0) * right
    reasons = [f"{write_share(wrong)} are misclassified"] if wrong else []
    reasons += [f"the audit doubts the attacks on {write_share(doubted)}"] if doubted else []
    reasons += [f"{write_share(unattacked)} have no witness"] if unattacked else []
    found = ", ".join(reasons) or "their witnesses are at distance 0"
    return f"{contest.threat}: {one.run} has no rank. More than half of its inputs count as 0: {found}."


def _spread(row: Sequence[float]) -> float:
    return 0.0 if max(row) == min(row) else max(row) - min(row)


def _median(found: Middle, kind: str) -> str:
    return estimate_text(found.value, found.inputs, found.below_proof, found.asked, kind=kind)


def _heads(contests: Sequence[Contest]) -> tuple[str, ...]:
    orders = ["order"] if _several_orders(contests) else []
    return ("target", "norm", *orders) if len(contests) > 1 else ()


def _about(contests: Sequence[Contest], contest: Contest) -> tuple[str, ...]:
    group = contest.group
    order = [str(group.order)] if _several_orders(contests) else []
    return (group.target, name_norm(group.norm), *order) if len(contests) > 1 else ()


def _several_orders(contests: Sequence[Contest]) -> bool:
    return len({contest.group.order for contest in contests}) > 1
