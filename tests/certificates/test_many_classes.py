"""Proofs with very many classes: the far ones are checked at once, and never overlooked."""

import tracemalloc

import pytest
import torch
from torch import Tensor, nn

import clearance as cl
from clearance.certificates import many_classes
from clearance.zoo.specs import load_model

CLASSES, SIZE = 400, 6


def linear(seed: int, norm: float, flat: float = 0.3) -> tuple[cl.Classifier, Tensor, list[float]]:
    """A linear classifier, three inputs, and their exact distances `min_t g_t / ||w_c - w_t||_q`."""
    draw = torch.Generator().manual_seed(seed)
    layer = nn.Linear(SIZE, CLASSES).double()
    with torch.no_grad():
        layer.weight.copy_(torch.randn(CLASSES, SIZE, generator=draw, dtype=torch.float64))
        layer.bias.copy_(torch.randn(CLASSES, generator=draw, dtype=torch.float64))
        layer.weight[: CLASSES // 2] *= flat
        layer.weight[CLASSES // 2 :] *= 5  # steep: the nearest in distance are not those with the smallest margins
        layer.bias[CLASSES // 2 :] -= 30
    x = torch.rand(3, SIZE, generator=draw, dtype=torch.float64)
    weight, logits = layer.weight.detach(), layer(x).detach()
    exact = list[float]()
    for row in logits:
        own = int(row.argmax())
        others = torch.tensor([k for k in range(CLASSES) if k != own])
        dual = {1.0: float("inf"), 2.0: 2.0, float("inf"): 1.0}[norm]
        steepness = torch.linalg.vector_norm(weight[own] - weight[others], dual, dim=1)
        exact.append(float(((row[own] - row[others]) / steepness).min()))
    return cl.Classifier(layer), x, exact


@pytest.mark.parametrize("norm", [1.0, 2.0, float("inf")])
@pytest.mark.parametrize("seed", range(4))
def test_no_class_comes_within_the_radius(seed: int, norm: float):
    model, x, exact = linear(seed, norm)
    for proof, distance in zip(cl.certify(model, x, norm=norm), exact, strict=True):
        assert proof.status.has_radius
        assert 0.4 * distance < proof.radius <= distance * (1 + 1e-9)


def test_the_near_classes_alone_would_prove_too_much(monkeypatch: pytest.MonkeyPatch):
    model, x, exact = linear(0, 2.0, flat=0.001)
    monkeypatch.setattr(many_classes, "_kept", lambda problem, proof: proof)
    found = cl.certify(model, x)
    assert all(p.radius > 1.01 * d or "predicts class" in p.reason for p, d in zip(found, exact, strict=True))


def test_fewer_classes_are_proved_as_before():
    layer = nn.Linear(SIZE, many_classes.MANY_TARGETS)
    assert [proof.method for proof in cl.certify(cl.Classifier(layer), torch.rand(3, SIZE))] == ["linear"] * 3


class Many(nn.Module):
    """The bundled digits network with more classes, which a linear layer makes of its logits."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.body, self.more = load_model("digits-standard").network, nn.Linear(10, classes - 10)

    def forward(self, x: Tensor) -> Tensor:
        logits = self.body(x)
        return torch.cat([logits, self.more(logits) - 20], 1)


def bracket_of(classes: int) -> cl.Bracket:
    torch.manual_seed(0)
    data = cl.datasets.load("digits", count=1)
    model = cl.Classifier(Many(classes).eval(), bounds=(0, 1))
    (found,) = cl.bracket(model, data.images, budget=2000)
    return found


def in_order(found: cl.Bracket) -> bool:
    return found.radius is not None and 0 < found.lower <= found.radius <= found.attacked.distance


def test_a_bracket_of_many_classes_costs_the_passes_of_few():
    few, many = bracket_of(20), bracket_of(2000)
    passes = [found.cost.forward + found.cost.backward for found in (few, many)]
    assert in_order(few) and in_order(many)
    assert passes[1] <= 1.5 * passes[0]
    assert many.attacked.distance == pytest.approx(few.attacked.distance, rel=0.02)


@pytest.mark.slow
def test_a_bracket_of_21841_classes_ends_in_bounded_memory():
    few = bracket_of(20)
    tracemalloc.start()
    many = bracket_of(21841)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert in_order(many)
    assert peak < 2**29
    assert many.cost.forward + many.cost.backward <= 1.5 * (few.cost.forward + few.cost.backward)


def test_without_bounds_no_radius_is_claimed_beyond_the_ball_that_was_looked_at():
    size = 4000
    layer = nn.Linear(size, 300).double()
    direction = torch.zeros(size, dtype=torch.float64)
    direction[0] = 1.0
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.zero_()
        layer.bias[0], layer.bias[40:] = 1.0, -50.0
        layer.weight[1:40, 1], layer.weight[299] = 1e-3, direction  # class 299 lies at 51, the near ones at 1,000
    for method in ("best", "crown", "linear"):
        (proof,) = cl.certify(cl.Classifier(layer), torch.zeros(1, size, dtype=torch.float64), method=method)
        assert 5 < proof.radius <= 51
