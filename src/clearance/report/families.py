"""Which extreme-value family the block maxima of one input follow: Gumbel, Fréchet or reverse Weibull.

By theorem 4.1 of Weng et al. 2018 (Fisher, Tippett, Gnedenko) the largest of many samples follows one of the three in
the limit; only the reverse Weibull distribution has a finite right end, the endpoint that the estimate rests on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from clearance.errors import InputError
from clearance.estimates.extremes import FamilyFit, compare_families
from clearance.report.figures.maxima import bin_row
from clearance.report.marks import write_number
from clearance.report.records import Entry
from clearance.report.statistics import FEWEST_BLOCKS

FAMILY_NAMES = {"gumbel": "Gumbel", "frechet": "Fréchet", "reverse_weibull": "reverse Weibull"}
"""What each family of `compare_families` is called, in its order."""

HOW_TO_READ = (
    "Only the reverse Weibull distribution has a finite right end; the larger a family's log-likelihood, the better it "
    "describes the maxima, and the K-S p-values are too large, because each family was fitted to the same maxima. "
    "Where the maxima identify no endpoint, the reverse Weibull fit is a penalised one, with less than the largest "
    "likelihood."
)
"""What stands below the table."""


@dataclass(frozen=True)
class FamilyRow:
    """One family fitted to the block maxima of an input, as text.

    Attributes:
        name: Its name.
        log_likelihood: Of all maxima, to two decimals: families are told apart by differences.
        ks: Kolmogorov-Smirnov distance.
        p_value: Of that distance.
    """

    name: str
    log_likelihood: str
    ks: str
    p_value: str


@dataclass(frozen=True)
class Families:
    """The three families side by side.

    Attributes:
        rows: A row for each; none where they cannot be compared.
        reading: How to read them, or why there are none.
    """

    rows: tuple[FamilyRow, ...]
    reading: str


def families_of(entry: Entry) -> Families | None:
    """Gumbel, Fréchet and reverse Weibull fitted anew to the stored block maxima, by `compare_families`.

    Args:
        entry: The bracket.

    Returns:
        The table; `None` for an input without a fit.
    """
    if entry.fit is None:
        return None
    maxima = entry.maxima[np.isfinite(entry.maxima)]
    if len(maxima) < FEWEST_BLOCKS:
        return Families((), f"Families are compared from {FEWEST_BLOCKS} block maxima on; there are {len(maxima)}.")
    if bin_row(entry) is None:
        return Families((), "All block maxima are equal, so every family fits them alike: there is none to choose.")
    try:
        fits = compare_families(maxima)
    except InputError as error:
        return Families((), f"The families were not compared: {error}.")
    return Families(tuple(map(_row, fits)), HOW_TO_READ)


def _row(fit: FamilyFit) -> FamilyRow:
    return FamilyRow(
        FAMILY_NAMES[fit.family], _two_decimals(fit.log_likelihood), write_number(fit.ks), write_number(fit.p_value)
    )


def _two_decimals(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else write_number(value)
