"""Lecture 10, section 1 (Athalye, Carlini and Wagner 2018): what BPDA and EOT do to shattered and random gradients.

A **shattered** defence puts a step before a network: a staircase, bit-depth reduction, JPEG. Its gradients are zero,
and attacks that follow them go nowhere. With BPDA the step is the identity backwards. A **random** defence drops half
of the pixels in every pass, and its network is trained so. The gradient of one pass is that of one draw; EOT follows
the mean over many. Robust accuracy is that of the defence itself at the points where projected gradient ascent ends: an
upper bound. A random defence is judged by the mean over fresh draws.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from clearance.audit import audit
from clearance.bracket.robust_accuracy import robust_accuracy
from clearance.experiments.fronts import counted
from clearance.experiments.outcome import Cell, Finding, PaperTable, Reproduction
from clearance.experiments.session import Session
from clearance.experiments.steps import signed_ascent
from clearance.experiments.trained import Recipe, trained
from clearance.model.classifier import Classifier
from clearance.model.transforms import BitDepth, Jpeg, RandomDrop, Staircase, bpda, eot
from clearance.runs.fingerprint import fingerprint
from clearance.zoo.networks import digits_cnn, strided_cnn

DROPPED = 0.5
"""Share of the pixels that the random defence drops: with it the network is still right on most inputs."""
UNDEFENDED, RANDOM_DEFENCE = "none", f"random: drops {DROPPED:.0%} of the pixels"
SHATTERED = {
    "shattered: staircase of 8 steps": Staircase(8),
    "shattered: bit depth, 3 bits": BitDepth(3),
    "shattered: JPEG, quality 75": Jpeg(75),
}
"""Name -> the step before the network."""
LITTLE = 0.05
"""Accuracy that the random start of an attack, which goes nowhere, may cost."""
BROKEN = 0.5
"""What BPDA or EOT must leave of the robust accuracy before them, at most, to count as having broken a defence."""


@dataclass(frozen=True)
class DefenceCounts:
    """How much is measured.

    Attributes:
        data: The data set.
        eps: Radius in `l_inf`: there ascent breaks nearly every input of the network without a defence.
        trained: Training inputs.
        epochs: Passes over them.
        inputs: Test inputs that are attacked.
        steps: Of projected gradient ascent.
        draws: Draws that EOT averages, and fresh ones that the random defence is judged by.
        audited: Inputs that are audited, and attacked by the ensemble.
        budget: Of the ensemble.
    """

    data: str
    eps: float
    trained: int
    epochs: int
    inputs: int
    steps: int
    draws: int
    audited: int
    budget: str | int


DEFENCE_SCALES = {
    "tiny": DefenceCounts("digits", 0.2, 1437, 12, 60, 10, 10, 1, 200),
    "small": DefenceCounts("mnist", 0.15, 10_000, 6, 300, 20, 20, 5, "quick"),
    "paper": DefenceCounts("mnist", 0.15, 60_000, 20, 1000, 100, 30, 50, "standard"),
}
"""Counts for each scale; the lecture gives no numbers but "essentially 0%" after BPDA."""


@dataclass(frozen=True)
class Defence:
    """A defended network.

    Attributes:
        name: What it is.
        model: The defence as it is.
        shown: What the attacker follows the gradients of.
        random: Whether its answers differ from pass to pass.
    """

    name: str
    model: Classifier
    shown: Classifier
    random: bool = False

    def accuracy(self, x: Tensor, labels: Tensor, draws: int) -> float:
        """The share of inputs that are classified correctly, for a random defence the mean over fresh draws."""
        passes = draws if self.random else 1
        return sum(float((self.model.logits(x).argmax(1) == labels).double().mean()) for _ in range(passes)) / passes


@dataclass(frozen=True)
class DefenceRow:
    """One defence.

    Attributes:
        name: What it is.
        clean: Accuracy without an attack.
        before: Robust accuracy against ascent along its own gradients.
        after: Robust accuracy against ascent with BPDA or EOT.
        ensemble: Share of the audited inputs that this project's attacks do not break, with BPDA or EOT.
        flags: What the audit says of the defence as it is -> of how many inputs.
    """

    name: str
    clean: float
    before: float
    after: float
    ensemble: float
    flags: dict[str, int]


def bpda_eot(session: Session) -> Reproduction:
    """Robust accuracy of shattered and random defences before and after BPDA and EOT.

    Args:
        session: Scale, seed, data and journal.

    Returns:
        The table, and what is found.
    """
    counts = DEFENCE_SCALES[session.scale.value]
    test = session.data(counts.data, count=counts.inputs)
    rows = [_row(session, counts, one, test.images, test.labels) for one in _defences(session, counts)]
    said = (
        f"{counts.data}: networks trained here on {counts.trained} inputs, {counts.epochs} epochs; {counts.inputs} "
        f"test inputs, linf, eps = {counts.eps:g}, {counts.steps} steps of projected gradient ascent; EOT averages "
        f"{counts.draws} draws; a random defence is judged by {counts.draws} fresh ones."
    )
    return Reproduction((_table(rows, counts),), findings=_findings(rows), settings=(said,))


def _defences(session: Session, counts: DefenceCounts) -> list[Defence]:
    """Every defence with its networks, the undefended one first."""
    training = session.data(counts.data, train=True, count=counts.trained)
    channels, height, width = training.images.shape[1:]

    def network(name: str, front: nn.Module) -> nn.Module:
        made = (
            digits_cnn(seed=session.seed)
            if counts.data == "digits"
            else strided_cnn((channels, height, width), 10, seed=session.seed)
        )
        recipe = Recipe(f"{counts.data}-{name}", counts.epochs, 64, 2e-3)
        trained(session, nn.Sequential(front, made), training.images, training.labels, recipe)
        return made

    def classifier(front: nn.Module, inner: nn.Module) -> Classifier:
        return Classifier(nn.Sequential(front, inner).eval(), bounds=(0, 1))

    plain, dropped = network("undefended", nn.Identity()), network("dropped", RandomDrop(DROPPED, seed=session.seed))
    bare = classifier(nn.Identity(), plain)
    found = [Defence(UNDEFENDED, bare, bare)]
    found += [Defence(name, classifier(step, plain), classifier(bpda(step), plain)) for name, step in SHATTERED.items()]
    random = classifier(RandomDrop(DROPPED, seed=session.seed), dropped)
    return [*found, Defence(RANDOM_DEFENCE, random, eot(random, counts.draws, seed=session.seed), random=True)]


def _row(session: Session, counts: DefenceCounts, defence: Defence, x: Tensor, labels: Tensor) -> DefenceRow:
    def compute() -> dict[str, Any]:
        session.say(defence.name)
        own, shown = (
            signed_ascent(model, x, labels, counts.eps, steps=counts.steps, seed=session.seed)
            for model in (defence.model, defence.shown)
        )
        some, classes = x[: counts.audited], labels[: counts.audited]
        left = robust_accuracy(
            defence.shown,
            some,
            classes,
            counts.eps,
            math.inf,
            budget=counts.budget,
            certificate="none",
            seed=session.seed,
        )
        audits = audit(defence.model, some, norm=math.inf, seed=session.seed)
        flags = Counter(flag.code for one in audits for flag in one.flags if flag.severity != "info")
        return {
            "clean": defence.accuracy(x, labels, counts.draws),
            "before": defence.accuracy(own, labels, counts.draws),
            "after": defence.accuracy(shown, labels, counts.draws),
            "ensemble": left.not_broken.share,
            "flags": dict(flags.most_common()),
        }

    key = (fingerprint(defence.model.network), defence.name)
    return DefenceRow(defence.name, **session.journal.measured(key, compute))


def _table(rows: list[DefenceRow], counts: DefenceCounts) -> PaperTable:
    columns = (
        "defence", "audit of the defence", "accuracy", "robust accuracy: own gradients", "with BPDA or EOT",
        f"not broken by the ensemble ({counts.audited} inputs)",
    )  # fmt: skip
    cells: tuple[tuple[Cell, ...], ...] = tuple(
        (row.name, counted(row.flags, counts.audited), row.clean, row.before, row.after, row.ensemble) for row in rows
    )
    note = (
        'The lecture says "essentially 0%" of defences on CIFAR-10 and ImageNet. Ascent through single draws averages '
        "them over its steps, so that it breaks much of the random defence by itself."
    )
    return PaperTable("Section 1: shattered and random gradients", columns, cells, note)


def _findings(rows: list[DefenceRow]) -> tuple[Finding, ...]:
    shattered = [row for row in rows if row.name in SHATTERED]
    (random,) = (row for row in rows if row.name == RANDOM_DEFENCE)
    (bare,) = (row for row in rows if row.name == UNDEFENDED)
    defended = [row for row in rows if row.name != UNDEFENDED]
    return (
        Finding(
            "Shattered gradients withstand attacks that follow them",
            all(row.before >= row.clean - LITTLE for row in shattered),
            "; ".join(f"{row.before:.3f} of {row.clean:.3f}" for row in shattered),
        ),
        Finding(
            "BPDA breaks them",
            all(row.after <= BROKEN * row.before for row in shattered),
            "; ".join(f"{row.before:.3f} to {row.after:.3f}" for row in shattered) + f" (undefended: {bare.after:.3f})",
        ),
        Finding(
            "EOT breaks a random defence further than ascent through single draws",
            random.after < random.before,
            f"{random.clean:.3f} without attack, {random.before:.3f} through single draws, {random.after:.3f} with EOT",
        ),
        Finding(
            "The audit warns of every one of these defences, and not of the undefended network",
            all(row.flags for row in defended) and not bare.flags,
            f"{sum(bool(row.flags) for row in defended)} of {len(defended)}; undefended: {len(bare.flags)} flags",
        ),
    )
