"""How blocks are run: fresh points for each, the same bits whatever runs beside it, every target."""

import math

import pytest
import torch

from clearance.estimates.evidence import Evidence
from clearance.estimates.samplers.block_maxima import LOCKSTEP, run_searches, run_uniform
from clearance.estimates.samplers.uniform import uniform_gradients
from clearance.model.classifier import Classifier
from closed_forms import random_linear
from score_cases import margin_problem, normal, quadratic


@pytest.mark.parametrize("norm", [1.0, 2.0, math.inf])
def test_uniform_blocks_are_fresh_points_of_the_ball(norm: float):
    problem, seen = margin_problem(Classifier(random_linear(0), dtype=torch.float64), normal(6), norm), []

    def measure(points: torch.Tensor, _: torch.Generator, evidence: list[Evidence]) -> torch.Tensor:
        seen.append(points)
        return problem.distance(points).amax()[None]

    maxima, _ = run_uniform(problem, 0.5, range(3), 50, "test", measure)
    points = torch.cat(seen)
    assert maxima.shape == (1, 3) and len(points) == 150 and len(points.unique(dim=0)) == 150
    assert float(maxima.min()) > 0.3 and float(maxima.max()) <= 0.5 * (1 + 1e-9)


def test_a_block_is_the_same_in_any_ball_scaled():
    """The gradient of a quadratic is `w - A x`: the maxima over points `r u` of the same directions `u`."""
    network = quadratic(4, 0)
    problem = margin_problem(Classifier(network, dtype=torch.float64), torch.zeros(4, dtype=torch.float64))
    points: dict[float, list[torch.Tensor]] = {1.0: [], 2.0: []}
    for radius, seen in points.items():
        run_uniform(problem, radius, [5], 20, "test", lambda x, g, e, seen=seen: seen.append(x) or x.new_zeros(1))
    assert torch.equal(2 * points[1.0][0], points[2.0][0])
    maxima, evidence = uniform_gradients(problem, 1.0, [5], 20, "test")
    exact = (network.weight - points[1.0][0] @ network.matrix).norm(dim=1).max()
    assert float(maxima) == pytest.approx(float(exact), rel=1e-12) and evidence[0].derivative.value == float(maxima)


def test_searches_go_side_by_side_in_groups_of_a_fixed_size():
    problem = margin_problem(Classifier(random_linear(0), dtype=torch.float64), normal(6))
    groups: list[list[int]] = []

    def search(single, group):
        groups.append(list(group))
        found = Evidence(samples=len(group))
        return torch.tensor([float(block) for block in group]), found

    maxima, (evidence,) = run_searches(problem, range(3, 3 + LOCKSTEP + 5), search)
    assert [len(group) for group in groups] == [LOCKSTEP, 5]
    assert maxima.tolist() == [[float(block) for block in range(3, 3 + LOCKSTEP + 5)]]
    assert evidence.samples == LOCKSTEP + 5
