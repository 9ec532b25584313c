"""What the page of a run says first: the answer in a sentence, what the audit says of gradients, and what to mind.

Nothing here may contradict what stands below it: a page is calm only where the audit raised no warning and every
estimate is worth what it seems to be.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from clearance.estimates.status import Status
from clearance.report.flags import flag_groups
from clearance.report.grey_levels import are_pictures, write_levels
from clearance.report.marks import count, name_norm, write_number, write_share
from clearance.report.outcome import as_text
from clearance.report.paired import distance_doubted, readable
from clearance.report.records import Entry, RunRecords
from clearance.report.row_words import BELOW
from clearance.report.statistics import Group, doubts, grouped
from clearance.runs.summary import SummaryRow, middle

PROOF_SAYS_LITTLE = 10.0
"""Times what is proved from which a proof says little of an attack distance."""
REACHES_ZERO = 0.01
"""An interval whose lower end is at most this share of the estimate reaches down to 0: it excludes nothing."""

TRAINING_MODE = "train_mode"
"""The one flag that is a sign of haste, as a rule, and of nothing hidden."""
LONGEST_IN_SENTENCE = 60
"""Characters of a name in a sentence: a longer one is cut."""


@dataclass(frozen=True)
class PageAnswer:
    """What one run, or one threat model of it, amounts to.

    Attributes:
        about: Norm, target and order in words.
        text: What was proved, estimated and witnessed, in one sentence.
        short: The same without whose numbers these are, for a list of several.
        doubt: Which of the brackets must not be read, and why; empty where nothing is in doubt.
    """

    about: str
    text: str
    short: str
    doubt: str


@dataclass(frozen=True)
class GradientsSentence:
    """What the audit says of the gradients of a run or of several.

    Attributes:
        text: A sentence.
        doubted: Whether it doubts any.
        audited: Whether anything was audited.
    """

    text: str
    doubted: bool
    audited: bool


def accuracy_sentence(run: RunRecords) -> str:
    """How many of the inputs with a result are classified correctly; empty without a result.

    Where correctly classified inputs alone were taken, that says nothing: then how they were chosen.
    """
    inputs = {(entry.input_key, entry.label): entry.judged for entry in run.entries}
    if not inputs:
        return ""
    name = as_text(run.plan.model.name, LONGEST_IN_SENTENCE)
    if run.plan.data.passed_over is not None:
        return f"{name} was evaluated on {run.plan.data.choice}."
    return f"{name} classifies {sum(inputs.values())} of {count(len(inputs), 'input')} correctly."


def answers(run: RunRecords) -> list[PageAnswer]:
    """What each norm and target of a run amounts to, with what casts doubt on it.

    Args:
        run: The run.

    Returns:
        One for each group that has a correctly classified input.
    """
    groups = {group: [e for e in members if e.judged] for group, members in grouped(run.entries).items()}
    return [_answer(run, group, members) for group, members in groups.items() if members]


def _answer(run: RunRecords, group: Group, members: Sequence[Entry]) -> PageAnswer:
    (row,) = [r for r in run.rows if (r.norm, str(r.target), r.order) == (group.norm, group.target, group.order)]
    inputs = len(members)
    whose = f"The medians of {inputs} inputs" if inputs > 1 else "The one input"
    order = f", order {group.order}" if len(run.plan.orders) > 1 else ""
    about = f"{name_norm(group.norm)}{run.plan.threat.in_unit}, {as_text(group.target, LONGEST_IN_SENTENCE)}{order}"
    levels = group.norm == math.inf and are_pictures(run)
    short = f"{_proof(row.certified, levels)}, {_estimate(row, members, levels)}, {_witness(row, levels)}"
    return PageAnswer(about, f"{whose}: {short}.", short, _doubt(members))


def _proof(certified: float | None, levels: bool) -> str:
    if certified is None:
        return "no proof was asked for"
    if certified == 0:
        return "certified 0 (nothing is proved)"
    if certified == math.inf:
        return "certified ∞ (proved: no valid input is adversarial)"
    return f"certified {_distance(certified, 'certified', levels)} (proved)"


def _witness(row: SummaryRow, levels: bool) -> str:
    if row.attacked is None:
        return "attacked without finding an adversarial example, which proves nothing"
    if row.attacked == math.inf:
        met = f"; {row.witnesses} have a witness" if row.witnesses else ""
        return (
            f"attacked without finding an adversarial example: none exists (proved{_of(row.absent, row.judged)}{met})"
        )
    none = f"; of {row.absent} it is proved that none exists" if row.absent else ""
    return f"attacked {_distance(row.attacked, 'attacked', levels)} (witnessed{_of(row.witnesses, row.judged)}{none})"


def _estimate(row: SummaryRow, members: Sequence[Entry], levels: bool) -> str:
    """The median of the estimates that count.

    Where not all count it is over other inputs than the other medians: then the medians of these very inputs
    stand beside it.
    """
    if not row.readable:
        return "no estimate is above what is proved" if row.below_proof else "no estimate may be read"
    if row.estimated is None:
        below = f" ({row.below_proof} are below what is proved)" if row.below_proof else ""
        return f"no median of estimates: {row.readable} of {row.judged} count{below}"
    if row.readable == row.judged:
        return f"estimated {_distance(row.estimated, 'estimated', levels)} (no bound)"
    these = [one for one in members if one.own_estimate is not None]
    met = [one.attacked for one in these if one.attacked is not None]
    proved = [one.certified for one in these if one.certified is not None]
    ends = [f"certified {write_number(middle(proved), 'certified')}"] if any(proved) else []
    ends += [f"attacked {write_number(middle(met), 'attacked')}"] if met else []
    there = f", which have {' and '.join(ends)}" if ends else ""
    which = "are above what is proved" if row.below_proof else "may be read"
    over = f"no bound; over the {row.readable} of {row.judged} that {which}{there}"
    return f"estimated {_distance(row.estimated, 'estimated', levels)} ({over})"


def _distance(value: float, kind: str, levels: bool) -> str:
    """A distance, and of pictures in the maximum norm what it is in grey levels."""
    return f"{write_number(value, kind)}{f' = {write_levels(value, kind)}' if levels else ''}"


def _of(some: int, every: int) -> str:
    return "" if some == every else f" for {some} of {every}"


def _doubt(members: Sequence[Entry]) -> str:
    (found,) = doubts(members)
    unread = [
        f"{write_share(share)} {word}"
        for word, share in (("refuted", found.refuted), ("masked", found.masked))
        if share
    ]
    said = [f"estimates: {', '.join(unread)}"] if unread else []
    said += [f"a warning or an error on {write_share(found.flagged)}"] if found.flagged else []
    return "; ".join(said)


def gradients(runs: Sequence[RunRecords]) -> GradientsSentence:
    """What the audit says of the gradients of each run: signs that they are hidden, or none.

    Args:
        runs: The runs.

    Returns:
        The sentence.
    """
    judged = {as_text(run.name, LONGEST_IN_SENTENCE): run.judged for run in runs}
    signs = {name: [entry for entry in found if distance_doubted(entry)] for name, found in judged.items()}
    audited = [name for name, found in judged.items() if found]
    if not audited:
        return GradientsSentence("Nothing was audited.", doubted=False, audited=False)
    raised = {name: found for name, found in signs.items() if found}
    clean = [name for name in audited if name not in raised]
    said = [_signs(name if len(runs) > 1 else "", found, len(judged[name])) for name, found in raised.items()]
    if clean:
        said.append(f"The audit found no sign of hidden gradients{_where(clean, audited, len(runs))}.")
    if stepping := [name for name in clean if any(map(_takes_steps, judged[name]))]:
        where = f" of {', '.join(stepping)}" if len(runs) > 1 else ""
        said.append(f"The gradients{where} leave out steps, small ones against the attack distances (path_integral).")
    return GradientsSentence(" ".join(said), doubted=bool(raised), audited=True)


def _takes_steps(entry: Entry) -> bool:
    """Whether a remark says that the function takes steps which its gradients do not know."""
    return any(flag.code == "path_integral" and not flag.doubts for flag in entry.flags)


def _where(clean: Sequence[str], audited: Sequence[str], runs: int) -> str:
    if runs == 1:
        return ""
    if len(clean) == len(audited):
        return " in either" if len(clean) == 2 else f" in any of the {len(clean)} runs"
    return f" in {', '.join(clean)}"


def _signs(name: str, found: Sequence[Entry], of: int) -> str:
    codes = [group.code for group in flag_groups(found) if group.doubts and group.code not in ("refuted",)]
    where = f" of {name}" if name else ""
    if codes == [TRAINING_MODE]:
        return (
            f"The network{where} came in training mode, with dropout active, and was measured in evaluation mode: if "
            "that is what you deploy, call network.eval() and measure again. Until then "
            f"{count(len(found), 'estimate')} of {of} {'is' if len(found) == 1 else 'are'} left out."
        )
    why = f" ({', '.join(codes)})" if codes else ""
    besides = _what_distances_are_worth(found)
    return (
        f"The audit sees signs of hidden gradients in {len(found)} of {count(of, 'bracket')}{where}{why}: their "
        f"estimates are left out, {besides}."
    )


def _what_distances_are_worth(doubted: Sequence[Entry]) -> str:
    """How far off the attack distances of doubted brackets may be: a proof limits that, whatever the audit says."""
    if all(entry.absent for entry in doubted):
        return "while it is proved that no adversarial example of theirs exists"
    ratios = [_beyond_proof(entry) for entry in doubted if not entry.absent]
    if max(ratios) >= PROOF_SAYS_LITTLE:
        return "and their attack distances may be far too large"
    return f"and their attack distances may be too large, by their proofs at most {round_up(max(ratios))} times"


def _beyond_proof(entry: Entry) -> float:
    """The attack distance over what is proved, at least 1; infinite where either is missing."""
    certified = readable(entry, "certified")
    if entry.attacked is None or not certified:
        return math.inf
    return max(entry.attacked / certified, 1.0)


def round_up(ratio: float) -> str:
    """A ratio with two decimals, not smaller than it is.

    >>> round_up(1.0), round_up(1.2201)
    ('1.00', '1.23')
    """
    return f"{math.ceil(100 * ratio - 1e-9) / 100:.2f}"


def cautions(run: RunRecords) -> list[str]:
    """What takes something away from a number that is shown, although no warning was raised.

    Args:
        run: The run.

    Returns:
        Sentences; none where every estimate is worth what it seems to be.
    """
    judged = run.judged
    readable = [entry for entry in judged if entry.estimated is not None]
    shown = [entry for entry in readable if not entry.below_proof]
    said: list[str] = []
    if below := sum(one.below_proof for one in judged):
        those = f"{below} of {len(readable)} estimates" if len(readable) > 1 else "The one estimate"
        said.append(
            f"{those} that may be read (in {count(len(judged), 'bracket')}) {'lies' if below == 1 else 'lie'} below "
            "what is proved: such an estimate adds nothing, and is in no median, average or chart. In lists of "
            f"single inputs its place says {BELOW}."
        )
    if empty := sum(reaches_zero(entry) for entry in shown):
        said.append(
            f"The interval of {empty} of {count(len(shown), 'estimate')} reaches down to 0: as far as the estimate "
            "goes, an adversarial example may lie at any distance."
        )
    if run.plan.model.answers is not None and run.plan.model.answers.calls > 2:
        also = " What is misclassified may be so by chance." if len(judged) < len(run.entries) else ""
        said.append(f"The network's answers differ from call to call: evaluate their average (`clearance.eot`).{also}")
    statuses = Counter(entry.status for entry in shown if entry.status is not Status.OK)
    for status, times in sorted(statuses.items(), key=lambda pair: -pair[0].severity):
        word = status.value.replace("_", " ")
        have = "has" if times == 1 else "have"
        said.append(f"{times} of {count(len(shown), 'estimate')} {have} the status {word} ({status.meaning}).")
    return said


def reaches_zero(entry: Entry) -> bool:
    """Whether the interval of an estimate excludes nothing: its lower end is 0, or next to nothing."""
    if entry.interval is None or entry.estimated is None or entry.estimated <= 0:
        return False
    return entry.interval[0] <= REACHES_ZERO * entry.estimated
