"""`weng-2018`: the experiments on MNIST and CIFAR-10, at scale tiny on the digits of scikit-learn."""

from __future__ import annotations

from clearance.experiments.brackets import BracketChoices
from clearance.experiments.networks import NETWORK_KINDS, open_network
from clearance.experiments.outcome import Reproduction
from clearance.experiments.session import Session
from clearance.experiments.table import Scale
from clearance.experiments.weng2018 import figures, findings, tables
from clearance.experiments.weng2018.groups import group
from clearance.experiments.weng2018.scores import (
    PAPER_NORMS,
    PAPER_TARGETS,
    UNTARGETED,
    Counts,
    Measurement,
    measure_network,
)

DATA_OF = {Scale.TINY: ("digits",), Scale.SMALL: ("mnist", "cifar10"), Scale.PAPER: ("mnist", "cifar10")}
"""The data sets of each scale."""
COUNTS = {
    (Scale.TINY, "digits"): Counts(1, 1, 20, 8, 4, 40, 10),
    (Scale.SMALL, "mnist"): Counts(4, 1, 48, 20, 9, 60, 50),
    (Scale.SMALL, "cifar10"): Counts(2, 1, 48, 20, 9, 60, 50),
    (Scale.PAPER, "mnist"): Counts(500, 100, 500, 1024, 9, 2000, 500),
    (Scale.PAPER, "cifar10"): Counts(500, 100, 500, 1024, 9, 1000, 250),
}
"""How much is measured; those of the scale paper are the paper's (section 5)."""
EVERY_TARGET = (*PAPER_TARGETS, UNTARGETED)
"""Targets of this project's brackets; at scale tiny the last two."""
CHOICES = {
    Scale.TINY: BracketChoices(PAPER_NORMS, EVERY_TARGET[-2:], 1500, "operator-norms", 1.0),
    Scale.SMALL: BracketChoices(PAPER_NORMS, EVERY_TARGET, 1500, "crown", 1.0),
    Scale.PAPER: BracketChoices(PAPER_NORMS, EVERY_TARGET, "standard", "best", 20.0),
}
"""What this project's brackets of the same inputs ask for."""
DIFFERENT = (
    "Other weights of the same architectures, fewer inputs and samples than the paper's 500 images, N_b = 500 and "
    "N_s = 1024; where the block maxima identify no endpoint, its location is this project's penalised estimate."
)
"""Why no number is the paper's, for the notes."""
ATTACKS_HERE = (
    "CW and I-FGSM are this project's: CW keeps to the bounds by projection, I-FGSM keeps the nearest of all iterates."
)
"""What differs about the attacks."""


def weng_2018(session: Session) -> Reproduction:
    """Tables 2, 3a, 3b and 5, figures 2, 3, 4 and 9.

    Args:
        session: The session.

    Returns:
        What came out.
    """
    measured: list[Measurement] = []
    origins: list[str] = []
    for data in DATA_OF[session.scale]:
        for kind in NETWORK_KINDS:
            found, origin = _measure(session, data, f"{data}-{kind}")
            measured, origins = measured + found, [*origins, origin]
    counts = [f"{data}: {COUNTS[session.scale, data].in_words()}." for data in DATA_OF[session.scale]]
    return report(measured, (f"Networks: {'; '.join(origins)}.", *counts, CHOICES[session.scale].in_words()))


def _measure(session: Session, data: str, name: str) -> tuple[list[Measurement], str]:
    """The measurements of one network, and where it comes from."""
    network = open_network(session, name)
    return measure_network(session, network, COUNTS[session.scale, data], CHOICES[session.scale]), network.origin


def report(measured: list[Measurement], settings: tuple[str, ...]) -> Reproduction:
    """Tables, figures and findings of the measurements.

    Args:
        measured: The measurements.
        settings: How they were made.

    Returns:
        All of it.
    """
    groups = group(measured)
    note = f"{DIFFERENT} {ATTACKS_HERE} {tables.READING}"
    p_values = "The p-values are too large, as in the paper: each sample is compared with a distribution fitted to it."
    return Reproduction(
        tables=(
            tables.untargeted_table(groups, note),
            tables.targeted_table(groups, PAPER_NORMS[1], note),
            tables.targeted_table(groups, PAPER_NORMS[0], note),
            tables.fit_table(groups, p_values),
        ),
        figures=(
            figures.maxima_figure(measured),
            figures.share_figure(groups),
            figures.distance_figure(groups),
            figures.blocks_figure(groups, "figure-9", "Figure 9. CLEVER with fewer samples, and the CW attack"),
        ),
        findings=(
            findings.below_the_attack(groups),
            findings.slope_above_the_attack(groups),
            findings.fits_are_kept(groups),
            *findings.defended(groups, "DD", "Defensive distillation"),
            *findings.defended(groups, "BReLU", "Bounded ReLU"),
            findings.refuted(groups),
            findings.in_order(groups),
        ),
        settings=settings,
    )
