"""The search in one ball: what it proves, what it leaves, and that a smaller ball goes on with that."""

import math
import time

import pytest
import torch
from torch import nn

from clearance import Classifier, certify
from clearance.certificates.graph import Graph
from clearance.certificates.region import Region
from clearance.certificates.relaxation import relax
from clearance.certificates.split_bounds import split_bounds
from clearance.certificates.split_points import NearestPoint
from clearance.certificates.split_search import Frontier, Margins, SplitSearch
from clearance.certificates.translate import translate
from closed_forms import random_inputs, random_network

SHARE = 1e-6


def case(seed: int) -> tuple[Graph, torch.Tensor, float]:
    """A network, an input and its minimum distortion in linf, the distance of the solver's own point."""
    network, x = random_network(seed, (3, 8, 8, 3), nn.ReLU), random_inputs(seed, 1, 3)
    (exact,) = certify(Classifier(network), x, norm=math.inf, method="exact")
    return translate(Classifier(network), (3,)), x, exact.radius + exact.gap


def search(graph: Graph, x: torch.Tensor, radius: float, margins: Margins | None = None) -> SplitSearch:
    """The search in a ball, with all the time there is."""
    region = Region(x, torch.tensor([radius], dtype=torch.float64), math.inf, None)
    if margins is None:
        source = int(graph(x).argmax())
        one = torch.eye(3, dtype=torch.float64)
        rows = one[source] - one[[t for t in range(3) if t != source]]
        slack = torch.full((2,), 1e-10, dtype=torch.float64)
        margins = Margins(rows, slack, NearestPoint(graph, region), 0.0, 0)
    bounds = split_bounds(relax(graph, region))
    return SplitSearch(bounds, bounds, margins, radius, SHARE, math.inf)


@pytest.mark.parametrize("seed", range(3))
def test_a_ball_without_another_class_is_proved(seed: int):
    graph, x, exact = case(seed)
    made = search(graph, x, 0.999 * exact)
    assert not len(made.run()) and made.margins.proved == pytest.approx(0.999 * exact)
    assert made.margins.nearest.distance >= exact * (1 - 1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_in_a_larger_ball_bound_and_point_meet_at_the_minimum_distortion(seed: int):
    graph, x, exact = case(seed)
    margins = search(graph, x, 1.3 * exact).margins
    search(graph, x, 1.3 * exact, margins).run()
    assert margins.proved == pytest.approx(exact, rel=1e-5)
    assert margins.proved <= margins.nearest.distance == pytest.approx(exact, rel=1e-5)


@pytest.mark.parametrize("share", [0.999, 1.2])
@pytest.mark.parametrize("seed", range(3))
def test_a_smaller_ball_goes_on_with_what_a_larger_one_left(seed: int, share: float):
    graph, x, exact = case(seed)
    larger = search(graph, x, 2.0 * exact)
    larger.until = 0.0
    left = larger.run()
    for _ in range(2):
        found = larger._split(left)
        left = found.some(found.radius < exact)
    assert isinstance(left, Frontier) and bool((left.given.signs != 0).any())
    smaller = search(graph, x, share * exact, larger.margins)
    smaller.run(left)
    assert larger.margins.proved == pytest.approx(min(share, 1.0) * exact, rel=1e-5)


def test_the_time_limit_leaves_what_is_not_proved():
    graph, x, exact = case(1)
    made = search(graph, x, exact)
    made.until = time.perf_counter()
    left = made.run()
    assert len(left) and not left.stuck and made.margins.proved == float(left.radius.min()) < exact
