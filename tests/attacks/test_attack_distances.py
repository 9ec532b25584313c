"""Attacks against classifiers whose minimum distortion is known exactly: never below it, and close to it."""

import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from clearance.attacks import (
    Goal,
    Witnesses,
    apgd,
    attack,
    bisect_radius,
    boundary_walk,
    carlini_wagner,
    ddn,
    elastic_net,
    fast_minimum_norm,
    make_goal,
    pdpgd,
    pgd,
)
from clearance.attacks.linear_model import linear_distance
from clearance.geometry.norms import vector_norm
from clearance.model.classifier import Classifier
from clearance.model.margins import resolve_targets
from closed_forms import ball_classifier, exact_linear, exact_relu, random_inputs, random_linear, random_relu

INF = math.inf
Method = Callable[[Classifier, Tensor, Goal], Witnesses]


def bisected(method: Callable[..., Witnesses], norm: float) -> Method:
    def run(model: Classifier, x: Tensor, goal: Goal) -> Witnesses:
        def within(epsilon: Tensor, start: Tensor) -> Witnesses:
            return method(model, x, goal, norm=norm, epsilon=epsilon, steps=40)

        return bisect_radius(within, x, norm=norm, first=2 * linear_distance(model, x, goal, norm), rounds=14)

    return run


def walked(norm: float) -> Method:
    def run(model: Classifier, x: Tensor, goal: Goal) -> Witnesses:
        rough = fast_minimum_norm(model, x, goal, norm=norm, steps=20)
        return boundary_walk(model, goal, rough, steps=10)

    return run


MINIMUM_DISTANCE: dict[str, tuple[float, Method]] = {
    "ddn": (2.0, ddn),
    "fmn-1": (1.0, lambda m, x, g: fast_minimum_norm(m, x, g, norm=1)),
    "fmn-2": (2.0, lambda m, x, g: fast_minimum_norm(m, x, g, norm=2)),
    "fmn-3": (3.0, lambda m, x, g: fast_minimum_norm(m, x, g, norm=3)),
    "fmn-inf": (INF, lambda m, x, g: fast_minimum_norm(m, x, g, norm=INF)),
    "pdpgd-1": (1.0, pdpgd),
    "elastic_net": (1.0, elastic_net),
    "carlini_wagner-2": (2.0, lambda m, x, g: carlini_wagner(m, x, g, norm=2)),
    "carlini_wagner-inf": (INF, lambda m, x, g: carlini_wagner(m, x, g, norm=INF, searches=20)),
    "apgd-1": (1.0, bisected(apgd, 1.0)),
    "apgd-2": (2.0, bisected(apgd, 2.0)),
    "apgd-inf": (INF, bisected(apgd, INF)),
    "pgd-1": (1.0, bisected(pgd, 1.0)),
    "pgd-2": (2.0, bisected(pgd, 2.0)),
    "pgd-inf": (INF, bisected(pgd, INF)),
    "walk-1": (1.0, walked(1.0)),
    "walk-2": (2.0, walked(2.0)),
    "walk-inf": (INF, walked(INF)),
}
each_method = pytest.mark.parametrize("name", MINIMUM_DISTANCE)
each_order = pytest.mark.parametrize("order", [1.0, 2.0, INF])


def classifier(network: Callable[[Tensor], Tensor], bounds: tuple[float, float] | None = None) -> Classifier:
    return Classifier(network, bounds=bounds, dtype=torch.float64)


def untargeted(model: Classifier, x: Tensor) -> Goal:
    logits = model.logits(x)
    return make_goal(logits.argmax(1), resolve_targets(logits, "untargeted"), logits.shape[1])


@each_method
@pytest.mark.parametrize("seed", range(3))
def test_minimum_distance_methods_are_within_5_percent_on_linear_classifiers(name: str, seed: int):
    order, method = MINIMUM_DISTANCE[name]
    network, x = random_linear(seed, classes=2, size=12), random_inputs(seed, 8, 12)
    model = classifier(network)
    found, exact = method(model, x, untargeted(model, x)), network.distance(x, order)
    assert (found.distance >= exact).all()
    assert (found.distance <= 1.05 * exact).all(), (found.distance / exact).max()


@each_order
@pytest.mark.parametrize("budget", ["quick", "standard"])
def test_best_is_within_half_a_percent_on_linear_classifiers(order: float, budget: str):
    for seed in range(3):
        network, x = random_linear(seed), random_inputs(seed, 8, 6)
        exact = network.distance(x, order)
        results = attack(classifier(network), x, norm=order, budget=budget)
        distance = torch.tensor([result.distance for result in results], dtype=torch.float64)
        assert (distance >= exact).all()
        assert (distance <= 1.005 * exact).all(), (distance / exact).max()


@pytest.mark.parametrize("order", [1.5, 3.0, 7.0])
def test_best_covers_any_order(order: float):
    network, x = random_linear(0), random_inputs(0, 4, 6)
    exact = network.distance(x, order)
    for result, least in zip(attack(classifier(network), x, norm=order), exact.tolist(), strict=True):
        assert least <= result.distance <= 1.005 * least


@pytest.mark.parametrize("order", [1.0, INF])
@pytest.mark.parametrize("target", ["untargeted", "runner-up", "least-likely"])
def test_active_bounds_never_below_the_linear_program(order: float, target: str):
    reached = 0
    for seed in range(6):
        network, x = random_linear(seed), random_inputs(seed, 6, 6)
        model = classifier(network, (0, 1))
        results = attack(model, x, norm=order, target=target, budget="quick")
        for row, (result, targets) in enumerate(zip(results, resolve_targets(network(x), target), strict=True)):
            exact = exact_linear(network, x[row], order, targets, 0.0, 1.0)
            assert result.distance >= exact - 1e-7  # the tolerance of the program itself
            if result.success:
                reached += 1
                assert result.distance <= 1.01 * exact or target != "untargeted"
    assert reached >= 5


@each_method
def test_methods_stay_above_the_linear_program_and_in_bounds(name: str):
    order, method = MINIMUM_DISTANCE[name]
    network, x = random_linear(3), random_inputs(3, 8, 6)
    model = classifier(network, (0, 1))
    goal = untargeted(model, x)
    found = method(model, x, goal)
    assert found.success.any()
    assert (found.adversarial >= 0).all() and (found.adversarial <= 1).all()
    assert torch.equal(vector_norm(found.adversarial - x, order)[found.success], found.distance[found.success])
    if order in (1.0, INF):
        for row in range(8):
            targets = goal.wanted[row].nonzero().flatten().tolist()
            assert found.distance[row] >= exact_linear(network, x[row], order, targets, 0.0, 1.0) - 1e-7


@pytest.mark.parametrize("order", [1.0, INF])
def test_tiny_relu_networks_against_the_mixed_integer_program(order: float):
    ratios: list[float] = []
    for seed in range(8):
        network, x = random_relu(seed), random_inputs(seed, 3, 4)
        results = attack(classifier(network, (0, 1)), x, norm=order)
        for row, result in enumerate(results):
            targets = [k for k in range(3) if k != int(network(x[row : row + 1]).argmax())]
            exact = exact_relu(network, x[row], order, targets, 0.0, 1.0)
            assert result.distance >= exact - 1e-6  # the program's feasibility tolerance
            if math.isfinite(exact):
                ratios.append(result.distance / exact)
    assert len(ratios) >= 12
    assert sorted(ratios)[len(ratios) // 2] <= 1.1


@pytest.mark.parametrize("budget", ["quick", "standard"])
def test_curved_boundary(budget: str):
    x = 0.4 * random_inputs(5, 6, 5)
    exact = 1 - x.norm(dim=1)
    assert (exact > 0).all()
    for result, least in zip(attack(classifier(ball_classifier), x, budget=budget), exact.tolist(), strict=True):
        assert least <= result.distance <= 1.01 * least


AIMED: dict[str, tuple[float, Callable[..., Witnesses]]] = {
    "ddn": (2.0, ddn),
    "fmn-1": (1.0, partial(fast_minimum_norm, norm=1)),
    "fmn-2": (2.0, partial(fast_minimum_norm, norm=2)),
    "fmn-inf": (INF, partial(fast_minimum_norm, norm=INF)),
    "pdpgd": (1.0, partial(pdpgd, steps=400)),  # 200 steps: 1.06 x on seed 1
}


@pytest.mark.parametrize("name", AIMED)
@pytest.mark.parametrize("seed", range(3))
def test_aimed_at_each_class_in_turn_they_are_within_5_percent_with_four_classes(name: str, seed: int):
    """Left to themselves they may head for a class that is not the nearest; the ensemble aims them, as here."""
    order, method = AIMED[name]
    network, x = random_linear(seed, classes=4, size=12), random_inputs(seed, 8, 12)
    model = classifier(network)
    goal, ranked = untargeted(model, x), model.logits(x).argsort(dim=1, descending=True)
    runs = [method(model, x, goal, aim=goal.to_class(ranked[:, rank])).distance for rank in (1, 2, 3)]
    found, exact = torch.stack(runs).amin(0), network.distance(x, order)
    assert (found >= exact).all()
    assert (found <= 1.05 * exact).all(), (found / exact).max()


@pytest.mark.parametrize("name", ["elastic_net", "carlini_wagner-2", "carlini_wagner-inf"])
def test_targeted_at_each_class_in_turn_they_are_within_5_percent_with_four_classes(name: str):
    order, method = MINIMUM_DISTANCE[name]
    network, x = random_linear(0, classes=4, size=12), random_inputs(0, 6, 12)
    model = classifier(network)
    logits = model.logits(x)
    ranked = logits.argsort(dim=1, descending=True)
    goals = [make_goal(ranked[:, 0], ranked[:, rank : rank + 1].tolist(), 4) for rank in (1, 2, 3)]
    found = torch.stack([method(model, x, goal).distance for goal in goals]).amin(0)
    exact = network.distance(x, order)
    assert (found >= exact).all()
    assert (found <= 1.05 * exact).all(), (found / exact).max()


@pytest.mark.parametrize("scale", [1e-4, 1e4])
@pytest.mark.parametrize("name", ["ddn", "fmn-1", "fmn-inf", "pdpgd-1", "elastic_net", "carlini_wagner-2", "apgd-inf"])
def test_distance_scales_with_the_units_of_the_input(name: str, scale: float):
    order, method = MINIMUM_DISTANCE[name]
    network, x = random_linear(1, classes=2), random_inputs(1, 4, 6)
    stretched = classifier(lambda z: network(z / scale))
    found = method(stretched, x * scale, untargeted(stretched, x * scale))
    exact = scale * network.distance(x, order)
    assert (found.distance >= exact * (1 - 1e-12)).all()
    assert (found.distance <= 1.05 * exact).all()


def test_confidence_is_kept():
    network, x = random_linear(2), random_inputs(2, 6, 6)
    model = classifier(network)
    goal = untargeted(model, x)
    for method in (carlini_wagner, elastic_net):
        found, plain = method(model, x, goal, confidence=2.0), method(model, x, goal)
        top = model.logits(found.adversarial).topk(2, dim=1)
        assert found.success.all()
        assert (top.values[:, 0] - top.values[:, 1] > 0).all() and (top.indices[:, 0] != goal.source).all()
        own = model.logits(found.adversarial).gather(1, goal.source[:, None])[:, 0]
        assert (top.values[:, 0] - own >= 2.0).all()
        assert (found.distance > plain.distance).all()
