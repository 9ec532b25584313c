"""`weng-2018-imagenet`: MobileNetV2 on pictures of ImageNet, and those of the paper's networks whose values are there.

`zoo.published` names the paper's networks and where their values are looked for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from clearance.experiments.brackets import BracketChoices
from clearance.experiments.networks import open_imagenet
from clearance.experiments.outcome import Reproduction
from clearance.experiments.session import Session
from clearance.experiments.table import Scale
from clearance.experiments.weng2018 import figures, findings, tables
from clearance.experiments.weng2018.groups import group
from clearance.experiments.weng2018.scores import PAPER_NORMS, PAPER_TARGETS, Counts, Measurement, measure_network

RANDOM_TARGET = PAPER_TARGETS[1]
"""The target of figures 5 and 6."""


@dataclass(frozen=True)
class ImageNetChoices:
    """What a scale asks for.

    Attributes:
        side: Height and width of the pictures, at most.
        counts: How much is measured.
        brackets: What this project's brackets ask for.
    """

    side: int
    counts: Counts
    brackets: BracketChoices


IMAGENET_CHOICES = {
    Scale.TINY: ImageNetChoices(
        64,
        Counts(1, 0, 8, 2, 2, 20, 4, slope=False),
        BracketChoices(PAPER_NORMS[:1], (RANDOM_TARGET,), 1500, "none", 1.0),
    ),
    Scale.SMALL: ImageNetChoices(
        224,
        Counts(4, 0, 16, 4, 4, 25, 10, slope=False),
        BracketChoices(PAPER_NORMS, (RANDOM_TARGET,), 1500, "none", 1.0),
    ),
    Scale.PAPER: ImageNetChoices(
        224,
        Counts(100, 0, 500, 1024, 9, 1000, 50, slope=False),
        BracketChoices(PAPER_NORMS, PAPER_TARGETS, "standard", "none", 1.0),
    ),
}
"""What each scale asks for. Certificates are left out: see `WITHOUT_PROOF`."""
WITHOUT_PROOF = (
    "There is no proof here: on this network operator norms prove less than 1e-60, and CROWN nothing within 5 s."
)
"""Why the column of proofs is empty."""
DIFFERENT_HERE = (
    "MobileNetV2 (8-bit weights as floats) stands for the paper's MobileNet; fewer pictures than its 100, far fewer "
    "samples than its N_b = 500 and N_s = 1024, and fewer iterations of CW than its 1,000, so that CW "
    "misses most least likely and random targets: no score exceeds a distance that is not there."
)
"""Why no number is the paper's."""


def weng_2018_imagenet(session: Session) -> Reproduction:
    """Table 4, MobileNet's rows of table 3, figures 5, 6 and 7.

    Args:
        session: The session.

    Returns:
        What came out.
    """
    choices = IMAGENET_CHOICES[session.scale]
    measured, origins = list[Measurement](), list[str]()
    for network in open_imagenet(session, choices.side):
        measured += measure_network(session, network, choices.counts, choices.brackets)
        origins.append(f"{network.origin}.")
    return report_imagenet(measured, (*origins, f"{choices.counts.in_words()}.", choices.brackets.in_words()))


def report_imagenet(measured: list[Measurement], settings: tuple[str, ...]) -> Reproduction:
    """Tables, figures and findings of the measurements.

    Args:
        measured: The measurements.
        settings: How they were made.

    Returns:
        All of it.
    """
    groups = group(measured)
    note = f"{DIFFERENT_HERE} {WITHOUT_PROOF} {tables.READING}"
    return Reproduction(
        tables=(
            tables.above_table(groups, DIFFERENT_HERE),
            tables.targeted_table(groups, math.inf, note),
            tables.targeted_table(groups, PAPER_NORMS[0], note),
            tables.fit_table(groups, "The p-values are too large, as in the paper: the fit is to the same sample."),
        ),
        figures=(
            figures.gap_figure(groups, RANDOM_TARGET),
            figures.pairs_figure(groups, RANDOM_TARGET),
            figures.blocks_figure(groups, "figure-7", "Figure 7. CLEVER with fewer samples, and the CW attack"),
        ),
        findings=(
            findings.below_the_attack(groups),
            findings.mostly_below(groups),
            findings.fits_are_kept(groups),
            findings.refuted(groups),
        ),
        settings=settings,
    )
