"""Small attacks on tables: a few features, narrow bounds, several valleys of which a short run meets the wrong one."""

from __future__ import annotations

import math
from statistics import fmean

import pytest
import torch
from torch import Tensor, nn

from clearance import Classifier, attack


def _trained(seed: int) -> tuple[nn.Module, Tensor]:
    """A network of five features that learned a rule with two products, and its data."""
    draws = torch.Generator().manual_seed(seed)
    x = 2 * torch.rand(400, 5, generator=draws, dtype=torch.float64) - 1
    y = ((x[:, 0] * x[:, 1] > 0) ^ (x[:, 2] + 0.5 * x[:, 3] > 0.3)).long()
    torch.manual_seed(seed)
    layers = nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 2)
    network = nn.Sequential(*layers).double()
    steps = torch.optim.Adam(network.parameters(), 0.01)
    for _ in range(300):
        steps.zero_grad()
        nn.functional.cross_entropy(network(x), y).backward()
        steps.step()
    return network, x


@pytest.mark.parametrize("norm", [1.0, 2.0, math.inf])
def test_the_smallest_budget_meets_the_nearer_valley(norm):
    """Without walks from elsewhere the mean excess is .021 (l1) and .031 (linf), and single inputs are at 1.7 times."""
    excess = []
    for seed in (1, 2):
        network, x = _trained(seed)
        model = Classifier(network, bounds=(x.amin(0), x.amax(0)))
        near = attack(model, x[:20], norm=norm, budget="standard")
        excess += [
            found.distance / best.distance - 1
            for found, best in zip(attack(model, x[:20], norm=norm, budget="quick"), near, strict=True)
        ]
    assert fmean(excess) < 0.015
    assert max(excess) < 0.5
