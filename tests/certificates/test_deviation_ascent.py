"""Ascent on the bounds: what it finds holds, is never worse than where it began, and its gradients are right."""

import pytest
import torch
from torch import nn

from certificate_cases import IMAGE, NETWORKS, images, model_of
from clearance import Classifier
from clearance.certificates import deviation_ascent
from clearance.certificates.deviation_ascent import ChosenBounds, ascended, narrowed
from clearance.certificates.deviation_relaxation import DeviationRelaxation
from clearance.certificates.deviations import two_pieces
from clearance.certificates.graph import Graph
from clearance.certificates.region import Region
from clearance.certificates.relaxation import relax
from clearance.certificates.rows import Rows
from clearance.certificates.translate import translate
from clearance.geometry.balls import sample_ball
from closed_forms import random_inputs, random_network

BENT = [name for name in NETWORKS if two_pieces(translate(model_of(name), IMAGE))]


def narrowed_at(graph: Graph, x: torch.Tensor, radius: float, norm: float = 2.0) -> DeviationRelaxation:
    bounds = (torch.zeros_like(x), torch.ones_like(x))
    region = Region(x, torch.full((1,), radius, dtype=torch.float64), norm, bounds)
    return narrowed(relax(graph, region), graph.values(x))


@pytest.mark.parametrize("name", BENT)
@pytest.mark.parametrize("norm", [1.0, 2.0])
@pytest.mark.thinned(3)
def test_bounds_of_every_value_hold(name: str, norm: float):
    graph, x = translate(model_of(name), IMAGE), images(1)
    for radius in (0.2, 1.5):
        found = narrowed_at(graph, x, radius, norm)
        draw = torch.Generator().manual_seed(1)
        points = x + sample_ball(1000, IMAGE, norm=norm, radius=radius, generator=draw).double()
        values = graph.values(points.clamp(0, 1))
        for place, (low, high) in enumerate(zip(found.low, found.high, strict=True)):
            assert (low <= values[place] + 1e-9).all() and (values[place] <= high + 1e-9).all(), place
        rows = torch.cat([torch.eye(4, dtype=torch.float64), -torch.eye(4, dtype=torch.float64)])[None]
        below, _ = ascended(found, graph.last, Rows(rows), 10)
        assert (values[-1] @ rows[0].T >= below - 1e-9).all()


def deep(seed: int, radius: float) -> tuple[Graph, DeviationRelaxation, Rows]:
    network, x = random_network(seed, (8, 30, 30, 30, 3), nn.ReLU), 0.5 + random_inputs(seed, 1, 8) / 10
    graph = translate(Classifier(network), (8,))
    return graph, narrowed_at(graph, x, radius), Rows(torch.tensor([[[1.0, -1.0, 0.0], [0.0, 1.0, -1.0]]]).double())


@pytest.mark.parametrize("seed", range(4))
def test_more_steps_are_never_worse(seed: int):
    graph, found, rows = deep(seed, 0.6)
    reached = torch.stack([ascended(found, graph.last, rows, steps)[0] for steps in (0, 3, 10, 30)])
    assert (reached.diff(dim=0) >= 0).all() and (reached[-1] > reached[0] + 1e-6).any()


def test_the_coefficients_found_are_a_start():
    graph, found, rows = deep(1, 0.2)
    best, chosen = ascended(found, graph.last, rows, 20)
    again, _ = ascended(found, graph.last, rows, 0, chosen)
    plain, _ = ascended(found, graph.last, rows, 0)
    assert (again >= plain).all()
    assert ((again - plain).sum() >= 0.7 * (best - plain).sum()).all()


@pytest.mark.parametrize("name", ["convolution", "functional", "deep"])
def test_gradients_pass_every_step(name: str):
    """Through layers whose transpose is automatic differentiation too: against differences."""
    if name == "deep":
        graph, found, rows = deep(2, 0.3)
    else:
        graph, x = translate(model_of(name), IMAGE), images(1)
        found, rows = narrowed_at(graph, x, 0.5), Rows(torch.eye(4, dtype=torch.float64)[None, :1])
    noted: dict[int, deviation_ascent._Free] = {
        place: deviation_ascent._Free(found.bounds_of(place)) for place in found.bent
    }
    found.taking(dict(noted)).lowest_of(graph.last, rows)

    def bound(coefficients: dict[int, torch.Tensor]) -> torch.Tensor:
        taken = {i: ChosenBounds(one.bounds, coefficients[i], one.logarithm.exp()) for i, one in noted.items()}
        return found.taking(dict(taken)).lowest_of(graph.last, rows).sum()

    leaves = {i: (0.8 * one.coefficient + 0.1).detach().requires_grad_(True) for i, one in noted.items()}
    gradients = dict(zip(leaves, torch.autograd.grad(bound(leaves), list(leaves.values())), strict=True))
    for place, gradient in gradients.items():
        entry = int(gradient.abs().argmax())
        ends: list[float] = []
        for step in (-1e-6, 1e-6):
            moved = {i: leaf.detach().clone() for i, leaf in leaves.items()}
            moved[place].view(-1)[entry] += step
            ends.append(float(bound(moved)))
        assert float(gradient.flatten()[entry]) == pytest.approx((ends[1] - ends[0]) / 2e-6, rel=1e-3), place
