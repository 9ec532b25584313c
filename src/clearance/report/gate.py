"""The gate: does a release reach what was asked of it?

**What may be read.** A criterion on a median takes it over the correctly classified inputs whose number may be read: no
refuted or masked estimate, no attack distance that the audit doubts, no certificate that a witness contradicts. Where
these are fewer than half of the correctly classified inputs, failed tasks included, the criterion fails whatever the
median is. So a model whose gradients are masked cannot pass by what is left over.

Each criterion is judged for each norm, target and order on its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from clearance.errors import InputError
from clearance.report import paired
from clearance.report.demands import Limits, Part, part_of
from clearance.report.drop import compare_plans, drop, find_same
from clearance.report.marks import MARKS, count, write_norm
from clearance.report.outcome import GateCheck, GateOutcome, precise
from clearance.report.records import Entry, RunRecords
from clearance.report.statistics import Group
from clearance.runs.summary import middle


def judge(
    run: RunRecords,
    limits: Limits,
    *,
    baseline: RunRecords | None = None,
    norms: Sequence[float] = (),
    targets: Sequence[str] = (),
) -> GateOutcome:
    """Hold a run against what is asked of it.

    Args:
        run: The run.
        limits: What is asked.
        baseline: An earlier run that it must not fall behind; with `max_drop`.
        norms: Judge these norms only; empty for all.
        targets: Judge these targets only; empty for all.

    Returns:
        One check for each criterion, and for each norm, target and order where it is about them.

    Raises:
        InputError: If the run has not the norm or the target, `max_drop` and `baseline` do not come together, or the
            baseline cannot be compared: no input in common, other bounds, another budget, no such norm or target.
    """
    if (limits.max_drop is None) != (baseline is None):
        expected, got = ("--baseline", "--max-drop") if baseline is None else ("--max-drop", "--baseline")
        raise InputError(f"{got}: expected {expected} with it, got none")
    parts = _parts(run, norms, targets)
    checks = [_finished(parts, limits), _failed(parts, limits)]
    for part in parts:
        checks += [_median(part, flag, name, limit) for flag, (name, limit) in limits.medians.items()]
        checks += _shares(part, limits)
    notes: list[str] = []
    if baseline is not None and limits.max_drop is not None:
        pairs = zip(parts, find_same(run, baseline, parts), strict=True)
        notes = compare_plans(run, baseline)
        checks += [drop(*pair, name, limits.max_drop) for pair in pairs for name in limits.drop_of]
    plan, title = run.plan, None if baseline is None else baseline.name
    return GateOutcome(run.name, plan.model.name, plan.data.name, title, tuple(checks), tuple(notes))


def _parts(run: RunRecords, norms: Sequence[float], targets: Sequence[str]) -> list[Part]:
    threat, known = run.plan.threat, [str(target) for target in run.plan.threat.targets]
    _check_known("norm", [write_norm(norm) for norm in norms], [write_norm(norm) for norm in threat.norms])
    _check_known("target", targets, known)
    chosen = product(norms or threat.norms, targets or known, run.plan.orders)
    return [part_of(run, Group(*group)) for group in chosen]


def _check_known(name: str, asked: Sequence[str], known: Sequence[str]) -> None:
    missing = [value for value in asked if value not in known]
    if missing:
        raise InputError(f"--{name}: expected one of {', '.join(known)}, as the run has, got {missing[0]}")


def _finished(parts: Sequence[Part], limits: Limits) -> GateCheck:
    planned = sum(part.planned for part in parts)
    missing = planned - sum(len(part.entries) + part.failed for part in parts)
    return GateCheck(
        flag="allow-unfinished" if limits.allow_unfinished else "finished",
        criterion="unfinished tasks",
        threat="",
        wanted="any number" if limits.allow_unfinished else "none",
        got=f"{missing} of {planned}",
        passed=not missing or limits.allow_unfinished,
        reason=f"{count(missing, 'task')} of {planned} are not finished",
        value=float(missing),
        limit=None if limits.allow_unfinished else 0.0,
    )


def _failed(parts: Sequence[Part], limits: Limits) -> GateCheck:
    failed, most = sum(part.failed for part in parts), limits.max_failed
    return GateCheck(
        flag="max-failed",
        criterion="failed tasks",
        threat="",
        wanted=f"at most {most}",
        got=str(failed),
        passed=failed <= most,
        reason=f"{count(failed, 'task')} failed, {most} may",
        value=float(failed),
        limit=float(most),
    )


def _median(part: Part, flag: str, name: str, limit: float) -> GateCheck:
    numbers = [value for entry in part.judged if (value := paired.readable(entry, name)) is not None]
    asked = len(part.judged) + part.failed
    value = middle(numbers) if numbers else None
    doubt = _too_few(part, name, len(numbers), asked)
    shown = "nothing" if value is None else precise(value, limit)
    return GateCheck(
        flag=flag,
        criterion=f"median {MARKS[name].words}",
        threat=part.threat,
        wanted=f"at least {precise(limit)}",
        got=f"{shown} ({len(numbers)} of {count(asked, 'input')})",
        passed=not doubt and value is not None and value >= limit,
        reason=doubt or f"the median {MARKS[name].words} is {shown}, below {precise(limit)}",
        value=value,
        limit=limit,
    )


def _too_few(part: Part, name: str, numbers: int, asked: int) -> str:
    """Why a median must not be taken; empty where it may."""
    if not asked:
        return _nothing(part)
    if not numbers and name == "certified" and all(entry.certified is None for entry in part.judged):
        return "the run has no certificates"
    if numbers < paired.READABLE_SHARE * asked:
        have = f"only {numbers} of {asked} correctly classified inputs have {MARKS[name].with_article}"
        return f"{have} that may be read; at least half must"
    return ""


def _nothing(part: Part) -> str:
    return "every input is misclassified: there is nothing to measure" if part.entries else "nothing is finished"


def _shares(part: Part, limits: Limits) -> list[GateCheck]:
    unread = [entry for entry in part.judged if not entry.status.has_number]
    wrong = [entry for entry in part.entries if not entry.judged]
    flagged, misclassified = limits.max_flagged, limits.max_misclassified
    checks: list[GateCheck] = []
    if flagged is not None:
        checks.append(_share(part, "max-flagged", unread, len(part.judged), flagged))
    if misclassified is not None:
        checks.append(_share(part, "max-misclassified", wrong, len(part.entries), misclassified))
    return checks


def _too_few_tasks(part: Part) -> str:
    known, every = len(part.entries), len(part.entries) + part.failed
    enough = known >= paired.READABLE_SHARE * every
    return "" if enough else f"only {known} of {count(every, 'task')} succeeded; at least half must"


def _share(part: Part, flag: str, found: Sequence[Entry], asked: int, limit: float) -> GateCheck:
    criterion = f"share of {flag.removeprefix('max-')} inputs"
    value = len(found) / asked if asked else None
    shown = "nothing to measure" if value is None else f"{precise(value, limit)} ({len(found)} of {asked})"
    reason = _too_few_tasks(part) or (_nothing(part) if value is None else "")
    codes = sorted({flag.code for entry in found for flag in entry.flags if flag.doubts})
    raised = f": {', '.join(codes)}" if codes and flag == "max-flagged" else ""
    return GateCheck(
        flag=flag,
        criterion=criterion,
        threat=part.threat,
        wanted=f"at most {precise(limit)}",
        got=shown,
        passed=not reason and value is not None and value <= limit,
        reason=reason or f"the {criterion} is {shown}, above {precise(limit)}{raised}",
        value=value,
        limit=limit,
    )
