"""The profile that the search finds against the exact one, and whether the exact radius lies in the interval.

    python benchmarks/exact_profiles.py                                     100 networks with 2 inputs and 5 units
    python benchmarks/exact_profiles.py --inputs 4 --units 8 --count 40

ReLU networks with one hidden layer and Gaussian weights, from a seed, at the origin; all activation regions that reach
into the last level are enumerated, and with them `L(s)` is exact (`tests/regions.py`). Networks without a witness are
left out: their levels end nowhere.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from clearance.estimates.clever import clever
from clearance.estimates.profile.readings import profile_radius
from clearance.estimates.profile.score import ProfileScore
from clearance.model.classifier import Classifier
from regions import ReluNetwork, exact_profile

NEAR = 1.01
"""An estimate is near the exact one up to this factor."""


def measure(network: ReluNetwork, norm: float, budget: str) -> tuple[float, bool, float] | None:
    """The estimate over the one with the exact profile, whether that lies in the interval, and the interval's width."""
    origin = torch.zeros(1, network.weight.shape[1], dtype=torch.float64)
    (score,) = clever(Classifier(network.module()), origin, norm=norm, budget=budget)
    assert isinstance(score, ProfileScore)
    if not math.isfinite(score.witness_distance):
        return None
    levels = np.array(score.levels)
    exact = profile_radius(levels, exact_profile(network, norm, levels), score.margin)
    low, high = score.interval
    return score.radius / exact, low <= exact * (1 + 1e-9), 1 - low / high


def main() -> None:
    """Print one line for each norm and budget."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=2)
    parser.add_argument("--units", type=int, default=5)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--norms", type=float, nargs="+", default=[1.0, 2.0, math.inf])
    parser.add_argument("--budgets", nargs="+", default=["quick", "standard"])
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    for norm in chosen.norms:
        for budget in chosen.budgets:
            networks = (ReluNetwork.random(chosen.inputs, chosen.units, seed) for seed in range(chosen.count))
            found = [row for network in networks if (row := measure(network, norm, budget)) is not None]
            ratio, held, width = (np.array(column) for column in zip(*found, strict=True))
            print(
                f"l{norm:g}, {budget}: {len(found)} networks, within 1 % {(ratio <= NEAR).mean():.2f}, mean ratio "
                f"{ratio.mean():.4f}, largest {ratio.max():.2f}, exact radius in the interval {held.mean():.2f}, "
                f"median width {np.median(width):.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
