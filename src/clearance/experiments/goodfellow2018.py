"""Goodfellow (2018): figure 1, the counterexample to CLEVER in sections 3 and 4, and what the audit answers.

Staircases and ramps in front of a network, and saturated sigmoids behind it, hide its gradients. For each: the share of
uniform samples without any gradient, the plain CLEVER scores, those with BPDA, and the flags of the audit.

A sample has a gradient as soon as a single coordinate is on a ramp: for ramps of width `w` and `d` coordinates that is
the case with probability `1 - (1 - w)^d`, so that the score is the radius of the ball only where `samples d w` is well
below 1. Goodfellow's `1 - delta` is the probability of a zero gradient for one coordinate.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from clearance.experiments.fronts import (
    Front,
    OneAgainstRest,
    Subject,
    counted,
    first_correct,
    known_behind_stairs,
    paper_options,
    spread,
)
from clearance.experiments.outcome import Finding, PaperFigure, PaperTable, Reproduction
from clearance.experiments.session import Session
from clearance.experiments.staircase import STAIRS_PER_UNIT, expected_zero, staircase_figure
from clearance.experiments.weng2018.scores import PAPER_RADIUS
from clearance.model.classifier import Classifier
from clearance.model.transforms import Ramp, Staircase
from clearance.zoo.specs import load_model

SMALL_RADIUS = 1.0
"""A ball in which few samples come near a decision boundary: there alone a saturated sigmoid has a gradient."""
SHARPNESS = 1e4
"""Of the sigmoids: they are 0 or 1 in float32 where a margin is above 1.7e-3."""
NARROW = 1e-9
"""Ramps so narrow that none of `512,000 × 784` coordinates is expected to lie on one."""
BACK = 0.1
"""How far a score with BPDA may lie off that of the bare network, whose inputs are not moved by a stair."""
PIXELS = {"digits": 64, "mnist": 784}
"""Coordinates of an input."""
DATA = {"digits": "digits-standard", "mnist": "mnist-cnn"}
"""Data set -> the bundled network for it."""


@dataclass(frozen=True)
class FrontRow:
    """One front.

    Attributes:
        name: What it is.
        width: Of its ramps as a share of a stair; 0 for the staircase, 1 without a front.
        zero: Share of the samples without a gradient.
        scores: Plain CLEVER scores.
        shares: Scores with BPDA over scores of the bare network; empty where there is no such front.
        flags: What the audit says -> of how many inputs.
        radius: Of the ball.
    """

    name: str
    width: float
    zero: float
    scores: list[float]
    shares: list[float]
    flags: dict[str, int]
    radius: float

    @property
    def at_radius(self) -> int:
        """How many scores are the radius of the ball."""
        return self.scores.count(self.radius)


@dataclass(frozen=True)
class CounterexampleCounts:
    """How much is measured on one data set.

    Attributes:
        inputs: That are scored.
        audited: How many of them are audited, and attacked and certified.
        blocks: Blocks of samples.
        block_size: Samples in a block.
    """

    inputs: int
    audited: int
    blocks: int
    block_size: int


COUNTEREXAMPLE_SCALES = {
    "tiny": {"digits": CounterexampleCounts(3, 1, 4, 32)},
    "small": {"digits": CounterexampleCounts(20, 3, 20, 256)},
    "paper": {name: CounterexampleCounts(100, 10, 500, 1024) for name in ("digits", "mnist")},
}
"""Counts for each data set; Goodfellow names none, so that the last are those of Weng et al. (2018)."""
NO_FRONT = Front("none", nn.Identity())
"""The network by itself."""
STAIRCASE = Front(f"Staircase({STAIRS_PER_UNIT})", Staircase(STAIRS_PER_UNIT))
"""The counterexample of section 3."""


def fronts_of(session: Session) -> list[tuple[float, Front]]:
    """The width of each front's ramps, and the front: none, the staircase, ever narrower ramps."""
    wide = [(1 / n, Front(f"Ramp({STAIRS_PER_UNIT}, 1/{n})", Ramp(STAIRS_PER_UNIT, 1 / n))) for n in (5, 50, 500)]
    narrow = [
        (w, Front(f"Ramp({STAIRS_PER_UNIT}, {w:g}), float64", Ramp(STAIRS_PER_UNIT, w), torch.float64))
        for w in (1e-6, 1e-9)
    ]
    first = [(1.0, NO_FRONT), (0.0, STAIRCASE)]
    every = [*first, *wide, *narrow]
    return session.choose(tiny=[*first, wide[0], narrow[1]], small=every, paper=every)


def goodfellow2018(session: Session) -> Reproduction:
    """Figure 1, the counterexample and saturation, with the audit's answer.

    Args:
        session: Scale, seed, data and journal.

    Returns:
        Tables, the figure, and what is found.
    """
    tables: list[PaperTable] = []
    rows: list[FrontRow] = []
    sharp: list[FrontRow] = []
    said: list[str] = []
    for name, counts in COUNTEREXAMPLE_SCALES[session.scale.value].items():
        subject = subject_of(session, name, counts)
        fronts = [_front_row(session, name, subject, front, width, counts) for width, front in fronts_of(session)]
        outputs = _saturation(session, name, subject, counts)
        tables += [_front_table(name, fronts, counts), _known_table(session, name, subject, counts, fronts)]
        tables += [_output_table(name, outputs, counts)]
        rows, sharp = rows + fronts, sharp + outputs
        said.append(_settings(name, counts))
    figure = PaperFigure("figure-1", "Goodfellow 2018, figure 1: the staircase and its ramps", staircase_figure())
    return Reproduction(tuple(tables), (figure,), _findings(rows, sharp), tuple(said))


def subject_of(session: Session, name: str, counts: CounterexampleCounts) -> Subject:
    """The bundled network of a data set, and the first inputs that it classifies correctly."""
    network, test = load_model(DATA[name]).network, session.data(name, count=2 * counts.inputs)
    places = first_correct(network, test.images, test.labels, counts.inputs)
    options = paper_options(PAPER_RADIUS, counts.blocks, counts.block_size)
    return Subject(network, test.images[places], options, session.seed)


def _front_row(
    session: Session, name: str, subject: Subject, front: Front, width: float, counts: CounterexampleCounts
) -> FrontRow:
    model, bare = subject.classifier(front), replace(NO_FRONT, dtype=front.dtype)

    def compute() -> dict[str, Any]:
        session.say(f"{name}: {front.name}")
        own = subject.scores(subject.classifier(bare))
        shown = subject.scores(subject.classifier(front, shown=True)) if width < 1 else []
        shares = [seen / score for seen, score in zip(shown, own, strict=True)] if shown else []
        flags = subject.flags(model, counts.audited)
        return {"zero": subject.zero_share(model), "scores": subject.scores(model), "shares": shares, "flags": flags}

    return FrontRow(front.name, width, radius=subject.radius, **session.journal.measured((name, front.name), compute))


def _saturation(session: Session, name: str, subject: Subject, counts: CounterexampleCounts) -> list[FrontRow]:
    rows: list[FrontRow] = []
    for scale, dtype in ((None, torch.float32), (SHARPNESS, torch.float32), (SHARPNESS, torch.float64)):
        front, back = Front("none", nn.Identity(), dtype), None if scale is None else OneAgainstRest(scale)
        title = "logits" if scale is None else f"sigmoid × {scale:g}, {str(dtype).removeprefix('torch.')}"
        for radius in (PAPER_RADIUS, SMALL_RADIUS):
            part = subject.within(radius)
            model = part.classifier(front, back=back)

            def compute(part: Subject = part, model: Classifier = model, title: str = title) -> dict[str, Any]:
                session.say(f"{name}: {title}, radius {part.radius:g}")
                flags = part.flags(model, counts.audited)
                return {"zero": part.zero_share(model), "scores": part.scores(model), "shares": [], "flags": flags}

            rows.append(FrontRow(title, 1.0, radius=radius, **session.journal.measured((name, title, radius), compute)))
    return rows


def _front_table(name: str, rows: list[FrontRow], counts: CounterexampleCounts) -> PaperTable:
    columns = ("front", "no gradient", "expected", "score", "score = R", "with bpda / bare score", "flags")
    cells = tuple(
        (
            row.name, f"{row.zero:.1%}", f"{expected_zero(row.width, PIXELS[name]):.1%}", spread(row.scores),
            f"{row.at_radius}/{len(row.scores)}", spread(row.shares) if row.shares else None,
            counted(row.flags, counts.audited),
        )
        for row in rows
    )  # fmt: skip
    note = (
        "The paper has no numbers; it says that a masked network's score is too large. That holds for the "
        "staircase and for ramps so narrow that no sample meets one; the ramps of its figure 1 make it too small: "
        "a sample meets one of its many coordinates' ramps, which are 1 / width times as steep."
    )
    return PaperTable(f"Sections 3 and 4: steps and ramps before {DATA[name]}", columns, cells, note)


def _known_table(
    session: Session, name: str, subject: Subject, counts: CounterexampleCounts, rows: list[FrontRow]
) -> PaperTable:
    part = replace(subject, images=subject.images[: counts.audited])
    budget, limit = session.choose(tiny=("quick", 2.0), small=("standard", 10.0), paper=("thorough", 60.0))

    def compute() -> list[list[float]]:
        session.say(f"{name}: what is known behind the staircase")
        found = known_behind_stairs(part, STAIRCASE, STAIRS_PER_UNIT, budget=budget, time_limit=limit)
        return [[one.proved, one.profile, one.witness] for one in found]

    stairs = next(row for row in rows if row.width == 0)
    found = session.journal.measured((name, "known"), compute)
    columns = ("input", "paper's method: score", "profile", "nearest witness", "proved")
    cells = tuple(
        (str(place), stairs.scores[place], profile, witness, proved)
        for place, (proved, profile, witness) in enumerate(found)
    )
    note = (
        "Each witness is one of the network behind the staircase itself and refutes the score. The profile is that of "
        "the network without the staircase, at the input that the staircase makes of it; the proof allows for a stair."
    )
    return PaperTable(f"What is known now: {STAIRCASE.name} before {DATA[name]}, runner-up, l2", columns, cells, note)


def _output_table(name: str, rows: list[FrontRow], counts: CounterexampleCounts) -> PaperTable:
    columns = ("output", "R", "no gradient", "score", "score = R", "flags")
    cells = tuple(
        (
            row.name, f"{row.radius:g}", f"{row.zero:.1%}", spread(row.scores), f"{row.at_radius}/{len(row.scores)}",
            counted(row.flags, counts.audited),
        )
        for row in rows
    )  # fmt: skip
    note = (
        "Only samples whose margin is next to zero have a gradient, and it is thousands of times too large: the score "
        "is the radius of the ball, or next to nothing where the ball reaches over a boundary. Logits do not do that."
    )
    return PaperTable(f"Section 4: saturated sigmoids behind {DATA[name]}", columns, cells, note)


def _findings(rows: list[FrontRow], sharp: list[FrontRow]) -> tuple[Finding, ...]:
    """The claims of sections 3 to 5."""
    stairs = [row for row in rows if row.width == 0]
    fronts = [row for row in rows if row.width < 1]
    narrow = [row for row in rows if 0 < row.width <= NARROW]
    figure = [row for row in rows if row.width == 1 / 5]
    bare = [row for row in rows if row.width == 1]
    smaller = all(max(one.scores) < max(none.scores) for one, none in zip(figure, bare, strict=True))
    shares = [share for row in fronts for share in row.shares]
    saturated = [row for row in sharp if row.name != "logits"]
    return (
        Finding(
            "Behind a staircase no sample has a gradient, and every score is the radius of the ball",
            all(row.zero == 1 and row.at_radius == len(row.scores) for row in stairs),
            ", ".join(f"{row.at_radius} of {len(row.scores)}" for row in stairs),
        ),
        Finding(
            f"Ramps of width {NARROW:g} and less do the same to a Lipschitz continuous function",
            all(row.at_radius == len(row.scores) for row in narrow),
            ", ".join(f"{row.at_radius} of {len(row.scores)}" for row in narrow),
        ),
        Finding(
            "The ramps of figure 1 make the score too large",
            not smaller,
            f"they make it smaller: median {statistics.median(figure[0].scores):.3g} against "
            f"{statistics.median(bare[0].scores):.3g} of the bare network",
        ),
        Finding(
            "A saturated output makes scores too large by the loss of gradients",
            all(row.at_radius > 0 for row in saturated),
            ", ".join(f"{row.name}, R = {row.radius:g}: {row.at_radius} of {len(row.scores)}" for row in saturated),
        ),
        Finding(
            "The failure, silent in the paper, is reported: the audit warns of every mask, and of nothing without one",
            all(row.flags for row in (*fronts, *saturated)) and not any(row.flags for row in bare),
            f"the audit warns of {sum(bool(row.flags) for row in (*fronts, *saturated))} of "
            f"{len(fronts) + len(saturated)} masked networks, and of {sum(bool(row.flags) for row in bare)} of "
            f"{len(bare)} without a mask",
        ),
        Finding(
            "With BPDA the scores are those of the bare network again (Weng et al. 2018b, section 4.2)",
            max(abs(share - 1) for share in shares) < BACK,
            f"ratios {spread(shares)}",
        ),
    )


def _settings(name: str, counts: CounterexampleCounts) -> str:
    return (
        f"{DATA[name]}: {counts.inputs} inputs, l2, runner-up, R = {PAPER_RADIUS:g}, "
        f"{counts.blocks} × {counts.block_size} uniform samples; {counts.audited} of the inputs audited, "
        "attacked and certified."
    )
