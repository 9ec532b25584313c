"""How well the endpoint fit does where the truth is known, and what its penalised estimate does where there is none.

Run `python experiments/endpoint_simulation.py` (about a minute); prints four tables in Markdown:

1. endpoint, coverage and status on synthetic norms `1 - Beta(a, 3)`, true endpoint 1, blocks of 1,024 draws;
2. why coverage is a little under its level there: exact reverse Weibull maxima with the same shapes;
3. the penalised estimate against other estimates, on the rows where the likelihood identifies no endpoint;
4. time for a thousand fits against a loop over scipy.
"""

import time
import warnings
from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import betaincinv

from clearance.estimates import extremes
from clearance.estimates.extremes.endpoint import PENALISED_RANGES, PENALISED_SHAPE
from clearance.estimates.extremes.profile_likelihood import fixed_shape
from clearance.estimates.extremes.weibull import log_likelihood

Array = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, int]], Array]

DRAWS = 1024
SHAPES = np.geomspace(1.05, 400, 40)
ALTERNATIVES = [
    "chosen",
    "shape 8, no bound",
    "shape 4, no bound",
    "Martins-Stedinger, bounded tails",
    "Beta(4, 12) on -index",
    "Coles-Dixon, reflected",
    "Fraga Alves-Neves",
]


def beta_norms(shape: float) -> Draw:
    """Maxima of 1,024 draws of `1 - Beta(shape, 3)`, exactly, by the inverse CDF of the smallest Beta."""
    return lambda generator, size: 1 - betaincinv(shape, 3, -np.expm1(np.log1p(-generator.random(size)) / DRAWS))


def weibull_maxima(shape: float) -> Draw:
    """Exact reverse Weibull maxima with endpoint 1 and the scale of the Beta norms' limit."""
    scale = (2 / (DRAWS * (shape + 1) * (shape + 2))) ** (1 / shape)
    return lambda generator, size: 1 - scale * generator.weibull(shape, size)


def clusters(levels: list[float], weights: list[float]) -> Draw:
    """Maxima in a few basins, 2 % wide."""
    return lambda generator, size: (
        generator.choice(levels, p=weights, size=size) * (1 + 0.02 * generator.standard_normal(size))
    )


ZOO: dict[str, Draw] = {
    "Beta, a = 8": beta_norms(8),
    "Beta, a = 16": beta_norms(16),
    "Gumbel, mean 5.6 scales": lambda generator, size: 5 + generator.gumbel(size=size),
    "Gumbel, mean 20.6 scales": lambda generator, size: 20 + generator.gumbel(size=size),
    "Frechet, shape 3": lambda generator, size: 1 / generator.weibull(3, size),
    "Pareto, index 1.5": lambda generator, size: 1 + generator.pareto(1.5, size),
    "lognormal, 0.5": lambda generator, size: generator.lognormal(0, 0.5, size),
    "exponential": lambda generator, size: generator.exponential(size=size),
    "one outlier": lambda generator, size: np.where(np.arange(size[1]) == 0, 2.0, 1 + 0.1 * generator.random(size)),
    "two clusters, 80 % low": clusters([1, 2], [0.8, 0.2]),
    "two clusters, even": clusters([1, 2], [0.5, 0.5]),
    "three clusters": clusters([1, 1.5, 3], [0.6, 0.3, 0.1]),
    "rounded Gumbel (ties)": lambda generator, size: np.round(5 + generator.gumbel(size=size)),
    "nearly tied (1e-7)": lambda generator, size: 3 * (1 + 1e-7 * generator.gumbel(size=size)),
}


def coverage_table(title: str, draw: Callable[[float], Draw], rows: int = 2000) -> None:
    """Median endpoint, coverage of the 95 % interval, and how often it is infinite or penalised."""
    print(f"\n## {title} ({rows} seeds)\n")
    print(
        "| a | maxima | median [5 %, 95 %] | covers 1 | too low | too high | unbounded | no_endpoint | at the largest |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for blocks in (500, 50, 20, 8):
        for shape in (1, 2, 4, 8, 16):
            maxima = draw(shape)(np.random.default_rng([shape, blocks]), (rows, blocks))
            fit = extremes.fit_reverse_weibull(maxima)
            low, high = fit.interval
            median, *ends = np.quantile(fit.location, [0.5, 0.05, 0.95])
            shares = [
                (low <= 1) & (high >= 1),
                high < 1,
                low > 1,
                np.isinf(high),
                fit.status == extremes.FitStatus.NO_ENDPOINT,
                fit.location == maxima.max(1),
            ]
            cells = " | ".join(f"{np.mean(share):.1%}" for share in shares)
            print(f"| {shape} | {blocks} | {median:.3f} [{ends[0]:.3f}, {ends[1]:.3f}] | {cells} |")


def alternatives(maxima: Array, gaps: Array) -> dict[str, Array]:
    """Distance above the largest, in ranges, by each penalised estimate."""
    distances = np.array([fixed_shape(gaps, shape) for shape in SHAPES])
    likelihood = np.array(
        [
            log_likelihood(np.log(gaps + distance[:, None]), np.full(len(gaps), shape))
            for distance, shape in zip(distances, SHAPES, strict=True)
        ]
    )
    index = 1 / SHAPES  # minus the GEV's extreme value index

    def mode(log_prior: Array) -> Array:
        return distances[(likelihood + log_prior[:, None]).argmax(0), np.arange(len(gaps))]

    with np.errstate(divide="ignore", invalid="ignore"):
        beta = np.where(index < 0.5, 5 * np.log(0.5 + index) + 8 * np.log(0.5 - index), -1e9)
    fixed = fixed_shape(gaps, PENALISED_SHAPE)
    estimates = [
        np.minimum(fixed, PENALISED_RANGES),
        fixed,
        fixed_shape(gaps, 4.0),
        mode(beta),
        mode(3 * np.log(index) + 11 * np.log1p(-index)),
        mode(-0.1 / index),
        general_endpoint(maxima) / np.ptp(maxima, axis=1),
    ]
    return dict(zip(ALTERNATIVES, estimates, strict=True))


def general_endpoint(maxima: Array) -> Array:
    """Fraga Alves and Neves (2014): `sum log(1 + 1/(k + i))/log 2 (X[n-k] - X[n-k-i])` above the largest, k = n/2."""
    count = maxima.shape[1]
    half = max(count // 2, 1)
    ordered, steps = np.sort(maxima, axis=1)[:, ::-1], np.arange(half)
    weights = np.log1p(1 / (half + steps)) / np.log(2)
    return (ordered[:, [half]] - ordered[:, np.minimum(half + steps, count - 1)]) @ weights


def penalised_table(blocks: int, rows: int = 300) -> None:
    """Estimate over largest, median / 95 % / maximum, on the rows without an endpoint."""
    print(f"\n## Penalised estimate over the largest of {blocks} maxima: median / 95 % / most ({rows} seeds)\n")
    header = ["maxima", "lost", "true endpoint / largest", *ALTERNATIVES]
    print("| " + " | ".join(header) + " |\n" + "|---" * len(header) + "|")
    for name, draw in ZOO.items():
        maxima = draw(np.random.default_rng(blocks), (rows, blocks))
        maxima = maxima[np.ptp(maxima, axis=1) > 0]
        fit = extremes.fit_reverse_weibull(maxima)
        lost = fit.status == extremes.FitStatus.NO_ENDPOINT
        if lost.sum() < 5:
            print(f"| {name} | {lost.mean():.0%} |" + " |" * (len(ALTERNATIVES) + 1))
            continue
        chosen = maxima[lost]
        largest, spread = chosen.max(1), np.ptp(chosen, axis=1)
        ratios = {
            name: 1 + distance * spread / largest
            for name, distance in alternatives(chosen, (largest[:, None] - chosen) / spread[:, None]).items()
        }
        np.testing.assert_allclose(fit.location[lost] / largest, ratios["chosen"], rtol=1e-6)
        truth = f"{np.median(1 / largest):.2f}" if name.startswith("Beta") else ""
        cells = [f"{np.median(r):.2f} / {np.quantile(r, 0.95):.2f} / {r.max():.2f}" for r in ratios.values()]
        print("| " + " | ".join([name, f"{lost.mean():.0%}", truth, *cells]) + " |")


def speed_table() -> None:
    """Seconds for a thousand fits of 500 maxima, and for scipy's loop, scaled up from 60."""
    maxima = np.concatenate([beta_norms(a)(np.random.default_rng(0), (334, 500)) for a in (4, 8, 16)])[:1000]
    extremes.fit_reverse_weibull(maxima[:2])
    marks = [time.perf_counter()]
    extremes.fit_reverse_weibull(maxima)
    marks.append(time.perf_counter())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for row in maxima[:: len(maxima) // 60][:60]:
            stats.weibull_max.fit(row)
    marks.append(time.perf_counter())
    ours, theirs = (end - start for start, end in pairwise(marks))
    theirs *= len(maxima) / 60
    print(
        f"\n## Speed\n\n1,000 fits of 500 maxima: {ours:.2f} s; scipy {theirs:.1f} s; {theirs / ours:.0f} times faster"
    )


def main() -> None:
    """Print the tables."""
    coverage_table("Synthetic norms 1 - Beta(a, 3), true endpoint 1", beta_norms)
    coverage_table("Exact reverse Weibull maxima, true endpoint 1", weibull_maxima)
    for blocks in (8, 20, 40, 200):
        penalised_table(blocks)
    speed_table()


if __name__ == "__main__":
    main()
