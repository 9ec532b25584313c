"""Matrix products, gates, largest and smallest of two values, quotients: sandwiches and brute force in the plane."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from clearance import Classifier, certify
from clearance.certificates.operations import NotSupportedError
from clearance.certificates.translate import translate
from layer_cases import Function, check_affine, check_graph, check_radius

ROW = torch.tensor([0.5, -0.3, 0.1, 0.0], dtype=torch.float64)
LEFT = torch.randn(2, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
STEPS: dict[str, Callable[[Tensor], Tensor]] = {
    "product": lambda x: x * x.sigmoid(),
    "product of halves": lambda x: x[:, :2] * x[:, 2:],
    "gate": lambda x: functional.glu(x, 1),
    "gate by hand": lambda x: functional.silu(x[:, :2]) * x[:, 2:],
    "maximum": lambda x: torch.maximum(x[:, :2], x[:, 2:]),
    "minimum": lambda x: x[:, :2].minimum(x[:, 2:]),
    "max": lambda x: torch.max(x, -2 * x),
    "min with a row": lambda x: torch.min(x, ROW),
    "maximum of a row": lambda x: torch.maximum(ROW, x),
    "quotient": lambda x: x / (1 + x.square()),
    "quotient of values": lambda x: x[:, :2] / (0.5 + x[:, 2:].exp()),
    "matrices": lambda x: (x.unflatten(1, (2, 2)) @ x.unflatten(1, (2, 2)).mT).flatten(1),
    "bmm": lambda x: torch.bmm(x.unflatten(1, (2, 2)), torch.tanh(x).unflatten(1, (2, 2))).flatten(1),
}
each = pytest.mark.parametrize("name", STEPS)


def network_of(step: Callable[[Tensor], Tensor], inputs: int = 3) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        first = nn.Linear(inputs, 4)
        features = step(torch.zeros(1, 4, dtype=torch.float64)).shape[1]
        return nn.Sequential(first, Function(step), nn.Linear(features, 3))


@each
def test_every_bound_holds_at_points(name: str):
    check_graph(network_of(STEPS[name]), (3,))


@pytest.mark.thinned(3)
@each
@pytest.mark.parametrize("norm", [2.0, math.inf])
def test_no_point_of_the_plane_is_nearer_than_the_radius(name: str, norm: float):
    check_radius(network_of(STEPS[name], 2), norm, seed=4)


def test_a_constant_matrix_on_the_left():
    check_affine(Function(lambda x: LEFT @ x), (4, 3))
    check_affine(Function(lambda x: torch.matmul(LEFT, x)), (2, 4, 3))


def test_the_largest_of_two_values_has_the_bounds_of_relu():
    """`max(x, 0) = x + max(-x, 0)`: the same radius as a network with ReLU."""
    layers = network_of(torch.relu)
    other = nn.Sequential(layers[0], Function(lambda x: torch.maximum(x, torch.zeros(4).double())), layers[2])  # type: ignore[index]
    x = torch.rand(3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ours = certify(Classifier(other.double()), x, method="crown")
    assert [p.radius for p in ours] == pytest.approx(
        [p.radius for p in certify(Classifier(layers.double()), x, method="crown")], rel=2e-3
    )


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda x: x.max(1)[0], "along a side|the largest"),
        (torch.max, "not known"),
        (lambda x: torch.ones(1, 3, 3).double() @ x, "a product"),
        (lambda x: x[:, 0] @ x, "a product of matrices"),
        (lambda x: LEFT.T @ x[:, 0], "a product"),
    ],
)
def test_what_is_not_known_is_refused(function: Callable[[Tensor], Tensor], said: str):
    with pytest.raises(NotSupportedError, match=said):
        translate(Classifier(Function(function)), (3, 3))
