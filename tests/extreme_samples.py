"""Block maxima with known endpoints and without any, and a likelihood written from the density."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, xlogy

Array = NDArray[np.float64]

DRAWS = 1024


def beta_maxima(shape: float, blocks: int, rows: int, seed: int) -> Array:
    """Block maxima of 1,024 draws of `1 - Beta(shape, 3)`, exactly: the least of m uniforms is `1 - (1 - U)^(1/m)`."""
    uniforms = np.random.default_rng(seed).random((rows, blocks))
    return 1 - betaincinv(shape, 3, -np.expm1(np.log1p(-uniforms) / DRAWS))


def largest_of(maxima: Array) -> Array:
    return maxima.max(axis=-1)


def standard_gaps(maxima: Array) -> Array:
    """`(max - y) / (max - min)` of each row, the unit of the profile likelihood."""
    return (maxima.max(1, keepdims=True) - maxima) / np.ptp(maxima, axis=1, keepdims=True)


def log_likelihood(maxima: Array, location: float, scale: float, shape: float) -> float:
    """Written from the density, `c/b x^(c-1) exp(-x^c)`, `x = (a - y)/b`; not the code's own form."""
    scaled = (location - maxima) / scale
    if scaled.min() < 0:
        return -np.inf
    return float(np.sum(np.log(shape / scale) + xlogy(shape - 1, scaled) - scaled**shape))


def clusters(
    levels: list[float], weights: list[float], jitter: float
) -> Callable[[np.random.Generator, tuple[int, int]], Array]:
    def draw(generator: np.random.Generator, size: tuple[int, int]) -> Array:
        return generator.choice(levels, p=weights, size=size) * (1 + jitter * generator.standard_normal(size))

    return draw


DISTRIBUTIONS: dict[str, Callable[[np.random.Generator, tuple[int, int]], Array]] = {
    "gumbel": lambda generator, size: 8 + generator.gumbel(size=size),
    "frechet": lambda generator, size: 1 / generator.weibull(3, size),
    "pareto": lambda generator, size: 1 + generator.pareto(1.5, size),
    "lognormal": lambda generator, size: generator.lognormal(0, 0.5, size),
    "exponential": lambda generator, size: generator.exponential(size=size),
    "one outlier": lambda generator, size: np.where(np.arange(size[1]) == 0, 3.0, 1 + 0.05 * generator.random(size)),
    "two clusters": clusters([1, 2], [0.7, 0.3], 0.02),
    "three clusters": clusters([1, 1.5, 3], [0.6, 0.3, 0.1], 0.02),
    "tied clusters": clusters([1, 1.5, 3], [0.6, 0.3, 0.1], 0.0),
    "rounded": lambda generator, size: np.round(8 + generator.gumbel(size=size)),
    "nearly tied": lambda generator, size: 3 * (1 + 1e-7 * generator.gumbel(size=size)),
    "float32 ties": lambda generator, size: (3 * (1 + 1e-7 * generator.gumbel(size=size))).astype(np.float32),
}
