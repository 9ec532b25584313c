"""Samples of curvature: their ball, their budget, their bits, what they find."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from clearance.estimates.clever import clever
from clearance.estimates.samplers.curvature_search import directed_curvatures
from clearance.estimates.samplers.uniform import uniform_curvatures
from clearance.geometry.norms import vector_norm
from clearance.model.classifier import Classifier
from score_cases import deep_mlp, margin_problem, normal, quadratic


def test_the_curvature_found_is_below_the_true_maximum_and_near_it():
    """Two inputs only: the maximum over the ball is known from a grid."""
    network = deep_mlp(nn.Tanh(), size=2, seed=3)
    x = torch.tensor([[0.3, -0.2]], dtype=torch.float64)
    model, radius = Classifier(network, dtype=torch.float64), 1.0
    score = clever(model, x, target="runner-up", order=2, radius=radius, blocks=12)[0]

    def margin(point: Tensor) -> Tensor:
        logits = network(point[None])[0]
        return logits[score.predicted] - logits[score.target]

    line = torch.linspace(-radius, radius, 121, dtype=torch.float64)
    grid = torch.cartesian_prod(line, line)
    grid = x + grid[grid.norm(dim=1) <= radius]
    exact = float(torch.linalg.eigvalsh(torch.func.vmap(torch.func.hessian(margin))(grid)).abs().max())
    assert 0.99 * exact <= score.largest_curvature <= exact * 1.01


@pytest.mark.parametrize("sampler", [uniform_curvatures, directed_curvatures])
@pytest.mark.parametrize("order", [1.0, 2.0, math.inf])
def test_samples_stay_in_the_ball_and_keep_to_their_budget(sampler: Any, order: float):
    seen: list[Tensor] = []
    network = deep_mlp(nn.Tanh())

    def watched(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return network(x)

    model, x = Classifier(watched, dtype=torch.float64, micro_batch=512), normal(1, 8)
    where = margin_problem(model, x[0], order, order=2)
    for size in (16, 37, 96):
        seen.clear()
        start = model.meter.read()
        maxima, evidence = sampler(where, 0.3, range(5), size, "test")
        points = torch.cat(seen)
        assert maxima.shape == (1, 5) and evidence[0].derivative.value == pytest.approx(float(maxima.max()))
        assert float(vector_norm(points - x, order).max()) <= 0.3 * (1 + 1e-9)
        if sampler is directed_curvatures:
            cost = model.meter.since(start)
            assert cost.backward + cost.hessian_vector <= 5 * size * 1.2  # rebuilt graphs are the rest
            assert cost.backward + cost.hessian_vector >= 5 * size * 0.6


def test_the_same_input_gives_the_same_bits_whatever_is_beside_it_or_follows():
    model, x = Classifier(deep_mlp(nn.Tanh()), dtype=torch.float64), normal(3, 8)
    for sampler in ("directed", "uniform"):
        chosen = {"target": "runner-up", "sampler": sampler, "radius": 0.4, "order": 2, "block_size": 16}
        together = clever(model, x, blocks=26, **chosen)
        alone = clever(model, x[1:2], blocks=26, **chosen)[0]
        assert alone.maxima == together[1].maxima and alone.radius == together[1].radius
        assert clever(model, x[1:2], blocks=24, **chosen)[0].maxima == together[1].maxima[:24]
        assert clever(model, x[1:2], blocks=24, seed=1, **chosen)[0].maxima != together[1].maxima[:24]


@pytest.mark.parametrize("sampler", [uniform_curvatures, directed_curvatures])
@pytest.mark.parametrize("size", [2, 7])
def test_the_curvature_of_a_quadratic_is_the_largest_eigenvalue_everywhere(sampler: Any, size: int):
    network = quadratic(size, 1)
    where = margin_problem(Classifier(network, dtype=torch.float64), torch.zeros(size, dtype=torch.float64), order=2)
    maxima, (evidence,) = sampler(where, 0.5, range(3), 48, "test")
    exact = float(torch.linalg.eigvalsh(network.matrix).abs().max())
    assert maxima.flatten().tolist() == pytest.approx([exact] * 3, rel=3e-3)  # `SAMPLE_TOLERANCE`
    assert evidence.derivative.value <= exact * (1 + 1e-9)
