"""Bounds with one end only: a coordinate that may go on for ever has no width to take a share of."""

from __future__ import annotations

import math

import pytest
import torch

import clearance as cl
from clearance.attacks.goals import make_goal
from clearance.attacks.linear_model import linear_distance
from clearance.runs.answers import draw_points

ONE_SIDED = [(0.0, math.inf), (-math.inf, 3.0)]
"""Bounds with a lowest value alone, and with a highest alone."""


def smooth(bounds: tuple[float, float]) -> tuple[cl.Classifier, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    layers = torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3)
    for layer in layers[::2]:
        layer.weight.data.normal_(generator=generator)
        layer.bias.data.normal_(generator=generator)
    x = 2 * torch.rand(1, 4, dtype=torch.float64, generator=generator)
    return cl.Classifier(torch.nn.Sequential(*layers).double().eval(), bounds=bounds), x


@pytest.mark.parametrize("norm", [1, 1.5, 2, math.inf])
@pytest.mark.parametrize("bounds", ONE_SIDED)
def test_an_ordinary_network_has_a_bracket(bounds: tuple[float, float], norm: float):
    model, x = smooth(bounds)
    (found,) = cl.bracket(model, x, norm=norm, budget=1500, certificate="none")
    assert found.status.has_number and found.estimated.status is not cl.Status.NON_FINITE
    assert 0 < found.estimated.radius <= found.attacked.distance * 1.01 and math.isfinite(found.attacked.distance)
    assert not any(flag.code == "non_finite" for flag in found.audit.flags)


@pytest.mark.parametrize("bounds", ONE_SIDED)
def test_lengths_and_drawn_points_are_finite(bounds: tuple[float, float]):
    flat = cl.Classifier(lambda x: torch.stack([0 * x.sum(1) + 1, 0 * x.sum(1)], 1), bounds=bounds)
    x = torch.ones(2, 3)
    assert linear_distance(flat, x, make_goal(torch.tensor([0, 0]), [[1], [1]], 2), 2.0).tolist() == [1.0, 1.0]
    points = draw_points(flat, x)
    assert points.isfinite().all() and points.min() >= bounds[0] and points.max() <= bounds[1]
