"""The pool of evidence: which points are the steepest within a distance, and how they are found again."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from clearance.estimates.profile import pool as pools
from clearance.estimates.profile.pool import Pool
from clearance.geometry.feasible import feasible_directions
from clearance.model.classifier import Classifier
from score_cases import margin_problem


def _bowl(x: Tensor) -> Tensor:
    """`g = 9 - ||x||²`: at a distance `s` from 0 the gradient is `2 s` long."""
    margin = 9 - x.square().sum(1)
    return torch.stack([margin, torch.zeros_like(margin)], 1)


@pytest.mark.parametrize("kept_bytes", [pools.KEPT_BYTES, 1600])
def test_the_steepest_points_within_a_distance(kept_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a bowl they are the farthest; those whose gradients were let go are passed over."""
    monkeypatch.setattr(pools, "KEPT_BYTES", kept_bytes)
    pool = Pool(margin_problem(Classifier(_bowl), torch.zeros(2, dtype=torch.float64)))
    angle = torch.arange(60, dtype=torch.float64)
    size = (0.05 * angle)[:, None]
    points = size * torch.stack([angle.cos(), angle.sin()], 1)
    for part in points.split(20):
        pool.visit(part)
    at_input, found = pool.steepest([0.0, 2.01], "fall", 3)
    assert found.tolist() == [40, 39, 38]
    assert torch.equal(pool.points(found.tolist()), points[[40, 39, 38]])
    assert pool.steepest([2.01], "slope", 1)[0].tolist() == [40]
    assert len(at_input) == (0 if kept_bytes == 1600 else 1)


@pytest.mark.parametrize("norm", [1.0, 2.0, math.inf])
def test_the_largest_of_many_is_that_of_all(norm: float) -> None:
    """By looking at a few it finds what looking at every gradient finds, for longer and longer reaches."""
    network = nn.Sequential(nn.Linear(30, 40), nn.ReLU(), nn.Linear(40, 3)).double().requires_grad_(False)
    x0 = torch.full((30,), 0.1, dtype=torch.float64)
    problem = margin_problem(Classifier(network, (0, 1)), x0, norm)
    bounded = replace(problem, directions=feasible_directions(x0, problem.model.bounds, norm))
    pool = Pool(bounded)
    pool.visit(torch.rand(300, 30, dtype=torch.float64, generator=torch.Generator().manual_seed(0)))
    groups = [np.arange(300)[place::7] for place in range(7)] + [np.array([], dtype=int)]
    reader = pool.reader()
    for reach in (0.0, 0.5, 2.0):
        reader = reader.at(reach)
        support = np.array([float(bounded.directions.support(g[None], reach)) for g in torch.cat(pool._gradients)])
        expected = [support[group].max(initial=0.0) for group in groups]
        assert reader.largest_supports(groups) == pytest.approx(np.maximum.accumulate(expected))
        slopes = np.minimum(support, pool.column("slope"))
        expected = [slopes[group].max(initial=0.0) for group in groups]
        assert reader.largest_radials(groups) == pytest.approx(expected)
