"""Better multipliers and narrower intervals: never worse, mostly better, and still bounds."""

import math

import pytest
import torch
from torch import nn

from clearance import Classifier
from clearance.certificates.multiplier_ascent import improved, tightened
from clearance.certificates.region import Region
from clearance.certificates.relaxation import relax
from clearance.certificates.split_bounds import split_bounds
from clearance.certificates.subproblems import Subproblems
from clearance.certificates.translate import translate
from split_cases import points_in, relaxed, small_network, unit_values


def never() -> bool:
    return False


@pytest.mark.parametrize("norm", [1.5, 2.0, math.inf])
@pytest.mark.parametrize("seed", range(4))
def test_bounds_rise_and_stay_below_the_margin(seed: int, norm: float):
    model, x = small_network(seed)
    box = relaxed(model, x, 0.8, norm)
    bounds, points = split_bounds(box), points_in(box.region, 4000)
    rows = torch.tensor([[1.0, -1, 0], [0, 1, -1], [-1, 0, 1]], dtype=torch.float64)
    values = unit_values(box.graph, points)[:, bounds.place]
    signs = torch.zeros(3, bounds.units, dtype=torch.int8)
    signs[:, :2] = values[0, :2].sign().to(torch.int8)
    given = Subproblems(rows, signs, bounds.root(rows).multipliers * (signs == 0))
    better = improved(bounds, given, 30, torch.full((3,), torch.inf, dtype=torch.float64))
    before, after = (bounds.lowest(bounds.backward(part))[0] for part in (given, better))
    assert (after >= before).all() and (seed % 3 or float((after - before).max()) > 1e-2)
    free = better.multipliers[signs == 0]
    assert float(better.multipliers.min()) >= 0 and float(free.max()) <= 1
    inside = (values * signs[0] >= 0).all(1)
    assert bool(inside.any()) and (box.graph(points[inside]) @ rows.T >= after - 1e-9).all()


def test_multipliers_reach_the_optimum_of_one_unit():
    """The margin is `x - max(-x, 0)` where the first unit is positive.

    With the chord `(1 - x) / 2` above the second unit the bound is the smallest value of `(1.5 - b) x - .5` on [-1, 1].
    """
    network = nn.Sequential(nn.Linear(1, 2, bias=False), nn.ReLU(), nn.Linear(2, 2, bias=False)).double()
    network[0].weight.data = torch.tensor([[1.0], [-1.0]]).double()
    network[2].weight.data = torch.tensor([[1.0, -1.0], [0.0, 0.0]]).double()
    region = Region(torch.zeros(1, 1).double(), torch.ones(1).double(), math.inf, None)
    bounds = split_bounds(relax(translate(Classifier(network), (1,)), region))
    rows = torch.tensor([[1.0, -1.0]]).double()
    given = Subproblems(rows, torch.tensor([[1, 0]], dtype=torch.int8), torch.zeros(1, 2).double())
    found = improved(bounds, given, 200, torch.ones(1).double())
    least, _ = bounds.lowest(bounds.backward(found))
    assert float(bounds.lowest(bounds.backward(given))[0]) == pytest.approx(-2.0)
    assert float(least) == pytest.approx(-0.5, abs=1e-2) and float(found.multipliers[0, 0]) == pytest.approx(
        1.5, abs=1e-2
    )


@pytest.mark.parametrize("seed", range(6))
def test_narrower_intervals_hold_every_value(seed: int):
    model, x = small_network(seed)
    box = relaxed(model, x, 0.6, 2.0)
    found = tightened(box, None, never)
    values = box.graph.values(points_in(box.region, 4000))
    for source in sorted(box.graph.preactivations):
        assert (found.low[source] >= box.low[source]).all() and (found.high[source] <= box.high[source]).all()
        assert (values[source] >= found.low[source] - 1e-9).all()
        assert (values[source] <= found.high[source] + 1e-9).all()
    last = max(box.graph.preactivations)
    narrower = float((box.high[last] - box.low[last]).sum() - (found.high[last] - found.low[last]).sum())
    assert narrower > 1e-5 or seed % 3


def test_intervals_stay_when_the_time_is_up():
    model, x = small_network(0)
    box = relaxed(model, x, 0.4, 2.0)
    found = tightened(box, None, lambda: True)
    assert all(torch.equal(one, other) for one, other in zip(found.low, box.low, strict=True))
