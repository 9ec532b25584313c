"""`adversarial-training`: brackets of the same network trained as usual, on adversarial examples, and with intervals.

Lecture 10 (2019), section 2: adversarial training is what has stood the test of time. If so, everything that is known
of its distances must grow together: what is proved, what is estimated, and what attacks need.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from clearance.experiments.brackets import BracketChoices, correct_inputs, run_brackets
from clearance.experiments.outcome import Finding, PaperTable, Reproduction
from clearance.experiments.session import Session
from clearance.experiments.table import Scale

if TYPE_CHECKING:
    from clearance.experiments.networks import PaperNetwork

NORM = math.inf
"""Of the distances, and of the perturbations that the networks were trained against."""
FAMILIES = {"digits": ("standard", "robust"), "mnist": ("cnn", "adversarial", "interval")}
"""Data set -> the networks of the package, by the second part of their names: trained as usual, on adversarial
examples, with interval bounds."""
FAMILY_CHOICES = {
    Scale.TINY: (("digits",), 2, BracketChoices((NORM,), ("untargeted",), "quick", "best", 1.0)),
    Scale.SMALL: (("digits", "mnist"), 10, BracketChoices((NORM,), ("untargeted",), "quick", "best", 10.0)),
    Scale.PAPER: (("digits", "mnist"), 100, BracketChoices((NORM,), ("untargeted",), "standard", "best", 60.0)),
}
"""Data sets, inputs of each network, and what its brackets ask for, by scale."""


@dataclass(frozen=True)
class MedianBracket:
    """Medians over the inputs of one network.

    Attributes:
        network: Its name.
        data: Its data set.
        defense: How it was trained.
        clean: Its accuracy, as its card says.
        proved: Of the certified radii.
        estimated: Of the estimates that may be read; `None` where fewer than half may.
        attacked: Of the distances of the nearest witnesses; infinite where fewer than half have one.
        inputs: How many.
    """

    network: str
    data: str
    defense: str
    clean: str
    proved: float
    estimated: float | None
    attacked: float
    inputs: int


def adversarial_training(session: Session) -> Reproduction:
    """Brackets of each network's own correctly classified inputs, and whether all of their medians grow.

    Args:
        session: The session.

    Returns:
        The table and the findings.
    """
    families, inputs, choices = FAMILY_CHOICES[session.scale]
    names = [f"{data}-{kind}" for data in families for kind in FAMILIES[data]]
    rows = [_bracketed(session, _opened(session, name), inputs, choices) for name in names]
    said = (f"{inputs} inputs of each network that it classifies correctly, linf, untargeted.", choices.in_words())
    findings = (*(_all_grow(data, rows) for data in families), *_certified(rows))
    return Reproduction((_table(rows),), findings=findings, settings=said)


def _opened(session: Session, name: str) -> PaperNetwork:
    from clearance.experiments.networks import PaperNetwork
    from clearance.model.classifier import Classifier
    from clearance.runs.fingerprint import fingerprint
    from clearance.zoo.specs import load_model

    loaded = load_model(name)
    model = Classifier(loaded.network, loaded.bounds, device=session.device)
    origin = f"{name}, which comes with the package"
    return PaperNetwork(name, name, name.partition("-")[0], loaded, model, fingerprint(loaded.network), origin)


def _bracketed(session: Session, network: PaperNetwork, inputs: int, choices: BracketChoices) -> MedianBracket:
    data = correct_inputs(session, network, inputs)
    known = list(run_brackets(session, network, data, choices).values())
    estimates = [one.estimate for one in known if one.estimate is not None]
    card = network.loaded.metadata
    return MedianBracket(
        network=network.name,
        data=network.data,
        defense=card["defense"].partition(" (")[0],
        clean=card["clean_accuracy"].partition(" ")[0],
        proved=median(one.proof or 0.0 for one in known),
        estimated=median(estimates) if 2 * len(estimates) > len(known) else None,
        attacked=median(math.inf if one.witness is None else one.witness for one in known),
        inputs=len(known),
    )


def _table(rows: list[MedianBracket]) -> PaperTable:
    columns = ("network", "training", "accuracy", "proved", "estimated", "attacked")
    cells = tuple((row.network, row.defense, row.clean, row.proved, row.estimated, row.attacked) for row in rows)
    note = (
        "Medians over inputs. The lecture gives no distances: it says that adversarial training has withstood all "
        "known attacks, at the price of accuracy. A proof of the seven-layer network is next to nothing whatever its "
        "training, because of its two max poolings; one of the network trained with interval bounds reaches far."
    )
    return PaperTable("Section 2: what training does to a bracket", columns, cells, note, names=3)


def _all_grow(data: str, rows: list[MedianBracket]) -> Finding:
    usual, robust = ((row.proved, row.estimated, row.attacked) for row in rows if row.data == data and _compared(row))
    names = ("proved", "estimated", "attacked")
    pairs = list(zip(names, usual, robust, strict=True))
    said = ", ".join(f"{name} {_shown(before)} to {_shown(after)}" for name, before, after in pairs)
    known = [(before, after) for _, before, after in pairs if before is not None and after is not None]
    grow = all(after > before for before, after in known) if len(known) == len(pairs) else None
    return Finding(f"On {data}, adversarial training raises proof, estimate and attack distance together", grow, said)


def _compared(row: MedianBracket) -> bool:
    return row.network.partition("-")[2] in FAMILIES[row.data][:2]


def _shown(value: float | None) -> str:
    return "none" if value is None else f"{value:.3g}"


def _certified(rows: list[MedianBracket]) -> list[Finding]:
    found = {row.network: row for row in rows}
    if "mnist-interval" not in found:
        return []
    usual, trained = found["mnist-cnn"], found["mnist-interval"]
    share = trained.proved / trained.attacked
    before = f"{usual.proved:.3g} of {usual.attacked:.3g} as usual"
    said = f"proved {trained.proved:.3g} of attacked {trained.attacked:.3g}, against {before}"
    return [Finding("Certified training closes the bracket: the proof reaches half of the attack", share >= 0.5, said)]
