"""The three extreme-value families side by side: which of them the block maxima follow."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import xlogy

from clearance.estimates.extremes.families import FamilyFit, check_maxima, fit_frechet, fit_gumbel
from clearance.estimates.extremes.reverse_weibull import fit_reverse_weibull


def compare_families(maxima: ArrayLike) -> tuple[FamilyFit, FamilyFit, FamilyFit]:
    """Gumbel, Frechet and reverse Weibull fitted to one sample: the families of theorem 4.1 of Weng et al. 2018.

        Gumbel           G(y) = exp(-exp(-(y - a) / b))
        Frechet          G(y) = exp(-((y - a) / b)**-c),   y > a
        reverse Weibull  G(y) = exp(-((a - y) / b)**c),    y < a

    Each is fitted by maximum likelihood. Only the reverse Weibull family has a finite right end; Gumbel is the limit of
    both others (`c` to infinity), so its log-likelihood exceeds theirs only by what a bounded search leaves.

    Args:
        maxima: block maxima, shape `(blocks,)`.

    Returns:
        The fits, with log-likelihood, K-S distance and p-value. The reverse Weibull one is that of
        `fit_reverse_weibull`: where the likelihood identifies no endpoint it is a penalised estimate, and its
        log-likelihood is below Gumbel's.

    >>> [fit.family for fit in compare_families([1.0, 2.0, 4.0])]
    ['gumbel', 'frechet', 'reverse_weibull']
    """
    values = check_maxima(maxima)
    gumbel, frechet, fit = fit_gumbel(values), fit_frechet(values), fit_reverse_weibull(values)
    location, scale, shape = float(fit.location), float(fit.scale), float(fit.shape)
    scaled = (location - values) / (scale or 1.0)
    likelihood = np.sum(np.log(shape / scale) + xlogy(shape - 1, scaled) - scaled**shape) if scale else np.inf
    parameters = (location, scale, shape, float(likelihood), float(fit.ks), float(fit.p_value))
    return gumbel, frechet, FamilyFit("reverse_weibull", *parameters)
