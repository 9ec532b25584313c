"""Numbers of several runs, paired by input: which of them may be compared, and bootstrap intervals.

Inputs are paired by their content and label, never by their place: two runs over other parts of one set meet on the
inputs that both have. Equal inputs of one run count once in a pair.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clearance.estimates.status import Status
from clearance.report.marks import MARKS, name_norm
from clearance.report.records import Entry, RunRecords
from clearance.report.statistics import Group
from clearance.runs.threat import Feature, ThreatModel

QUANTITIES = tuple(reversed(MARKS))
"""The three numbers of a bracket by their kinds, attacked first: a distance is a fact about the model."""

FEWEST_FOR_INTERVAL = 6
"""Fewest pairs that an interval is computed from. The range of `n` values holds the true median with probability
`1 - 2^(1 - n)`: with five it stays below 95 %, so that no interval within the range can have that level."""

INTERVAL_LEVEL = 0.95
"""Level of an interval."""

RESAMPLES = 2000
"""How many resamples an interval rests on: its ends are then the 50th smallest and largest of them."""

Key = tuple[str, int]
"""What makes two inputs the same: the content's digest and the label."""

Numbers = NDArray[np.float64]
"""One number for each input, `(inputs,)`."""


def distance_doubted(entry: Entry) -> bool:
    """Whether the audit doubts the attack itself, so that its distance may be far too large.

    A refuted estimate or a contradicted certificate says nothing against the witness: it is the witness that refutes.
    """
    hidden = entry.status in (Status.MASKED, Status.NO_GRADIENT, Status.NON_FINITE)
    return hidden or any(flag.doubts and flag.code not in ("refuted", "contradiction") for flag in entry.flags)


def readable(entry: Entry, quantity: str) -> float | None:
    """A number of a bracket, where it may be read as what it is called.

    Args:
        entry: The bracket.
        quantity: `attacked`: the distance of the nearest witness, unless the audit doubts the attacks; infinite where
            it is proved that there is none, whatever the audit says. `estimated`: the estimated radius, unless it is
            refuted or masked.
            `certified`: the proved radius, 0 where nothing is proved, unless a witness contradicts it.

    Returns:
        The number; `None` where there is none, it must not be read, or the input is misclassified.
    """
    if not entry.judged:
        return None
    if quantity == "estimated":
        return entry.estimated
    if quantity == "certified":
        contradicted = any(flag.code == "contradiction" for flag in entry.flags)
        return None if contradicted else entry.certified
    if entry.attacked is None and entry.certified == math.inf:  # a proof does not depend on attacks
        return math.inf
    return None if distance_doubted(entry) else entry.attacked


def counted(entry: Entry, quantity: str) -> float | None:
    """A number of a bracket as it counts in a median or a difference.

    As `readable`, but an estimate of which more is proved does not count: the proof that stands in its place is none.
    """
    return entry.own_estimate if quantity == "estimated" and entry.judged else readable(entry, quantity)


def shown_distance(entry: Entry) -> float:
    """The attack distance as it counts in a ranking: what is not shown counts as 0.

    0 for a misclassified input (nothing has to move), for one whose attacks the audit doubts, and for one without a
    witness and without a proof that there is none.
    """
    return readable(entry, "attacked") or 0.0


def subtract(first: ArrayLike, second: ArrayLike) -> Numbers:
    """`first - second`, 0 where both are infinite."""
    one, other = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    different = one != other
    return np.subtract(one, other, out=np.zeros_like(one), where=different)


def bootstrap_interval(
    statistic: Callable[..., float], *columns: ArrayLike, seed: int = 0, level: float = INTERVAL_LEVEL
) -> tuple[float, float] | None:
    """Percentile interval of a statistic over resampled inputs (Efron 1979; Efron and Tibshirani 1993, chapter 13).

    Rows are drawn with replacement, the same rows of each column, so that pairs stay together. The ends are values of
    the statistic that were met: nothing is interpolated, and infinite values may be among them.

    Args:
        statistic: A number from arrays `(rows,)`, one for each column.
        *columns: Arrays `(rows,)`.
        seed: Fixes the resamples.
        level: Level of the interval, between 0 and 1.

    Returns:
        The ends; `None` with fewer than `FEWEST_FOR_INTERVAL` rows.
    """
    data = [np.asarray(column, dtype=np.float64) for column in columns]
    rows = len(data[0])
    if rows < FEWEST_FOR_INTERVAL:
        return None
    generator = np.random.default_rng(seed)
    draws = (generator.integers(rows, size=rows) for _ in range(RESAMPLES))
    found = sorted(statistic(*(column[draw] for column in data)) for draw in draws)
    outside = math.floor((1 - level) / 2 * (RESAMPLES - 1))
    return found[outside], found[RESAMPLES - 1 - outside]


def threat_name(group: Group, run: RunRecords) -> str:
    """Norm, its unit where it is not that of the inputs, and target in words, and the order where it is not 1."""
    order = f", order {group.order}" if len(run.plan.orders) > 1 or group.order != 1 else ""
    return f"{name_norm(group.norm)}{run.plan.threat.in_unit}, {group.target}{order}"


def input_key(entry: Entry) -> Key:
    """What an entry is paired by."""
    return entry.input_key, entry.label


def by_input(entries: Iterable[Entry]) -> dict[Key, Entry]:
    """Entries of one norm, target and order by their input."""
    return {input_key(entry): entry for entry in entries}


def planned_inputs(run: RunRecords) -> list[Key]:
    """The inputs of a run's plan, in its order, each once."""
    return list(dict.fromkeys(zip(run.plan.data.input_keys, run.plan.data.labels, strict=True)))


def shared_inputs(runs: Sequence[RunRecords]) -> list[Key]:
    """The inputs that all plans have with the same label, in the order of the first."""
    first, *others = (planned_inputs(run) for run in runs)
    everywhere = set(first).intersection(*others)
    return [key for key in first if key in everywhere]


def relabelled(first: RunRecords, other: RunRecords) -> int:
    """How many inputs are in both plans, but with other labels."""
    shared = {key for key, _ in shared_inputs([first, other])}
    return len({*first.plan.data.input_keys} & {*other.plan.data.input_keys} - shared)


def threat_differences(first: RunRecords, other: RunRecords) -> list[str]:
    """What makes the numbers of two runs incomparable: the valid range, or how hard attacks and estimates tried."""
    one, two = first.plan, other.plan
    found = [("bounds", *_same_rounded(one.threat.bounds, two.threat.bounds))]
    found += [("unit", one.threat.units, two.threat.units)]
    if not _same_space(one.threat, two.threat) and not any(a != b for _, a, b in found):
        precisions = one.model.dtype, two.model.dtype
        told = [f" ({name})" if len(set(precisions)) > 1 else "" for name in precisions]
        found += [("bounds, scale or fixed coordinates of features", f"one{told[0]}", f"another{told[1]}")]
    found += [("budget", one.parameters.get("budget"), two.parameters.get("budget"))]
    return [f"{name}: {_said(a)} in {first.name}, {_said(b)} in {other.name}" for name, a, b in found if a != b]


def _same_rounded(one: object, two: object) -> tuple[object, object]:
    """Two ranges; the first twice where both are the same in float32: a network's precision rounds them."""
    return (one, one) if _rounded(one) == _rounded(two) else (one, two)


def _rounded(ends: object) -> object:
    return tuple(np.float32(end) for end in cast("tuple[float, ...]", ends)) if isinstance(ends, tuple) else ends


def _same_space(one: ThreatModel, two: ThreatModel) -> bool:
    """Whether features have the same bounds and scale and the same of them move, up to rounding to float32."""
    if one.space == two.space or (one.rounded or one.space) == (two.rounded or two.space):
        return True
    if one.features is None or two.features is None:  # of older plans the digests alone say nothing where they differ
        return False
    return [_threat_of(feature) for feature in one.features] == [_threat_of(feature) for feature in two.features]


def _threat_of(feature: Feature) -> tuple[object, ...]:
    numbers = (feature.unit, feature.low, feature.high)
    return feature.name, feature.moves, *(np.float32(number) for number in numbers)


def setup_differences(first: RunRecords, other: RunRecords) -> list[str]:
    """What else may explain a difference between the numbers of two runs that may be compared."""
    one, two = first.plan, other.plan
    names = sorted({*one.versions, *two.versions})
    versions = [name for name in names if one.versions.get(name) != two.versions.get(name)]
    found = [f"{other.name} was computed with other versions of {', '.join(versions)}"] if versions else []
    found += [f"{other.name} has another seed ({two.seed}, not {one.seed})"] if one.seed != two.seed else []
    methods = [run.plan.parameters.get("certificate") for run in (first, other)]
    found += [f"{other.name} was certified by {methods[1]}, not {methods[0]}"] if methods[0] != methods[1] else []
    return found + [text for run in (first, other) if (text := _beyond_proofs(run))]


def _beyond_proofs(run: RunRecords) -> str:
    """That no method of proof applies to a network, so that its certified radii of 0 say nothing of it."""
    unknown = [entry.proof[2] for entry in run.judged if entry.beyond_proofs]
    if not unknown or len(unknown) < len(run.judged):
        return ""
    return f"no method of proof applies to {run.name} ({unknown[0]}): that nothing is proved of it says nothing of it"


def _said(value: object) -> str:
    return "none" if value is None else f"{value[0]:g} to {value[1]:g}" if isinstance(value, tuple) else str(value)
