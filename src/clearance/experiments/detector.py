"""Lecture 10, section 1: detectors that catch ordinary attacks and are passed by high-confidence ones.

Two detectors, each with a threshold that a stated share of clean inputs falls below (false alarms):

- **logit gap**: the largest logit less the second one. An attack that stops at the boundary leaves next to no gap.
- **kernel density** (Feinman, Curtin, Shintre and Gardner 2017): the mean of Gaussian kernels between the
  last hidden layer's features and those of the training inputs of the predicted class: `experiments.detection`.

The attacks: PGD, as it brings each input's nearest witness in `l_2`, and Carlini and Wagner's with a confidence `k`,
which asks that the wrong class be ahead by `k` logits (Carlini and Wagner 2017, "Adversarial examples are not easily
detected"). The adversary knows the detector and takes any confidence that passes it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from clearance.attacks import attack, carlini_wagner, make_goal
from clearance.experiments.curves import lines
from clearance.experiments.detection import DETECTORS, FALSE_ALARMS, Detectors, calibrate
from clearance.experiments.outcome import Cell, Finding, PaperFigure, PaperTable, Reproduction
from clearance.experiments.session import Session
from clearance.experiments.trained import Recipe, trained
from clearance.geometry.norms import vector_norm
from clearance.model.classifier import Classifier
from clearance.report.charts import Spec
from clearance.runs.fingerprint import fingerprint
from clearance.zoo.networks import strided_cnn
from clearance.zoo.specs import load_model

CONFIDENCES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5)
"""Of Carlini and Wagner's attack, as shares of the median gap of clean inputs: 1 is as sure as a clean input."""
ORDINARY = "PGD, nearest witness"
"""What a detector is built for."""
CATCHES = 0.8
"""Share of ordinary witnesses that a detector has to flag to be called one that catches them."""
PASSES = 0.5
"""Share of inputs that a detector has to let pass, at some confidence, to be called passed."""
COMPARABLE = 0.8
"""Share of inputs with a witness from which on medians of distances are compared: with fewer, near ones are left."""


@dataclass(frozen=True)
class DetectorCounts:
    """How much is measured.

    Attributes:
        data: The data set.
        trained: Training inputs.
        calibrated: Clean test inputs that set the thresholds; as many others count false alarms.
        attacked: Test inputs that are attacked.
        searches: Constants that Carlini and Wagner's attack tries.
        steps: Iterations for each.
        budget: Of PGD.
    """

    data: str
    trained: int
    calibrated: int
    attacked: int
    searches: int
    steps: int
    budget: str | int


DETECTOR_SCALES = {
    "tiny": DetectorCounts("digits", 1437, 150, 30, 4, 40, 300),
    "small": DetectorCounts("mnist", 10_000, 1000, 200, 6, 100, "quick"),
    "paper": DetectorCounts("mnist", 60_000, 4000, 1000, 9, 1000, "standard"),
}
"""Counts for each scale; the lecture gives no numbers."""


@dataclass(frozen=True)
class AttackRow:
    """One attack.

    Attributes:
        name: The attack.
        confidence: As a share of the median gap of clean inputs; NaN for PGD.
        witnesses: Share of the inputs with a witness.
        flagged: Share of the witnesses that each detector flags.
        passing: Whether each detector lets the witness of each input pass; false without one.
        distance: Median `l_2` distance of the witnesses.
    """

    name: str
    confidence: float
    witnesses: float
    flagged: list[float]
    passing: list[list[bool]]
    distance: float

    @property
    def passed(self) -> list[float]:
        """Share of all inputs with a witness that each detector lets pass."""
        return torch.tensor(self.passing).double().mean(0).tolist()


def detector(session: Session) -> Reproduction:
    """Detection rates of two detectors for PGD and for attacks of growing confidence.

    Args:
        session: Scale, seed, data and journal.

    Returns:
        The tables, a figure over the confidence, and what is found.
    """
    counts = DETECTOR_SCALES[session.scale.value]
    network, detectors, rest = _subject(session, counts)
    clean, x, labels = rest
    alarms = detectors.flagged(clean).double().mean(0).tolist()
    gap = float(detectors.scores(clean)[:, 0].median())
    model = Classifier(network, bounds=(0, 1))
    rows: list[AttackRow] = []
    for name, confidence in [(ORDINARY, math.nan), *((f"confidence {share:g}", share) for share in CONFIDENCES)]:

        def compute(confidence: float = confidence, name: str = name) -> dict[str, Any]:
            session.say(name)
            return examined(detectors, x, _attacked(session, counts, model, x, labels, confidence * gap))

        rows.append(AttackRow(name, confidence, **session.journal.measured((fingerprint(network), name), compute)))
    any_passed = torch.tensor([row.passing for row in rows[1:]]).any(0)
    adaptive = any_passed.double().mean(0).tolist()
    said = (
        f"{counts.data}: {counts.trained} training inputs; {counts.calibrated} clean test inputs set the thresholds at "
        f"{FALSE_ALARMS:.0%} false alarms, {len(clean)} others measure them; {len(x)} inputs attacked in l2, "
        "untargeted for PGD, towards the runner-up with a confidence."
    )
    figure = PaperFigure("detected", "Share of witnesses that are flagged, over the attack's confidence", _figure(rows))
    tables = (_table(rows, alarms), _adaptive_table(adaptive, rows))
    return Reproduction(tables, (figure,), _findings(rows, alarms, adaptive), (said,))


def _subject(session: Session, counts: DetectorCounts) -> tuple[nn.Module, Detectors, tuple[Tensor, Tensor, Tensor]]:
    """The network, its detectors, other clean inputs, and the inputs that are attacked with their labels."""
    training, test = session.data(counts.data, train=True, count=counts.trained), session.data(counts.data)
    if counts.data == "digits":
        network = load_model("digits-standard").network
    else:
        channels, height, width = training.images.shape[1:]
        made = strided_cnn((channels, height, width), 10, seed=session.seed)
        recipe = Recipe(f"{counts.data}-strided", 6, 64, 2e-3)
        network = trained(session, made, training.images, training.labels, recipe)
    with torch.no_grad():
        right = network(test.images).argmax(1) == test.labels
    images, labels = test.images[right], test.labels[right]
    clean, others = images[: counts.calibrated], images[counts.calibrated : 2 * counts.calibrated]
    detectors = calibrate(network, training.images, training.labels, clean)
    return network, detectors, (others, images[-counts.attacked :], labels[-counts.attacked :])


def _attacked(
    session: Session, counts: DetectorCounts, model: Classifier, x: Tensor, labels: Tensor, confidence: float
) -> Tensor:
    """The witness of each input, or the input itself where there is none."""
    if math.isnan(confidence):
        found = attack(model, x, labels, method="pgd", budget=counts.budget, seed=session.seed)
        return torch.stack(
            [own if one.adversarial is None else one.adversarial for one, own in zip(found, x, strict=True)]
        )
    second = model.logits(x).topk(2).indices[:, 1]
    goal = make_goal(labels, [[index] for index in second.tolist()], model.logits(x[:1]).shape[1])
    return carlini_wagner(
        model, x, goal, searches=counts.searches, steps=counts.steps, confidence=confidence
    ).adversarial


def examined(detectors: Detectors, x: Tensor, points: Tensor) -> dict[str, Any]:
    """What the detectors say of an attack's points, and which of them each lets pass.

    Args:
        detectors: The detectors.
        x: The inputs, `(batch, *input)`.
        points: A witness of each, or the input itself.

    Returns:
        The fields of `AttackRow` but for its name and confidence.
    """
    distance = vector_norm(points - x, 2.0)
    moved, flagged = distance > 0, detectors.flagged(points)
    passing = moved[:, None] & ~flagged
    some = bool(moved.any())
    return {
        "witnesses": float(moved.double().mean()),
        "flagged": flagged[moved].double().mean(0).tolist() if some else [math.nan, math.nan],
        "passing": passing.tolist(),
        "distance": float(distance[moved].median()) if some else math.nan,
    }


def _table(rows: list[AttackRow], alarms: list[float]) -> PaperTable:
    columns = ["attack", "inputs with a witness", "median l2 distance"]
    columns += [f"{name}: {what}" for name in DETECTORS for what in ("flagged", "passed by")]
    cells: list[tuple[Cell, ...]] = [("none: clean inputs", None, None, alarms[0], None, alarms[1], None)]
    for row in rows:
        pairs = [cell for pair in zip(row.flagged, row.passed, strict=True) for cell in pair]
        cells.append((row.name, row.witnesses, row.distance, *pairs))
    note = (
        "Confidences are shares of the median gap of clean inputs. Flagged: of the witnesses; passed by: of all "
        "inputs, a witness that is not flagged. The lecture gives no numbers."
    )
    return PaperTable("Section 1: detectors", tuple(columns), tuple(cells), note)


def _adaptive_table(adaptive: list[float], rows: list[AttackRow]) -> PaperTable:
    cells = tuple(
        (name, rows[0].flagged[place], rows[0].passed[place], adaptive[place]) for place, name in enumerate(DETECTORS)
    )
    columns = ("detector", f"{ORDINARY}: flagged", "passed by", "passed by some confidence")
    note = (
        "The last column is what the detector is worth against an adversary who knows it: a lower bound of his success."
    )
    return PaperTable("What the detectors are worth", columns, cells, note)


def _figure(rows: list[AttackRow]) -> Spec:
    drawn = [
        {"confidence": row.confidence, "flagged": share, "detector": name}
        for row in rows
        if not math.isnan(row.confidence)
        for name, share in zip(DETECTORS, row.flagged, strict=True)
        if not math.isnan(share)
    ]
    return lines(drawn, "confidence", "flagged", "detector")


def _findings(rows: list[AttackRow], alarms: list[float], adaptive: list[float]) -> tuple[Finding, ...]:
    ordinary, sure = rows[0], [row for row in rows if not math.isnan(row.confidence)]
    said = [
        f"{share:.0%} of its witnesses at {alarm:.1%} false alarms"
        for share, alarm in zip(ordinary.flagged, alarms, strict=True)
    ]
    return (
        Finding(
            f"The {DETECTORS[0]} catches ordinary PGD at a false-alarm rate of about {FALSE_ALARMS:.0%}",
            ordinary.flagged[0] >= CATCHES,
            said[0],
        ),
        Finding(f"So does the {DETECTORS[1]}", ordinary.flagged[1] >= CATCHES, said[1]),
        Finding(
            "High-confidence adversarial examples pass them",
            min(adaptive) >= PASSES,
            ", ".join(f"{name}: on {share:.0%} of the inputs" for name, share in zip(DETECTORS, adaptive, strict=True)),
        ),
        Finding(
            "The price is distance: more confident examples lie farther out",
            all(
                earlier.distance <= later.distance
                for earlier, later in pairwise(sure)
                if min(earlier.witnesses, later.witnesses) >= COMPARABLE
            ),
            "median "
            + " to ".join(f"{row.distance:.3g}" for row in sure if row.confidence in (0, 1))
            + " at the confidence of a clean input",
        ),
    )
