"""Subproblems without undecided units: their distances against enumeration, and bounds that are proved."""

import math

import pytest
import torch
from torch import nn

from clearance import Classifier
from clearance.certificates.region import Region
from clearance.certificates.relaxation import relax
from clearance.certificates.split_bounds import split_bounds
from clearance.certificates.split_leaves import leaf_distances, solves_leaves
from clearance.certificates.translate import translate
from closed_forms import random_inputs, random_network
from exact_cases import make_case
from split_cases import points_in, relaxed, small_network, unit_values


@pytest.mark.thinned(3)
@pytest.mark.parametrize("norm", [1.0, 2.0, math.inf])
@pytest.mark.parametrize("bounds", [False, True])
def test_the_nearest_of_all_patterns_is_the_distance_by_enumeration(norm: float, bounds: bool):
    """`exact_cases` enumerates the same patterns by linear and quadratic programs of its own."""
    for seed in range(2):
        case = make_case(seed, norm, bounds=bounds)
        network, x = random_network(seed, (3, 4, 3, 3), nn.ReLU), random_inputs(seed, 1, 3)
        graph = translate(Classifier(network), (3,))
        box = (torch.zeros_like(x), torch.ones_like(x)) if bounds else None
        made = split_bounds(relax(graph, Region(x, torch.tensor([case.radius], dtype=torch.float64), norm, box)))
        patterns = torch.cartesian_prod(*[torch.tensor([1, -1], dtype=torch.int8)] * made.units).reshape(-1, made.units)
        row = -torch.as_tensor(case.ahead[0])
        found = float(leaf_distances(made, row.expand(len(patterns), -1), patterns)[0].min())
        expected = min(case.distance(), case.radius)
        assert found <= expected * (1 + 1e-7)
        assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("norm", [1.0, 2.0, math.inf])
@pytest.mark.parametrize("seed", range(4))
def test_no_point_with_the_signs_and_another_class_is_nearer(seed: int, norm: float):
    model, x = small_network(seed)
    box = relaxed(model, x, 0.8, norm)
    bounds, points = split_bounds(box), points_in(box.region, 3000, seed)
    assert solves_leaves(bounds)
    row = torch.tensor([1.0, -1.0, 0.0], dtype=torch.float64)
    margin, signs = box.graph(points) @ row, unit_values(box.graph, points)[:, bounds.place].sign().to(torch.int8)
    step = points - x
    flat = step.flatten(1).abs()
    distance = flat.amax(1) if math.isinf(norm) else (flat**norm).sum(1) ** (1 / norm)
    chosen = signs[::300]
    least, _ = leaf_distances(bounds, row.expand(len(chosen), -1), chosen)
    for own, bound in zip(chosen, least.tolist(), strict=True):
        same = (signs == own).all(1) & (margin <= 0)
        assert not same.any() or float(distance[same].min()) >= bound * (1 - 1e-9)


def test_the_solver_s_point_attains_the_bound():
    """One unit, `max(x_1, 0)`, and the margin `1 - 2 max(x_1, 0)`: its zero is at .5, from -.1 in every norm."""
    network = nn.Sequential(nn.Linear(2, 1), nn.ReLU(), nn.Linear(1, 2)).double()
    for layer, weight, bias in ((network[0], [[1, 0]], [0]), (network[2], [[-2], [0]], [1, 0])):
        layer.weight.data, layer.bias.data = torch.tensor(weight).double(), torch.tensor(bias).double()
    x, row = torch.tensor([[-0.1, 0.3]], dtype=torch.float64), torch.tensor([1.0, -1.0], dtype=torch.float64)
    for norm in (1.0, 2.0, math.inf):
        region = Region(x, torch.ones(1).double(), norm, None)
        bounds = split_bounds(relax(translate(Classifier(network), (2,)), region))
        signs = torch.tensor([[1], [-1]], dtype=torch.int8)
        (bound, empty), (point, _) = leaf_distances(bounds, row.expand(2, -1), signs)
        assert float(bound) == pytest.approx(0.6, rel=1e-8) and point is not None
        assert float(point[0, 0]) == pytest.approx(0.5, rel=1e-6)
        assert float(empty) == pytest.approx(1.0)  # the whole ball: the margin is 1 where the unit is 0
