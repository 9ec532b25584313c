"""Which networks are twice differentiable."""

import pytest
import torch
from torch import Tensor, nn

from clearance.estimates.smoothness import is_twice_differentiable
from clearance.model.classifier import Classifier
from score_cases import deep_mlp, margin_problem, normal

SMOOTH = [nn.Tanh(), nn.Softplus(), nn.Softplus(beta=100), nn.Softplus(beta=1000), nn.GELU(), nn.ELU(), nn.SiLU()]
KINKED = [nn.ReLU(), nn.LeakyReLU(0.1), nn.Hardtanh(), nn.SELU()]


def kinked_maximum(x: Tensor) -> Tensor:
    pooled = nn.functional.max_pool1d(x.tanh()[:, None], 2)[:, 0]
    return pooled @ normal(4, 3, seed=1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("activation", SMOOTH, ids=str)
@pytest.mark.thinned(4)
def test_smooth_networks_are_twice_differentiable(activation: nn.Module, dtype: torch.dtype):
    for seed in range(3):
        model = Classifier(deep_mlp(activation, seed=seed), dtype=dtype)
        for x in normal(3, 8, seed=seed).to(dtype):
            with model.frozen():
                assert all(
                    is_twice_differentiable(margin_problem(model, x, order=2), radius) for radius in (None, 1e-3, 5.0)
                )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("activation", KINKED, ids=str)
@pytest.mark.thinned(3)
def test_kinked_networks_are_not(activation: nn.Module, dtype: torch.dtype):
    for seed in range(3):
        model = Classifier(deep_mlp(activation, seed=seed), dtype=dtype)
        for x in normal(3, 8, seed=seed).to(dtype):
            with model.frozen():
                assert not any(
                    is_twice_differentiable(margin_problem(model, x, order=2), radius) for radius in (None, 1e-3, 5.0)
                )
