"""Tables 2, 3a, 3b and 5 of Weng et al. 2018: the paper's numbers, the same method here, and what is known now."""

from __future__ import annotations

import math
from collections.abc import Sequence

from clearance.experiments.outcome import Cell, PaperTable
from clearance.experiments.paper_numbers import paper_cell
from clearance.experiments.weng2018 import groups as by
from clearance.experiments.weng2018.groups import MeasuredGroup, Reading, pick
from clearance.experiments.weng2018.scores import PAPER_NORMS, PAPER_RADIUS, PAPER_TARGETS, UNTARGETED
from clearance.report.marks import MISSING, name_norm, write_number

SHOWN_TARGETS = dict(zip(PAPER_TARGETS, ("Least likely", "Random", "Top-2"), strict=True))
"""The targets as the paper writes them."""
LARGEST_DISTANCE = {2.0: PAPER_RADIUS, math.inf: 1.0}
"""Norm -> what the paper cuts SLOPE to: the radius of the ball, and the largest l_inf distance of two pictures."""
NORM_WORDS = {2.0: "l2", math.inf: "linf"}
"""Norms in the columns of the files of numbers."""
PAPER_NETWORKS = {"MobileNetV2": "MobileNet"}
"""Networks here -> the paper's that they stand for, where that is another one."""
PARTS_OF_TABLE_3 = {2.0: "3b", math.inf: "3a"}
"""Parts of table 3."""
KNOWN_NOW = ("profile (estimate)", "witness", "proof")
"""Headings of what is known now."""
READING = (
    "Profile, witness and proof are what this project says of the same inputs: an estimate, the nearest adversarial "
    "example of all its attacks, a certified radius. A number in brackets: the average is over so many inputs, the "
    "others have none; an estimate is left out where the audit warns, as of the saturated logits of distilled networks."
)
"""How the last columns are read."""


def untargeted_table(groups: Sequence[MeasuredGroup], note: str) -> PaperTable:
    """Table 2.

    Args:
        groups: The measurements.
        note: Where they differ from the paper's.

    Returns:
        The table.
    """
    rows = [
        (
            one.network,
            name_norm(one.norm),
            *(_paper("table-2", one, f"{method} {NORM_WORDS[one.norm]}") for method in ("CW", "I-FGSM", "CLEVER")),
            *_cells(one, (by.cw, by.ifgsm, by.clever_score)),
            *known_now(one),
            len(one.members),
        )
        for one in pick(groups, target=UNTARGETED)
    ]
    heads = ("network", "norm", *_both("CW", "I-FGSM", "CLEVER"), *KNOWN_NOW, "inputs")
    return PaperTable("Table 2. Untargeted attacks and untargeted CLEVER, averages", heads, tuple(rows), note, 2)


def targeted_table(groups: Sequence[MeasuredGroup], norm: float, note: str) -> PaperTable:
    """Table 3a (l_inf) or 3b (l2).

    Args:
        groups: The measurements.
        norm: The norm.
        note: Where they differ from the paper's.

    Returns:
        The table.
    """
    part = PARTS_OF_TABLE_3[norm]
    methods = ("CW", "I-FGSM", "CLEVER", "SLOPE")
    rows = [
        (
            one.network,
            SHOWN_TARGETS[one.target],
            *(paper_targeted(one, method) for method in methods),
            *_cells(one, (by.cw, by.ifgsm, by.clever_score)),
            cut(one.mean(by.slope_score), norm),
            *known_now(one),
            len(one.members),
        )
        for one in pick(groups, norm=norm)
        if one.target != UNTARGETED
    ]
    title = f"Table {part}. Targeted attacks, CLEVER and SLOPE, averages of {name_norm(norm)} distances"
    return PaperTable(title, ("network", "target", *_both(*methods), *KNOWN_NOW, "inputs"), tuple(rows), note, 2)


def fit_table(groups: Sequence[MeasuredGroup], note: str) -> PaperTable:
    """Table 5: the share of fits that the Kolmogorov-Smirnov test does not reject.

    Args:
        groups: The measurements.
        note: Where they differ from the paper's.

    Returns:
        The table.
    """
    rows: list[tuple[Cell, ...]] = []
    for one in pick(groups, norm=PAPER_NORMS[0]):
        if one.target == UNTARGETED:
            continue
        other = next(
            found for found in pick(groups, target=one.target, norm=PAPER_NORMS[1]) if found.network == one.network
        )
        both = (one, other)
        paper = (_paper("table-5", each, f"{each.target} {NORM_WORDS[each.norm]}") for each in both)
        here = (percent(each.fit_share) for each in both)
        rows.append((one.network, SHOWN_TARGETS[one.target], *paper, *here, len(one.members)))
    heads = ("network", "target", "paper l2, %", "paper linf, %", "here l2, %", "here linf, %", "fits")
    title = "Table 5. Per cent of fits with a Kolmogorov-Smirnov p-value above .05"
    return PaperTable(title, heads, tuple(rows), note, 2)


def above_table(groups: Sequence[MeasuredGroup], note: str) -> PaperTable:
    """Table 4: the share of inputs whose score is greater than an attack's distance.

    Args:
        groups: The measurements.
        note: Where they differ from the paper's.

    Returns:
        The table.
    """
    attacks = {"CW": by.cw, "I-FGSM": by.ifgsm}
    rows: list[tuple[Cell, ...]] = []
    for target, shown in SHOWN_TARGETS.items():
        both = [found for norm in PAPER_NORMS for found in pick(groups, target=target, norm=norm)]
        paper = [_paper("table-4", g, f"{target} {name} {NORM_WORDS[g.norm]}") for name in attacks for g in both]
        here = [percent(g.share_above(reading)) for reading in attacks.values() for g in both]
        witness = [percent(g.share_above(by.witness)) for g in both]
        rows.append((both[0].network, shown, *paper, *here, *witness, len(both[0].members)))
    norms = [name_norm(norm) for norm in PAPER_NORMS]
    heads = [f"{whose} {name} {norm}, %" for whose in ("paper", "here") for name in attacks for norm in norms]
    last = [f"here witness {norm}, %" for norm in norms]
    title = "Table 4. Per cent of inputs whose CLEVER score exceeds the distance of an attack"
    return PaperTable(title, ("network", "target", *heads, *last, "inputs"), tuple(rows), note, 2)


def known_now(one: MeasuredGroup) -> tuple[Cell, ...]:
    """The averages of what is known now, each with how many inputs have it where not all do.

    Args:
        one: The group.

    Returns:
        Estimate, witness, proof: a proof is rounded down, a witness up.
    """
    kinds = (("estimated", by.estimate), ("attacked", by.witness), ("certified", by.proof))
    return tuple(_with_count(one, reading, kind) for kind, reading in kinds)


def _with_count(one: MeasuredGroup, reading: Reading, kind: str) -> str:
    known, total = len(one.known(reading)), len(one.members)
    text = write_number(one.mean(reading), kind)
    return text if known in (0, total) else f"{text} ({known})"


def _cells(one: MeasuredGroup, readings: Sequence[Reading]) -> list[Cell]:
    return [_with_count(one, reading, "estimated") for reading in readings]


def cut(value: float | None, norm: float) -> str:
    """An average of SLOPE as the paper prints it: what exceeds the largest distance in brackets behind it.

    Args:
        value: The average.
        norm: The norm.

    Returns:
        Its text.

    >>> cut(8.028, 2.0), cut(0.5, 2.0), cut(None, 2.0)
    ('5 (8.03)', '0.500', '–')
    """
    if value is None or value <= LARGEST_DISTANCE[norm]:
        return write_number(value)
    return f"{LARGEST_DISTANCE[norm]:g} ({write_number(value)})"


def percent(share: float | None) -> str:
    """A share in per cent with one decimal, as the paper has it.

    >>> percent(0.9333), percent(None)
    ('93.3', '–')
    """
    return MISSING if share is None else f"{100 * share:.1f}"


def paper_targeted(one: MeasuredGroup, method: str) -> str | None:
    """The paper's average of a group, from table 3.

    Args:
        one: The group.
        method: A column's method, such as `CLEVER`.

    Returns:
        The cell as it is printed; `None` where the paper has none.
    """
    return _paper(f"table-{PARTS_OF_TABLE_3[one.norm]}", one, f"{one.target} {method}")


def _paper(table: str, one: MeasuredGroup, column: str) -> str | None:
    return paper_cell(f"weng-2018-{table}", PAPER_NETWORKS.get(one.network, one.network), column)


def _both(*methods: str) -> tuple[str, ...]:
    return tuple(f"{whose} {method}" for whose in ("paper", "here") for method in methods)
