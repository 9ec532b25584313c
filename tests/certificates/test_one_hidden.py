"""The certificate of one hidden layer: by hand, by pairs of units, by sampling its ball."""

import math

import pytest
import torch
from torch import Tensor, nn

import clearance as cl
from certificate_cases import NO_TIME
from clearance.certificates import one_hidden
from clearance.certificates.layers.activations import leaky_relu
from clearance.certificates.one_hidden import OneHidden, as_one_hidden, gradient_bound
from clearance.certificates.translate import translate
from closed_forms import random_inputs, random_network


def test_one_hidden_unit_by_hand():
    """`g = w - softplus(v x)` (up to a constant): the largest derivative in the ball is at its right end."""
    first, last = nn.Linear(1, 1, dtype=torch.float64), nn.Linear(1, 2, dtype=torch.float64)
    for layer, weight, bias in ((first, [[2.0]], [0.0]), (last, [[0.0], [1.0]], [3.0, 0.0])):
        layer.weight.data.copy_(torch.tensor(weight))
        layer.bias.data.copy_(torch.tensor(bias))
    x = torch.tensor([[0.1]], dtype=torch.float64)
    gap = 3 - math.log1p(math.exp(0.2))
    low, high = 0.0, 10.0
    for _ in range(100):
        radius = (low + high) / 2
        derivative = 2 / (1 + math.exp(-2 * (0.1 + radius)))
        low, high = (radius, high) if radius * derivative < gap else (low, radius)
    for norm in (1.0, 2.0, math.inf):
        network = nn.Sequential(first, nn.Softplus(), last)
        (proof,) = cl.certify(cl.Classifier(network), x, norm=norm, method="one-hidden")
        assert proof.radius == pytest.approx(low, rel=1e-5) and proof.radius <= low


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Softplus, nn.LeakyReLU])
@pytest.mark.parametrize("norm", [1.0, 1.5, 2.0, math.inf])
def test_one_hidden_bounds_every_gradient_in_its_ball(activation: type[nn.Module], norm: float):
    network = random_network(5, (4, 12, 3), activation)
    x = random_inputs(5, 3, 4)
    model = cl.Classifier(network)
    proofs = cl.certify(model, x, norm=norm, method="one-hidden")
    products = cl.certify(model, x, norm=norm, method="operator-norms")
    assert all(a.radius > b.radius > 0 for a, b in zip(proofs, products, strict=True))
    draw = torch.Generator().manual_seed(0)
    for row, proof in zip(x, proofs, strict=True):
        ball = cl.balls.sample_ball(2000, (4,), norm=norm, radius=proof.radius, generator=draw)
        assert (model.logits(row + ball.double()).argmax(1) == proof.predicted).all()


def test_one_hidden_refuses_a_way_around_the_layer():
    class Around(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(3, 3), nn.Linear(3, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last(torch.relu(self.first(x)) + x)

    x = torch.rand(1, 3, generator=torch.Generator().manual_seed(0))
    (proof,) = cl.certify(cl.Classifier(Around()), x, method="one-hidden")
    assert proof.status == "unsupported" and "around" in proof.reason
    (proof,) = cl.certify(cl.Classifier(Around()), x)
    assert proof.status == "certified"


def test_one_hidden_looks_at_the_clock_between_targets(monkeypatch: pytest.MonkeyPatch):
    network, x = random_network(1, (6, 20, 8), nn.ReLU), random_inputs(1, 2, 6)
    bounded: list[int] = []
    bound = one_hidden.gradient_bound

    def counted(given: OneHidden, values: Tensor, *rest: Tensor) -> Tensor:
        bounded.append(len(values))
        return bound(given, values, *rest)

    monkeypatch.setattr(one_hidden, "gradient_bound", counted)
    monkeypatch.setattr(one_hidden, "TARGETS_AT_A_TIME", 3)
    proofs = cl.certify(cl.Classifier(network), x, method="one-hidden", time_limit=NO_TIME)
    assert all((proof.status, proof.radius) == ("time_limit", 0.0) for proof in proofs)
    assert bounded == [3, 3]  # three of seven targets, for each of two inputs
    whole = cl.certify(cl.Classifier(network), x, method="one-hidden")
    monkeypatch.setattr(one_hidden, "TARGETS_AT_A_TIME", 64)
    assert [a.radius for a in cl.certify(cl.Classifier(network), x, method="one-hidden")] == [a.radius for a in whole]


def test_the_squared_gradient_is_the_sum_over_all_pairs_of_units():
    draw = torch.Generator().manual_seed(0)
    weight, values = (torch.randn(*shape, generator=draw, dtype=torch.float64) for shape in ((7, 5), (4, 7)))
    low, high = torch.rand(2, 7, generator=draw, dtype=torch.float64).sort(0).values
    network = OneHidden(weight, torch.zeros(7), torch.zeros(1, 7), leaky_relu())
    found = gradient_bound(network, values, low, high, 2.0)
    corners = torch.cartesian_prod(*torch.stack([low, high], 1))
    for row, bound in zip(values, found, strict=True):
        pairs = (weight @ weight.T) * row[:, None] * row
        by_hand = torch.where(pairs > 0, pairs * high[:, None] * high, pairs * low[:, None] * low).sum()
        box = ((row * (low + high) / 2) @ weight).abs() + ((row.abs() * (high - low) / 2) @ weight.abs())
        assert float(bound) == pytest.approx(min(float(by_hand) ** 0.5, float(box.norm())), rel=1e-9)
        assert (((corners * row) @ weight).norm(dim=1) <= bound * (1 + 1e-12)).all()


def test_the_matrices_are_those_of_the_network():
    network, x = random_network(6, (4, 9, 3), nn.Softplus), random_inputs(6, 5, 4)
    found = as_one_hidden(translate(cl.Classifier(network), (4,)), x)
    first, last = network[1], network[3]
    assert torch.allclose(found.weight, first.weight, atol=1e-14) and torch.allclose(found.offset, first.bias)
    assert torch.allclose(found.last, last.weight, atol=1e-14) and found.activation.name == "softplus"


def test_a_layer_that_is_too_wide_is_refused(monkeypatch: pytest.MonkeyPatch):
    model, x = cl.Classifier(random_network(1, (3, 6, 2), nn.ReLU)), random_inputs(1, 1, 3)
    monkeypatch.setattr(one_hidden, "LARGEST_HIDDEN", 5)
    (proof,) = cl.certify(model, x, method="one-hidden")
    assert proof.status == "unsupported" and "at most 5 hidden units, got 6" in proof.reason
    monkeypatch.undo()
    monkeypatch.setattr(one_hidden, "LARGEST_WEIGHT", 17)
    (proof,) = cl.certify(model, x, method="one-hidden")
    assert proof.status == "unsupported" and "at most 17 weights, got 18" in proof.reason


@pytest.mark.parametrize("activation", [nn.Tanh, nn.Sigmoid, nn.ReLU6])
def test_an_activation_whose_derivative_falls_is_refused(activation: type[nn.Module]):
    model = cl.Classifier(random_network(1, (3, 6, 2), activation))
    (proof,) = cl.certify(model, random_inputs(1, 1, 3), method="one-hidden")
    assert proof.status == "unsupported" and "expected one layer of ReLU or softplus" in proof.reason
