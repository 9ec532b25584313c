"""Points of another class near an input: they are there, at their distance, and not far from the nearest."""

import math

import pytest
import torch
from torch import nn

from clearance import Classifier, certify
from clearance.certificates.split_points import NearestPoint
from clearance.certificates.translate import translate
from clearance.geometry.norms import vector_norm
from closed_forms import random_inputs, random_network
from split_cases import ball


@pytest.mark.parametrize("norm", [1.0, 2.0, 3.0, math.inf])
@pytest.mark.parametrize("bounds", [None, (0.0, 1.0)])
def test_the_point_has_no_margin_and_its_distance(norm: float, bounds: tuple[float, float] | None):
    for seed in range(4):
        model, x = Classifier(random_network(seed, (3, 8, 3), nn.ReLU), bounds), random_inputs(seed, 1, 3)
        graph = translate(model, (3,))
        source = int(graph(x).argmax())
        targets = torch.tensor([t for t in range(3) if t != source])
        rows = torch.eye(3, dtype=torch.float64)[source] - torch.eye(3, dtype=torch.float64)[targets]
        nearest = NearestPoint(graph, ball(model, x, 3.0, norm))
        nearest.descend(rows, torch.arange(2), 0.2)
        if math.isinf(nearest.distance):
            continue
        point = nearest.point
        assert float((graph(point) * rows[nearest.target]).sum()) <= 0
        assert float(vector_norm(point - x, norm)) == pytest.approx(nearest.distance, rel=1e-12)
        assert bounds is None or (float(point.min()) >= 0 and float(point.max()) <= 1)
        before = x + 0.999 * (point - x)
        assert float((graph(before) * rows[nearest.target]).sum()) > 0


def test_it_finds_the_boundary_of_a_linear_network_exactly():
    network = nn.Linear(3, 2).double()
    network.weight.data, network.bias.data = torch.tensor([[3.0, 4, 0], [0, 0, 0]]).double(), torch.zeros(2).double()
    model, x = Classifier(network), torch.tensor([[1.0, 0.5, 0]]).double()
    for norm, distance in ((1.0, 1.25), (2.0, 1.0), (math.inf, 5 / 7)):
        nearest = NearestPoint(translate(model, (3,)), ball(model, x, 9.0, norm))
        nearest.descend(torch.tensor([[1.0, -1.0]]).double(), torch.tensor([0]), 0.1)
        assert nearest.distance == pytest.approx(distance, rel=1e-7) and nearest.target == 0


def test_it_is_mostly_near_the_minimum_distortion():
    ratios: list[float] = []
    for seed in range(12):
        model, x = Classifier(random_network(seed, (3, 8, 3), nn.ReLU), (0, 1)), random_inputs(seed, 1, 3)
        (exact,) = certify(model, x, norm=math.inf, method="exact")
        graph = translate(model, (3,))
        source = int(graph(x).argmax())
        targets = torch.tensor([t for t in range(3) if t != source])
        rows = torch.eye(3, dtype=torch.float64)[source] - torch.eye(3, dtype=torch.float64)[targets]
        nearest = NearestPoint(graph, ball(model, x, 1.0, math.inf))
        nearest.descend(rows, torch.arange(2), 0.2)
        assert nearest.distance >= exact.radius * (1 - 1e-6)
        if math.isfinite(exact.radius):
            ratios.append(nearest.distance / exact.radius)
    assert len(ratios) >= 6 and sorted(ratios)[len(ratios) // 2] < 1.05


def test_where_the_margin_is_zero_behind_the_boundary_the_way_is_halved():
    """Logits `(max(1 - x, 0), 0)`: from 1 on they are tied, and a point far behind is brought back to 1."""
    network = nn.Sequential(nn.Linear(1, 2), nn.ReLU()).double()
    network[0].weight.data, network[0].bias.data = (
        torch.tensor([[-1.0], [0.0]]).double(),
        torch.tensor([1.0, 0.0]).double(),
    )
    model, x = Classifier(network), torch.zeros(1, 1, dtype=torch.float64)
    for far in (1.05, 2.0, 3.0):
        nearest = NearestPoint(translate(model, (1,)), ball(model, x, 9.0, math.inf))
        nearest.consider(torch.tensor([[far]]).double(), torch.tensor([[1.0, -1.0]]).double(), torch.tensor([0]))
        assert nearest.distance == pytest.approx(1.0, rel=1e-6)
