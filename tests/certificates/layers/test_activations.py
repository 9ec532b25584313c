"""Linear bounds of each activation: dense grids, intervals of every size, and the bounds that CROWN would take."""

import math

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn

from clearance.certificates.layers import activations
from clearance.certificates.layers.activations import Activation
from clearance.certificates.operations import NotSupportedError

SHAPES: dict[str, tuple[Activation, nn.Module]] = {
    "relu": (activations.relu(), nn.ReLU()),
    "leaky": (activations.leaky_relu(0.1), nn.LeakyReLU(0.1)),
    "relu6": (activations.relu6(), nn.ReLU6()),
    "hardtanh": (activations.hardtanh(-0.3, 2.0), nn.Hardtanh(-0.3, 2.0)),
    "tanh": (activations.tanh(), nn.Tanh()),
    "sigmoid": (activations.sigmoid(), nn.Sigmoid()),
    "softplus": (activations.softplus(), nn.Softplus()),
    "sharp softplus": (activations.softplus(10.0), nn.Softplus(beta=10.0)),
}
each = pytest.mark.parametrize("name", SHAPES)
ends = st.one_of(
    st.floats(-4, 4), st.floats(-1e-9, 1e-9), st.floats(-1e5, 1e5), st.sampled_from([0.0, 6.0, -0.3, 2.0, -1.0, 1.0])
)
widths = st.one_of(st.floats(0, 6), st.floats(0, 1e-6), st.floats(0, 1e5))


def linear_bounds(activation: Activation, low: float, high: float) -> list[float]:
    box = (torch.tensor([end], dtype=torch.float64) for end in (low, high))
    found = activation.relax(*box)
    return [float(value) for value in (found.lower, found.lower_offset, found.upper, found.upper_offset)]


def grid(low: float, high: float) -> torch.Tensor:
    inner = torch.linspace(low, high, 2001, dtype=torch.float64)
    near = torch.tensor([0.0, 6.0, -0.3, 2.0], dtype=torch.float64)
    return torch.cat([inner, near[(near >= low) & (near <= high)]]).clamp(low, high)


@each
@given(low=ends, width=widths)
@settings(max_examples=150, deadline=None)
@example(low=-2.0, width=5.0)
@example(low=-5.0, width=5.5)
@example(low=-1e5, width=2e5)
@example(low=0.0, width=0.0)
@example(low=19.0, width=2.0)
def test_the_function_lies_between_its_bounds(name: str, low: float, width: float):
    activation, module = SHAPES[name]
    high = low + width
    below, below_offset, above, above_offset = linear_bounds(activation, low, high)
    x = grid(low, high)
    value = module(x)  # what torch computes, its cut of softplus included
    rounding = 1e-14 * (1 + x.abs())
    assert (below * x + below_offset <= value + rounding).all()
    assert (value <= above * x + above_offset + rounding).all()


@each
@pytest.mark.parametrize(("low", "high"), [(-2.0, 1.0), (-1.0, 3.0), (0.5, 2.0), (-3.0, -1.0), (-7.0, 8.0)])
def test_the_bounds_touch(name: str, low: float, high: float):
    activation, _ = SHAPES[name]
    below, below_offset, above, above_offset = linear_bounds(activation, low, high)
    x = grid(low, high)
    value = activation.function(x)
    assert (value - below * x - below_offset).min() < 1e-5
    assert (above * x + above_offset - value).min() < 1e-5


@pytest.mark.parametrize(
    ("low", "high", "wanted"), [(-1.0, 2.0, 1.0), (-2.0, 1.0, 0.0), (1.0, 2.0, 1.0), (-2.0, -1.0, 0.0)]
)
def test_relu_has_the_bounds_of_crown(low: float, high: float, wanted: float):
    below, below_offset, above, above_offset = linear_bounds(activations.relu(), low, high)
    chord = (max(high, 0) - max(low, 0)) / (high - low)
    assert (below, above) == pytest.approx((wanted, chord))
    assert (below_offset, above_offset) == pytest.approx((0.0, max(low, 0) - chord * low), abs=1e-12)


def test_tanh_over_its_inflection_point_is_tangent_from_the_end():
    low, high = -2.0, 3.0
    _, _, coefficient, offset = linear_bounds(activations.tanh(), low, high)
    assert coefficient * low + offset == pytest.approx(math.tanh(low), abs=1e-6)
    touch = math.atanh(math.sqrt(1 - coefficient))
    assert 0 < touch < high
    assert coefficient * touch + offset == pytest.approx(math.tanh(touch), abs=1e-9)


@each
def test_derivatives_and_extremes(name: str):
    activation, _ = SHAPES[name]
    x = torch.linspace(-3.05, 7.05, 102, dtype=torch.float64)
    step = 1e-6
    rate = (activation.function(x + step) - activation.function(x - step)) / (2 * step)
    assert torch.allclose(activation.derivative(x), rate, atol=1e-6)
    assert (rate <= activation.largest_derivative + 1e-9).all()
    if name in ("tanh", "sigmoid", "softplus", "sharp softplus"):
        inner = rate > 1e-6
        points = torch.stack(list(activation.extremes(activation.derivative(x[inner]))))
        distance = (points - x[inner]).abs().min(0).values
        assert (distance[rate[inner] < activation.largest_derivative * (1 - 1e-6)] < 1e-3).all()


def test_what_has_no_bounds_is_refused():
    for make in (
        lambda: activations.leaky_relu(-0.1),
        lambda: activations.leaky_relu(1.5),
        lambda: activations.hardtanh(0.0, math.inf),
        lambda: activations.softplus(threshold=1.0),
        lambda: activations.softplus(beta=-1.0),
    ):
        with pytest.raises(NotSupportedError):
            make()
