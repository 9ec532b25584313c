"""The estimate by a Lipschitz profile against exact distances, and its promises: order, evidence, bits, passes."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from clearance.attacks.goals import make_goal
from clearance.estimates.clever import clever, iterate_scores
from clearance.estimates.profile.estimate import share_out
from clearance.estimates.profile.readings import profile_radius
from clearance.estimates.profile.score import ProfileScore
from clearance.estimates.profile.search import Known
from clearance.estimates.settings import Settings
from clearance.estimates.status import Status
from clearance.geometry.half_space import nearest_in_half_space
from clearance.geometry.norms import vector_norm
from clearance.model.classifier import Classifier
from clearance.model.inputs import prepare
from closed_forms import Linear, OneHidden, as_module, exact_relu, random_inputs, random_linear, random_relu
from regions import ReluNetwork, exact_profile

NORMS = (1.0, 1.5, 2.0, math.inf)


def one_score(model: object, x: Tensor, norm: float, **options: object) -> ProfileScore:
    bounds = options.pop("bounds", None)
    classifier = Classifier(model, bounds=bounds)  # pyright: ignore
    return clever(classifier, x, norm=norm, **{"budget": 1200, **options})[0]  # pyright: ignore


@pytest.mark.parametrize("norm", NORMS)
def test_linear_networks_are_exact_without_bounds(norm: float) -> None:
    """One target: with several, the gradients of classes that are second elsewhere count as well."""
    for seed in range(5):
        model, x = random_linear(seed, classes=2), random_inputs(seed, 1, 6)
        score = one_score(as_module(model), x, norm)
        assert score.radius == pytest.approx(float(model.distance(x, norm)[0]), rel=1e-6)
        assert score.by_norm is not None and score.by_norm.interval[0] == pytest.approx(score.radius, rel=1e-6)
        assert score.by_radial is not None  # the steepest ray is approached, not met, at every level
        assert score.radius * (1 - 1e-9) <= score.by_radial.radius <= score.radius * 1.002


@pytest.mark.parametrize("norm", [1.0, 2.0, math.inf])
def test_a_linear_boundary_within_a_box_is_exact(norm: float) -> None:
    """Two classes: the shortest step within the box in closed form; the room at the radius itself makes it exact."""
    for seed in range(12):
        draw = torch.Generator().manual_seed(seed)
        weight, x = torch.randn(1, 5, generator=draw, dtype=torch.float64), torch.rand(1, 5, generator=draw).double()
        x[torch.rand(1, 5, generator=draw) < 0.3] = 0.0
        model = Linear(torch.cat([weight, torch.zeros_like(weight)]), torch.zeros(2, dtype=torch.float64))
        offset = 0.4 - (weight * x).sum()
        model = replace(model, bias=torch.stack([offset, torch.zeros_like(offset)]))
        step = nearest_in_half_space(weight, torch.tensor([0.4], dtype=torch.float64), x, 1 - x, norm)
        if not bool(((weight * step).sum() + 0.4).abs() < 1e-9):
            continue  # no valid input lies beyond the boundary
        exact = float(vector_norm(step, norm))
        score = one_score(as_module(model), x, norm, bounds=(0.0, 1.0))
        assert score.radius <= exact * (1 + 1e-6)
        assert score.radius == pytest.approx(exact, rel=2e-3)


def test_a_sphere_in_every_direction_is_its_radius() -> None:
    """`g = 1 - ||x||²` from its middle: `L(s) = 2 s`; the upper steps of 16 levels are off by 3 % at most."""

    def sphere(x: Tensor) -> Tensor:
        inside = 1 - x.flatten(1).square().sum(1)
        return torch.stack([inside, torch.zeros_like(inside)], 1)

    score = one_score(sphere, torch.zeros(1, 4, dtype=torch.float64) + 1e-9, 2.0)
    assert 0.96 <= score.radius <= 1 + 1e-6
    fine = np.linspace(0, 2, 4001)[1:]
    assert profile_radius(fine, 2 * fine, 1.0) == pytest.approx(1, rel=1e-3)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("norm", [2.0, math.inf])
def test_with_exact_levels_it_never_exceeds_the_exact_distance_and_the_search_comes_near(norm: float) -> None:
    """ReLU networks whose regions are enumerated: the exact profile, the exact distance, and the searched one."""
    ratios, held = list[float](), list[bool]()
    for seed in range(12):
        network = ReluNetwork.random(2, 5, seed)
        score = one_score(network.module(), torch.zeros(1, 2, dtype=torch.float64), norm, budget=3000)
        if not math.isfinite(score.witness_distance) or score.witness_distance > 3.0:
            continue
        levels = np.array(score.levels)
        radius = profile_radius(levels, exact_profile(network, norm, levels), score.margin)
        if math.isinf(norm):
            hidden = OneHidden(*map(torch.from_numpy, (network.weight, network.bias, network.head, network.offset)))
            assert radius <= exact_relu(hidden, torch.zeros(2, dtype=torch.float64), norm, [1], -9.0, 9.0) * (1 + 1e-6)
        assert radius <= score.witness_distance * (1 + 1e-9)
        assert score.radius >= radius * (1 - 1e-9)
        ratios.append(score.radius / radius)
        held.append(score.interval[0] <= radius * (1 + 1e-9))
    assert len(ratios) >= 6 and float(np.median(ratios)) <= 1.002 and max(ratios) <= 1.2
    assert np.mean(held) >= 0.75  # the corner of a region at a level may be missed


@pytest.mark.thinned(3)
@pytest.mark.parametrize("norm", [1.0, 2.0, math.inf])
def test_on_bounded_networks_no_reading_exceeds_the_exact_distance(norm: float) -> None:
    """Tiny ReLU networks in the unit box, whose exact distance is a mixed-integer program (not for l2)."""
    for seed in range(6):
        network, x = random_relu(seed), random_inputs(seed, 1, 4)
        score = one_score(as_module(network), x, norm, bounds=(0.0, 1.0), budget=3000)
        assert score.by_norm is not None and score.by_radial is not None
        assert score.by_norm.radius <= score.by_radial.radius * (1 + 1e-9)
        assert score.by_norm.interval[0] <= score.by_norm.radius <= score.levels[-1] * (1 + 1e-9)
        if norm != 2:
            own = int(network(x).argmax())
            exact = exact_relu(network, x[0], norm, [t for t in range(3) if t != own], 0.0, 1.0)
            assert score.by_radial.radius <= exact * (1 + 1e-4) or score.status is Status.AT_RADIUS


def test_feasible_directions_never_give_a_smaller_radius_than_all_directions() -> None:
    for seed in range(6):
        network, x = random_relu(seed), random_inputs(seed, 1, 4).round()
        both = [
            one_score(as_module(network), x, math.inf, bounds=(0.0, 1.0), feasible=feasible)
            for feasible in (True, False)
        ]
        assert both[0].radius >= both[1].radius * (1 - 0.02)  # two searches, of one landscape


def test_a_known_witness_ends_the_levels_and_the_estimate_keeps_below_it() -> None:
    network, x = as_module(random_relu(3)), random_inputs(3, 1, 4)
    inputs = prepare(Classifier(network, bounds=(0.0, 1.0)), x, None, target="untargeted", norm=2, seed=0)
    first = next(iter(iterate_scores(inputs, Settings(budget=3000))))
    assert first.witness is not None
    known = Known(first.witness[None], x[:0])
    again = next(iter(iterate_scores(inputs, Settings(budget=800), known)))
    assert again.ball_radius <= first.witness_distance * (1 + 1e-9) and again.radius <= again.ball_radius


def test_the_witness_it_reports_is_one() -> None:
    for seed in range(4):
        network, x = as_module(random_relu(seed)), random_inputs(seed, 1, 4)
        score = one_score(network, x, 2.0, bounds=(0.0, 1.0))
        if score.witness is not None:
            own = int(network(x).argmax())
            logits = network(score.witness[None]).detach()[0]
            assert float(logits[own] - logits.amax()) <= 0
            assert float(vector_norm(score.witness[None] - x, 2.0)) == pytest.approx(score.witness_distance)


def test_the_same_bits_alone_and_in_a_batch() -> None:
    network, x = as_module(random_relu(1)), random_inputs(1, 3, 4)
    model = Classifier(network, bounds=(0.0, 1.0))
    together = clever(model, x, norm=2, budget=800)
    for place, score in enumerate(together):
        (alone,) = clever(model, x[place : place + 1], norm=2, budget=800)
        assert (alone.radius, alone.interval, alone.levels) == (score.radius, score.interval, score.levels)


def test_in_l1_it_meets_what_begins_where_a_single_coordinate_has_moved() -> None:
    """200 inputs; two let the margin fall 30 times as steeply from 0.3 on: `L` is 0.1 up to there, then 3.1."""

    def network(x: Tensor) -> Tensor:
        margin = 1.2 - 0.1 * x.sum(1) - 3 * (x[:, [17, 140]] - 0.3).relu().sum(1)
        return torch.stack([margin, torch.zeros_like(margin)], 1)

    score = one_score(network, torch.zeros(1, 200, dtype=torch.float64), 1.0, bounds=(0.0, 1.0), budget=3600)
    assert score.by_norm is not None
    levels, values = np.array(score.levels), np.array(score.by_norm.values)
    beyond = levels > 0.3 * (1 + 1e-6) + levels[0]
    assert values[levels < 0.3] == pytest.approx(0.1)
    assert values[beyond].min() > 1.5  # along one of the two a shift of one unit has an average slope of 1.6 at least
    assert score.radius <= score.witness_distance


@pytest.mark.parametrize("passes", [600, 1500, 4000, 9000])
def test_it_keeps_to_its_passes(passes: int) -> None:
    network, x = as_module(random_relu(2)), random_inputs(2, 1, 4)
    cost = one_score(network, x, 2.0, budget=passes, bounds=(0.0, 1.0)).cost
    assert 0.7 * passes <= cost.forward + cost.backward <= 1.1 * passes


@pytest.mark.parametrize("gradients", [500, 1240, 2600, 6400, 30_000])
@pytest.mark.parametrize("levels", [16, 32])
def test_rounds_spend_what_they_are_given(gradients: int, levels: int) -> None:
    for several in (False, True):
        spent = levels * sum(
            blocks * steps for blocks, steps in share_out(gradients, levels, several=several, coordinates=784)
        )
        assert spent <= max(gradients, levels * 2 * 4 * 2) and spent >= 0.8 * gradients


def test_one_search_serves_any_number_of_classes() -> None:
    """A head with 50 classes costs what one with 3 does."""
    costs = []
    for classes in (3, 50):
        network, x = as_module(random_relu(2, classes=classes)), random_inputs(2, 1, 4)
        cost = one_score(network, x, 2.0, budget=3000, bounds=(0.0, 1.0)).cost
        costs.append(cost.forward + cost.backward)
    assert costs[1] <= 1.3 * costs[0]


def test_hidden_gradients_are_masked_and_a_constant_has_none() -> None:
    def stairs(x: Tensor) -> Tensor:
        level = (x.flatten(1).sum(1) * 8).round() + 0 * x.flatten(1).sum(1)
        return torch.stack([4.4 - level, level - level], 1)

    score = one_score(stairs, torch.full((1, 3), 0.1, dtype=torch.float64), 2.0, bounds=(0.0, 1.0))
    assert score.status is Status.MASKED and not score.status.has_number

    def constant(x: Tensor) -> Tensor:
        return torch.stack([1 + 0 * x.flatten(1).sum(1), 0 * x.flatten(1).sum(1)], 1)

    assert one_score(constant, torch.zeros(1, 3), 2.0).status is Status.NO_GRADIENT


def test_goals_of_attacks_and_margins_of_estimates_agree_on_a_witness() -> None:
    network, x = as_module(random_relu(4)), random_inputs(4, 1, 4)
    logits = network(x)
    own = int(logits.argmax())
    score = one_score(network, x, 2.0, bounds=(0.0, 1.0))
    if score.witness is not None:
        goal = make_goal(torch.tensor([own]), [[t for t in range(3) if t != own]], 3)
        further = x + 1.001 * (score.witness[None] - x)
        assert bool(goal.reached(network(further))[0])
