"""What Weng et al. 2018 claim about directions, and whether it was seen here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import fmean

from clearance.estimates.extremes.reverse_weibull import POOR_FIT_P_VALUE, FitStatus
from clearance.experiments.outcome import Finding
from clearance.experiments.paper_numbers import as_number
from clearance.experiments.weng2018 import groups as by
from clearance.experiments.weng2018.groups import MeasuredGroup, Reading
from clearance.experiments.weng2018.scores import UNTARGETED
from clearance.experiments.weng2018.tables import paper_targeted
from clearance.report.marks import name_norm, write_number

KEPT_SHARE = 0.95
"""Share of fits that the Kolmogorov-Smirnov test must leave: all shares of table 5 but one (.933) are larger."""
BELOW_SHARE = 0.96
"""Share of scores of MobileNet and ResNet-50 below both attacks (section 5.3)."""
FEWEST_FITS = 20
"""Fits from which a share of 95 % can be told from a smaller one at all: one of them may be rejected."""


def below_the_attack(groups: Sequence[MeasuredGroup]) -> Finding:
    """Whether the average score is below the average distance of either attack, for every network, target and norm."""
    found = _everywhere(
        "CLEVER is below the distance of the nearer attack on average, for every network, target and norm",
        groups,
        lambda one: _ordered(one.means(by.clever_score, by.nearer)),
    )
    return replace(found, evidence=f"{found.evidence}{_papers_own_exceptions(groups)}")


def _papers_own_exceptions(groups: Sequence[MeasuredGroup]) -> str:
    """Where the paper's own averages of table 3 say otherwise, in a sentence."""
    cells = {
        f"{one.network}, {one.target}, {name_norm(one.norm)}": [
            as_number(paper_targeted(one, method)) for method in ("CLEVER", "CW", "I-FGSM")
        ]
        for one in groups
        if one.target != UNTARGETED
    }
    known = {name: [value for value in values if value is not None] for name, values in cells.items()}
    told = {name: values for name, values in known.items() if len(values) == len(cells[name])}
    above = [name for name, (score, *attacks) in told.items() if score > min(attacks)]
    said = f": {'; '.join(above)}" if above else ""
    return f" In the paper's own table 3 in {len(told) - len(above)} of {len(told)}, not{said}." if said else ""


def slope_above_the_attack(groups: Sequence[MeasuredGroup]) -> Finding:
    """Whether SLOPE is above the attacks, so that it is no lower bound, for every network, target and norm."""
    return _everywhere(
        "SLOPE exceeds the distance of the nearer attack on average, for every network, target and norm",
        [one for one in groups if one.known(by.slope_score)],
        lambda one: _ordered(one.means(by.nearer, by.slope_score)),
    )


def fits_are_kept(groups: Sequence[MeasuredGroup]) -> Finding:
    """Whether the Kolmogorov-Smirnov test leaves 95 % of the fits."""
    fits = [one.fit for found in groups for one in found.members if one.fit is not None]
    values = [fit.p_value for fit in fits]
    penalised = sum(fit.status == FitStatus.NO_ENDPOINT for fit in fits)
    sentence = "The Kolmogorov-Smirnov test does not reject (p > .05) at least 95 % of the reverse Weibull fits"
    kept = sum(value > POOR_FIT_P_VALUE for value in values)
    holds = kept >= KEPT_SHARE * len(values) if len(values) >= FEWEST_FITS else None
    below = [
        f"{name} {sum(left)} of {len(left)}"
        for name, left in _kept_by_network(groups).items()
        if sum(left) < KEPT_SHARE * len(left)
    ]
    said = f" (below that: {'; '.join(below)})" if below else ""
    evidence = (
        f"{kept} of {len(values)} fits{said}. But the maxima of {penalised} of them identify no endpoint (their "
        "likelihood has no maximum): there the location is this project's penalised estimate."
    )
    return Finding(sentence, holds, evidence)


def _kept_by_network(groups: Sequence[MeasuredGroup]) -> dict[str, list[bool]]:
    """Of each network, which of its fits the test leaves."""
    found: dict[str, list[bool]] = {}
    for one in groups:
        kept = [each.fit.p_value > POOR_FIT_P_VALUE for each in one.members if each.fit is not None]
        found[one.network] = found.get(one.network, []) + kept
    return found


def defended(groups: Sequence[MeasuredGroup], kind: str, words: str) -> list[Finding]:
    """Whether a defence moves the score of the CNN as in the paper, and what the attacks say of that.

    Args:
        groups: The measurements.
        kind: The last part of the defended network's name, such as `DD`.
        words: The defence in words.

    Returns:
        One finding for each data set that has both networks.
    """
    sets = dict.fromkeys(one.network.rpartition("-")[0] for one in groups)
    return [found for data in sets if (found := _defended(groups, data, kind, words)) is not None]


def _defended(groups: Sequence[MeasuredGroup], data: str, kind: str, words: str) -> Finding | None:
    by_network = {(one.network, one.target, one.norm): one for one in groups}
    pairs = [
        (by_network[f"{data}-CNN", target, norm], one)
        for (network, target, norm), one in by_network.items()
        if network == f"{data}-{kind}" and target != UNTARGETED and (f"{data}-CNN", target, norm) in by_network
    ]
    if not pairs:
        return None
    paper = {method: _paper_ratios(pairs, method) for method in ("CLEVER", "CW")}
    here = _ratios(pairs, by.clever_score)
    nearest = {"CW": by.cw, "the nearest witness": by.witness, "the proof": by.proof}
    said = [f"{name} {_in_words(_ratios(pairs, reading))}" for name, reading in nearest.items()]
    evidence = (
        f"Averages over those of the CNN, by target and norm: here CLEVER {_in_words(here)}, {', '.join(said)}; in the "
        f"paper CLEVER {_in_words(paper['CLEVER'])}, CW {_in_words(paper['CW'])}."
    )
    if not paper["CLEVER"]:
        return Finding(f"{words} changes the CLEVER score on {data}", None, evidence)
    raised = fmean(paper["CLEVER"]) > 1
    holds = min(here) > 1 if raised else max(here) < 1
    return Finding(f"{words} {'raises' if raised else 'lowers'} the CLEVER score on {data}", holds, evidence)


def _paper_ratios(pairs: Sequence[tuple[MeasuredGroup, MeasuredGroup]], method: str) -> list[float]:
    """The same of the paper's numbers."""
    found = [tuple(as_number(paper_targeted(one, method)) for one in pair) for pair in pairs]
    return [other / plain for plain, other in found if plain and other is not None]


def _ratios(pairs: Sequence[tuple[MeasuredGroup, MeasuredGroup]], reading: Reading) -> list[float]:
    """A number of the defended network over that of the other, for each target and norm that has both."""
    found = [(plain.mean(reading), other.mean(reading)) for plain, other in pairs]
    return [other / plain for plain, other in found if plain and other is not None]


def _in_words(ratios: Sequence[float]) -> str:
    if not ratios:
        return "unknown"
    return f"{write_number(min(ratios))} to {write_number(max(ratios))} (mean {write_number(fmean(ratios))})"


def refuted(groups: Sequence[MeasuredGroup]) -> Finding:
    """How many scores are above a witness: what the paper's method said, and what is known now."""
    records = [one for found in groups for one in found.members if one.witness is not None]
    above = [one for one in records if one.witness is not None and one.clever > one.witness]
    profiles = [one for one in records if one.estimate is not None]
    over = [one for one in profiles if one.witness is not None and (one.estimate or 0.0) > one.witness]
    shares = [one.clever / one.witness for one in records if one.witness]
    tight = [one.estimate / one.witness for one in profiles if one.estimate and one.witness]
    evidence = (
        f"{len(above)} of {len(records)} CLEVER scores and {len(over)} of {len(profiles)} profile estimates exceed the "
        f"nearest witness known; as shares of its distance they average {_share(shares)} and {_share(tight)}."
    )
    return Finding("CLEVER is a lower bound of each input's distance (no score above a witness)", not above, evidence)


def _share(values: Sequence[float]) -> str:
    return write_number(fmean(values)) if values else "–"


def mostly_below(groups: Sequence[MeasuredGroup]) -> Finding:
    """Whether at least 96 % of the scores are below both attacks, as on the paper's MobileNet (table 4)."""
    records = [one for found in groups for one in found.members]
    above = [one for one in records if one.clever > min(one.cw, one.ifgsm)]
    sentence = "CLEVER is below both attacks for at least 96 % of the pictures"
    holds = len(above) <= (1 - BELOW_SHARE) * len(records) if len(records) >= FEWEST_FITS else None
    return Finding(sentence, holds, f"{len(above)} of {len(records)} scores are above one of them.")


def in_order(groups: Sequence[MeasuredGroup]) -> Finding:
    """Whether each proof is below each witness: what must hold."""
    records = [one for found in groups for one in found.members if one.proof is not None and one.witness is not None]
    wrong = [one for one in records if (one.proof or 0.0) > (one.witness or 0.0)]
    return Finding("No proof exceeds a witness (not a claim of the paper)", not wrong, f"{len(records)} brackets.")


def _everywhere(
    sentence: str, groups: Sequence[MeasuredGroup], holds: Callable[[MeasuredGroup], bool | None]
) -> Finding:
    """A finding that must hold in every group; those where it cannot be told do not count."""
    answers = {(one.network, one.target, one.norm): holds(one) for one in groups}
    told = {key: answer for key, answer in answers.items() if answer is not None}
    against = [f"{network}, {target}, {name_norm(norm)}" for (network, target, norm), yes in told.items() if not yes]
    evidence = f"In {len(told) - len(against)} of {len(told)}."
    if against:
        evidence += f" Not: {'; '.join(against)}."
    return Finding(sentence, not against if told else None, evidence)


def _ordered(pair: tuple[float, float] | None) -> bool | None:
    return None if pair is None else pair[0] < pair[1]
