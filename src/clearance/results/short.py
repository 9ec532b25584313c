"""Results in short: counts by status, medians, flags, cost. The command line prints these numbers.

Distances in two norms share no scale, and two targets or orders ask two questions: brackets of several have a summary
each.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from clearance.attacks.result import AttackResult
from clearance.audit import CHECKS, Audit, Severity
from clearance.bracket import Bracket
from clearance.certificates import Certificate
from clearance.estimates.scores import Score
from clearance.model.cost import Cost
from clearance.records import PublicRecord, in_words, name_norm, write_number
from clearance.results.setup import SEVERAL
from clearance.runs.own_estimates import own_estimate
from clearance.runs.summary import middle, summarise

Counts = Mapping[str, int]
MOST_GROUPS = 4
"""Norms, targets and orders in a line; `groups` has all of them."""


@dataclass(frozen=True, repr=False)
class ResultsSummary:
    """Results in short. A median is `None` where there is nothing to take one of.

    Attributes:
        inputs: How many there are; of several groups, all of their brackets.
        statuses: How many have each status; those that occur only.
        certified: Median certified radius: of brackets over the correctly classified inputs, 0 where nothing is proved;
            of certificates over those that have one.
        proofs: Over how many inputs that is.
        estimated: Median estimated radius, over the estimates that count: those that may be read and lie above what is
            proved. Of brackets `None` where these are fewer than half of the correctly classified inputs.
        readable: How many count.
        below_proof: How many estimates are in no median because more is proved.
        attacked: Median attack distance, over the inputs with a witness, and as infinite over those of which it is
            proved that there is none.
        witnesses: How many have a witness.
        absent: Of how many it is proved that there is none.
        flags: On how many inputs the audit raised each flag that casts doubt.
        remarks: On how many it raised each flag that is worth knowing and takes nothing away.
        cost: Of all inputs together.
        groups: Norm, target and order in words -> the summary of its brackets, where there are several: then there is
            no median of all of them.
    """

    inputs: int
    statuses: Counts
    certified: float | None = None
    proofs: int = 0
    estimated: float | None = None
    readable: int = 0
    below_proof: int = 0
    attacked: float | None = None
    witnesses: int = 0
    absent: int = 0
    flags: Counts = field(default_factory=dict[str, int])
    remarks: Counts = field(default_factory=dict[str, int])
    cost: Cost = field(default_factory=Cost)
    groups: Mapping[str, ResultsSummary] = field(default_factory=dict[str, "ResultsSummary"])

    def __str__(self) -> str:
        """All of it in a line, or of the first of several groups.

        >>> print(ResultsSummary(3, {"ok": 2, "misclassified": 1}, estimated=0.5, readable=2))
        3 inputs (2 ok, 1 misclassified): median estimated 0.500 over 2
        """
        if self.groups:
            shown = [f"{about}: {found}" for about, found in self.groups.items()]
            more = f"; and {len(shown) - MOST_GROUPS} more" if len(shown) > MOST_GROUPS else ""
            return f"{self.inputs:,} brackets of {len(shown)} kinds: {'; '.join(shown[:MOST_GROUPS])}{more}"
        counts = ", ".join(f"{count} {status}" for status, count in self.statuses.items())
        medians = [
            f"{kind} {write_number(value, kind)} over {count}"
            for kind, value, count in (
                ("certified", self.certified, self.proofs),
                ("estimated", self.estimated, self.readable),
                ("attacked", self.attacked, self.witnesses + self.absent),
            )
            if value is not None and not (kind == "attacked" and value == math.inf)
        ]
        said = f": median {', '.join(medians)}" if medians else ""
        said += f", no median of {self.readable} estimates" if self.readable and self.estimated is None else ""
        said += f", no adversarial example exists on {self.absent}" if self.absent else ""
        said += f", more is proved than estimated on {self.below_proof}" if self.below_proof else ""
        raised = (
            f"; flags: {', '.join(f'{code} on {count}' for code, count in self.flags.items())}" if self.flags else ""
        )
        noun = "input" if self.inputs == 1 else "inputs"
        return f"{self.inputs:,} {noun}{f' ({counts})' if counts else ''}{said}{raised}"

    def __repr__(self) -> str:
        """As text."""
        return str(self)

    def as_record(self) -> dict[str, Any]:
        """Plain values for JSON; infinity is `"inf"`."""
        return in_words(asdict(self))


def groups_of(records: Sequence[PublicRecord], *, each_its_own: bool = False) -> dict[str, list[Bracket]]:
    """Brackets by what their numbers are about: norm, target, and the order where it is not 1.

    Args:
        records: Records; those that are no brackets are left out.
        each_its_own: Whether every input was given a target of its own: then these are one question, and one group.

    Returns:
        The group in words -> its brackets, in the order in which they first appear.
    """
    found: dict[str, list[Bracket]] = {}
    for one in records:
        if isinstance(one, Bracket):
            order = f", order {one.order}" if one.order != 1 else ""
            target = SEVERAL if each_its_own else one.threat.target
            found.setdefault(f"{name_norm(one.threat.norm)}, {target}{order}", []).append(one)
    return found


def summarise_results(records: Sequence[PublicRecord], *, each_its_own: bool = False) -> ResultsSummary:
    """The summary of the records of one call, of whatever kind.

    Args:
        records: Brackets, scores, attack results, certificates or audits.
        each_its_own: As in `groups_of`.

    Returns:
        The summary; of brackets of several norms, targets or orders with one for each of these.
    """
    groups = groups_of(records, each_its_own=each_its_own)
    if len(groups) > 1:
        parts = {about: _brackets(found) for about, found in groups.items()}
        brackets = [one for found in groups.values() for one in found]
        return ResultsSummary(
            inputs=len(records),
            statuses=_count(one.status for one in brackets),
            flags=_flags(one.audit for one in brackets),
            remarks=_flags((one.audit for one in brackets), remarks=True),
            cost=_total(one.cost for one in brackets),
            groups=parts,
        )
    kinds = {Bracket: _brackets, Score: _scores, AttackResult: _attacks, Certificate: _certificates, Audit: _audits}
    found = next((make for kind, make in kinds.items() if records and isinstance(records[0], kind)), None)
    return ResultsSummary(0, {}) if found is None else found(records)  # pyright: ignore[reportArgumentType]


def _brackets(records: Sequence[Bracket]) -> ResultsSummary:
    """By the summary of a run; all are of one group."""
    group = {"norm": records[0].threat.norm, "target": records[0].threat.target, "order": records[0].order}
    (row,) = summarise({**own_estimate(one.as_record()), **group, "error": None} for one in records)
    return ResultsSummary(
        inputs=len(records),
        statuses=_count(one.status for one in records),
        certified=row.certified,
        proofs=sum(one.certified is not None for one in records if one.status.measured),
        estimated=row.estimated,
        readable=row.readable,
        below_proof=row.below_proof,
        attacked=row.attacked,
        witnesses=row.witnesses,
        absent=row.absent,
        flags=_flags(one.audit for one in records),
        remarks=_flags((one.audit for one in records), remarks=True),
        cost=_total(one.cost for one in records),
    )


def _scores(records: Sequence[Score]) -> ResultsSummary:
    numbers = [score.radius for score in records if score.status.has_number]
    return ResultsSummary(
        inputs=len(records),
        statuses=_count(score.status for score in records),
        estimated=_middle(numbers),
        readable=len(numbers),
        cost=_total(score.cost for score in records),
    )


def _attacks(records: Sequence[AttackResult]) -> ResultsSummary:
    reached = [one.distance for one in records if one.success]
    words = ("witness" if one.success else "no witness" if one.method == "none" else one.method for one in records)
    return ResultsSummary(
        inputs=len(records),
        statuses=dict(Counter(words)),
        attacked=_middle(reached),
        witnesses=len(reached),
        cost=_total(one.cost for one in records),
    )


def _certificates(records: Sequence[Certificate]) -> ResultsSummary:
    proved = [proof.radius for proof in records if proof.status.has_radius]
    return ResultsSummary(
        inputs=len(records),
        statuses=_count(proof.status for proof in records),
        certified=_middle(proved),
        proofs=len(proved),
        cost=_total(proof.cost for proof in records),
    )


def _audits(records: Sequence[Audit]) -> ResultsSummary:
    words = ((one.worst or "no flags") if one.cost.forward else "not audited" for one in records)
    return ResultsSummary(
        inputs=len(records),
        statuses=dict(Counter(map(str, words))),
        flags=_flags(records),
        remarks=_flags(records, remarks=True),
        cost=_total(one.cost for one in records),
    )


def _count(statuses: Iterable[Any]) -> Counts:
    """How many of each there are, in the order of their table."""
    found = Counter(statuses)
    table: list[Any] = list(type(next(iter(found)))) if found else []  # pyright: ignore[reportArgumentType]
    return {status.value: found[status] for status in table if found[status]}


def _flags(audits: Iterable[Audit], *, remarks: bool = False) -> Counts:
    """On how many inputs each flag was raised: those that cast doubt, or those that are worth knowing only."""
    raised = Counter(flag.code for one in audits for flag in one.flags if (flag.severity is Severity.INFO) is remarks)
    return {code: raised[code] for code in CHECKS if raised[code]}


def _middle(values: Sequence[float]) -> float | None:
    return middle(values) if values else None


def _total(costs: Iterable[Cost]) -> Cost:
    return sum(costs, Cost())
