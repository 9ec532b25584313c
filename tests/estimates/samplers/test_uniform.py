"""Uniform samples: Weng et al. 2018, theorem D.1, on one-hidden-layer ReLU networks whose regions can be enumerated."""

import math

import numpy as np
import pytest
import torch

from clearance.estimates.clever import clever
from clearance.geometry.balls import sample_ball
from clearance.geometry.norms import vector_norm
from clearance.model.classifier import Classifier
from clearance.model.gradients import margin_gradient_norms
from regions import ReluNetwork, largest_norm, regions


def exact_cdf(network: ReluNetwork, radius: float, cells: int = 1500) -> dict[float, float]:
    """Probability of each gradient norm under uniform sampling of a disc, by a fine polar grid of equal areas."""
    rings = radius * np.sqrt((np.arange(cells) + 0.5) / cells)
    angles = 2 * math.pi * (np.arange(cells) + 0.5) / cells
    points = (rings[:, None, None] * np.stack([np.cos(angles), np.sin(angles)], 1)).reshape(-1, 2)
    active = (points @ network.weight.T + network.bias > 0).astype(float)
    patterns, counts = np.unique(active, axis=0, return_counts=True)
    norms = [float(np.linalg.norm(network.gradient(pattern))) for pattern in patterns]
    return dict(zip(norms, counts / counts.sum(), strict=True))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.slow
def test_sampled_norms_follow_the_exact_law(seed: int):
    network = ReluNetwork.random(2, 6, seed)
    model = Classifier(network.module())
    law = exact_cdf(network, 1.0)
    points = sample_ball(
        20000, (2,), norm=2, radius=1.0, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
    _, norms = margin_gradient_norms(model, points, 0, torch.tensor([1]), lambda gradients: vector_norm(gradients, 2.0))
    sampled = norms[:, 0].numpy()
    for value, probability in law.items():
        share = float(np.isclose(sampled, value, rtol=1e-9).mean())
        assert abs(share - probability) < 5 * math.sqrt(probability * (1 - probability) / len(sampled)) + 1e-3
    known = np.array(sorted({*law, *(float(np.linalg.norm(network.gradient(a))) for a in regions(network, 2, 1.0))}))
    assert np.abs(sampled[:, None] - known[None]).min(1).max() < 1e-9  # piecewise constant: no other value occurs


@pytest.mark.parametrize("seed", range(6))
def test_enumeration_finds_every_region_that_a_grid_finds(seed: int):
    network = ReluNetwork.random(2, 6, seed)
    listed = {tuple(pattern) for pattern in regions(network, 2, 1.0)}
    grid = sample_ball(50000, (2,), norm=2, radius=1.0, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    active = (grid.numpy() @ network.weight.T + network.bias > 0).astype(float)
    assert {tuple(pattern) for pattern in np.unique(active, axis=0)} <= listed
    assert len(listed) <= sum(math.comb(6, i) for i in range(3))


@pytest.mark.parametrize("norm", [2.0, math.inf])
@pytest.mark.parametrize("sampler", ["directed", "uniform"])
@pytest.mark.slow
def test_the_true_lipschitz_constant_is_found_in_the_plane(norm: float, sampler: str):
    dual = {2.0: 2, math.inf: 1}[norm]
    box = sample_ball(
        200000, (2,), norm=norm, radius=1.0, generator=torch.Generator().manual_seed(2), dtype=torch.float64
    )
    for seed in range(10):
        network = ReluNetwork.random(2, 5, seed)
        x = torch.zeros(1, 2, dtype=torch.float64)
        settings = {"bound": "ball", "radius": 1.0, "sampler": sampler, "blocks": 48}
        score = clever(Classifier(network.module()), x, norm=norm, **settings)[0]
        assert score.largest_seen <= largest_norm(network, norm, 1.0) * (1 + 1e-9)
        active = (box.numpy() @ network.weight.T + network.bias > 0).astype(float)
        patterns, counts = np.unique(active, axis=0, return_counts=True)
        steepest = max(
            np.linalg.norm(network.gradient(p), dual) for p in patterns[counts >= 20]
        )  # 1 / 10,000 of the disc
        assert score.largest_seen >= steepest * (1 - 1e-9)
