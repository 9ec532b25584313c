"""What the page of several runs says first: who stands farther out, on how many inputs, and by how much."""

from __future__ import annotations

import math
from collections.abc import Sequence

from clearance.report.answer import LONGEST_IN_SENTENCE, PageAnswer
from clearance.report.contest import Comparison, Contest, Difference, DifferenceVerdict
from clearance.report.marks import count, write_number
from clearance.report.outcome import as_text
from clearance.report.paired import FEWEST_FOR_INTERVAL
from clearance.report.row_words import distance_text


def contest_answers(comparison: Comparison) -> list[PageAnswer]:
    """The answer for each norm, target and order: one sentence for two runs, or the ranking and one for each other run.

    Args:
        comparison: What several runs have in common.

    Returns:
        The answers, in the order of the comparison.
    """
    found: list[PageAnswer] = []
    for contest in comparison.contests:
        pairs = [one for one in contest.differences if one.quantity == "attacked"]
        said = [*([_ranking(contest)] if len(contest.standings) > 2 else []), *map(pair_sentence, pairs)]
        lost = [as_text(one.run, LONGEST_IN_SENTENCE) for one in contest.standings if one.rank is None]
        doubt = f"no rank: {', '.join(lost)}" if lost else ""
        text = " ".join(said)
        short = text if len(contest.standings) > 2 else short_sentence(pairs[0])
        found.append(PageAnswer(as_text(contest.threat), text, short, doubt))
    return found


def pair_sentence(one: Difference) -> str:
    """A difference of attack distances in a sentence, whichever run is ahead.

    Args:
        one: The difference.

    Returns:
        The sentence.
    """
    run, against = as_text(one.run, LONGEST_IN_SENTENCE), as_text(one.against, LONGEST_IN_SENTENCE)
    if one.value is None or one.ahead is None or one.behind is None:
        readable = f"{one.inputs} of {count(one.asked, 'input')} that both classify correctly"
        return f"{run} and {against} cannot be compared: attack distances may be read in both on {readable}."
    ahead, behind = (round(share * one.inputs) for share in (one.ahead, one.behind))
    forwards = one.value > 0 or (one.value == 0 and ahead >= behind)
    names = (run, against) if forwards else (against, run)
    times = (ahead, behind) if forwards else (behind, ahead)
    of = f"{count(one.inputs, 'input')} that both classify correctly"
    if one.verdict is DifferenceVerdict.UNDECIDED:
        return (
            f"Neither {run} nor {against} stands clearly farther out: the one does on {ahead} and the other on "
            f"{behind} of {of}, and the interval of the median difference ({_interval(one, forwards=True)}) holds 0."
        )
    sure = f"95 % interval {_interval(one, forwards=forwards)}" if one.interval else _few()
    if math.isinf(one.value):
        return (
            f"{names[0]} stands farther out than {names[1]} on {times[0]} of {of}: for most of them it is proved that "
            f"no adversarial example of {names[0]} exists."
        )
    return (
        f"{names[0]} stands farther out than {names[1]} on {times[0]} of {of}: its nearest witness is farther by "
        f"{write_number(abs(one.value))} in the median ({sure})."
    )


def short_sentence(one: Difference) -> str:
    """A difference of attack distances in a line, for a list of several.

    Args:
        one: The difference.

    Returns:
        The line.
    """
    run, against = as_text(one.run, LONGEST_IN_SENTENCE), as_text(one.against, LONGEST_IN_SENTENCE)
    if one.value is None or one.ahead is None or one.behind is None:
        return f"Attack distances may be read in both on {one.inputs} of {count(one.asked, 'input')} only"
    ahead, behind = (round(share * one.inputs) for share in (one.ahead, one.behind))
    if one.verdict is DifferenceVerdict.UNDECIDED:
        return f"undecided: {run} is farther out on {ahead}, {against} on {behind} of {count(one.inputs, 'input')}"
    name, times = (run, ahead) if one.value > 0 or (one.value == 0 and ahead >= behind) else (against, behind)
    few = "" if one.interval else " (too few inputs for an interval)"
    if math.isinf(one.value):
        return (
            f"{name} stands farther out on {times} of {one.inputs}: it is proved that most have no adversarial example"
        )
    return f"{name} stands farther out on {times} of {one.inputs}, by {write_number(abs(one.value))} in the median{few}"


def _few() -> str:
    return f"too few inputs for an interval: it needs {FEWEST_FOR_INTERVAL}"


def _interval(one: Difference, *, forwards: bool) -> str:
    if one.interval is None:
        return ""
    low, high = one.interval if forwards else (-one.interval[1], -one.interval[0])
    return f"{write_number(low)} to {write_number(high)}"


def _ranking(contest: Contest) -> str:
    ranked: Sequence[str] = [
        f"{as_text(one.run, LONGEST_IN_SENTENCE)} ({distance_text(one.shown, 'attacked')})"
        for one in contest.standings
        if one.rank is not None
    ]
    zeros = any(one.misclassified or one.doubted or one.unattacked for one in contest.standings if one.rank)
    by = "median distance of the nearest witness"
    by += ", where what is misclassified, in doubt or without one counts as 0," if zeros else ""
    if len(ranked) == 1:
        return f"Only {ranked[0]} has a rank, by the {by.rstrip(',')}."
    if not ranked:
        return "No run has a rank."
    return f"By the {by} the order is {', '.join(ranked)}."
