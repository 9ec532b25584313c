"""Lecture 10, section 2.2: accuracy against robust accuracy in a toy model, theory beside measurement.

The distribution, its classifiers and the formulas are those of `experiments.toy_distribution`, after Tsipras,
Santurkar, Engstrom, Turner and Madry (2019).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn

from clearance.attacks import attack
from clearance.certificates import certify
from clearance.experiments.curves import lines
from clearance.experiments.outcome import Finding, PaperFigure, PaperTable, Reproduction
from clearance.experiments.session import Session
from clearance.experiments.toy_distribution import ToyModel, classifier_of, linear_accuracy, robust_accuracy_limit
from clearance.experiments.trained import Recipe, trained
from clearance.model.classifier import Classifier
from clearance.report.charts import Spec
from clearance.training import Adversarial, PerturbationSet, Standard
from clearance.zoo.networks import linear_classifier


@dataclass(frozen=True)
class MeasuredShares:
    """Shares of sampled inputs, of one classifier at one `eps`.

    Attributes:
        clean: Classified right.
        proved: Classified right, with a certified radius above `eps`.
        not_broken: Classified right, and no witness found within `eps`.
        count: Of how many inputs.
        attacked: Of how many of them `not_broken` is.
    """

    clean: float
    proved: float
    not_broken: float
    count: int
    attacked: int


def measure(model: ToyModel, network: nn.Module, eps: float, *, count: int, attacked: int, seed: int) -> MeasuredShares:
    """Clean and robust accuracy of a classifier on a sample, by certificate (all inputs) and attack (the first few).

    Args:
        model: The distribution.
        network: A linear classifier.
        eps: Size of the `l_inf` perturbation.
        count: Sampled inputs; each has a certificate, exact for a linear network.
        attacked: How many of them are attacked too.
        seed: Fixes the sample.

    Returns:
        The shares; `not_broken` is of the attacked inputs.
    """
    x, labels = model.sample(count, seed)
    classifier = Classifier(network, dtype=torch.float64)
    right = classifier.logits(x).argmax(1) == labels
    proofs = certify(classifier, x, labels, norm=math.inf, method="linear")
    found = attack(classifier, x[:attacked], labels[:attacked], norm=math.inf, method="fgsm", budget="quick")
    return MeasuredShares(
        clean=float(right.double().mean()),
        proved=sum(proof.status.has_radius and proof.radius > eps for proof in proofs) / count,
        not_broken=sum(result.distance > eps for result in found) / attacked,
        count=count,
        attacked=attacked,
    )


BASE = ToyModel(0.95, 0.2, 101)
"""Where each parameter varies alone: the last features together are more accurate than the first (.977 against .95)."""
VARIED = (
    BASE,
    *(ToyModel(p, BASE.eta, BASE.d) for p in (0.7, 0.85, 0.99)),
    *(ToyModel(BASE.p, eta, BASE.d) for eta in (0.05, 0.1, 0.4)),
    *(ToyModel(BASE.p, BASE.eta, d) for d in (11, 31, 301, 1001)),
)
"""One parameter after the other."""
ALLOWED_ERRORS = 4.5
"""How many standard errors a share may lie off its theory: 100 normal variables all stay within in 99.9 % of cases."""
CLASSIFIERS = ("bayes", "average", "first")
"""The most accurate classifier, the last features alone, the first alone."""
TRAINED, ADVERSARIALLY_TRAINED = "trained", "adversarially trained"
"""Classifiers that training finds: as usual, and at the worst points within `2 eta`."""
TOY_ASCENT = 5
"""Steps of the ascent in training: one would do, since the worst point of a linear classifier is one step away."""


@dataclass(frozen=True)
class ToyRow:
    """A classifier on a distribution, theory beside measurement, at `eps = 2 eta`.

    Attributes:
        name: Of the classifier.
        model: The distribution.
        clean: Accuracy in theory.
        robust: Robust accuracy in theory.
        seen: What was measured.
    """

    name: str
    model: ToyModel
    clean: float
    robust: float
    seen: MeasuredShares

    @property
    def agrees(self) -> bool:
        """Whether both shares of the sample lie within `ALLOWED_ERRORS` of their theory."""
        pairs = ((self.clean, self.seen.clean), (self.robust, self.seen.proved))
        return all(
            abs(theory - seen)
            <= ALLOWED_ERRORS * math.sqrt(theory * (1 - theory) / self.seen.count) + 1 / self.seen.count
            for theory, seen in pairs
        )


def toy_model(session: Session) -> Reproduction:
    """Accuracy against robust accuracy in the toy model as `p`, `eta` and `d` vary: theory beside measurement.

    Args:
        session: Scale, seed and journal.

    Returns:
        The table, a figure over `d`, and what is found.
    """
    models = session.choose(tiny=(BASE, ToyModel(BASE.p, BASE.eta, 11)), small=VARIED, paper=VARIED)
    rows = [_given_row(session, model, name) for model in models for name in CLASSIFIERS]
    by_size = [row for row in rows if (row.model.p, row.model.eta) == (BASE.p, BASE.eta)]
    title = "Toy model: accuracy and robust accuracy at 2 eta over the number of features (theory: lines)"
    figure = PaperFigure("toy-model", title, _figure(by_size))
    rows += [_trained_row(session, name) for name in (TRAINED, ADVERSARIALLY_TRAINED)]
    return Reproduction(
        (_table(rows, rows[0].seen.attacked),), (figure,), _findings(rows), (_settings(rows[0].seen.count),)
    )


def _given_row(session: Session, model: ToyModel, name: str) -> ToyRow:
    """One of `CLASSIFIERS`."""
    weights = classifier_of(name, model)
    clean, robust = weights.accuracy(model), weights.accuracy(model, 2 * model.eta)
    return _row(session, name, model, weights.network(model.d), (clean, robust))


def _trained_row(session: Session, name: str) -> ToyRow:
    """A linear classifier that training finds on a sample of its own."""
    inputs, epochs = session.choose(tiny=(2000, 15), small=(10_000, 20), paper=(100_000, 20))
    x, labels = BASE.sample(inputs, session.seed + 1)
    worst = PerturbationSet(math.inf, 2 * BASE.eta, bounds=None)
    defense = Standard() if name == TRAINED else Adversarial(worst, steps=TOY_ASCENT)
    recipe = Recipe(f"toy-{name.replace(' ', '-')}", epochs, 64, 1e-2)
    network = trained(session, linear_classifier((BASE.d,), 2, seed=session.seed), x.float(), labels, recipe, defense)
    logits = network.get_submodule("logits")
    weight, bias = (logits.get_parameter(part).detach().double() for part in ("weight", "bias"))
    clean, robust = (
        linear_accuracy(BASE, weight[1] - weight[0], float(bias[1] - bias[0]), eps) for eps in (0.0, 2 * BASE.eta)
    )
    return _row(session, name, BASE, network, (clean, robust))


def _row(session: Session, name: str, model: ToyModel, network: nn.Module, theory: tuple[float, float]) -> ToyRow:
    """A classifier with its accuracy and robust accuracy in theory and on a sample."""
    count, attacked = session.choose(tiny=(150, 1), small=(4000, 40), paper=(40_000, 200))

    def compute() -> list[float]:
        session.say(f"p = {model.p:g}, eta = {model.eta:g}, d = {model.d}: {name}")
        seen = measure(model, network, 2 * model.eta, count=count, attacked=attacked, seed=session.seed)
        return [seen.clean, seen.proved, seen.not_broken]

    seen = session.journal.measured((model.p, model.eta, model.d, name), compute)
    return ToyRow(name, model, *theory, MeasuredShares(seen[0], seen[1], seen[2], count, attacked))


def _settings(count: int) -> str:
    return (
        f"{count} inputs sampled for each distribution; eps = 2 eta. Proved: the exact distances of a linear network. "
        "Not broken: the fast gradient sign method, bisected over radii, on the first inputs of the sample."
    )


def _table(rows: list[ToyRow], attacked: int) -> PaperTable:
    columns = (
        "classifier", "p", "eta", "d", "accuracy: theory", "accuracy: measured", "robust accuracy: theory",
        "robust accuracy: proved", f"not broken, of the first {attacked}", "most that theorem 2.1 allows",
    )  # fmt: skip
    cells = tuple(
        (
            row.name, row.model.p, row.model.eta, row.model.d, row.clean, row.seen.clean, row.robust, row.seen.proved,
            row.seen.not_broken, robust_accuracy_limit(row.model, row.clean),
        )
        for row in rows
    )  # fmt: skip
    note = "The lecture (section 2.2) and the paper give theory only; the counts are this project's."
    return PaperTable("Lecture 10, section 2.2: accuracy and robust accuracy", columns, cells, note)


def _figure(rows: list[ToyRow]) -> Spec:
    drawn = [
        {"d": row.model.d, "share": theory, "measured": seen, "series": f"{row.name}: {kind}"}
        for row in rows
        for kind, theory, seen in (("clean", row.clean, row.seen.clean), ("robust", row.robust, row.seen.proved))
    ]
    return lines(drawn, "d", "share", "series", points="measured", logarithmic=True)


def _findings(rows: list[ToyRow]) -> tuple[Finding, ...]:
    base = {row.name: row for row in rows if row.model == BASE}
    sizes = sorted(
        (row for row in rows if row.name == "bayes" and (row.model.p, row.model.eta) == (BASE.p, BASE.eta)),
        key=lambda row: row.model.d,
    )
    least, most, best, first = sizes[0], sizes[-1], base["bayes"], base["first"]
    plain, robust = base[TRAINED], base[ADVERSARIALLY_TRAINED]
    off = [row for row in rows if not row.agrees]
    over = [row for row in rows if row.robust > robust_accuracy_limit(row.model, row.clean) + 1e-12]
    return (
        Finding(
            f"Every measured share lies within {ALLOWED_ERRORS:g} standard errors of its theory",
            not off,
            f"{len(rows) - len(off)} of {len(rows)} classifiers",
        ),
        Finding(
            "The most accurate classifier is more accurate than the first feature alone and less robust",
            best.seen.clean > first.seen.clean and best.seen.proved < first.seen.proved,
            f"accuracy {best.seen.clean:.3f} against {first.seen.clean:.3f}, "
            f"proved at 2 eta {best.seen.proved:.3f} against {first.seen.proved:.3f}",
        ),
        Finding(
            "More weak features raise accuracy and lower robust accuracy",
            most.seen.clean > least.seen.clean and most.seen.proved < least.seen.proved,
            f"d = {least.model.d} to {most.model.d}: accuracy {least.seen.clean:.3f} to {most.seen.clean:.3f}, "
            f"proved {least.seen.proved:.3f} to {most.seen.proved:.3f}",
        ),
        Finding(
            "Adversarial training gives up accuracy for robust accuracy, which standard training does not have",
            plain.clean > robust.clean and robust.robust > plain.robust,
            f"accuracy {plain.clean:.3f} to {robust.clean:.3f}, "
            f"robust accuracy {plain.robust:.3f} to {robust.robust:.3f}",
        ),
        Finding(
            "No classifier is more robust at 2 eta than its accuracy allows (Tsipras et al. 2019, theorem 2.1)",
            not over,
            f"{len(rows) - len(over)} of {len(rows)} classifiers",
        ),
    )
