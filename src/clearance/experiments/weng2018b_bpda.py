"""Weng et al. (2018b), table 4: CLEVER with BPDA behind bit-depth reduction and JPEG, which mask gradients.

The paper's network is a 121-layer DenseNet with the validation set of ImageNet; here it is MobileNetV2 with the
ImageNet sample of `CLEARANCE_DATA` (on the tiny scale the bundled network of 8 × 8 digits). Inputs are those that are
classified correctly behind every front. The targets are the runner-up, a random class and the least likely class of the
network without a front, so that all scores of an input are against the same classes.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from clearance.attacks import carlini_wagner, make_goal
from clearance.data.options import data_folder
from clearance.estimates.clever import clever
from clearance.estimates.settings import BallOptions
from clearance.experiments.fronts import Front, known, paper_options
from clearance.experiments.outcome import Cell, Finding, PaperTable, Reproduction
from clearance.experiments.session import Session
from clearance.experiments.weng2018.scores import PAPER_RADIUS, PAPER_TARGETS
from clearance.model.classifier import Classifier
from clearance.model.inputs import prepare
from clearance.model.seeds import content_key
from clearance.model.transforms import BitDepth, Jpeg, bpda
from clearance.runs.fingerprint import fingerprint
from clearance.zoo.mobilenet import mobilenet_v2
from clearance.zoo.specs import load_model

TABLE_TARGETS = tuple(reversed(PAPER_TARGETS))
"""In the order of the paper's table: from the nearest to the farthest class."""
FRONTS = (Front("none", nn.Identity()), Front("bit depth, 3 bits", BitDepth(3)), Front("JPEG, quality 75", Jpeg(75)))
"""The input transformations of section 5.2."""
PAPER_SCORES = {
    "none": (0.14229, 0.35632, 0.44725),
    "bit depth, 3 bits": (0.10223, 0.26224, 0.34722),
    "JPEG, quality 75": (0.11539, 0.27804, 0.36275),
}
"""Table 4: front -> average score against each of `TABLE_TARGETS`."""
PAPER_ATTACK = (0.2058, 0.52788, 0.66114)
"""Table 4, caption: average distortion of Carlini and Wagner's attack without a front, against each target."""
NOTICEABLE = 1.1
"""A ratio of average scores that counts as an increase: the paper says "do not noticeably increase"."""


@dataclass(frozen=True)
class TransformCounts:
    """How much is measured.

    Attributes:
        imagenet: Whether MobileNetV2 on the ImageNet sample, or the digits network.
        inputs: That are scored.
        blocks: Blocks of samples.
        block_size: Samples in a block.
        searches: Constants that Carlini and Wagner's attack tries.
        steps: Iterations for each.
        budget: Of profile and nearest witness, against the runner-up.
    """

    imagenet: bool
    inputs: int
    blocks: int
    block_size: int
    searches: int
    steps: int
    budget: int


TRANSFORM_SCALES = {
    "tiny": TransformCounts(imagenet=False, inputs=4, blocks=5, block_size=16, searches=4, steps=30, budget=300),
    "small": TransformCounts(imagenet=True, inputs=5, blocks=5, block_size=12, searches=2, steps=60, budget=200),
    "paper": TransformCounts(
        imagenet=True, inputs=100, blocks=200, block_size=1024, searches=9, steps=1000, budget=6000
    ),
}
"""Counts for each scale: `paper` has the paper's inputs and samples."""


def weng2018b_bpda(session: Session) -> Reproduction:
    """Table 4: scores with BPDA behind each front, beside those without a front.

    Args:
        session: Scale, seed, data and journal.

    Returns:
        The tables, and what is found.
    """
    counts = TRANSFORM_SCALES[session.scale.value]
    network, x, name = _subject(session, counts)
    rows = {front.name: [_row(session, counts, network, front, one) for one in x.split(1)] for front in FRONTS}
    said = (
        f"{name}, {len(x)} inputs (the paper: 100 of ImageNet on DenseNet-121), {counts.blocks} × {counts.block_size} "
        f"uniform samples (the paper: 200 × 1024) in the ball of radius {PAPER_RADIUS:g}; Carlini and Wagner's attack: "
        f"{counts.searches} constants of {counts.steps} steps."
    )
    return Reproduction((_table(rows, name), _known_table(rows)), findings=_findings(rows), settings=(said,))


@dataclass(frozen=True)
class TransformScores:
    """One input behind one front.

    Attributes:
        scores: Against each of `TABLE_TARGETS`.
        attacked: Distortion of Carlini and Wagner's attack against each; empty behind a transformation.
        profile: The estimate by the Lipschitz profile against the runner-up; NaN where it has no number.
        witness: The nearest witness there.
    """

    scores: tuple[float, ...]
    attacked: tuple[float, ...]
    profile: float
    witness: float


def _subject(session: Session, counts: TransformCounts) -> tuple[nn.Module, Tensor, str]:
    """The network, and the first inputs that it classifies correctly behind every front."""
    if counts.imagenet:
        network: nn.Module = mobilenet_v2(data_folder() / "mobilenetv2" / "mobilenet_v2_1.0_224.npz")
        data, name = session.data("imagenet-sample", resize=(224, 224)), "MobileNetV2"
    else:
        network, data, name = load_model("digits-standard").network, session.data("digits", count=40), "digits-standard"
    right = torch.ones(len(data.labels), dtype=torch.bool)
    for front in FRONTS:
        logits = Classifier(nn.Sequential(front.transform, network), bounds=(0, 1)).logits(data.images)
        right &= logits.argmax(1) == data.labels
    return network, data.images[right.nonzero().flatten()[: counts.inputs]], name


def _row(session: Session, counts: TransformCounts, network: nn.Module, front: Front, x: Tensor) -> TransformScores:
    """One input behind one front, from the journal where it is there."""
    bare = Classifier(network, bounds=(0, 1))
    model = Classifier(nn.Sequential(bpda(front.transform), network), bounds=(0, 1))
    targets = [list(prepare(bare, x, None, target=t, norm=2, seed=session.seed).targets[0]) for t in TABLE_TARGETS]
    options: BallOptions = {**paper_options(PAPER_RADIUS, counts.blocks, counts.block_size), "seed": session.seed}

    def compute() -> list[list[float]]:
        session.say(f"{front.name}: input {content_key(x)[:8]}")
        scores = [clever(model, x, target=chosen, **options)[0].radius for chosen in targets]
        (one,) = known(model, x, targets[0], budget=counts.budget, time_limit=0, seed=session.seed)
        return [scores, [one.profile, one.witness]]

    def attacked() -> list[float]:
        session.say(f"Carlini and Wagner's attack: input {content_key(x)[:8]}")
        source, classes = bare.logits(x).argmax(1), bare.logits(x).shape[1]
        goals = [make_goal(source, [chosen], classes) for chosen in targets]
        found = [carlini_wagner(bare, x, goal, searches=counts.searches, steps=counts.steps) for goal in goals]
        return [float(each.distance) for each in found]

    digest, key = fingerprint(network), content_key(x)
    scores, (profile, witness) = session.journal.measured((digest, front.name, key), compute)
    distances = session.journal.measured((digest, "attack", key), attacked) if front is FRONTS[0] else []
    return TransformScores(tuple(scores), tuple(distances), profile, min([witness, *distances[:1]]))


def averages(rows: list[TransformScores]) -> list[float]:
    """The average score against each of `TABLE_TARGETS`."""
    return [statistics.mean(row.scores[place] for row in rows) for place in range(len(TABLE_TARGETS))]


def attacked_averages(rows: list[TransformScores]) -> list[tuple[float, float, int]]:
    """Average distance of the attack and average score against each target, of the inputs where the attack succeeds.

    Args:
        rows: Inputs without a front.

    Returns:
        For each of `TABLE_TARGETS`, the distance, the score, and how many inputs these are; NaN for none.
    """
    found: list[tuple[float, float, int]] = []
    for place in range(len(TABLE_TARGETS)):
        pairs = [(row.attacked[place], row.scores[place]) for row in rows if math.isfinite(row.attacked[place])]
        means = [statistics.mean(column) for column in zip(*pairs, strict=True)] or [math.nan, math.nan]
        found.append((means[0], means[1], len(pairs)))
    return found


def _table(rows: dict[str, list[TransformScores]], name: str) -> PaperTable:
    """Table 4, with a column for the paper's and ours of each target, and the shares of the score without a front."""
    bare = averages(rows["none"])
    cells: list[tuple[Cell, ...]] = [
        (
            front,
            *(cell for pair in zip(PAPER_SCORES[front], averages(found), strict=True) for cell in pair),
            PAPER_SCORES[front][0] / PAPER_SCORES["none"][0],
            averages(found)[0] / bare[0],
        )
        for front, found in rows.items()
    ]
    attacked = attacked_averages(rows["none"])
    both = (cell for paper, (mean, _, _) in zip(PAPER_ATTACK, attacked, strict=True) for cell in (paper, mean))
    cells.append(("Carlini and Wagner's attack, without a transformation", *both, None, None))
    columns = [f"{target}: {whose}" for target in TABLE_TARGETS for whose in ("paper", "here")]
    ratios = ("runner-up, share of the score without: paper", "here")
    succeeded = ", ".join(str(count) for _, _, count in attacked)
    note = (
        f"{name} in place of DenseNet-121, and another sample of images: ratios can be compared, distances only in "
        f"their order of magnitude. The attack's averages are of the {succeeded} inputs of {len(rows['none'])} where "
        "it succeeds in its few steps."
    )
    return PaperTable("Table 4: l2 CLEVER with BPDA", ("transformation", *columns, *ratios), tuple(cells), note)


def _known_table(rows: dict[str, list[TransformScores]]) -> PaperTable:
    """What the paper's method said of each input against the runner-up, and what is known now."""
    columns = ("transformation", "input", "proved", "paper's score", "profile", "nearest witness")
    cells = tuple(
        (front, str(place), None, row.scores[0], None if math.isnan(row.profile) else row.profile, row.witness)
        for front, found in rows.items()
        for place, row in enumerate(found)
    )
    above = sum(row.scores[0] > row.witness for found in rows.values() for row in found)
    note = (
        f"{above} of {len(cells)} scores lie above a witness. Behind a step few profiles can be read: the gradients of "
        "BPDA do not integrate to the function. ∞: none was found in so few passes. No certificate was asked for."
    )
    return PaperTable("What is known now of each input, runner-up", columns, cells, note)


def _findings(rows: dict[str, list[TransformScores]]) -> tuple[Finding, ...]:
    """What section 5.2 says of the table."""
    bare = averages(rows["none"])
    ratios = {
        front: [own / none for own, none in zip(averages(found), bare, strict=True)]
        for front, found in rows.items()
        if front != "none"
    }
    attacked = attacked_averages(rows["none"])
    return (
        Finding(
            "With BPDA, transformations do not noticeably raise the score, against any target",
            all(ratio < NOTICEABLE for found in ratios.values() for ratio in found),
            "; ".join(f"{front}: {', '.join(f'{ratio:.2f}' for ratio in found)}" for front, found in ratios.items()),
        ),
        Finding(
            "Without a transformation the average score lies below the average distortion of the attack",
            all(score < distance for distance, score, _ in attacked),
            ", ".join(f"{score:.3g} < {distance:.3g} ({count} inputs)" for distance, score, count in attacked),
        ),
        Finding(
            "The runner-up is the nearest of the three targets",
            bare[0] == min(bare),
            ", ".join(f"{target} {score:.3g}" for target, score in zip(TABLE_TARGETS, bare, strict=True)),
        ),
    )
