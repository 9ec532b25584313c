"""What an auditor asks of a run, answered from its records: method, outcome and limit of each kind of assessment.

The words are those of ISO/IEC TR 24029-1:2021 (statistical, formal and empirical methods), of ISO/IEC 24029-2:2023
(domain, stability property, proof, counterexample, inconclusive) and of article 15 of Regulation (EU) 2024/1689
(accuracy, robustness, cybersecurity). Nothing here claims that anything conforms to them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from clearance.certificates.table import CERTIFICATES
from clearance.estimates.status import Status
from clearance.model.robustness import Proportion, Robustness
from clearance.report.chosen_inputs import per_class
from clearance.report.marks import count, name_norm, write_ends, write_number
from clearance.report.paired import readable
from clearance.report.records import Entry, RunRecords
from clearance.report.security import security_curves
from clearance.report.security_tables import (
    INTERVAL_NOTE,
    LEVEL,
    round_radii,
    write_count,
    write_interval,
    write_radius,
)
from clearance.report.statistics import grouped
from clearance.report.tables import Table


@dataclass(frozen=True)
class MethodAccount:
    """One kind of method: what was done, what its outcome means, and what it does not mean.

    Attributes:
        kind: What TR 24029-1 calls it.
        here: What it is in this run.
        means: What an outcome says.
        not_means: What it does not say.
        outcome: What came out in this run.
    """

    kind: str
    here: str
    means: str
    not_means: str
    outcome: str


@dataclass(frozen=True)
class ArticleAccount:
    """One subject of article 15.

    Attributes:
        subject: The subject, with its paragraph.
        shown: What this run shows of it.
        not_shown: What no number of this run says.
    """

    subject: str
    shown: str
    not_shown: str


BY_PROFILE = (
    "Estimated radius from the Lipschitz profile (after CLEVER, Weng et al. 2018): the radius within which the margin "
    "cannot be spent, if it falls as steeply at each distance as a search along gradients found.",
    "The interval is about the search: in 93 to 95 of 100 measured cases the radius that a search 25 times as long "
    "found lies in it.",
)
"""The default estimate: what it is, and what its interval says (docs/estimate.md)."""

IN_A_BALL = (
    "Estimated radius in one ball (CLEVER, Weng et al. 2018), from sampled gradients and an extreme-value fit.",
    "In one ball the interval covers the error of the fit.",
)
"""The same of `bound="ball"` and of second order."""

OUTCOMES = {
    Robustness.PROVED: "proof",
    Robustness.BROKEN: "counterexample",
    Robustness.NOT_BROKEN: "inconclusive",
    Robustness.MISCLASSIFIED: "misclassified",
    Robustness.NOT_MEASURED: "not measured",
}
"""Standing of an input at a radius → what ISO/IEC 24029-2 calls the outcome, where it has a word for it."""


def accuracy(run: RunRecords) -> Proportion | None:
    """How many of the inputs with a result are classified correctly; `None` without a result."""
    inputs = {(entry.input_key, entry.label): entry.judged for entry in run.entries}
    return Proportion(sum(inputs.values()), len(inputs)) if inputs else None


def method_accounts(run: RunRecords) -> list[MethodAccount]:
    """Each kind of method, with what came out in a run.

    Args:
        run: The run.

    Returns:
        Formal, statistical and empirical methods, and the audit.
    """
    return [_formal(run), _statistical(run), _empirical(run), _audit(run)]


def _formal(run: RunRecords) -> MethodAccount:
    judged = run.judged
    asked = any(entry.certified is not None for entry in judged)
    proved = [entry for entry in judged if readable(entry, "certified")]
    names = Counter(entry.proof[0] for entry in proved)
    how = ", ".join(f"{name} ({_completeness(name)}; {times})" for name, times in names.most_common())
    here = "Certified radius, by verifiers that know the network's weights (model aware)"
    here = f"{here}: {how or 'none succeeded'}." if asked else "No proof was asked for in this run."
    return MethodAccount(
        kind="Formal methods",
        here=here,
        means="Proof: within the certified radius no valid input is put into the target class; untargeted, the class "
        "stays the same (stability property).",
        not_means="Beyond the radius it says nothing. An incomplete verifier that proves nothing is inconclusive.",
        outcome=f"A radius above 0 is proved in {len(proved)} of {count(len(judged), 'bracket')}." if asked else "–",
    )


def _completeness(name: str) -> str:
    return "complete" if name in CERTIFICATES and CERTIFICATES[name].exact else "incomplete"


def _statistical(run: RunRecords) -> MethodAccount:
    judged = run.judged
    read = [entry for entry in judged if entry.estimated is not None]
    balls = sum(entry.profile is None for entry in read) if read else run.plan.parameters.get("bound") == "ball"
    kinds = [BY_PROFILE] * (not balls or balls < len(read)) + [IN_A_BALL] * bool(balls)
    here, interval = (" ".join(texts) for texts in zip(*kinds, strict=True))
    below = sum(entry.below_proof for entry in read)
    rest = count(len(read) - below, "counts", "count")
    less = f"; {below} of these lie below what is proved and add nothing, so that {rest}"
    return MethodAccount(
        kind="Statistical methods",
        here=here,
        means=f"An estimate of how far the class stays the same, with an interval. {interval}",
        not_means="It is no bound and proves nothing: a counterexample may lie closer. The interval is no confidence "
        "interval for the true distance.",
        outcome=f"{len(read)} of {count(len(judged), 'bracket')} have an estimate that may be "
        f"read{less if below else ''}.",
    )


def _empirical(run: RunRecords) -> MethodAccount:
    judged = run.judged
    found = [entry for entry in judged if entry.attacked is not None]
    names = ", ".join(sorted(name.replace("_", " ") for name in run.attacks))
    return MethodAccount(
        kind="Empirical methods",
        here=f"Search for adversarial examples, white-box{f' ({names})' if names else ''}. Every witness was predicted "
        "afresh before it counted.",
        means="Counterexample: an input at this distance that the network puts into another class.",
        not_means="The distance bounds the smallest one from above only; no counterexample found is no evidence of "
        "stability.",
        outcome=f"A counterexample is known in {len(found)} of {count(len(judged), 'bracket')}.",
    )


def _audit(run: RunRecords) -> MethodAccount:
    judged = run.judged
    doubted = [entry for entry in judged if entry.doubted]
    return MethodAccount(
        kind="Audit of the above",
        here=f"Checks whether gradients are those of the function ({count(len(run.checks), 'check')} gave a number).",
        means="A flag says which number must not be read, with the evidence; such estimates are left out.",
        not_means="No flag proves hidden gradients, and none raised proves that there are none.",
        outcome=f"A warning, an error or a refuted estimate in {len(doubted)} of {count(len(judged), 'bracket')}.",
    )


def outcome_table(run: RunRecords, radii: Sequence[float] = ()) -> Table:
    """The three outcomes of a formal assessment at some radii: proof, counterexample, or inconclusive.

    Args:
        run: The run.
        radii: The radii; empty for round ones.

    Returns:
        The table, one row for each norm and radius.
    """
    curves = security_curves(run)
    missing = any(curve.not_measured for curve in curves)
    kinds = [kind for kind in OUTCOMES if missing or kind is not Robustness.NOT_MEASURED]
    rows: list[tuple[str, ...]] = []
    for curve in curves:
        for radius in radii or round_radii(curve):
            found = curve.at(radius)
            times = Counter(found.statuses)
            cells = [f"{times[kind]} of {len(found)}" for kind in kinds]
            rows.append((name_norm(curve.norm), write_radius(radius), *cells, write_interval(found)))
    return Table(
        "outcomes",
        "Outcome at a radius",
        f"Radii in {run.plan.threat.units}. "
        "Proof: the class is the same for every valid input within the radius. Counterexample: a witness lies within "
        "it. Inconclusive: neither was found. A misclassified input is broken at every radius. Robust accuracy: "
        f"between the share of proofs and the share without a counterexample. {INTERVAL_NOTE}",
        ("norm", "radius", *(OUTCOMES[kind] for kind in kinds), f"robust accuracy, {LEVEL}"),
        tuple(rows),
        1,
    )


def status_table(run: RunRecords) -> Table:
    """How many estimates have each status, and what it means."""
    times = Counter(entry.status for entry in run.entries)
    rows = [(status.value.replace("_", " "), status.meaning, str(times[status])) for status in Status if times[status]]
    return Table(
        "statuses", "What the estimates may be trusted for", "", ("status", "meaning", "brackets"), tuple(rows), 2
    )


def article_accounts(run: RunRecords) -> list[ArticleAccount]:
    """The subjects of article 15, with what a run shows of each and what it does not.

    Args:
        run: The run.

    Returns:
        Accuracy, robustness and cybersecurity.
    """
    return [_accuracy_account(run), _robustness_account(run), _cybersecurity_account(run)]


def _accuracy_account(run: RunRecords) -> ArticleAccount:
    found, data = accuracy(run), run.plan.data
    if data.passed_over is not None:
        shown = f"Not measured by this run: {data.choice}."
    elif found is None:
        shown = "Nothing: no task has succeeded."
    else:
        low, high = write_ends(found.interval)
        shown = (
            f"Accuracy on {count(found.of, 'input')}: {write_count(found)}; {LEVEL} interval {low} to {high} "
            "(Clopper and Pearson), if they were drawn at random."
        )
        if each := per_class(run):
            shown += f" They were not: {each} of each class were taken, so that classes count alike, however common."
    return ArticleAccount(
        "Accuracy (paragraphs 1 and 3)",
        shown,
        "Accuracy for groups of people or conditions, other metrics, and accuracy in use. What is to be declared in "
        "the instructions for use needs a test set that stands for the intended purpose.",
    )


def _robustness_account(run: RunRecords) -> ArticleAccount:
    groups = {group: [e for e in members if e.judged] for group, members in grouped(run.entries).items()}
    unit = run.plan.threat.units
    said = [
        _stability(f"{name_norm(group.norm)} in {unit}", group.target, members)
        for group, members in groups.items()
        if members
    ]
    return ArticleAccount(
        "Robustness (paragraphs 1 and 4)",
        " ".join(said) or "Nothing: no correctly classified input has a result.",
        "Resilience to errors, faults and inconsistencies of the system or of its surroundings, redundancy, fail-safe "
        "plans, and feedback loops of systems that go on learning.",
    )


def _stability(norm: str, target: str, members: Sequence[Entry]) -> str:
    proved = sorted(value for entry in members if (value := readable(entry, "certified")) is not None)
    smallest = (
        f"the smallest proved radius is {write_number(proved[0], 'certified')}"
        if proved and proved[0]
        else "nothing is proved for all of them"
    )
    met = sorted(entry.attacked for entry in members if entry.attacked is not None and math.isfinite(entry.attacked))
    nearest = f"the nearest witness lies at {write_number(met[0], 'attacked')}" if met else "no witness was found"
    return f"{norm}, {target}: of {count(len(members), 'input')} {smallest}, and {nearest}."


def _cybersecurity_account(run: RunRecords) -> ArticleAccount:
    threat = run.plan.threat
    norms = ", ".join(map(name_norm, threat.norms))
    return ArticleAccount(
        "Cybersecurity (paragraph 5)",
        f"Inputs designed to cause a mistake (adversarial examples, model evasion), by attackers who know the network, "
        f"in {norms}, {threat.range}: see the outcomes above.",
        "Data poisoning, model poisoning, confidentiality attacks, and measures to prevent, detect, respond to, "
        "resolve and control attacks. Attacks in other norms, by other means than changed values of the input, or made "
        "for this very defence.",
    )
