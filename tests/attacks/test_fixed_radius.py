"""Attacks within a radius: exact on linear classifiers, only survivors are attacked on, and no input costs more."""

import math

import pytest
import torch
from torch import Tensor

from attack_cases import INF, classifier, constant, flat, relu_network, small_inputs, undefined
from clearance.attacks import attack
from clearance.attacks.fixed_radius import attack_within
from clearance.attacks.result import AttackResult
from clearance.attacks.table import ATTACKS
from clearance.errors import InputError
from clearance.geometry.norms import vector_norm
from clearance.model.budgets import BUDGETS
from clearance.model.classifier import Classifier
from clearance.model.inputs import prepare
from closed_forms import exact_linear, exact_relu, random_inputs, random_linear, random_relu

each_norm = pytest.mark.parametrize("norm", [1.0, 1.5, 2.0, INF])
CLOSE = 1e-3
"""Share around an exact distance within which an attack may fail: its last steps are that long."""


def within(model: Classifier, x: Tensor, radius: float, norm: float, passes: int = 280, seed: int = 0):
    inputs = prepare(model, x, None, target="untargeted", norm=norm, seed=seed, one_by_one=True)
    return attack_within(inputs, radius, passes)


def spent(result: AttackResult) -> int:
    return result.cost.forward + result.cost.backward


@each_norm
@pytest.mark.parametrize("share", [0.3, 0.6])
def test_exact_on_linear_classifiers(norm: float, share: float):
    network, x = random_linear(1), random_inputs(1, 40, 6)
    exact = network.distance(x, norm)
    radius = float(exact.quantile(share))
    for result, least in zip(within(classifier(network), x, radius, norm), exact.tolist(), strict=True):
        assert not result.success or least <= radius * (1 + 1e-12)
        assert result.success or least >= radius * (1 - CLOSE)


@pytest.mark.parametrize("norm", [1.0, INF])
def test_with_bounds_as_the_linear_program_says(norm: float):
    network, x = random_linear(3), random_inputs(3, 16, 6)
    source = network(x).argmax(1).tolist()
    exact = [
        exact_linear(network, row, norm, [k for k in range(4) if k != own], 0.0, 1.0)
        for row, own in zip(x, source, strict=True)
    ]
    radius = sorted(exact)[6] * 1.01
    results = within(classifier(network, (0, 1)), x, radius, norm)
    assert [result.success for result in results] == [least <= radius for least in exact]


@pytest.mark.parametrize("norm", [1.0, INF])
def test_tiny_relu_networks_as_the_mixed_integer_program_says(norm: float):
    """Never a witness where there is none; and where there is one, nearly always found."""
    missed = known = 0
    for seed in range(4):
        network, x = random_relu(seed), random_inputs(seed, 4, 4)
        source = network(x).argmax(1).tolist()
        exact = [
            exact_relu(network, row, norm, [k for k in range(3) if k != own], 0.0, 1.0)
            for row, own in zip(x, source, strict=True)
        ]
        radius = 1.01 * sorted(exact)[1]
        if not math.isfinite(radius):
            continue
        for result, least in zip(within(classifier(network, (0, 1)), x, radius, norm), exact, strict=True):
            assert not result.success or least <= radius + 1e-6  # the tolerance of the program
            known += least <= radius
            missed += least <= radius and not result.success
    assert known >= 6 and missed <= known // 6


@each_norm
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("bounds", [None, (0.0, 1.0)])
def test_a_witness_is_within_the_radius_and_the_bounds_and_predicted_alone(norm: float, dtype, bounds):
    model = Classifier(relu_network(2, 4), bounds, dtype=dtype)
    x = small_inputs(2, 12).to(dtype).clamp(0, 1)
    radius = {1.0: 1.0, 1.5: 0.5, 2.0: 0.4, INF: 0.2}[norm]
    results = within(model, x, radius, norm)
    assert any(result.success for result in results)
    for row, result in enumerate(results):
        if not result.success:
            assert result.adversarial is None and result.distance == INF and result.method == "none"
            continue
        point = result.adversarial
        assert result.distance == float(vector_norm((point - x[row])[None], norm)) <= radius
        assert float(vector_norm((point.double() - x[row].double())[None], norm)) <= radius
        assert torch.equal(model.clip(point), point)
        assert (
            int(model.logits(point[None]).argmax()) == result.predicted != int(model.logits(x[row : row + 1]).argmax())
        )
        assert result.method in ATTACKS and result.distances[result.method] == result.distance


def test_only_survivors_are_attacked_on():
    """Two inputs next to the plane and two far from it: the near ones cost a few passes, the far ones all of them."""
    network = random_linear(0, classes=2, size=12)
    gap = network.weight[0] - network.weight[1]
    foot = -gap * (network.bias[0] - network.bias[1]) / gap.square().sum()
    x = torch.stack([foot + s * gap / gap.norm() for s in (0.1, 0.2, 50.0, 60.0)])
    model = classifier(network)
    before = model.meter.read()
    results = within(model, x, 1.0, 2.0, passes=280)
    total = model.meter.since(before)
    assert [result.success for result in results] == [True, True, False, False]
    assert max(spent(result) for result in results[:2]) <= 6
    assert all(270 <= spent(result) <= 280 for result in results[2:])
    assert sum(result.cost.forward for result in results) == total.forward
    assert sum(result.cost.backward for result in results) == total.backward


@each_norm
@pytest.mark.parametrize("passes", [1, 2, 3, 17, 280, 901])
@pytest.mark.thinned(4)
def test_no_input_costs_more_than_its_passes(norm: float, passes: int):
    model, x = Classifier(relu_network(1, 4), (0, 1)), small_inputs(1, 6).clamp(0, 1)
    before = model.meter.read()
    results = within(model, x, 0.05, norm, passes)
    total = model.meter.since(before)
    assert max(spent(result) for result in results) <= passes
    assert sum(spent(result) for result in results) == total.forward + total.backward


class Retracting(torch.nn.Module):
    """Another class in a batch, the first class alone: no witness of a batch is confirmed."""

    def forward(self, x: Tensor) -> Tensor:
        first = x.flatten(1).sum(1) if len(x) > 1 else x.flatten(1).sum(1).abs() + 1
        return torch.stack([first, torch.zeros_like(first)], 1)


def test_what_a_pass_alone_takes_back_is_no_witness_and_is_counted():
    x = torch.full((3, 4), 0.1)
    results = within(Classifier(Retracting()), x, 5.0, 2.0, passes=280)
    assert not any(result.success for result in results) and max(map(spent, results)) <= 280


@pytest.mark.parametrize("dead", [constant, flat, undefined])
@each_norm
@pytest.mark.thinned(12)
def test_a_network_without_gradients_ends_without_success(dead, norm: float):
    for result in within(Classifier(dead, (0, 1)), small_inputs(0, 2).clamp(0, 1), 0.1, norm, 2000):
        assert not result.success and spent(result) <= 2000


def test_a_larger_budget_begins_with_the_smaller_one():
    model, x = Classifier(relu_network(5, 4), (0, 1), dtype=torch.float64), small_inputs(5, 16).double().clamp(0, 1)
    runs = {passes: within(model, x, 0.12, INF, passes) for passes in (20, 120, 280, 900)}
    for fewer, more in ((20, 120), (120, 280), (280, 900)):
        for small, large in zip(runs[fewer], runs[more], strict=True):
            assert not small.success or (large.success and spent(large) == spent(small))


def test_the_same_seed_the_same_bits_and_no_global_state():
    model, x = Classifier(relu_network(1, 4), (0, 1)), small_inputs(1, 8).clamp(0, 1)
    before = torch.get_rng_state()
    once = within(model, x, 0.1, INF)
    torch.rand(3)
    again = within(model, x, 0.1, INF)
    torch.set_rng_state(before)
    assert [result.distance for result in once] == [result.distance for result in again]
    assert all(
        torch.equal(one.adversarial, other.adversarial)
        for one, other in zip(once, again, strict=True)
        if one.adversarial is not None
    )


def test_targets_and_misclassified_inputs():
    network, x = random_linear(2), random_inputs(2, 8, 6)
    model = classifier(network)
    ranked = network(x).argsort(dim=1, descending=True)
    labels = ranked[:, 0].clone()
    labels[3] = (labels[3] + 1) % 4
    results = attack(model, x, labels, norm=2, radius=3.0, budget="quick", target="least-likely")
    assert results[3].method == "misclassified" and math.isnan(results[3].distance) and spent(results[3]) == 1
    assert any(result.success for result in results)
    assert all(result.predicted == int(ranked[row, -1]) for row, result in enumerate(results) if result.success)


def test_radius_zero_breaks_nothing_and_costs_nothing():
    model, x = Classifier(relu_network(1, 4)), small_inputs(1)
    assert all(not result.success and spent(result) == 1 for result in attack(model, x, radius=0))


@pytest.mark.parametrize(
    "given",
    [
        {"radius": -0.1},
        {"radius": math.nan},
        {"radius": math.inf},
        {"radius": "8/255"},
        {"radius": True},
        {"radius": 0.1, "norm": 0},
        {"radius": 0.1, "method": "apgd"},
        {"radius": 0.1, "budget": 0},
        {"radius": 0.1, "budget": 1.5},
        {"radius": 0.1, "budget": True},
        {"radius": 0.1, "budget": "lavish"},
        {"radius": 0.1, "method": "lavish"},
    ],
)
def test_misuse_is_one_clear_line(given):
    with pytest.raises(InputError, match=r"^\w+: expected .*") as caught:
        attack(Classifier(relu_network(1, 4)), small_inputs(1), **given)
    assert "\n" not in str(caught.value)


def test_the_named_budgets_are_limits():
    model, x = Classifier(relu_network(1, 4), (0, 1)), small_inputs(1, 3).clamp(0, 1)
    for result in attack(model, x, norm="inf", radius=1e-3, budget="quick"):
        assert not result.success and spent(result) <= BUDGETS["quick"].passes


def test_a_budget_may_be_the_number_of_passes():
    model, x = Classifier(relu_network(1, 4), (0, 1)), small_inputs(1, 3).clamp(0, 1)
    for result in attack(model, x, norm="inf", radius=1e-3, budget=37):
        assert not result.success and 30 < spent(result) <= 37
