"""Bounds of every value of every kind of network, against points of the region."""

import math

import pytest
import torch
from torch import nn

from certificate_cases import IMAGE, NETWORKS, images, model_of
from clearance import Classifier
from clearance.certificates.region import Region
from clearance.certificates.relaxation import relax
from clearance.certificates.translate import translate
from clearance.geometry.balls import sample_ball
from closed_forms import random_inputs, random_network

each = pytest.mark.parametrize("name", NETWORKS)


@each
@pytest.mark.parametrize("norm", [1.0, 2.0, math.inf])
def test_bounds_of_every_value_hold(name: str, norm: float):
    model, x = model_of(name), images(2)
    graph = translate(model, IMAGE)
    radius = torch.tensor([0.02, 0.3], dtype=torch.float64) * (1 if math.isinf(norm) else 10)
    box = (torch.zeros_like(x), torch.ones_like(x))
    region = Region(x, radius, norm, box)
    relaxed = relax(graph, region)
    rows = torch.cat([torch.eye(4, dtype=torch.float64), -torch.eye(4, dtype=torch.float64)])[None]
    below = relaxed.lowest(graph.last, rows)
    draw = torch.Generator().manual_seed(1)
    for i in range(2):
        points = sample_ball(300, IMAGE, norm=norm, radius=float(radius[i]), generator=draw).double() + x[i]
        points = points.clamp(0, 1)  # nearer to x in every entry
        values = graph.values(points)
        for j, (low, high) in enumerate(zip(relaxed.low, relaxed.high, strict=True)):
            assert (low[i] <= values[j] + 1e-9).all() and (values[j] <= high[i] + 1e-9).all(), j
        assert (values[-1] @ rows[0].T >= below[i] - 1e-9).all()


def test_an_affine_part_is_a_matrix():
    network, x = random_network(0, (5, 7, 3), nn.ReLU), random_inputs(0, 1, 5)
    graph = translate(Classifier(network), (5,))
    relaxed = relax(graph, Region(x, torch.zeros(1, dtype=torch.float64), 2.0, None))
    (place,) = graph.nonlinear
    first, offset = relaxed.matrix(graph.step(place).inputs[0])
    last, bias = relaxed.matrix(graph.last, stop=place)
    assert torch.allclose(first, network[1].weight) and torch.allclose(offset, network[1].bias)
    assert torch.allclose(last, network[3].weight) and torch.allclose(bias, network[3].bias)


def test_at_radius_zero_the_bounds_are_the_values():
    network, x = random_network(2, (4, 8, 8, 3), nn.Tanh), random_inputs(2, 3, 4)
    graph = translate(Classifier(network), (4,))
    relaxed = relax(graph, Region(x, torch.zeros(3, dtype=torch.float64), 2.0, None))
    for low, high, value in zip(relaxed.low, relaxed.high, graph.values(x), strict=False):
        assert torch.allclose(low, value, atol=1e-12) and torch.allclose(high, value, atol=1e-12)
    rows = torch.eye(3, dtype=torch.float64)[None]
    assert torch.allclose(relaxed.lowest(graph.last, rows), graph(x), atol=1e-12)


def test_without_time_the_intervals_are_those_of_interval_arithmetic():
    network, x = random_network(2, (4, 8, 8, 3), nn.ReLU), random_inputs(2, 2, 4)
    graph = translate(Classifier(network), (4,))
    region = Region(x, torch.full((2,), 0.3, dtype=torch.float64), math.inf, None)
    loose, tight = relax(graph, region, stop=lambda: True), relax(graph, region)
    low, high = x - 0.3, x + 0.3
    wanted = [(low, high)]
    for layer in list(network)[1:-1]:  # Flatten changes nothing here
        if isinstance(layer, nn.Linear):
            middle, half = layer((low + high) / 2).detach(), (high - low) / 2 @ layer.weight.detach().abs().T
            low, high = middle - half, middle + half
            wanted.append((low, high))
        else:
            low, high = low.clamp_min(0), high.clamp_min(0)
    for (low, high), place in zip(wanted[1:], sorted(graph.preactivations), strict=True):
        assert torch.allclose(loose.low[place], low) and torch.allclose(loose.high[place], high)
        assert (tight.low[place] >= low - 1e-12).all() and (tight.high[place] <= high + 1e-12).all()
    assert (tight.high[place] - tight.low[place] < 0.99 * (high - low)).any()
