"""How far the inputs of layers can move, against points and against matrices."""

import math

import pytest
import torch
from torch import Tensor, nn

from certificate_cases import IMAGE, NETWORKS, images, model_of
from clearance import Classifier
from clearance.certificates import deviations
from clearance.certificates.deviations import Deviations, two_pieces
from clearance.certificates.graph import Graph
from clearance.certificates.region import Region
from clearance.certificates.relaxation import Relaxation, relax
from clearance.certificates.translate import translate
from clearance.geometry.balls import sample_ball
from closed_forms import random_inputs, random_network

Bounds = tuple[Tensor, Tensor] | None


def deviations_of(graph: Graph, x: Tensor, radius: float, norm: float, bounds: Bounds) -> tuple[Deviations, Relaxation]:
    region = Region(x, torch.full((1,), radius, dtype=torch.float64), norm, bounds)
    relaxed = relax(graph, region)
    found = Deviations(graph, graph.values(x), region)
    for low, high in zip(relaxed.low[1:], relaxed.high[1:], strict=True):
        found.add(low, high)
    return found, relaxed


def check(graph: Graph, x: Tensor, radius: float, norm: float, bounds: Bounds) -> None:
    """No point moves a layer's inputs farther than the bound."""
    found, relaxed = deviations_of(graph, x, radius, norm, bounds)
    draw = torch.Generator().manual_seed(1)
    points = x + sample_ball(2000, x.shape[1:], norm=norm, radius=radius, generator=draw).double()
    one = torch.eye(x[0].numel(), dtype=torch.float64).reshape(-1, *x.shape[1:]) * radius
    points = torch.cat([points, x + one, x - one])
    points = points if bounds is None else torch.minimum(torch.maximum(points, bounds[0]), bounds[1])
    values = graph.values(points)
    for place in two_pieces(graph):
        (source,) = graph.step(place).inputs
        crosses = (relaxed.low[source] < 0) & (relaxed.high[source] > 0)
        moved = ((values[source] - found.at[source]) * crosses).flatten(1).norm(dim=1)
        assert moved.max() <= found.of(source) * (1 + 1e-9) + 1e-12, place


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("norm", [1.0, 1.5, 2.0])
@pytest.mark.thinned(2)
def test_no_point_moves_a_layer_farther(name: str, norm: float):
    graph, x = translate(model_of(name), IMAGE), images(1)
    for radius in (0.05, 0.8):
        check(graph, x, radius, norm, (torch.zeros_like(x), torch.ones_like(x)))
        check(graph, x, radius, norm, None)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("left", [0.0, 0.3])
def test_deep_networks(seed: int, left: float):
    network, x = random_network(seed, (5, 16, 16, 16, 3), nn.ReLU), random_inputs(seed, 1, 5)
    for place, layer in enumerate(network):
        if isinstance(layer, nn.ReLU) and left:
            network[place] = nn.LeakyReLU(left)
    for radius in (0.01, 0.1, 1.0):
        check(translate(Classifier(network), (5,)), x, radius, 2.0, None)


@pytest.mark.parametrize("left", [0.0, 0.3])
def test_values_that_begin_at_a_kink(left: float):
    """Behind a ReLU, or at the lower bound, a value of 0 can only rise: its derivative is that on the right."""
    network = nn.Sequential(nn.ReLU(), nn.LeakyReLU(left), nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).double()
    x = torch.tensor([[0.0, 0.0, 0.5]], dtype=torch.float64)
    graph = translate(Classifier(network), (3,))
    check(graph, x, 0.7, 2.0, (torch.zeros_like(x), torch.ones_like(x)))
    check(graph, x, 0.7, 2.0, None)


def test_before_the_first_kink_it_is_the_norm_of_a_matrix():
    network, x = random_network(5, (6, 9, 3), nn.ReLU), random_inputs(5, 1, 6)
    graph = translate(Classifier(network), (6,))
    for norm, expected in ((2.0, lambda w: torch.linalg.matrix_norm(w, 2)), (1.0, lambda w: w.norm(dim=0).max())):
        found, relaxed = deviations_of(graph, x, 3.0, norm, None)
        (source,) = graph.step(next(iter(two_pieces(graph)))).inputs
        crosses = ((relaxed.low[source] < 0) & (relaxed.high[source] > 0))[0]
        assert crosses.sum() > 3
        corner = torch.maximum(relaxed.high[source] - found.at[source], found.at[source] - relaxed.low[source])
        most = min(3.0 * float(expected(network[1].weight.detach()[crosses])), float(corner[0, crosses].norm()))
        assert float(found.of(source)) == pytest.approx(most, rel=1e-9)


def test_entries_that_cannot_move_move_nothing():
    network, x = random_network(6, (6, 9, 3), nn.ReLU), random_inputs(6, 1, 6)
    graph = translate(Classifier(network), (6,))
    free = torch.tensor([1.0, 1.0, 0.0, 0.0, 0.0, 0.0]).double()
    found, relaxed = deviations_of(graph, x, 0.5, 2.0, (x - free, x + free))
    (source,) = graph.step(next(iter(two_pieces(graph)))).inputs
    crosses = ((relaxed.low[source] < 0) & (relaxed.high[source] > 0))[0]
    weight = network[1].weight.detach()[crosses][:, :2]
    assert float(found.of(source)) <= 0.5 * float(torch.linalg.matrix_norm(weight, 2)) * (1 + 1e-9)


def test_without_the_jacobian_operator_norms_remain(monkeypatch: pytest.MonkeyPatch):
    network, x = random_network(7, (5, 16, 16, 3), nn.ReLU), random_inputs(7, 1, 5)
    graph = translate(Classifier(network), (5,))
    with_it, _ = deviations_of(graph, x, 0.05, 2.0, None)
    monkeypatch.setattr(deviations, "LARGEST_JACOBIAN", 1)
    check(graph, x, 0.05, 2.0, None)
    without, relaxed = deviations_of(graph, x, 0.05, 2.0, None)
    for source in (graph.step(place).inputs[0] for place in two_pieces(graph)):
        assert float(with_it.of(source)) <= float(without.of(source)) * (1 + 1e-12)
        assert math.isfinite(float(without.of(source)))
    assert relaxed.low
