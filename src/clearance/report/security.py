"""Security curves of a run: robust accuracy against the radius, from below by proofs and from above by witnesses.

For a radius `e`, over all `n` inputs of the plan,

    proved(e)     = #{correct inputs whose certified radius is >= e} / n
    not_broken(e) = 1 - (#{misclassified inputs} + #{inputs with a confirmed witness at a distance <= e}) / n

and the robust accuracy of these inputs lies between them at every `e`. Both are step functions with steps at certified
radii and witness distances only, so they are kept as those numbers and never as values on a grid. Accuracy against the
strength of the attack is called a security evaluation curve by Biggio and Roli (2018).

What counts (source: this project, from the definitions):

- **Any target's witness** in the same norm breaks: it is an input with another class. A proof must be against every
  other class: an untargeted one, or one for each class, of which the smallest radius counts.
- **A proof that a witness contradicts** by more than rounding proves nothing; one within rounding of a witness ends
  below it.
- **An unfinished or failed task** leaves its input without a proof, a witness or a prediction: it counts as neither
  proved nor broken, so that the two shares hold for all inputs of the plan, whatever becomes of it.
- **An input without a witness** is never broken, however doubtful its gradients are: `doubted` counts those whose
  attacks the audit doubts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from clearance.model.robustness import CONTRADICTION, Robustness, RobustShares, standing
from clearance.records import in_words
from clearance.report.paired import INTERVAL_LEVEL, distance_doubted
from clearance.report.records import Entry, RunRecords

MOST_WITNESSES = 0.9
"""Share of the witnesses that tables and charts are made for: where gradients are masked, the last ones lie far off."""

ANY_CLASS = "untargeted"
"""The target that any other class reaches (`model.targets.TARGETS`)."""


@dataclass(frozen=True)
class KnownInput:
    """What a run knows of one input in one norm.

    Attributes:
        index: Index of the input in its set.
        witness: Distance of the nearest witness of any target; infinite without one, NaN for a misclassified input.
        proved: Radius within which no class at all is reached; 0 where nothing is proved, `None` where no certificate
            was asked for or the input is not measured.
        measured: Whether every task that it takes has succeeded.
        doubted: Whether the audit doubts the attacks on it.
    """

    index: int
    witness: float
    proved: float | None
    measured: bool
    doubted: bool

    def at(self, radius: float) -> Robustness:
        """What the input counts as at a radius."""
        if not self.measured and not self.witness <= radius:
            return Robustness.NOT_MEASURED
        return standing(radius, witness=self.witness, proved=self.proved)


@dataclass(frozen=True)
class SecurityCurve:
    """Robust accuracy of a run's inputs at every radius, in one norm.

    Attributes:
        norm: The norm `p` of distances.
        inputs: What is known of each input, in the order of the plan.
        with_certificates: Whether certificates were asked for: without them there is no lower curve.
        failed: How many inputs are not measured because a task failed.
    """

    norm: float
    inputs: tuple[KnownInput, ...]
    with_certificates: bool
    failed: int

    def at(self, radius: float, level: float = INTERVAL_LEVEL) -> RobustShares:
        """Both shares at one radius, exactly, with their intervals."""
        statuses = tuple(one.at(radius) for one in self.inputs)
        doubted = self.doubted_at(radius)
        return RobustShares(radius, self.norm, statuses, self.with_certificates, level, doubted=doubted)

    @property
    def misclassified(self) -> int:
        """How many inputs are misclassified."""
        return sum(math.isnan(one.witness) for one in self.inputs)

    @property
    def not_measured(self) -> int:
        """How many inputs are not measured."""
        return sum(not one.measured for one in self.inputs)

    def doubted_at(self, radius: float) -> int:
        """Of the inputs that are not broken at a radius, how many carry a flag that casts doubt on the attacks."""
        return sum(one.doubted and one.at(radius) is Robustness.NOT_BROKEN for one in self.inputs)

    @cached_property
    def proved_radii(self) -> tuple[float, ...]:
        """The certified radius of each input that is correct and measured, the smallest first."""
        known = (one.proved for one in self.inputs if not math.isnan(one.witness))
        return tuple(sorted(radius for radius in known if radius is not None))

    @cached_property
    def distances(self) -> tuple[float, ...]:
        """The distance of the nearest witness of each input that has one, the smallest first."""
        return tuple(sorted(one.witness for one in self.inputs if math.isfinite(one.witness)))

    @cached_property
    def breakpoints(self) -> tuple[float, ...]:
        """0 and every finite radius at which a curve has a step, the smallest first."""
        return tuple(sorted({0.0, *filter(math.isfinite, self.proved_radii), *self.distances}))

    @property
    def extent(self) -> float:
        """A radius up to which nearly all steps lie: nine in ten of the witnesses, and all finite certified radii."""
        nine_in_ten = self.distances[: math.ceil(MOST_WITNESSES * len(self.distances))]
        return max([0.0, *nine_in_ten[-1:], *filter(math.isfinite, self.proved_radii)])

    def proved_for(self, count: int) -> float | None:
        """The largest radius at which at least so many inputs are proved; `None` where these are never as many."""
        return self.proved_radii[-count] if 0 < count <= len(self.proved_radii) else None

    def broken_from(self, count: int) -> float | None:
        """The smallest radius at which fewer than so many inputs are not broken; `None` where none is known."""
        needed = len(self.inputs) - count + 1 - self.misclassified
        if needed <= 0:
            return 0.0
        return self.distances[needed - 1] if needed <= len(self.distances) else None

    def as_record(self, radii: Sequence[float] = ()) -> dict[str, Any]:
        """Plain values for JSON: the shares at some radii, and the steps that give them at every other."""
        return in_words(
            {
                "norm": self.norm,
                "inputs": len(self.inputs),
                "misclassified": self.misclassified,
                "not_measured": self.not_measured,
                "failed": self.failed,
                "at": [self.at(radius).as_record() for radius in radii],
                "proved_radii": self.proved_radii if self.with_certificates else None,
                "witness_distances": self.distances,
            }
        )


def has_robust_accuracy(run: RunRecords) -> bool:
    """Whether the targets of a run leave no class out: untargeted, every class, or the only other one of two."""
    targets = run.plan.threat.targets
    named = any(isinstance(target, str) for target in targets)
    every = run.classes > 0 and set(range(run.classes)) <= {target for target in targets if isinstance(target, int)}
    return ANY_CLASS in targets or every or (named and run.classes == 2)


def security_curves(run: RunRecords) -> list[SecurityCurve]:
    """The curve of each norm of a run.

    Args:
        run: The run.

    Returns:
        One curve for each norm, in the order of the plan; none where the run's targets leave classes out, or nothing
        has succeeded.
    """
    if not has_robust_accuracy(run) or not run.entries:
        return []
    members: dict[tuple[float, int], list[Entry]] = {}
    for entry in run.entries:
        members.setdefault((entry.norm, entry.index), []).append(entry)
    lost = {(failure.norm, failure.index) for failure in run.failures}
    asked = run.plan.parameters.get("certificate") != "none"
    places = list(zip(run.plan.data.places, run.plan.data.labels, strict=True))
    curves: list[SecurityCurve] = []
    for norm in run.plan.threat.norms:
        inputs = tuple(_known(run, members.get((norm, index), []), index, label) for index, label in places)
        failed = sum((norm, one.index) in lost for one in inputs if not one.measured)
        curves.append(SecurityCurve(norm, inputs, asked, failed))
    return curves


def _known(run: RunRecords, entries: Sequence[Entry], index: int, label: int) -> KnownInput:
    """One input from its brackets of one norm."""
    if any(not entry.judged for entry in entries):
        return KnownInput(index, math.nan, None, measured=True, doubted=False)
    witness = min((entry.attacked for entry in entries if entry.attacked is not None), default=math.inf)
    complete = [found for found in (_any_class(run, entries), _each_class(run, entries, label)) if found is not None]
    proved = max((radius for found in complete for radius in found), default=None)
    doubted = any(distance_doubted(entry) for entry in entries)
    known = KnownInput(index, witness, proved, measured=bool(complete), doubted=doubted)
    return known if proved is None else replace(known, proved=_capped(proved, witness))


def _any_class(run: RunRecords, entries: Sequence[Entry]) -> list[float] | None:
    """What the brackets towards any class prove; `None` where there are none."""
    targets = [t for t in run.plan.threat.targets if isinstance(t, str) and (t == ANY_CLASS or run.classes == 2)]
    found = [entry for entry in entries if entry.target in targets]
    return _radii(found) if found else None


def _each_class(run: RunRecords, entries: Sequence[Entry], label: int) -> list[float] | None:
    """What the brackets towards each class prove together; `None` where one is missing."""
    if not run.classes:
        return None
    needed = [str(index) for index in range(run.classes) if index != label]
    found = [[entry for entry in entries if entry.target == target] for target in needed]
    if not all(found):
        return None
    radii = [max(_radii(members), default=None) for members in found]
    known = [radius for radius in radii if radius is not None]
    return [min(known)] if len(known) == len(radii) else []


def _radii(entries: Iterable[Entry]) -> list[float]:
    return [entry.certified for entry in entries if entry.certified is not None]


def _capped(proved: float, witness: float) -> float:
    """A certified radius beside the nearest witness: contradicted it is nothing, and within rounding it ends below."""
    if proved > witness * (1 + CONTRADICTION):
        return 0.0
    return min(proved, math.nextafter(witness, 0.0)) if math.isfinite(witness) else proved


def missing_curve(run: RunRecords) -> str:
    """Why a run has no security curve, in one sentence; empty where it has.

    Args:
        run: The run.

    Returns:
        The sentence.
    """
    if security_curves(run):
        return ""
    if not run.entries:
        return "No task has succeeded: nothing is known of robust accuracy."
    targets = ", ".join(map(str, run.plan.threat.targets))
    return (
        f"This run moves inputs to chosen classes only (target {targets}), so it has no robust accuracy: "
        "that needs --target untargeted, or every class as a target."
    )
