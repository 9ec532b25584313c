"""Extreme-value fits to block maxima: where a maximum that no sample reached is estimated. NumPy and SciPy only.

The files, in the order of a fit:

    profile_likelihood    the likelihood of the endpoint, for many samples at once
    reverse_weibull       the endpoint, its interval and its status: what CLEVER estimates a Lipschitz constant with
    penalised             the endpoint of maxima that are known to lie far below it
    families, compare     Gumbel and Frechet fits, and all three families side by side
"""

from clearance.estimates.extremes.compare import compare_families
from clearance.estimates.extremes.families import FamilyFit, fit_frechet, fit_gumbel
from clearance.estimates.extremes.reverse_weibull import FitStatus, ReverseWeibullFit, fit_reverse_weibull

__all__ = [
    "FamilyFit",
    "FitStatus",
    "ReverseWeibullFit",
    "compare_families",
    "fit_frechet",
    "fit_gumbel",
    "fit_reverse_weibull",
]
