"""Bounds of subproblems: below the margin at every point that has the signs, whatever the multipliers are."""

import pytest
import torch
from torch import nn

from clearance import Classifier
from clearance.certificates.operations import NotSupportedError
from clearance.certificates.split_bounds import SplitBounds, check_piecewise_linear, split_bounds
from clearance.certificates.subproblems import Subproblems
from clearance.certificates.translate import translate
from split_cases import NORMS, points_in, relaxed, small_network, unit_values

RADIUS = 0.4


def random_parts(bounds: SplitBounds, count: int, seed: int) -> Subproblems:
    """Random rows and multipliers; a third of the units have the sign that they have at some point of the ball."""
    draw = torch.Generator().manual_seed(seed)
    rows = torch.randn(count, 3, generator=draw, dtype=torch.float64)
    there = unit_values(bounds.graph, points_in(bounds.region, count, seed))[:, bounds.place].sign()
    chosen = torch.rand(count, bounds.units, generator=draw) < 1 / 3
    signs = torch.where(chosen, there, 0.0).to(torch.int8)
    multipliers = torch.rand(count, bounds.units, generator=draw, dtype=torch.float64)
    return Subproblems(rows, signs, torch.where(signs == 0, multipliers, 0.3 * multipliers))


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("seed", range(6))
def test_no_point_with_the_signs_has_a_smaller_margin(seed: int, norm: float):
    model, x = small_network(seed)
    box = relaxed(model, x, RADIUS, norm)
    bounds, graph = split_bounds(box), box.graph
    points = torch.cat([points_in(box.region, 4000, seed + 1), points_in(box.region, 40, seed)])
    parts = random_parts(bounds, 40, seed)
    parts = parts.joined(bounds.root(parts.rows[:3]))
    least, _ = bounds.lowest(bounds.backward(parts))
    values, logits, met = unit_values(graph, points)[:, bounds.place], graph(points), 0
    for part in range(len(parts)):
        inside = (values * parts.signs[part] >= 0).all(1)
        met += bool(inside.any())
        assert (logits[inside] @ parts.rows[part] >= least[part] - 1e-9).all()
    assert met == len(parts)


@pytest.mark.parametrize("seed", range(4))
def test_without_signs_and_with_crown_s_own_coefficients_the_bound_is_crown_s(seed: int):
    model, x = small_network(seed)
    box = relaxed(model, x, RADIUS, 2.0)
    bounds = split_bounds(box)
    rows = torch.tensor([[1.0, -1, 0], [0, 1, -1]], dtype=torch.float64)
    least, _ = bounds.lowest(bounds.backward(bounds.root(rows)))
    assert torch.allclose(least, box.lowest(box.graph.last, rows[None])[0], atol=1e-9)


@pytest.mark.parametrize("norm", [2.0, float("inf")])
@pytest.mark.parametrize("seed", range(4))
def test_the_gradient_is_the_derivative(seed: int, norm: float):
    """Central differences, where no coefficient changes sign between the two ends."""
    model, x = small_network(seed)
    bounds = split_bounds(relaxed(model, x, RADIUS, norm))
    part = random_parts(bounds, 1, seed)
    passed = bounds.backward(part)
    found = bounds.gradient(part, passed, bounds.lowest(passed)[1])[0]
    step = 1e-5
    every = torch.eye(bounds.units, dtype=torch.float64) * step

    def at(multipliers: torch.Tensor) -> torch.Tensor:
        count = len(multipliers)
        moved = Subproblems(part.rows.expand(count, -1), part.signs.expand(count, -1), multipliers)
        return bounds.lowest(bounds.backward(moved))[0]

    expected = (at(part.multipliers + every) - at(part.multipliers - every)) / (2 * step)
    agree = (found - expected).abs() < 1e-5 * (1 + expected.abs())
    assert agree.float().mean() > 0.9  # the others stand at a kink


def test_single_precision_differs_by_rounding_alone():
    model, x = small_network(0)
    bounds = split_bounds(relaxed(model, x, RADIUS, 2.0))
    parts = random_parts(bounds, 10, 0)
    single = bounds.single(translate(model, tuple(x.shape[1:]), torch.float32))
    assert single.dtype == torch.float32
    rough = single.lowest(single.backward(parts.to(torch.float32)))[0]
    assert torch.allclose(rough.double(), bounds.lowest(bounds.backward(parts))[0], rtol=1e-4, atol=1e-4)


def test_the_units_are_numbered_and_the_others_have_their_sign():
    model, x = small_network(1)
    box = relaxed(model, x, 0.1, 2.0)
    bounds, values = split_bounds(box), unit_values(box.graph, points_in(box.region, 500))
    others = torch.ones(values.shape[1], dtype=torch.bool)
    others[bounds.place] = False
    assert 0 < len(bounds.place) == bounds.units < values.shape[1]
    assert (values[:, others].sign() == bounds.decided[others]).all()


@pytest.mark.parametrize("layer", [nn.Tanh(), nn.ReLU6()])
def test_other_activations_are_refused(layer: nn.Module):
    graph = translate(Classifier(nn.Sequential(nn.Linear(2, 3), layer, nn.Linear(3, 2)).double()), (2,))
    with pytest.raises(NotSupportedError, match=r"branch-and-bound: expected ReLU or LeakyReLU layers only, found"):
        check_piecewise_linear(graph)
