"""Region searches: exact half-spaces, exact nearest points, and what happens where nothing is linear."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from clearance.estimates.clever import clever
from clearance.estimates.samplers.region_search import FACE_BISECTIONS, RegionSearch, nearest_point
from clearance.model.classifier import Classifier
from regions import ReluNetwork, largest_norm


def follow(search: RegionSearch, gradient) -> list[np.ndarray]:
    queries, points = search.queries(), []
    point = next(queries)
    while True:
        points.append(point)
        try:
            point = queries.send(gradient(point))
        except StopIteration:
            return points


def region_search(dimension: int, radius: float, budget: int = 256, order: float = 2.0, seed: int = 0) -> RegionSearch:
    return RegionSearch(dimension, radius, order, budget, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("seed", range(8))
def test_the_nearest_point_of_a_polyhedron(seed: int):
    rng = np.random.default_rng(seed)
    normals, inside = rng.standard_normal((5, 3)), rng.standard_normal(3)
    offsets = normals @ inside - rng.random(5)
    found = nearest_point(normals, offsets, 3)
    rules = {"type": "ineq", "fun": lambda x: normals @ x - offsets}
    oracle = minimize(lambda x: x @ x, inside, constraints=rules, tol=1e-12)
    assert found is not None and (normals @ found >= offsets - 1e-9).all()
    assert found @ found == pytest.approx(oracle.fun, abs=1e-6)


def test_an_empty_polyhedron_and_one_that_holds_the_origin():
    assert nearest_point(np.array([[1.0], [-1.0]]), np.array([1.0, 1.0]), 1) is None
    assert nearest_point(np.array([[1.0]]), np.array([-1.0]), 1).tolist() == [0.0]


def test_a_wedge_that_only_its_tip_reaches_into_the_ball_with():
    """Steep where |y| <= (x - .9) / 10: 3 / 10,000 of the unit disc, 1 / 100 of one twice as wide."""
    edges = [np.array([1.0, sign * 10.0]) / math.hypot(1, 10) for sign in (1, -1)]

    def gradient(point: np.ndarray) -> np.ndarray:
        """Of 4 relu(n_1 (x - tip)) - 4 relu(n_2 (x - tip)): 8 long where both are on, 4 where one is."""
        on = [normal @ point > normal[0] * 0.9 for normal in edges]
        return 4.0 * on[0] * edges[0] - 4.0 * on[1] * edges[1]

    def met(seed: int) -> bool:
        points = follow(region_search(2, 1.0, seed=seed), gradient)
        return any(np.linalg.norm(gradient(p)) > 7 for p in points if np.linalg.norm(p) <= 1)

    assert sum(met(seed) for seed in range(20)) >= 6  # random points of the disc alone: 1.5 of 20


@pytest.mark.parametrize("order", [1.0, 2.0, math.inf])
def test_exactly_the_budget_is_spent(order: float):
    points = follow(region_search(3, 0.5, budget=77, order=order), lambda p: np.cos(3 * p))
    assert len(points) == 77


def test_a_smooth_function_is_recognised_and_searched_by_steps():
    points = follow(region_search(2, 1.0), lambda p: 2 * p)
    outside = sum(np.linalg.norm(p) > 1 + 1e-9 for p in points)
    assert outside <= 0.4 * 256 + 2 * FACE_BISECTIONS
    assert max(np.linalg.norm(p) for p in points if np.linalg.norm(p) <= 1 + 1e-9) > 0.999


@pytest.mark.thinned(2)
@pytest.mark.parametrize("seed", [3, 11, 28, 31])
def test_slivers_that_random_points_miss(seed: int):
    """Networks whose steepest region fills less than 1 / 100,000 of the ball, met all the same."""
    rng = np.random.default_rng(1000 + seed)
    dimension, units = int(rng.integers(2, 9)), int(rng.integers(4, 17))
    network = ReluNetwork.random(dimension, units, seed)
    x = torch.zeros(1, dimension, dtype=torch.float64)
    score = clever(Classifier(network.module()), x, norm=2, bound="ball")[0]
    assert score.largest_seen == pytest.approx(largest_norm(network, 2, score.ball_radius), rel=1e-2)
