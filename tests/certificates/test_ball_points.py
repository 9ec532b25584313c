"""Points of a cut ball lie in it, on its sphere and inside, and reach the least value of linear functions."""

import math

import pytest
import torch

from clearance.certificates.ball_points import DIRECTIONS, CutBall, lowest_in_ball, random_points
from clearance.certificates.region import Region
from clearance.certificates.rows import Rows
from clearance.geometry.norms import vector_norm

NORMS = (1.0, 1.5, 2.0, 3.0, math.inf)
SIZE = 12


def make_ball(norm: float, radius: float, *, bounds: bool, seed: int = 0) -> CutBall:
    draw = torch.Generator().manual_seed(seed)
    center = torch.rand(1, SIZE, generator=draw, dtype=torch.float64).mul(1.6).sub(0.3).clamp(0, 1)  # some at a bound
    return CutBall(center, radius, norm, (torch.zeros_like(center), torch.ones_like(center)) if bounds else None)


@pytest.mark.parametrize("bounds", [False, True])
@pytest.mark.parametrize("norm", NORMS)
def test_random_points_lie_in_the_ball_and_on_its_sphere(norm: float, bounds: bool):
    ball = make_ball(norm, 0.3, bounds=bounds)
    points = random_points(ball, torch.Generator().manual_seed(1))
    assert points.shape == (3 * DIRECTIONS, SIZE)
    distance = vector_norm(points - ball.center, norm)
    assert bool((distance <= 0.3 * (1 + 1e-12)).all()) and bool((distance < 0.01).any())
    assert float((distance > 0.3 * (1 - 1e-3)).double().mean()) >= (0.3 if bounds else 0.5)
    if bounds:
        assert bool(((points >= 0) & (points <= 1)).all())
    one = (points != ball.center).sum(1) == 1
    assert int(one.sum()) >= DIRECTIONS // 2  # sparse shifts
    assert torch.equal(points, random_points(ball, torch.Generator().manual_seed(1)))


@pytest.mark.parametrize("bounds", [False, True])
@pytest.mark.parametrize("norm", NORMS)
def test_the_least_value_is_reached(norm: float, bounds: bool):
    for seed in range(5):
        ball = make_ball(norm, 0.3 + 0.2 * seed, bounds=bounds, seed=seed)
        rows = torch.randn(4, SIZE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        points = lowest_in_ball(ball, rows)
        assert bool((vector_norm(points - ball.center, norm) <= ball.radius * (1 + 1e-12)).all())
        radius = torch.tensor([ball.radius], dtype=torch.float64)
        least = Region(ball.center, radius, norm, ball.bounds).lowest(Rows(rows[None]), splits=60)[0]
        reached, at_center = (rows * points).sum(1), (rows * ball.center).sum(1)
        assert bool((reached >= least - 1e-9).all())
        assert bool((reached <= least + 0.05 * (at_center - least)).all())  # exact where nothing is cut short


def test_a_point_without_room_stays_where_it_is():
    center = torch.ones(1, 3, dtype=torch.float64)
    ball = CutBall(center, 0.5, 2.0, (torch.ones_like(center), torch.ones_like(center)))
    assert torch.equal(random_points(ball, torch.Generator()), center.expand(3 * DIRECTIONS, 3))
    assert torch.equal(lowest_in_ball(ball, torch.ones(1, 3, dtype=torch.float64)), center)
