"""The gate: does a release reach what was asked of it?

Each criterion (`criteria.CRITERIA`) is judged for each norm, target and order on its own; robust accuracy, which is
about every class, for each norm and radius.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from clearance.errors import InputError
from clearance.report.accuracy_limits import accuracy_parts
from clearance.report.criteria import CRITERIA, LimitKind, flag_of
from clearance.report.demands import Limits, Part, part_of
from clearance.report.drop import compare_plans, drop, find_same
from clearance.report.marks import count, write_norm
from clearance.report.outcome import GateCheck, GateOutcome
from clearance.report.records import RunRecords
from clearance.report.security_tables import passed_over_note
from clearance.report.statistics import Group


def judge(
    run: RunRecords,
    limits: Limits,
    *,
    baseline: RunRecords | None = None,
    norms: Sequence[float] = (),
    targets: Sequence[str] = (),
) -> GateOutcome:
    """Judge a run by what is asked of it.

    Args:
        run: The run.
        limits: What is asked.
        baseline: An earlier run that it must not fall behind; with `max_drop`.
        norms: Judge these norms only; empty for all.
        targets: Judge these targets only; empty for all.

    Returns:
        One check for each criterion, and for each norm, target and order where it is about them.

    Raises:
        InputError: If the run has not the norm or the target, `max_drop` and `baseline`, or limits on robust accuracy
            and radii, do not come together, a run of correctly classified inputs alone is judged by
            `max_misclassified`, the run has no robust accuracy, or the baseline cannot be compared: no
            input in common, other bounds, another budget, no such norm or target.
    """
    if (limits.max_drop is None) != (baseline is None):
        expected, got = ("--baseline", "--max-drop") if baseline is None else ("--max-drop", "--baseline")
        raise InputError(f"{got}: expected {expected} with it, got none")
    if limits.max_misclassified is not None and run.plan.data.passed_over is not None:
        raise InputError(
            "--max-misclassified: expected a run that takes inputs whatever the network answers, got one with "
            "--skip-misclassified: no input of it can fail"
        )
    parts = _parts(run, norms, targets)
    checks = [_finished(parts, limits), _failed(parts, limits)]
    for part in parts:
        checks += [
            criterion.judge(name, part, limits)
            for name, criterion in CRITERIA.items()
            if criterion.judge is not None and limits.of(name) is not None
        ]
    checks += _robust_accuracy(run, limits, norms)
    notes = [*filter(None, [passed_over_note(run)]), *_left_out(run, limits), *_absent_classes(run, limits)]
    if baseline is not None and limits.max_drop is not None:
        pairs = zip(parts, find_same(run, baseline, parts), strict=True)
        notes += compare_plans(run, baseline)
        checks += [drop(*pair, name, limits.max_drop) for pair in pairs for name in limits.drop_of]
    plan, title = run.plan, None if baseline is None else baseline.name
    names = run.name, plan.model.name, plan.data.name, title
    return GateOutcome(*names, tuple(checks), tuple(notes), plan.threat.unit)


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


def _robust_accuracy(run: RunRecords, limits: Limits, norms: Sequence[float]) -> list[GateCheck]:
    """What is asked of robust accuracy, for each norm and radius."""
    judges = {name: one.judge_at for name, one in CRITERIA.items() if limits.of(name) is not None and one.judge_at}
    flags = [f"--{flag_of(name)}" for name in judges]
    parts = accuracy_parts(run, norms or run.plan.threat.norms, limits, flags)
    return [judge(name, part, limits) for part in parts for name, judge in judges.items()]


def _left_out(run: RunRecords, limits: Limits) -> list[str]:
    """How many inputs have no part in a median that may rise with them, where nothing else asked for counts them."""
    wrong = len({entry.index for entry in run.entries if not entry.judged})
    asked = {name: one for name, one in CRITERIA.items() if limits.of(name) is not None}
    medians = any(one.kind is LimitKind.RADIUS for one in asked.values())
    counted = {"max_misclassified", "max_drop"} & set(asked) or any(one.judge_at for one in asked.values())
    if not wrong or not medians or counted:
        return []
    every = len({entry.index for entry in run.entries})
    return [
        f"{count(wrong, 'input')} of {every} {'is' if wrong == 1 else 'are'} misclassified, and in no median: a "
        "release with more of them may have larger ones; --max-misclassified limits them, --min-not-broken counts "
        "them as broken"
    ]


def _absent_classes(run: RunRecords, limits: Limits) -> list[str]:
    """Which classes the run has no input of, where the worst class is asked for: it is that of the others."""
    if not any(one.of_class and limits.of(name) is not None for name, one in CRITERIA.items()):
        return []
    classes = max(run.classes, len(run.plan.data.class_names))
    absent = [run.class_name(label) for label in range(classes) if label not in set(run.plan.data.labels)]
    if not absent:
        return []
    which = f"class {absent[0]}" if len(absent) == 1 else f"{len(absent)} of {classes} classes ({', '.join(absent)})"
    return [f"the run has no input of {which}: the worst class is that of the others"]


def _finished(parts: Sequence[Part], limits: Limits) -> GateCheck:
    planned = sum(part.planned for part in parts)
    missing = planned - sum(len(part.entries) + part.failed + part.target_is_predicted for part in parts)
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
