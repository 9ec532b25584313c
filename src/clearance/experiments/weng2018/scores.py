"""The measurements of Weng et al. 2018 on one network: attacks, CLEVER scores, SLOPE, and what is known now.

As in the paper, Carlini and Wagner's attack minimises the l2 distance and I-FGSM the l_inf distance, and the distortion
of each is measured in both norms. CLEVER is algorithm 1 with uniform samples, and untargeted algorithm 2 word for word:
the minimum of the scores of all other classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from clearance.attacks import carlini_wagner, ifgsm, make_goal
from clearance.audit.slope import slope_estimate
from clearance.data.dataset import Dataset
from clearance.estimates.clever import clever
from clearance.estimates.settings import PAPER, BallOptions
from clearance.experiments.brackets import BracketChoices, Brackets, KnownBracket, correct_inputs, run_brackets
from clearance.experiments.networks import PaperNetwork
from clearance.experiments.session import Session
from clearance.geometry.norms import vector_norm
from clearance.model.inputs import prepare
from clearance.model.targets import TARGETS
from clearance.report.marks import count

PAPER_NORMS = (2.0, math.inf)
"""The norms of the paper's tables."""
UNTARGETED = next(iter(TARGETS))
"""The target that is any other class."""
PAPER_TARGETS = tuple(name for name in reversed(TARGETS) if name != UNTARGETED)
"""The targets of the paper's tables, in their order: the least likely class, a random one, the one with the second
largest probability (top-2)."""
PAPER_RADIUS = float(PAPER.get("radius", 5.0))
"""`R` of the paper."""
FIT_NUMBERS = ("location", "scale", "shape", "ks", "p_value")
"""What is kept of a fit."""
Distances = dict[str, dict[str, list[float]]]
"""Attack -> norm -> the distance of each input."""
NOTHING_KNOWN = KnownBracket(None, None, None, "")
"""In the place of a bracket that was not asked for."""


@dataclass(frozen=True)
class Counts:
    """How much is measured on a network.

    Attributes:
        inputs: Correctly classified test inputs with the paper's three targets.
        untargeted: How many of them are scored untargeted as well: all other classes, one by one.
        blocks: `N_b`.
        block_size: `N_s`, of CLEVER gradients and of SLOPE pairs.
        searches: Constants that Carlini and Wagner's attack tries.
        steps: Its steps for each.
        ifgsm_steps: Steps of I-FGSM for each radius.
        slope: Whether SLOPE is computed.
    """

    inputs: int
    untargeted: int
    blocks: int
    block_size: int
    searches: int
    steps: int
    ifgsm_steps: int
    slope: bool = True

    @property
    def options(self) -> BallOptions:
        """The paper's choices of CLEVER, with these numbers of samples."""
        return {**PAPER, "blocks": self.blocks, "block_size": self.block_size}

    def in_words(self) -> str:
        """In a sentence."""
        return (
            f"{count(self.inputs, 'input')} for each network, {self.untargeted} of them untargeted; CLEVER with N_b = "
            f"{self.blocks}, N_s = {self.block_size}, R = 5; CW {self.searches} × {self.steps} iterations, "
            f"I-FGSM {self.ifgsm_steps}"
        )


@dataclass(frozen=True)
class FittedScore:
    """One CLEVER score of the paper's kind: `min(g / a, R)`, `a` the location of a reverse Weibull fit.

    Attributes:
        radius: The score.
        margin: `g(x0)`.
        maxima: The block maxima that were fitted.
        location: `a`.
        scale: `b`.
        shape: `c`.
        ks: The Kolmogorov-Smirnov statistic.
        p_value: Its p-value, as the paper computes it.
        status: What the location is, a word of `extremes.reverse_weibull.FitStatus`.
    """

    radius: float
    margin: float
    maxima: tuple[float, ...]
    location: float
    scale: float
    shape: float
    ks: float
    p_value: float
    status: str


@dataclass(frozen=True)
class Measurement:
    """Everything about one input, target and norm.

    Attributes:
        network: What the paper calls the network.
        input: Place of the input in its set.
        target: Name of the target.
        norm: The norm of distances.
        cw: Distance of Carlini and Wagner's witness; infinite where there is none.
        ifgsm: That of I-FGSM's.
        clever: The paper's score.
        slope: The score by SLOPE; `None` where it was not computed.
        fit: The fit behind a targeted score.
        estimate: This project's estimate, by the profile; `None` where it must not be read.
        witness: Distance of the nearest witness; `None` where there is none.
        proof: Certified radius; `None` where none was asked for.
    """

    network: str
    input: int
    target: str
    norm: float
    cw: float
    ifgsm: float
    clever: float
    slope: float | None
    fit: FittedScore | None
    estimate: float | None
    witness: float | None
    proof: float | None


def measure(
    session: Session, network: PaperNetwork, data: Dataset, counts: Counts, brackets: Brackets
) -> list[Measurement]:
    """All measurements of one network.

    Args:
        session: Its journal holds what is measured already.
        network: The network.
        data: Correctly classified inputs.
        counts: How much is measured.
        brackets: What is known of the same inputs.

    Returns:
        One record for each input, target and norm.
    """
    one = _Network(session, network, data, counts)
    return [found for target in (*PAPER_TARGETS, UNTARGETED) for found in one.of_target(target, brackets)]


def measure_network(
    session: Session, network: PaperNetwork, counts: Counts, choices: BracketChoices
) -> list[Measurement]:
    """All measurements of one network, on the first inputs that it classifies correctly.

    Args:
        session: The session.
        network: The network.
        counts: How much is measured.
        choices: What its brackets ask for.

    Returns:
        One record for each input, target and norm.
    """
    data = correct_inputs(session, network, counts.inputs)
    return measure(session, network, data, counts, run_brackets(session, network, data, choices))


@dataclass(frozen=True)
class _Network:
    """One network, its inputs, and how much is measured."""

    session: Session
    network: PaperNetwork
    data: Dataset
    counts: Counts

    def of_target(self, target: str, brackets: Brackets) -> list[Measurement]:
        """The records of all inputs for one target."""
        rows = range(self.counts.untargeted if target == UNTARGETED else len(self.data))
        classes = self.classes(target, rows)
        distances = self.attacks(target, classes)
        return [
            self.of_input(row, norm, target, classes[row], distances, brackets) for row in rows for norm in PAPER_NORMS
        ]

    def of_input(
        self, row: int, norm: float, target: str, classes: tuple[int, ...], distances: Distances, brackets: Brackets
    ) -> Measurement:
        """The record of one input, one norm and one target."""
        fits = [self.score(row, norm, chosen) for chosen in classes]
        known = brackets.get((self.data.indices[row], norm, target), NOTHING_KNOWN)
        targeted = target != UNTARGETED
        return Measurement(
            network=self.network.shown,
            input=self.data.indices[row],
            target=target,
            norm=norm,
            cw=distances["cw"][_text(norm)][row],
            ifgsm=distances["ifgsm"][_text(norm)][row],
            clever=min(fit.radius for fit in fits),
            slope=self.slope(row, norm, classes[0]) if self.counts.slope and targeted else None,
            fit=fits[0] if targeted else None,
            estimate=known.estimate,
            witness=known.witness,
            proof=known.proof,
        )

    def classes(self, target: str, rows: Sequence[int]) -> list[tuple[int, ...]]:
        """The classes that a target stands for, of each input."""
        if not rows:
            return []
        x = self.data.images[: len(rows)]
        inputs = prepare(self.network.model, x, None, target=target, norm=2.0, seed=self.session.seed)
        return [tuple(chosen) for chosen in inputs.targets]

    def attacks(self, target: str, classes: Sequence[tuple[int, ...]]) -> Distances:
        """Both attacks on all inputs at once: attack -> norm -> distances."""
        if not classes:
            return {}
        model, x = self.network.model, self.data.images[: len(classes)].to(self.network.model.device)
        logits = model.logits(x)
        goal = make_goal(logits.argmax(1), classes, logits.shape[1])
        counts = self.counts

        def run(attack: Callable[[], Any]) -> dict[str, list[float]]:
            found = attack()
            shifts, none = found.adversarial - x, torch.where(found.success, 0.0, torch.inf)
            return {_text(norm): (vector_norm(shifts, norm) + none).tolist() for norm in PAPER_NORMS}

        both: dict[str, Callable[[], Any]] = {
            "cw": lambda: carlini_wagner(model, x, goal, searches=counts.searches, steps=counts.steps),
            "ifgsm": lambda: ifgsm(model, x, goal, steps=counts.ifgsm_steps),
        }
        return {name: self._once((name, target, len(x)), lambda one=one: run(one)) for name, one in both.items()}

    def score(self, row: int, norm: float, target: int) -> FittedScore:
        """CLEVER of one input against one class."""

        def compute() -> dict[str, Any]:
            options: BallOptions = {**self.counts.options, "norm": norm, "seed": self.session.seed}
            (found,) = clever(self.network.model, self.data.images[row : row + 1], target=target, **options)
            numbers = {name: getattr(found.fit, name, math.nan) for name in FIT_NUMBERS}
            status = str(getattr(found.fit, "status", "none"))
            return {"radius": found.radius, "margin": found.margin, "maxima": found.maxima, **numbers, "status": status}

        what = ("clever", self.data.indices[row], _text(norm), target)
        found: dict[str, Any] = dict(self._once(what, compute))
        maxima: list[float] = found.pop("maxima")
        return FittedScore(maxima=tuple(maxima), **found)

    def slope(self, row: int, norm: float, target: int) -> float:
        """SLOPE of one input against one class."""

        def compute() -> float:
            (found,) = slope_estimate(
                self.network.model,
                self.data.images[row : row + 1],
                target=target,
                norm=norm,
                pairs=self.counts.block_size,
                blocks=self.counts.blocks,
                seed=self.session.seed,
            )
            return found.radius

        return self._once(("slope", self.data.indices[row], _text(norm), target), compute)

    def _once(self, what: tuple[str | int, ...], compute: Callable[[], Any]) -> Any:
        """From the journal, or measured now."""
        key = (self.network.name, self.network.digest, *what)
        if key not in self.session.journal:
            self.session.say(f"{self.network.name}: {' '.join(map(str, what))}")
        return self.session.journal.measured(key, compute)


def _text(norm: float) -> str:
    return "inf" if math.isinf(norm) else f"{norm:g}"
