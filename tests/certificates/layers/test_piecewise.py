"""Piecewise functions: bounds at points of intervals of every kind, and brute force in the plane."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from clearance import Classifier
from clearance.certificates.layers import piecewise
from clearance.certificates.layers.activations import Activation
from clearance.certificates.layers.smooth import Smooth
from clearance.certificates.operations import NotSupportedError
from clearance.certificates.translate import translate
from layer_cases import Function, check_bounds, check_derivative, check_radius, check_tightness, intervals


class Absolute(nn.Module):
    """The absolute value as a layer."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.abs()


def leaky(slope: float) -> Smooth:
    found = piecewise.leaky(slope)
    assert isinstance(found, Smooth)
    return found


CURVES: dict[str, tuple[Smooth, nn.Module]] = {
    "abs": (piecewise.absolute(), Absolute()),
    "hardsigmoid": (piecewise.hardsigmoid(), nn.Hardsigmoid()),
    "hardswish": (piecewise.hardswish(), nn.Hardswish()),
    "softshrink": (piecewise.softshrink(0.7), nn.Softshrink(0.7)),
    "hardshrink": (piecewise.hardshrink(0.7), nn.Hardshrink(0.7)),
    "leaky, negative": (leaky(-0.4), nn.LeakyReLU(-0.4)),
    "leaky, steep": (leaky(2.5), nn.LeakyReLU(2.5)),
}
each = pytest.mark.parametrize("name", CURVES)


@each
def test_the_function_lies_between_its_bounds(name: str):
    curve, layer = CURVES[name]
    low, high = intervals([piece.low for piece in curve.pieces])
    check_bounds(curve, layer, low, high)


@each
def test_derivatives_and_curvature(name: str):
    curve, layer = CURVES[name]
    points = torch.linspace(-9.03, 9.04, 1201, dtype=torch.float64)
    if name == "hardshrink":
        assert math.isinf(curve.largest_derivative)
        return
    twice = (lambda x: functional.relu6(x + 3) / 6) if name == "hardsigmoid" else layer  # torch has its first one only
    check_derivative(curve, twice, points)


@pytest.mark.parametrize("name", [name for name in CURVES if name != "hardshrink"])
def test_the_lines_enclose_the_least_area(name: str):
    low = torch.tensor([-6.0, -4.0, -2.5, -1.5, -0.7, -3.0, 0.2, -8.0], dtype=torch.float64)
    high = torch.tensor([5.0, -0.5, 3.0, 0.4, 0.9, 1.6, 4.0, 0.1], dtype=torch.float64)
    check_tightness(CURVES[name][0], low, high)


@each
@pytest.mark.parametrize("norm", [2.0, math.inf])
def test_no_point_of_the_plane_is_nearer_than_the_radius(name: str, norm: float):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        network = nn.Sequential(nn.Linear(2, 6), CURVES[name][1], nn.Linear(6, 3))
    check_radius(network, norm)


def test_a_jump_holds_both_values():
    curve = piecewise.hardshrink(0.5)
    x = torch.tensor([0.5], dtype=torch.float64)
    low, high = curve.interval([x], [x])
    assert float(low) <= 0.0 and float(high) >= 0.5


@pytest.mark.parametrize("weights", [[0.25], [-0.5], [0.3, -1.5, 2.0]])
def test_prelu_has_the_bounds_of_each_channel(weights: list[float]):
    layer = nn.PReLU(len(weights)).double()
    layer.weight.data.copy_(torch.tensor(weights))
    graph = translate(Classifier(nn.Sequential(layer, nn.Flatten())), (3, 2))
    operation = graph.step(1).operation
    draw = torch.Generator().manual_seed(0)
    low = torch.randn(50, 3, 2, generator=draw, dtype=torch.float64)
    high = low + 3 * torch.rand(50, 3, 2, generator=draw, dtype=torch.float64)
    found, (least, most) = operation.relax(low, high), operation.interval([low], [high])  # type: ignore[union-attr]
    for _ in range(200):
        x = low + torch.rand(low.shape, generator=draw, dtype=torch.float64) * (high - low)
        value = layer(x)
        assert (found.lower * x + found.lower_offset <= value + 1e-13).all()
        assert (found.upper * x + found.upper_offset >= value - 1e-13).all()
        assert (least <= value).all() and (value <= most).all()
    chord = (layer(high) - layer(low)) / (high - low)
    slopes = layer.weight.detach().reshape(-1, 1)
    convex = (slopes <= 1).expand_as(low)
    assert torch.allclose(torch.where(convex, found.upper, found.lower), chord, atol=1e-6)
    assert torch.allclose(graph(low), layer(low).flatten(1))


def test_prelu_as_a_function_and_method_and_its_refusals():
    weight = torch.tensor([0.1, -0.2], dtype=torch.float64)
    x = torch.randn(3, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for function in (lambda t: functional.prelu(t, weight), lambda t: t.prelu(weight)):
        assert torch.allclose(translate(Classifier(Function(function)), (2, 2))(x), function(x).flatten(1))
    with pytest.raises(NotSupportedError, match="weights that are not finite"):
        translate(Classifier(Function(lambda t: functional.prelu(t, torch.tensor([math.inf])))), (2, 2))


def test_leaky_relu_keeps_its_own_bounds_where_it_is_convex():
    assert isinstance(piecewise.leaky(0.1), Activation) and isinstance(piecewise.leaky(1.0), Activation)
    for make in (
        lambda: piecewise.leaky(math.inf),
        lambda: piecewise.softshrink(-0.1),
        lambda: piecewise.hardshrink(-1.0),
    ):
        with pytest.raises(NotSupportedError):
            make()
