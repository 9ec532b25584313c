"""Lecture 10, section 2.3: what robust pretraining and inputs with guessed labels add to robust accuracy.

- **Pretraining** (Hendrycks, Lee and Mazeika 2019): a network is trained adversarially on a large set, its last layer
  is made anew, and it is trained adversarially for fewer epochs on a small set of other classes. Here the large set has
  the classes 0 to 4 and the small one 5 to 9; the paper has ImageNet and CIFAR-10.
- **Pseudo-labels** (Carmon, Raghunathan, Schmidt, Liang and Duchi 2019): a standard classifier, trained on few labelled
  inputs, guesses the labels of many others, and both are trained on adversarially. Beside it stands the same with the
  true labels, which is as far as guesses could go.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from clearance.bracket.robust_accuracy import robust_accuracy as bracketed_accuracy
from clearance.experiments.outcome import Cell, Finding, PaperTable, Reproduction
from clearance.experiments.session import Session
from clearance.experiments.trained import JUDGING_STEPS, Recipe, trained
from clearance.model.classifier import Classifier
from clearance.training import (
    Adversarial,
    PerturbationSet,
    PseudoLabels,
    Standard,
    accuracy,
    guessed_labels,
    robust_accuracy,
)
from clearance.training.defenses.defense import Defense
from clearance.zoo.networks import initialise, strided_cnn

EXTRA_EPS = 0.1
"""Radius in `l_inf`: at it a network that is trained on a few hundred digits keeps half of its accuracy."""
ASCENT = Adversarial(PerturbationSet(math.inf, EXTRA_EPS), steps=5, ramp=0.3)
"""How all networks are defended: few steps, and a radius that grows, since some have few inputs."""
FIRST_TARGET_CLASS, TARGET_CLASSES = 5, 5
"""The classes 0 to 4 are pretrained on, the classes 5 to 9 are the small set."""
LONGER = 3
"""How many times as many epochs a network without pretraining has, beside one with as many."""
PAPER_GAINS = {"pretraining": "up to 0.10", "pseudo-labels": "0.05 to 0.10"}
"""Gain in robust accuracy on CIFAR-10 as the lecture has it."""


@dataclass(frozen=True)
class ExtraCounts:
    """How much is trained and measured.

    Attributes:
        data: The data set.
        source: Training inputs of the classes that are pretrained on, at most.
        source_epochs: Passes over them.
        labelled: Training inputs with labels, of the small set and for pseudo-labels.
        unlabelled: Training inputs whose labels are guessed.
        epochs: Of fine-tuning.
        guessed_epochs: Passes over the labelled inputs, with and without others.
        tested: Test inputs.
        attacked: Test inputs for this project's attacks.
        budget: Of them.
    """

    data: str
    source: int
    source_epochs: int
    labelled: int
    unlabelled: int
    epochs: int
    guessed_epochs: int
    tested: int
    attacked: int
    budget: str | int


EXTRA_SCALES = {
    "tiny": ExtraCounts("digits", 700, 8, 40, 900, 8, 20, 300, 4, 200),
    "small": ExtraCounts("mnist", 5000, 3, 200, 5000, 10, 30, 2000, 50, "quick"),
    "paper": ExtraCounts("mnist", 30_000, 20, 1000, 50_000, 20, 60, 10_000, 500, "standard"),
}
"""Counts for each scale."""


@dataclass(frozen=True)
class TrainedRow:
    """One network.

    Attributes:
        name: How it was trained.
        clean: Accuracy on test inputs of its classes.
        robust: Robust accuracy under projected gradient ascent.
        attacked: Share of fewer inputs that this project's attacks do not break.
    """

    name: str
    clean: float
    robust: float
    attacked: float


@dataclass(frozen=True)
class LabelledInputs:
    """Some inputs with their labels."""

    images: Tensor
    labels: Tensor

    def first(self, count: int) -> LabelledInputs:
        """The first ones."""
        return LabelledInputs(self.images[:count], self.labels[:count])

    def after(self, start: int, count: int) -> LabelledInputs:
        """Those after the first `start`."""
        return LabelledInputs(self.images[start : start + count], self.labels[start : start + count])

    def of_classes(self, first: int, last: int) -> LabelledInputs:
        """Those of the classes `first` to `last`, numbered from 0 on."""
        chosen = (self.labels >= first) & (self.labels <= last)
        return LabelledInputs(self.images[chosen], self.labels[chosen] - first)


def extra_data(session: Session) -> Reproduction:
    """Robust accuracy with and without pretraining, and with and without inputs whose labels are guessed.

    Args:
        session: Scale, seed, data and journal.

    Returns:
        Two tables, and what is found.
    """
    counts = EXTRA_SCALES[session.scale.value]
    training, test = (
        LabelledInputs(data.images, data.labels)
        for data in (session.data(counts.data, train=True), session.data(counts.data, count=_test_count(counts)))
    )
    pretrained = _pretraining(session, counts, training, test)
    guessed, right = _guessing(session, counts, training, test)
    said = (
        f"{counts.data}, linf, eps = {EXTRA_EPS:g}: {counts.labelled} labelled inputs; pretraining on {counts.source} "
        f"inputs of other classes for {counts.source_epochs} epochs; {counts.unlabelled} inputs with guessed labels, "
        f"{right:.0%} of them right. Robust accuracy under {JUDGING_STEPS} steps of projected gradient ascent on at "
        f"most {counts.tested} test inputs, and under this project's attacks on {counts.attacked}."
    )
    tables = (
        _table("Section 2.3: robust pretraining", pretrained, "pretraining"),
        _table("Section 2.3: pseudo-labels", guessed, "pseudo-labels"),
    )
    return Reproduction(tables, findings=_findings(pretrained, guessed), settings=(said,))


def _test_count(counts: ExtraCounts) -> int:
    return 2 * counts.tested if counts.data == "mnist" else counts.tested


def _pretraining(
    session: Session, counts: ExtraCounts, training: LabelledInputs, test: LabelledInputs
) -> list[TrainedRow]:
    """Networks for the small set: from nothing, from nothing for longer, and from a pretrained one."""
    last = FIRST_TARGET_CLASS + TARGET_CLASSES - 1
    source = training.of_classes(0, FIRST_TARGET_CLASS - 1).first(counts.source)
    small = training.of_classes(FIRST_TARGET_CLASS, last).first(counts.labelled)
    there = test.of_classes(FIRST_TARGET_CLASS, last).first(counts.tested)

    def scratch(epochs: int) -> nn.Module:
        return _fit(session, counts, f"scratch-{epochs}", _cnn(session, training, TARGET_CLASSES), small, epochs)

    def tuned() -> nn.Module:
        network = _cnn(session, training, FIRST_TARGET_CLASS)
        _fit(session, counts, "pretrained", network, source, counts.source_epochs)
        initialise(nn.Sequential(network.get_submodule("logits")), seed=session.seed)
        return _fit(session, counts, "fine-tuned", network.train(), small, counts.epochs)

    makers: dict[str, Callable[[], nn.Module]] = {
        f"small set alone, {counts.epochs} epochs": lambda: scratch(counts.epochs),
        f"small set alone, {LONGER * counts.epochs} epochs": lambda: scratch(LONGER * counts.epochs),
        f"pretrained, {counts.epochs} epochs on the small set": tuned,
    }
    return [_row(session, counts, name, make, there) for name, make in makers.items()]


def _guessing(
    session: Session, counts: ExtraCounts, training: LabelledInputs, test: LabelledInputs
) -> tuple[list[TrainedRow], float]:
    """Networks for all classes: from labelled inputs, with guessed labels, with true ones; the share guessed right."""
    labelled, others = training.first(counts.labelled), training.after(counts.labelled, counts.unlabelled)
    there, epochs = test.first(counts.tested), counts.guessed_epochs
    guesser = _fit(session, counts, "guesser", _cnn(session, training, 10), labelled, epochs, Standard())
    guesses = guessed_labels(guesser, others.images)

    def network(name: str, defense: Defense) -> nn.Module:
        return _fit(session, counts, name, _cnn(session, training, 10), labelled, epochs, defense)

    makers: dict[str, Callable[[], nn.Module]] = {
        "labelled inputs alone": lambda: network("labelled", ASCENT),
        "with guessed labels": lambda: network("guessed", PseudoLabels(ASCENT, others.images, guesses)),
        "with true labels": lambda: network("true", PseudoLabels(ASCENT, others.images, others.labels)),
    }
    rows = [_row(session, counts, name, make, there) for name, make in makers.items()]
    return rows, float((guesses == others.labels).double().mean())


def _cnn(session: Session, training: LabelledInputs, classes: int) -> nn.Sequential:
    channels, height, width = training.images.shape[1:]
    return strided_cnn((channels, height, width), classes, seed=session.seed)


def _fit(
    session: Session,
    counts: ExtraCounts,
    name: str,
    network: nn.Module,
    part: LabelledInputs,
    epochs: int,
    defense: Defense = ASCENT,
) -> nn.Module:
    """A network, trained on a part or taken from the folder of networks."""
    recipe = Recipe(f"{counts.data}-extra-{name}", epochs, 16, 2e-3)
    return trained(session, network, part.images, part.labels, recipe, defense)


def _row(
    session: Session, counts: ExtraCounts, name: str, make: Callable[[], nn.Module], test: LabelledInputs
) -> TrainedRow:
    def compute() -> list[float]:
        network = make()
        x, labels, some = test.images, test.labels, slice(counts.attacked)
        robust = robust_accuracy(
            network, x, labels, perturbations=ASCENT.perturbations, steps=JUDGING_STEPS, seed=session.seed
        )
        model = Classifier(network, bounds=(0, 1))
        left = bracketed_accuracy(
            model, x[some], labels[some], EXTRA_EPS, math.inf, budget=counts.budget, certificate="none"
        )
        return [accuracy(network, x, labels), robust, left.not_broken.share]

    clean, robust, attacked = session.journal.measured((name,), compute)
    return TrainedRow(name, clean, robust, attacked)


def _table(title: str, rows: list[TrainedRow], gain: str) -> PaperTable:
    columns = (
        "training",
        "accuracy",
        "robust: gradient ascent",
        "not broken by the attacks",
        "gain: paper",
        "gain: here",
    )
    base = rows[0].robust
    cells: list[tuple[Cell, ...]] = []
    for place, row in enumerate(rows):
        paper = PAPER_GAINS[gain] if row is (rows[2] if gain == "pretraining" else rows[1]) else None
        cells.append((row.name, row.clean, row.robust, row.attacked, paper, row.robust - base if place else None))
    note = (
        "The gain is in robust accuracy over the first line. The papers' gains are of CIFAR-10 and whole data sets; "
        "with the few inputs here there is more to gain. An epoch with other inputs beside the labelled ones costs "
        "twice as many passes."
    )
    return PaperTable(title, columns, tuple(cells), note)


def _findings(pretrained: list[TrainedRow], guessed: list[TrainedRow]) -> tuple[Finding, ...]:
    alone, longer, tuned = pretrained
    labelled, guesses, true = guessed
    return (
        Finding(
            "Robust pretraining raises robust accuracy at the same number of epochs on the small set",
            tuned.robust > alone.robust,
            f"{alone.robust:.3f} to {tuned.robust:.3f}; {LONGER} times as many epochs without it: {longer.robust:.3f}",
        ),
        Finding(
            "Inputs with guessed labels raise robust accuracy",
            guesses.robust > labelled.robust,
            f"{labelled.robust:.3f} to {guesses.robust:.3f}",
        ),
        Finding(
            "True labels of the same inputs raise it further",
            true.robust > guesses.robust,
            f"{guesses.robust:.3f} to {true.robust:.3f}",
        ),
    )
