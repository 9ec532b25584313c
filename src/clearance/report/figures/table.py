"""The table of figures, which pages, command line and documentation read: a new figure is a file and an entry."""

from __future__ import annotations

from clearance.report.figures import averages, blocks, brackets, fits, gaps, maxima, pairs, security, side_by_side
from clearance.report.figures.figure import OF_SEVERAL, Figure, Section, by_norm
from clearance.report.security import missing_curve

FIGURES: dict[str, Figure] = {
    "side_by_side": Figure(
        "The brackets side by side",
        "Every input that all runs have, with the bracket of each run beside the other: no adversarial example lies "
        "below a square (a proof), one lies at a triangle (a witness). A circle is an estimate with its interval, "
        "and no bound; a cross: the estimate must not be read; neither: more is proved. A run that misclassifies an "
        "input has no bracket there.",
        side_by_side.panels,
        section=Section.ANSWER,
    ),
    "brackets": Figure(
        "Every input as a bracket",
        "Figure 6 of Weng et al. 2018 with proofs, intervals and refusals: no adversarial example lies below the "
        "green square, one lies at the red triangle, and the blue circle is an estimate, with its interval. A grey "
        "cross above the axis: the estimate must not be read; neither: more is proved than was estimated. Ordered by "
        "attack distance.",
        brackets.panels,
        section=Section.BRACKETS,
    ),
    "security": Figure(
        "Security curves: robust accuracy at every radius",
        "Robust accuracy at a radius lies in the shaded area: the share of all inputs that are classified correctly "
        "and stay so within it (a security evaluation curve: Biggio and Roli 2018). Lower curve: proved, a certified "
        "radius of at least that much. Upper curve: not broken, no witness at that distance or nearer. A misclassified "
        "input counts as broken at 0. Every step is exact: a certified radius or the distance of a witness.",
        security.panels,
        section=Section.ROBUST_ACCURACY,
        missing=missing_curve,
    ),
    "averages": Figure(
        "Averages by target and norm",
        "Figure 4 of Weng et al. 2018, over the inputs that have both an estimate that may be read and a witness.",
        by_norm(averages.average_chart, averages.average_rows),
    ),
    "gaps": Figure(
        "Gap between estimate and attack",
        "Figure 5 of Weng et al. 2018: the share of inputs whose attack distance exceeds the estimate by at most so "
        "much. Inputs with a witness whose estimate must not be read count as below every gap: a curve starts at "
        "their share.",
        by_norm(gaps.gap_chart, gaps.gap_rows),
    ),
    "maxima": Figure(
        "Block maxima and the fitted reverse Weibull distribution",
        "Figure 2 of Weng et al. 2018, for the inputs with the smallest, the middle and the largest p-value. Dashed: "
        "the fitted endpoint.",
        maxima.panels,
        columns=3,
    ),
    "fits": Figure(
        "Fits that the K-S test does not reject",
        "Figure 3 of Weng et al. 2018. The p-values are too large, because the distribution was fitted to the same "
        "maxima.",
        by_norm(fits.share_chart, fits.share_rows),
    ),
    "blocks": Figure(
        "Estimate against the number of blocks",
        "Figures 7 and 9 of Weng et al. 2018: the average estimate when the distribution is fitted to the first block "
        "maxima only. Dashed: the average attack distance of the same inputs.",
        by_norm(blocks.block_chart, blocks.refit_rows),
    ),
    "pairs": Figure(
        "Input by input",
        "Attack distance of each input in both runs. Above the line: the witness is farther in the other run.",
        pairs.panels,
        section=Section.DIFFERENCES,
    ),
}
"""The figures by name, in the order of the page."""


def figures_of(runs: int) -> list[str]:
    """The names of the figures that can show one run, or several.

    >>> sorted(set(FIGURES) - set(figures_of(1))), figures_of(2) == list(FIGURES)
    (['pairs', 'side_by_side'], True)
    """
    return [name for name, figure in FIGURES.items() if runs > 1 or figure.section not in OF_SEVERAL]
