"""Searches for large gradient norms: their ball, their budget, what they find."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from clearance.estimates.clever import clever
from clearance.estimates.samplers.gradient_search import FEW_DIMENSIONS, directed_gradients, search_blocks
from clearance.estimates.samplers.region_search import PRESAMPLING_WIDTH
from clearance.geometry.norms import dual_norm, vector_norm
from clearance.model.classifier import Classifier
from clearance.model.margins import resolve_targets
from closed_forms import random_linear
from regions import ReluNetwork, largest_norm
from score_cases import margin_problem, normal, pose, quadratic, small_mlp


@pytest.mark.parametrize("size", [6, 20])
@pytest.mark.parametrize("order", [1.0, 2.0, 3.0, math.inf])
def test_searches_stay_in_the_ball_and_spend_their_budget(order: float, size: int):
    """Up to 16 inputs, some blocks pre-sample in a wider ball; what they meet out there does not count."""
    seen: list[Tensor] = []
    network = small_mlp(6, size)
    widest = PRESAMPLING_WIDTH if size <= FEW_DIMENSIONS else 1.0

    def watched(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return network(x)

    model, x = Classifier(watched, dtype=torch.float64), normal(1, size)
    logits = model.logits(x)
    (target,) = resolve_targets(logits, "runner-up")[0]
    best = int(logits.argmax())
    margin = (logits[0, best] - logits[0, target]).reshape(1)
    problem = pose(model, x[0], best, target, margin, margin.abs(), order)
    for budget in (1, 2, 3, 7, 64):
        seen.clear()
        maxima, evidence = search_blocks(problem, radius=0.3, blocks=range(5), block_size=budget, purpose="test")
        points = torch.cat(seen)
        assert len(points) == 5 * budget == evidence.samples
        assert float(vector_norm(points - x, order).max()) <= 0.3 * widest * (1 + 1e-9)
        assert evidence.derivative.value == float(maxima.max()) and bool(maxima.isfinite().all())
        assert evidence.derivative.distance <= 0.3 * (1 + 1e-6)


@pytest.mark.slow
def test_searches_find_more_than_uniform_points_in_few_dimensions():
    found: dict[str, list[float]] = {"directed": [], "uniform": []}
    for seed in range(12):
        network, x = ReluNetwork.random(2 + seed % 7, 4 + seed, seed), torch.zeros(1, 2 + seed % 7, dtype=torch.float64)
        exact = largest_norm(network, 2, 0.5)
        for sampler, blocks in (("directed", 24), ("uniform", 6)):  # 6,144 gradients each
            model = Classifier(network.module())
            score = clever(model, x, norm=2, bound="ball", radius=0.5, sampler=sampler, blocks=blocks)[0]
            assert score.largest_seen <= exact * (1 + 1e-9)
            found[sampler].append(score.largest_seen / exact)
    assert np.mean(found["directed"]) > np.mean(found["uniform"])
    assert np.median(found["directed"]) >= 0.99


@pytest.mark.parametrize("size", [5, 20])
@pytest.mark.parametrize("norm", [1.0, 2.0, math.inf])
def test_every_block_meets_the_one_gradient_of_a_linear_margin(size: int, norm: float):
    network = random_linear(0, size=size)
    problem = margin_problem(Classifier(network, dtype=torch.float64), normal(size), norm)
    maxima, (evidence,) = directed_gradients(problem, 0.3, range(6), 40, "test")
    weight = network.weight[problem.predicted] - network.weight[int(problem.targets[0])]
    exact = float(vector_norm(weight[None], dual_norm(norm)))
    assert maxima.flatten().tolist() == pytest.approx([exact] * 6, rel=1e-12)
    assert evidence.samples == 240


def test_a_search_that_refutes_a_radius_brings_the_point_inwards():
    """`||grad|| = ||w - A x||` grows outwards: told which radius to refute, blocks move to where it just is."""
    network = quadratic(20, 0)
    problem = margin_problem(Classifier(network, dtype=torch.float64), torch.zeros(20, dtype=torch.float64))
    radius = 0.5 * float(problem.margins[0]) / float(network.weight.norm())
    plain, aimed = (
        directed_gradients(problem, 2 * radius, range(8), 64, "test", refute)[1][0] for refute in (None, radius)
    )
    assert aimed.refuted_above <= plain.refuted_above
