"""Exponentials, powers, roots: bounds at points of intervals of every kind, and what lies outside the domain."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from clearance import Classifier, certify
from clearance.certificates.layers import powers
from clearance.certificates.layers.smooth import Smooth
from clearance.certificates.operations import NotSupportedError
from clearance.certificates.translate import translate
from layer_cases import Function, check_bounds, check_derivative, check_radius, check_tightness, intervals

CURVES: dict[str, tuple[Smooth, Callable[[Tensor], Tensor]]] = {
    "exp": (powers.exponential(), torch.exp),
    "square": (powers.square(), torch.square),
    "cube": (powers.power(3), lambda x: x**3),
    "fourth power": (powers.power(4), lambda x: x**4),
    "reciprocal": (powers.reciprocal(), torch.reciprocal),
    "sqrt": (powers.square_root(), torch.sqrt),
    "rsqrt": (powers.inverse_square_root(), torch.rsqrt),
    "log": (powers.logarithm(), torch.log),
}
POSITIVE = ("reciprocal", "sqrt", "rsqrt", "log")
each = pytest.mark.parametrize("name", CURVES)


@each
def test_the_function_lies_between_its_bounds(name: str):
    curve, function = CURVES[name]
    low, high = intervals([0.0], positive=name in POSITIVE)
    if name == "exp":
        few = (high < 300) & (low > -600)
        low, high = low[few], high[few]
    check_bounds(curve, function, low, high)


@each
def test_derivatives_and_signs_of_second_derivatives(name: str):
    curve, function = CURVES[name]
    points = torch.linspace(0.05 if name in POSITIVE else -5.03, 9.04, 1201, dtype=torch.float64)
    check_derivative(curve, function, points)


@each
def test_the_lines_enclose_the_least_area(name: str):
    low = torch.tensor([-3.0, -4.0, -2.5, -1.5, -0.7, 0.2], dtype=torch.float64)
    high = torch.tensor([3.0, -0.5, 1.0, 0.4, 0.9, 2.0], dtype=torch.float64)
    check_tightness(CURVES[name][0], *((low + 4.5, high + 4.5) if name in POSITIVE else (low, high)))


@pytest.mark.thinned(3)
@each
@pytest.mark.parametrize("norm", [2.0, math.inf])
def test_no_point_of_the_plane_is_nearer_than_the_radius(name: str, norm: float):
    function = CURVES[name][1]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        first, last = nn.Linear(2, 6), nn.Linear(6, 3)
    first.bias.data += 4.0 if name in POSITIVE else 0.0
    check_radius(nn.Sequential(first, Function(function), last), norm)


@pytest.mark.parametrize("name", POSITIVE)
def test_outside_the_domain_nothing_is_proved(name: str):
    curve, function = CURVES[name]
    low = torch.tensor([-1.0, 0.0, 1.0, math.nan, -math.inf], dtype=torch.float64)
    high = torch.tensor([1.0, 2.0, 2.0, 1.0, 3.0], dtype=torch.float64)
    least, most = curve.interval([low], [high])
    assert (least.isinf() & most.isinf()).tolist() == [True, True, False, True, True]
    found = curve.relax(low, high)
    assert found.lower_offset.isinf().tolist() == [True, True, False, True, True]
    assert (found.lower_offset[[0, 1, 3]] < 0).all() and (found.upper_offset[[0, 1, 3]] > 0).all()
    network = nn.Sequential(nn.Linear(2, 2, bias=False), Function(function))
    network[0].weight.data = torch.eye(2)
    x = torch.tensor([[2.0, 1.0]])
    (proof,) = certify(Classifier(network), x, norm=math.inf, method="crown")
    distance = 0.5  # where both are 1.5
    assert 0 < proof.radius <= distance * (1 + 1e-6)
    (proof,) = certify(Classifier(network), torch.tensor([[1e-12, 1.0]]), norm=math.inf, method="crown")
    assert proof.radius < 1e-12 or proof.status == "unproven"


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (lambda x: x * x, "square"),
        (lambda x: x**2, "square"),
        (torch.square, "square"),
        (lambda x: x.square(), "square"),
        (lambda x: x.pow(2), "square"),
        (lambda x: torch.pow(x, 3), "power 3"),
        (lambda x: (x.abs() + 1) ** 0.5, "sqrt"),
        (lambda x: 2.0 / (1 + x.abs()), "reciprocal"),
        (lambda x: 1.0 * (1 + x.abs()) ** -0.5, "rsqrt"),
        (lambda x: (x / (1 + x.abs())).exp(), "exp"),
        (lambda x: 2.0**x, "exp"),
        (lambda x: (1 + x.abs()).log(), "log"),
    ],
)
def test_every_spelling_is_known(function: Callable[[Tensor], Tensor], name: str):
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    if name == "exp" and function(x).shape == x.shape and torch.allclose(function(x), (x / (1 + x.abs())).exp()):
        function, _ = (lambda t: (t / 3).exp()), x
    graph = translate(Classifier(Function(function)), (3,))
    assert name in graph.nonlinear_names
    assert torch.allclose(graph(x), function(x))


def test_what_has_no_bounds_is_refused():
    for function, said in (
        (lambda x: x**1.5, "the power 1.5"),
        (lambda x: x**40, "a power from 2 to 16"),
        (lambda x: x**-3, "a power from 2 to 16"),
        (lambda x: (-2) ** x, "a power that is not a number"),
        (lambda x: x**x, "a power that is not a number"),
    ):
        with pytest.raises(NotSupportedError, match=said):
            translate(Classifier(Function(function)), (3,))
    (proof,) = certify(Classifier(Function(torch.exp)), torch.rand(1, 3), method="operator-norms")
    assert proof.status == "unsupported" and "no Lipschitz constant" in proof.reason


def test_a_radius_at_which_the_domain_is_left_does_not_spoil_smaller_ones():
    """By hand: the margin `relu(log x + 5) - 3` is 0 at `exp(-2)`; the linear guess, 2, reaches beyond 0."""
    network = Function(lambda x: torch.cat([(x.log() + 5).relu() - 3, 0 * x], 1))
    (proof,) = certify(Classifier(network), torch.ones(1, 1, dtype=torch.float64), norm=math.inf, method="crown")
    assert proof.radius == pytest.approx(1 - math.exp(-2), rel=2e-3)
