"""Limits on robust accuracy at a radius: of all inputs, and of the class where it is lowest.

Both ends are judged by the count over all inputs of the run, as `report.security` has it, and nothing counts that must
not be read: an input that is not broken counts where its task has succeeded and the audit does not doubt the attacks on
it, or where it is proved. The interval beside the count (Clopper and Pearson 1934) is for the inputs that these were
drawn from; it does not decide.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from clearance.errors import InputError
from clearance.model.robustness import Proportion, Robustness
from clearance.report.demands import Limits
from clearance.report.marks import count, name_norm
from clearance.report.medians import too_few_inputs
from clearance.report.outcome import GateCheck, flag_of, precise
from clearance.report.paired import INTERVAL_LEVEL
from clearance.report.records import RunRecords
from clearance.report.security import KnownInput, has_robust_accuracy, missing_curve, security_curves
from clearance.report.security_tables import LEVEL, write_radius


@dataclass(frozen=True)
class AtRadius:
    """What is known of some inputs of a run in one norm, at one radius.

    Attributes:
        run: The run.
        radius: The radius.
        threat: Norm and radius in words.
        inputs: The inputs, and the class of each; none where nothing has succeeded.
        with_certificates: Whether certificates were asked for.
    """

    run: RunRecords
    radius: float
    threat: str
    inputs: tuple[tuple[KnownInput, int], ...]
    with_certificates: bool

    @cached_property
    def standings(self) -> list[tuple[Robustness, bool]]:
        """What each input counts as, and whether the audit doubts the attacks on it."""
        return [(one.at(self.radius), one.doubted) for one, _ in self.inputs]

    @property
    def proved(self) -> int:
        """How many inputs are proved."""
        return sum(word is Robustness.PROVED for word, _ in self.standings)

    @property
    def not_broken(self) -> int:
        """How many inputs are proved, or have been attacked in vain by attacks that nothing is known against."""
        return self.proved + sum(word is Robustness.NOT_BROKEN and not doubted for word, doubted in self.standings)

    @property
    def left_out(self) -> str:
        """Which inputs are neither broken nor counted as not broken, in words; empty where there is none."""
        doubted = sum(word is Robustness.NOT_BROKEN and doubted for word, doubted in self.standings)
        unknown = sum(word is Robustness.NOT_MEASURED for word, _ in self.standings)
        said = [f"of {doubted} more the audit doubts the attacks"] if doubted else []
        said += [f"{count(unknown, 'is', 'are')} not measured"] if unknown else []
        return "".join(f"; {one}" for one in said)

    @property
    def by_class(self) -> dict[int, AtRadius]:
        """The inputs of each class."""
        return {
            label: replace(self, inputs=tuple(one for one in self.inputs if one[1] == label))
            for label in sorted({label for _, label in self.inputs})
        }


JudgeAtRadius = Callable[[str, AtRadius, Limits], GateCheck]
"""Judges robust accuracy at a radius by the limit of a criterion, whose name comes first."""


def accuracy_parts(run: RunRecords, norms: Sequence[float], limits: Limits, asked: Sequence[str]) -> list[AtRadius]:
    """What limits on robust accuracy are judged on: each norm at each radius.

    Args:
        run: The run.
        norms: The norms.
        limits: What is asked.
        asked: Flags of the limits on robust accuracy that are asked for.

    Returns:
        One part for each; none where nothing is asked.

    Raises:
        InputError: If there are limits and no radii, radii and no limits, or the run's targets leave classes out.
    """
    if bool(asked) != bool(limits.at):
        got, expected = (asked[0], "--at EPS") if asked else ("--at", "a limit on robust accuracy")
        raise InputError(f"{got}: expected {expected} with it, got none")
    if asked and run.entries and not has_robust_accuracy(run):
        raise InputError(f"{asked[0]}: expected a run with robust accuracy. {missing_curve(run).rstrip('.')}")
    labels = run.plan.data.labels
    known = {curve.norm: tuple(zip(curve.inputs, labels, strict=True)) for curve in security_curves(run)}
    certificates = run.plan.parameters.get("certificate") != "none"
    return [
        AtRadius(run, radius, _threat(run, norm, radius), known.get(norm, ()), certificates)
        for norm in (norms if asked else ())
        for radius in limits.at
    ]


def _threat(run: RunRecords, norm: float, radius: float) -> str:
    return f"{name_norm(norm)}{run.plan.threat.in_unit} at {write_radius(radius)}"


def accuracy_at_least(end: str) -> JudgeAtRadius:
    """What judges robust accuracy over all inputs.

    Args:
        end: `proved`, its lower end, or `not_broken`, its upper end.

    Returns:
        Judges a part by a limit.
    """

    def judge(name: str, part: AtRadius, limits: Limits) -> GateCheck:
        share = _share(part, end)
        return _check(name, part, limits.asked(name), share, end, _missing(part, end))

    return judge


def worst_accuracy_at_least(end: str) -> JudgeAtRadius:
    """What judges the class whose robust accuracy is lowest.

    Args:
        end: `proved`, its lower end, or `not_broken`, its upper end.

    Returns:
        Judges a part by a limit; a class with fewer inputs than a class needs falls short.
    """

    def judge(name: str, part: AtRadius, limits: Limits) -> GateCheck:
        classes = [(part.run.class_name(label), one) for label, one in part.by_class.items()]
        few = too_few_inputs([(title, len(one.inputs)) for title, one in classes], limits)
        title, worst = min(classes, key=lambda one: _share(one[1], end).share, default=(None, part))
        return _check(name, worst, limits.asked(name), _share(worst, end), end, _missing(part, end) or few, title)

    return judge


def _share(part: AtRadius, end: str) -> Proportion:
    return Proportion(getattr(part, end), len(part.inputs), INTERVAL_LEVEL)


def _missing(part: AtRadius, end: str) -> str:
    if not part.inputs:
        return "there is no bracket"
    return "the run has no certificates" if end == "proved" and not part.with_certificates else ""


def _check(
    name: str, part: AtRadius, limit: float, share: Proportion, end: str, missing: str, title: str | None = None
) -> GateCheck:
    """The check of one share, which is nothing where something is missing to take it."""
    known = share.of > 0 and not (end == "proved" and not part.with_certificates)
    words = f"robust accuracy, {end.replace('_', ' ')}"
    where = "" if title is None else f" in class {title}"
    got, interval = "nothing", None
    if known:
        interval = share.interval
        ends = " to ".join(map(precise, interval))
        got = f"{precise(share.share, limit)}{where} ({share.count} of {count(share.of, 'input')}; {LEVEL}: {ends})"
    left = part.left_out if end == "not_broken" else ""
    below = f"{share.count} of {count(share.of, 'input')}{where} {'is' if share.count == 1 else 'are'} counted as"
    return GateCheck(
        flag=flag_of(name),
        criterion=words if title is None else f"{words}, worst class",
        threat=part.threat,
        wanted=f"at least {precise(limit)}",
        got=got,
        passed=known and not missing and share.share >= limit,
        reason=missing or f"{below} {end.replace('_', ' ')}, a share below {precise(limit)}{left}",
        value=share.share if known else None,
        limit=limit,
        interval=interval,
        inputs=share.of if known else None,
        worst_class=title,
    )
