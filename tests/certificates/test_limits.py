"""Time and memory: what is proved when the time is up, for which inputs it says so, and what is held at a time."""

import math

import pytest
import torch
from torch import Tensor, nn

from clearance import Classifier, certify
from clearance.certificates import graph as graphs
from clearance.certificates import matrix_norms, one_hidden
from clearance.certificates.activations import leaky_relu
from clearance.certificates.bisection import largest_proven
from clearance.certificates.crown import Relaxation
from clearance.certificates.one_hidden import OneHidden, gradient_bound
from clearance.certificates.operations import Affine
from clearance.certificates.translate import translate
from closed_forms import as_module, random_inputs, random_linear, random_network

NO_TIME = 1e-9


def test_only_inputs_whose_bracket_is_still_wide_are_late():
    """The first proves everything at once, the second nothing ever, the third is 1 and needs bisection."""
    start, limit = torch.ones(3), torch.tensor([1.0, math.inf, math.inf])
    truth = torch.tensor([5.0, 0.0, 1.2])
    found = largest_proven(lambda radius: (truth - radius)[:, None], start, limit, tolerance=1e-3, late=lambda: True)
    assert found.late.tolist() == [False, True, True]
    assert found.proven.tolist() == [math.inf, 0.0, 1.0]
    found = largest_proven(lambda radius: (truth - radius)[:, None], start, limit, tolerance=1e-3)
    assert found.late.tolist() == [False, False, False]


@pytest.mark.parametrize("order", [1.0, 2.0, math.inf])
def test_an_affine_network_without_time_has_the_distances_without_bounds(order: float):
    network, x = as_module(random_linear(3)), random_inputs(3, 5, 6)
    held = Classifier(network, (0, 1))
    free = certify(Classifier(network), x, norm=order, target="least-likely")
    full = certify(held, x, norm=order, target="least-likely")
    short = certify(held, x, norm=order, target="least-likely", time_limit=NO_TIME)
    assert all(proof.status == "time_limit" for proof in short)
    assert [proof.radius for proof in short] == pytest.approx([proof.radius for proof in free], rel=1e-12)
    assert all(a.radius <= b.radius for a, b in zip(short, full, strict=True))
    assert any(a.radius < b.radius for a, b in zip(short, full, strict=True))


def test_best_says_which_method_the_time_cut_short():
    network, x = random_network(1, (6, 20, 20, 3), nn.ReLU), random_inputs(1, 2, 6)
    for proof in certify(Classifier(network), x, time_limit=NO_TIME):
        assert (proof.method, proof.status) == ("operator-norms", "certified")
        assert proof.reason == "crown: the time was up"
    assert [proof.reason for proof in certify(Classifier(network), x)] == ["", ""]


def test_crown_tightens_nothing_when_the_time_is_up(monkeypatch: pytest.MonkeyPatch):
    network, x = random_network(1, (6, 20, 20, 3), nn.ReLU), random_inputs(1, 2, 6)
    rows: list[int] = []
    pull = Relaxation.pull

    def counted(self: Relaxation, index: int, given: Tensor, *, stop: int = 0) -> tuple[Tensor, Tensor]:
        rows.append(given.shape[1])
        return pull(self, index, given, stop=stop)

    monkeypatch.setattr(Relaxation, "pull", counted)
    proofs = certify(Classifier(network), x, method="crown", time_limit=NO_TIME)
    assert all(proof.status == "time_limit" for proof in proofs)
    assert rows == [2]  # the two margins of one trial, and no unit before


def test_one_hidden_looks_at_the_clock_between_targets(monkeypatch: pytest.MonkeyPatch):
    network, x = random_network(1, (6, 20, 8), nn.ReLU), random_inputs(1, 2, 6)
    bounded: list[int] = []
    bound = one_hidden.gradient_bound

    def counted(given: OneHidden, values: Tensor, *rest: Tensor) -> Tensor:
        bounded.append(len(values))
        return bound(given, values, *rest)

    monkeypatch.setattr(one_hidden, "gradient_bound", counted)
    monkeypatch.setattr(one_hidden, "TARGETS", 3)
    proofs = certify(Classifier(network), x, method="one-hidden", time_limit=NO_TIME)
    assert all((proof.status, proof.radius) == ("time_limit", 0.0) for proof in proofs)
    assert bounded == [3, 3]  # three of seven targets, for each of two inputs
    whole = certify(Classifier(network), x, method="one-hidden")
    monkeypatch.setattr(one_hidden, "TARGETS", 64)
    assert [a.radius for a in certify(Classifier(network), x, method="one-hidden")] == [a.radius for a in whole]


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


@pytest.mark.parametrize("method", ["linear", "operator-norms", "one-hidden", "crown"])
@pytest.mark.parametrize("order", [1.0, 2.0])
def test_what_is_held_at_a_time_is_limited_and_changes_nothing(
    method: str, order: float, monkeypatch: pytest.MonkeyPatch
):
    affine = method == "linear"
    network = as_module(random_linear(2, classes=9)) if affine else random_network(2, (6, 12, 9), nn.ReLU)
    model, x = Classifier(network, (0, 1)), random_inputs(2, 7, 6)
    whole = certify(model, x, norm=order, method=method)
    held: list[int] = []
    backward = Affine.backward

    def counted(self: Affine, rows: Tensor) -> object:
        held.append(len(rows))
        return backward(self, rows)

    monkeypatch.setattr(Affine, "backward", counted)
    widest = translate(model, (6,)).widest
    monkeypatch.setattr(graphs, "CHUNK", 3 * widest)
    monkeypatch.setattr(matrix_norms, "CHUNK", 3 * widest)
    parts = certify(model, x, norm=order, method=method)
    assert max(held) <= 3
    assert [proof.radius for proof in parts] == pytest.approx([proof.radius for proof in whole], rel=1e-9)
    assert [proof.target for proof in parts] == [proof.target for proof in whole]
