"""Smooth activations: bounds at points of intervals of every kind, brute force in the plane, constants to 40 digits."""

import math

import mpmath
import pytest
import torch
from torch import nn

from clearance.certificates.layers import curves
from clearance.certificates.layers.smooth import Smooth
from clearance.certificates.operations import NotSupportedError
from layer_cases import check_bounds, check_derivative, check_radius, check_tightness, intervals


class Erf(nn.Module):
    """The error function as a layer."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.erf(x)


# CELU: torch keeps alpha in float32 for the gradient, so one that float32 holds exactly
CURVES: dict[str, tuple[Smooth, nn.Module]] = {
    "gelu": (curves.gelu(), nn.GELU()),
    "gelu tanh": (curves.gelu("tanh"), nn.GELU(approximate="tanh")),
    "silu": (curves.silu(), nn.SiLU()),
    "mish": (curves.mish(), nn.Mish()),
    "elu": (curves.elu(), nn.ELU()),
    "elu 2.5": (curves.elu(2.5), nn.ELU(2.5)),
    "elu -1.5": (curves.elu(-1.5), nn.ELU(-1.5)),
    "elu 0": (curves.elu(0.0), nn.ELU(0.0)),
    "selu": (curves.selu(), nn.SELU()),
    "celu": (curves.celu(0.25), nn.CELU(0.25)),
    "softsign": (curves.softsign(), nn.Softsign()),
    "logsigmoid": (curves.log_sigmoid(), nn.LogSigmoid()),
    "tanhshrink": (curves.tanhshrink(), nn.Tanhshrink()),
    "erf": (curves.erf(), Erf()),
}
each = pytest.mark.parametrize("name", CURVES)


@each
def test_the_function_lies_between_its_bounds(name: str):
    curve, layer = CURVES[name]
    low, high = intervals([piece.low for piece in curve.pieces])
    check_bounds(curve, layer, low, high)


@each
def test_derivatives_and_signs_of_second_derivatives(name: str):
    curve, layer = CURVES[name]
    check_derivative(curve, layer, torch.linspace(-9.03, 9.04, 1201, dtype=torch.float64))


@each
def test_the_lines_enclose_the_least_area(name: str):
    low = torch.tensor([-6.0, -4.0, -2.5, -1.5, -0.7, -3.0, 0.2, -8.0], dtype=torch.float64)
    high = torch.tensor([5.0, -0.5, 3.0, 0.4, 0.9, 1.6, 4.0, 0.1], dtype=torch.float64)
    check_tightness(CURVES[name][0], low, high)


@pytest.mark.thinned(3)
@each
@pytest.mark.parametrize("norm", [2.0, math.inf])
def test_no_point_of_the_plane_is_nearer_than_the_radius(name: str, norm: float):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        network = nn.Sequential(nn.Linear(2, 6), CURVES[name][1], nn.Linear(6, 5), CURVES[name][1], nn.Linear(5, 3))
    check_radius(network, norm)


def _gelu(x: mpmath.mpf) -> mpmath.mpf:
    return x * mpmath.ncdf(x)


def _gelu_tanh(x: mpmath.mpf) -> mpmath.mpf:
    return x * (1 + mpmath.tanh(mpmath.sqrt(2 / mpmath.pi) * (x + mpmath.mpf("0.044715") * x**3))) / 2


def _silu(x: mpmath.mpf) -> mpmath.mpf:
    return x / (1 + mpmath.exp(-x))


def _mish(x: mpmath.mpf) -> mpmath.mpf:
    return x * mpmath.tanh(mpmath.log(1 + mpmath.exp(x)))


@pytest.mark.parametrize(
    ("curve", "exact"),
    [(curves.gelu(), _gelu), (curves.gelu("tanh"), _gelu_tanh), (curves.silu(), _silu), (curves.mish(), _mish)],
)
def test_breakpoints_to_forty_digits(curve: Smooth, exact: object):
    with mpmath.workdps(60):

        def second(x: mpmath.mpf) -> mpmath.mpf:
            return mpmath.diff(exact, x, 2)

        for left, right in zip(curve.pieces, curve.pieces[1:], strict=False):
            assert left.high == right.low
            point, error = mpmath.mpf(left.high), mpmath.mpf("1e-14")
            assert mpmath.sign(second(point - error)) == left.curvature
            assert mpmath.sign(second(point + error)) == right.curvature
        for piece in curve.pieces:  # and no other change of sign that a fine grid shows
            low, high = max(piece.low, -12.0) + 1e-6, min(piece.high, 12.0) - 1e-6
            signs = {int(mpmath.sign(second(mpmath.mpf(low + (high - low) * k / 60)))) for k in range(61)}
            assert signs == {piece.curvature}
        largest = mpmath.diff(exact, mpmath.mpf(curve.pieces[-1].low))
        assert largest <= curve.largest_derivative <= largest * (1 + mpmath.mpf("1e-11"))


@each
def test_values_to_forty_digits(name: str):
    """The bounds of intervals of width 0 hold the value itself, not only what torch computes."""
    exact = {"gelu": _gelu, "gelu tanh": _gelu_tanh, "silu": _silu, "mish": _mish}.get(name)
    if exact is None:
        return
    points = [-30.0, -9.1, -5.5, -2.3, -1.41, -0.3, -1e-8, 1e-8, 0.7, 1.42, 3.3, 11.0]
    x = torch.tensor(points, dtype=torch.float64)
    low, high = CURVES[name][0].interval([x], [x])
    with mpmath.workdps(40):
        for point, least, most in zip(points, low.tolist(), high.tolist(), strict=True):
            assert mpmath.mpf(least) <= exact(mpmath.mpf(point)) <= mpmath.mpf(most)


def test_what_has_no_bounds_is_refused():
    for make in (
        lambda: curves.gelu("sigmoid"),
        lambda: curves.celu(-1.0),
        lambda: curves.celu(0.0),
        lambda: curves.elu(math.inf),
    ):
        with pytest.raises(NotSupportedError):
            make()
