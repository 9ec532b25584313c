"""The ball: the fixed point of quadratic margins, bounds, and the screening of many classes."""

import math

import pytest
import torch
from torch import Tensor, nn

from clearance.estimates.clever import clever
from clearance.estimates.fixed_point import choose_ball, farthest_valid
from clearance.estimates.settings import Settings
from clearance.estimates.status import Status
from clearance.geometry.norms import vector_norm
from clearance.model.classifier import Classifier
from closed_forms import random_linear
from score_cases import Quadratic, margin_problem, normal, small_mlp

SMALL = {"bound": "ball", "blocks": 8, "block_size": 64}


def largest_gradient(curvature: Tensor, slope: Tensor, radius: float) -> float:
    """`max ||a - A x||_2` over `||x||_2 <= R`, by its secular equation.

    At the maximum `A (A x - a) = m x` with `m` above the largest eigenvalue of `A A`; the norm of `x(m)` falls in `m`.
    """
    values, vectors = torch.linalg.eigh(curvature)
    part = vectors.T @ (curvature @ slope)

    def excess(multiplier: float) -> float:
        return float((part / (values**2 - multiplier)).norm()) - radius

    low, high = float(values.abs().max() ** 2), float(values.abs().max() ** 2) + float(part.norm()) / radius + 1.0
    for _ in range(200):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if excess(middle) > 0 else (low, middle)
    x = vectors @ (part / (values**2 - high))
    return float((slope - curvature @ x).norm())


def fixed_point(curvature: Tensor, slope: Tensor, margin: float) -> float:
    low, high = 0.0, 1e3
    for _ in range(100):
        middle = 0.5 * (low + high)
        inside = margin / largest_gradient(curvature, slope, middle) > middle
        low, high = (middle, high) if inside else (low, middle)
    return low


@pytest.mark.parametrize("dimension", [2, 5, 20])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.thinned(12)
def test_the_radius_search_finds_the_fixed_point(dimension: int, seed: int):
    generator = torch.Generator().manual_seed(seed)
    square = torch.randn(dimension, dimension, generator=generator, dtype=torch.float64)
    slope = torch.randn(dimension, generator=generator, dtype=torch.float64)
    curvature = square + square.T
    exact = fixed_point(curvature, slope, 1.0)
    model = Classifier(Quadratic(curvature, slope, 1.0), dtype=torch.float64)
    score = clever(model, torch.zeros(1, dimension, dtype=torch.float64), norm=2, bound="ball")[0]
    assert score.ball_radius == pytest.approx(exact, rel=0.01)
    assert score.radius == pytest.approx(exact, rel=0.01)


def test_secular_equation_against_brute_force():
    generator = torch.Generator().manual_seed(7)
    square = torch.randn(2, 2, generator=generator, dtype=torch.float64)
    slope = torch.randn(2, generator=generator, dtype=torch.float64)
    angles = torch.linspace(0, 2 * math.pi, 100001, dtype=torch.float64)
    sphere = 0.7 * torch.stack([angles.cos(), angles.sin()], 1)
    brute = float((slope - sphere @ (square + square.T)).norm(dim=1).max())
    assert largest_gradient(square + square.T, slope, 0.7) == pytest.approx(brute, rel=1e-6)


def test_bounds_limit_the_ball():
    model = Classifier(random_linear(1, size=3), bounds=(0, 1), dtype=torch.float64)
    logits = model.network(torch.full((1, 3), 0.5, dtype=torch.float64))
    steep = Classifier(lambda x: model.network(x) + 100 * nn.functional.one_hot(logits.argmax(1), 4), bounds=(0, 1))
    score = clever(steep, torch.full((1, 3), 0.5), norm=2, **SMALL)[0]
    assert score.ball_radius == pytest.approx(0.5 * math.sqrt(3), rel=1e-6)
    assert score.status is Status.AT_RADIUS


@pytest.mark.slow
def test_of_many_classes_short_blocks_drop_the_first(monkeypatch: pytest.MonkeyPatch):
    torch.manual_seed(2)
    model = Classifier(nn.Sequential(nn.Linear(30, 64), nn.Tanh(), nn.Linear(64, 100)))
    screened = clever(model, normal(1, 30).float(), **SMALL)[0]
    monkeypatch.setattr("clearance.estimates.fixed_point.MANY_CLASSES", 10**9)
    followed = clever(model, normal(1, 30).float(), **SMALL)[0]
    assert screened.radius == followed.radius and screened.cost.backward < 0.7 * followed.cost.backward


@pytest.mark.parametrize("norm", [1.0, 2.0, math.inf])
def test_the_farthest_valid_point_is_a_corner(norm: float):
    x0 = torch.tensor([0.1, 0.9, 0.5], dtype=torch.float64)
    corners = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=torch.float64)] * 3)
    model = Classifier(random_linear(0, size=3), bounds=(0, 1), dtype=torch.float64)
    exact = float(vector_norm(corners - x0, norm).max())
    assert farthest_valid(model, x0, norm) == pytest.approx(exact, rel=1e-12)
    assert farthest_valid(Classifier(random_linear(0, size=3)), x0, norm) == math.inf


def test_a_radius_that_was_given_is_taken_and_none_is_searched():
    problem = margin_problem(Classifier(small_mlp(), dtype=torch.float64), normal(6))
    ball = choose_ball(problem, Settings(bound="ball", radius=0.7))
    assert (ball.radius, ball.searched, ball.limited, ball.candidates) == (0.7, False, False, [0])
    assert ball.evidence(0).samples == 1  # the gradient at the input


def test_the_ball_of_a_linear_margin_is_the_distance_itself():
    network = random_linear(2)
    problem = margin_problem(Classifier(network, dtype=torch.float64), normal(6))
    ball = choose_ball(problem, Settings(bound="ball", block_size=32))
    weight = network.weight[problem.predicted] - network.weight[int(problem.targets[0])]
    assert ball.searched and ball.radius == pytest.approx(float(problem.margins[0] / weight.norm()), rel=1e-2)
