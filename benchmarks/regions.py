"""How often a directed search finds the exact maximum: 200 ReLU networks whose regions are enumerated.

`python benchmarks/regions.py` prints, for two families of random networks with 2 to 8 inputs and 4 to 16 units, in how
many the largest gradient norm found in the ball is at least .99 of the exact maximum over all activation regions of
the ball, overall and where the steepest region fills at least 1 / 10,000 of the ball.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from clearance.estimates.clever import clever
from clearance.geometry.balls import sample_ball
from clearance.model.classifier import Classifier
from regions import ReluNetwork, regions


def default_network(dimension: int, units: int, seed: int) -> ReluNetwork:
    """Torch's default initialisation, around a random point of the unit cube."""
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Linear(dimension, units), nn.ReLU(), nn.Linear(units, 2)).double()
    weight, bias, head, offset = (p.detach().numpy() for p in network.parameters())
    bias = bias + weight @ torch.rand(dimension, dtype=torch.float64).numpy()
    logits = head @ np.maximum(bias, 0) + offset
    order = [0, 1] if logits[0] >= logits[1] else [1, 0]
    return ReluNetwork(weight, bias, head[order], offset[order])


def main() -> None:
    """Print one line per family and ball."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    count = parser.parse_args().count
    families = {"Gaussian weights": ReluNetwork.random, "torch's default": default_network}
    for name, make in families.items():
        for radius in ("auto", 0.5):
            ratios, shares = [], []
            for seed in range(count):
                rng = np.random.default_rng(1000 + seed)
                dimension, units = int(rng.integers(2, 9)), int(rng.integers(4, 17))
                network = make(dimension, units, seed)
                x = torch.zeros(1, dimension, dtype=torch.float64)
                score = clever(Classifier(network.module()), x, norm=2, bound="ball", radius=radius)[0]
                found = sorted(
                    ((float(np.linalg.norm(network.gradient(a))), a) for a in regions(network, 2, score.ball_radius)),
                    key=lambda pair: -pair[0],
                )
                generator = torch.Generator().manual_seed(0)
                ball = sample_ball(
                    100_000, (dimension,), norm=2, radius=score.ball_radius, generator=generator, dtype=torch.float64
                )
                active = ball.numpy() @ network.weight.T + network.bias > 0
                steep = [a for norm, a in found if norm >= 0.99 * found[0][0]]
                shares.append(sum(float((active == (a > 0)).all(1).mean()) for a in steep))
                ratios.append(score.largest_seen / found[0][0])
            good, wide = np.array(ratios) >= 0.99, np.array(shares) >= 1e-4
            print(
                f"{name}, R = {radius}: at least .99 of the exact maximum on {good.sum()} of {count}; where regions "
                f"that steep fill 1/10,000 of the ball: {(good & wide).sum()} of {wide.sum()}; worst {min(ratios):.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
