"""What a run says in sentences: whether its numbers may be read, and what they are."""

from __future__ import annotations

from dataclasses import dataclass

from clearance.report.marks import count, name_norm, write_number, write_share
from clearance.report.records import Entry, RunRecords
from clearance.report.statistics import Group, doubts, grouped


@dataclass(frozen=True)
class Verdict:
    """One norm, target and order in a sentence.

    Attributes:
        about: Norm, target and order in words.
        text: The medians.
        doubt: Which of them must not be read, and why; empty where nothing is in doubt.
    """

    about: str
    text: str
    doubt: str


def notices(run: RunRecords) -> list[str]:
    """What a reader must know before anything else: what is missing from this page.

    Args:
        run: The run.

    Returns:
        Sentences; none for a finished run with something to show.
    """
    found: list[str] = []
    if run.finished < run.total:
        found.append(
            f"This run is unfinished: {run.finished:,} of {count(run.total, 'task')} are done. Everything below is "
            "about these; resume the run and make the page again for the rest."
        )
    if run.failures:
        failed = count(len(run.failures), "task")
        found.append(f"{failed} failed; the errors are listed below. No number of theirs is on this page.")
    if run.target_is_predicted:
        left = count(run.target_is_predicted, "task is", "tasks are")
        found.append(f"{left} left out: the input's class is the target, so that there is nothing to measure.")
    if not run.entries and not run.target_is_predicted:
        found.append("No task has succeeded: there is nothing to show.")
    elif run.entries and not run.judged:
        found.append("Every input is misclassified: there is nothing to measure, and no bracket to show.")
    elif len({entry.input_key for entry in run.entries}) == 1:
        found.append("There is one input only: medians and shares below are this input's own.")
    return found


def verdicts(run: RunRecords) -> list[Verdict]:
    """The median bracket of each norm and target, in a sentence, with what casts doubt on it.

    Args:
        run: The run.

    Returns:
        One for each group that has a correctly classified input.
    """
    groups = {group: [e for e in members if e.judged] for group, members in grouped(run.entries).items()}
    return [_verdict(run, group, members) for group, members in groups.items() if members]


def _verdict(run: RunRecords, group: Group, members: list[Entry]) -> Verdict:
    (row,) = [r for r in run.rows if (r.norm, str(r.target), r.order) == (group.norm, group.target, group.order)]
    inputs = len(members)
    parts = [f"certified {write_number(row.certified, 'certified')}"] if _has_proofs(members) else []
    estimate, distance = write_number(row.estimated), write_number(row.attacked, "attacked")
    parts.append(f"estimated {estimate}{_of(row.readable, inputs)}" if row.readable else "no estimate to read")
    parts.append(f"attacked {distance}{_of(row.witnesses, inputs)}" if row.witnesses else "no witness")
    order = f", order {group.order}" if len(run.plan.orders) > 1 else ""
    about = f"{name_norm(group.norm)}, {group.target}{order}"
    return Verdict(about, f"median of {count(inputs, 'input')}: {', '.join(parts)}.", _doubt(members))


def _has_proofs(members: list[Entry]) -> bool:
    return any(entry.certified is not None for entry in members)


def _of(some: int, every: int) -> str:
    return "" if some == every else f" (over {some} of them)"


def _doubt(members: list[Entry]) -> str:
    (found,) = doubts(members)
    shares = (("refuted", found.refuted), ("masked", found.masked), ("flagged", found.flagged))
    return ", ".join(f"{write_share(share)} {word}" for word, share in shares if share)
