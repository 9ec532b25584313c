"""Extreme-value fits to block maxima: where a maximum that no sample reached is estimated. NumPy and SciPy only.

The files, in the order of a fit:

    weibull               shape and likelihood of two-parameter Weibull samples
    profile_likelihood    the likelihood of the endpoint, for many samples at once
    profile_maximum       its highest point, and the interval of endpoints near it in likelihood
    penalised             the endpoint of maxima that are known to lie far below it
    endpoint              which of these is the estimate, and whether the data identify an endpoint at all
    reverse_weibull       the fit with its interval and status: what CLEVER estimates a Lipschitz constant with
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
