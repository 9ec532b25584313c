"""The linear part of a network and its remainder: against automatic differentiation and points of the ball."""

import math

import pytest
import torch
from torch import nn

from certificate_cases import IMAGE, NETWORKS, images, model_of
from clearance import Classifier, certify
from clearance.certificates import linearisation
from clearance.certificates.linearisation import Linearisation, linearise
from clearance.certificates.region import Region
from clearance.certificates.relaxation import Relaxation, relax
from clearance.certificates.translate import translate
from clearance.geometry.balls import sample_ball
from clearance.geometry.norms import dual_norm, vector_norm
from closed_forms import random_network
from layer_cases import Function

each = pytest.mark.parametrize("name", NETWORKS)


class Kinked(nn.Module):
    """Every activation at its kink somewhere: the input has zeros, and a ReLU follows a ReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(16, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(torch.relu(x - 0.5) - 0.0)
        return self.layer((x.abs() + nn.functional.hardswish(x) - nn.functional.leaky_relu(x, 2.0)).flatten(1))


def of(name: str, norm: float) -> tuple[Classifier, Linearisation, torch.Tensor]:
    """A network's linear part at one image with some pixels at the ends of [0, 1]."""
    model, x = model_of(name), images(1)
    x[0].flatten()[::3], x[0].flatten()[1::5] = 0.0, 1.0
    found = linearise(translate(model, IMAGE), x, norm, (torch.zeros_like(x), torch.ones_like(x)))
    assert found is not None
    return model, found, x


@each
@pytest.mark.parametrize("norm", [1.0, 1.7, 2.0, math.inf])
def test_the_linear_part_is_the_derivative(name: str, norm: float) -> None:
    """How far it falls and rises: the dual norm of what of the derivative can move the value that way."""
    _, found, x = of(name, norm)
    graph, checked = found.graph, 0
    if name == "max pooling first" or any(place not in found.steps for place in graph.nonlinear):
        pytest.skip("ties of the largest pixel, of which torch takes the mean, or a step without a linear part")
    for index in sorted(graph.preactivations - {0}):
        for entry in (0, math.prod(graph.shapes[index]) - 1):
            leaf = x.clone().requires_grad_(True)
            (gradient,) = torch.autograd.grad(graph.values(leaf)[index].flatten()[entry], leaf, materialize_grads=True)
            falls = gradient.clamp_min(0) * (x > 0) - gradient.clamp_max(0) * (x < 1)
            rises = gradient.clamp_min(0) * (x < 1) - gradient.clamp_max(0) * (x > 0)
            for ends, part in ((found.fall, falls), (found.rise, rises)):
                assert float(ends[index].flatten()[entry]) == pytest.approx(float(vector_norm(part, dual_norm(norm))))
            checked += 1
    assert checked or not graph.preactivations


def check_holds(found: Relaxation, radius: float, norm: float) -> None:
    x, draw = found.region.center, torch.Generator().manual_seed(1)
    points = sample_ball(300, x.shape[1:], norm=norm, radius=radius, generator=draw).double() + x[0]
    points = torch.cat([points.clamp(0, 1), x])
    for index, (low, high) in enumerate(zip(found.low, found.high, strict=True)):
        value = found.graph.values(points)[index]
        room = 1e-9 * (1 + value.abs())
        assert (low <= value + room).all() and (value <= high + room).all(), index


@pytest.mark.thinned(3)
@each
@pytest.mark.parametrize("norm", [1.0, 2.0, math.inf])
@pytest.mark.parametrize("tighten", [False, True])
def test_intervals_hold_on_the_ball(name: str, norm: float, tighten: bool) -> None:
    _, linear, x = of(name, norm)
    box = (torch.zeros_like(x), torch.ones_like(x))
    for radius in (0.003, 0.1) if math.isinf(norm) else (0.02, 1.0):
        region = Region(x, torch.tensor([radius], dtype=torch.float64), norm, box)
        check_holds(relax(linear.graph, region, tighten=tighten, linear=linear), radius, norm)


@pytest.mark.parametrize("most", [0, 200, 10**9])
def test_what_has_no_column_is_radius(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer columns give wider intervals, and sound ones: none, one for a value of 200 entries, all."""
    monkeypatch.setattr(linearisation, "LARGEST_COLUMNS", most)
    _, linear, x = of("convolution", math.inf)
    region = Region(x, torch.tensor([0.05], dtype=torch.float64), math.inf, (torch.zeros_like(x), torch.ones_like(x)))
    found = relax(linear.graph, region, tighten=False, linear=linear)
    check_holds(found, 0.05, math.inf)
    monkeypatch.setattr(linearisation, "LARGEST_COLUMNS", 10**9)
    tightest = relax(linear.graph, region, tighten=False, linear=linear)
    for low, least in zip(found.low, tightest.low, strict=True):
        assert (low <= least + 1e-9).all()


def test_at_kinks_the_slope_of_the_other_side_is_remainder() -> None:
    """`relu(0) = 0` has the derivative 0 there, and yet rises on the right."""
    torch.manual_seed(0)
    model, x = Classifier(Kinked().double(), bounds=(0, 1)), torch.full((1, 16), 0.5, dtype=torch.float64)
    box = (torch.zeros_like(x), torch.ones_like(x))
    linear = linearise(translate(model, (16,)), x, math.inf, box)
    assert linear is not None and len(linear.steps) == 5
    region = Region(x, torch.tensor([0.3], dtype=torch.float64), math.inf, box)
    check_holds(relax(linear.graph, region, tighten=False, linear=linear), 0.3, math.inf)


def test_while_no_unit_bends_the_intervals_are_exact() -> None:
    """A network of several layers is one matrix there, and its last preactivation has the interval of that."""
    network = random_network(3, (5, 9, 9, 9, 3), nn.ReLU)
    x = torch.randn(1, 5, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    graph = translate(Classifier(network), (5,))
    linear = linearise(graph, x, math.inf, None)
    assert linear is not None
    last = max(graph.preactivations)
    values = graph.values(x)
    margin = min(float(values[index].abs().min()) for index in graph.preactivations)
    radius = 1e-3 * margin
    found = relax(graph, Region(x, torch.tensor([radius], dtype=torch.float64), math.inf, None), linear=linear)
    jacobian = torch.autograd.functional.jacobian(lambda t: graph.values(t)[last][0], x)[:, 0]
    middle, half = values[last], radius * jacobian.abs().sum(1)
    assert torch.allclose(found.low[last], middle - half, rtol=1e-9, atol=0)
    assert torch.allclose(found.high[last], middle + half, rtol=1e-9, atol=0)


def test_it_is_given_up_when_the_time_is_up() -> None:
    graph = translate(model_of("convolution"), IMAGE)
    assert linearise(graph, images(1), 2.0, None, until=0.0) is None


@pytest.mark.parametrize("norm", [2.0, math.inf])
@pytest.mark.thinned(2)
def test_a_deep_network_has_a_radius_by_its_linear_part(norm: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interval arithmetic explodes through 30 layers; the radius is that of CROWN, and no point of the ball differs."""
    torch.manual_seed(2)
    layers = [layer for _ in range(30) for layer in (nn.Linear(12, 12), nn.ReLU())]
    for layer in layers[::2]:
        nn.init.orthogonal_(layer.weight, 1.4)
    network = nn.Sequential(nn.Linear(4, 12), *layers, nn.Linear(12, 3)).double()
    model, x = Classifier(network), torch.randn(2, 4, dtype=torch.float64)
    plain = certify(model, x, norm=norm, method="crown")
    monkeypatch.setattr("clearance.certificates.crown_search.WORTH_LINEARISING", 0.0)
    monkeypatch.setattr("clearance.certificates.crown.EXPLODED", math.inf)
    monkeypatch.setattr("clearance.certificates.crown.WORTH_SINGLE", 0)
    for row, (before, after) in enumerate(zip(plain, certify(model, x, norm=norm, method="crown"), strict=True)):
        assert after.radius >= 0.99 * before.radius > 0
        draw = torch.Generator().manual_seed(row)
        points = sample_ball(2000, (4,), norm=norm, radius=after.radius, generator=draw).double() + x[row]
        assert (network(points).argmax(1) == before.predicted).all()


def test_steps_of_two_values_are_all_remainder() -> None:
    model = Classifier(Function(lambda x: x * torch.relu(x - 0.5)), bounds=(0, 1))
    x = torch.rand(1, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    linear = linearise(translate(model, (6,)), x, math.inf, (torch.zeros_like(x), torch.ones_like(x)))
    assert linear is not None and len(linear.steps) == 1
    region = Region(x, torch.tensor([0.2], dtype=torch.float64), math.inf, (torch.zeros_like(x), torch.ones_like(x)))
    check_holds(relax(linear.graph, region, linear=linear), 0.2, math.inf)
