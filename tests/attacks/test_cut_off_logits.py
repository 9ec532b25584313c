"""Logits that are cut off at 0 have no gradient on the boundary: every iterative method crosses it all the same."""

import math

import pytest
import torch
from torch import nn

from clearance import Classifier, attack
from clearance.attacks.table import ATTACKS

WEIGHT, X = torch.tensor([[2.0, -1.0, 1.0, 0.0]]), torch.tensor([[0.75, 0.5, 0.5, 0.5]])
"""The margin is `2 x_1 - x_2 + x_3 - 1`, .5 at the input: the step to its zero ends on it without rounding."""
DISTANCE = {1.0: 0.25, 2.0: 0.5 / math.sqrt(6), math.inf: 0.125}


def cut_off() -> nn.Module:
    """Logits `max(g, 0)` and `max(-g, 0)`."""
    network = nn.Sequential(nn.Linear(4, 2), nn.ReLU())
    network[0].weight.data, network[0].bias.data = torch.cat([WEIGHT, -WEIGHT]), torch.tensor([-1.0, 1.0])
    return network


@pytest.mark.parametrize("norm", DISTANCE)
@pytest.mark.parametrize("method", [name for name, method in ATTACKS.items() if method.iterative])
def test_an_iterative_method_crosses_a_boundary_without_gradients(method: str, norm: float):
    if not ATTACKS[method].is_for(norm):
        pytest.skip(f"{method} has no form for {norm:g}")
    model = Classifier(cut_off(), bounds=(0, 1))
    assert not model.logits(X - 0.5 * WEIGHT / 6).any()
    (found,) = attack(model, X, norm=norm, method=method)
    assert DISTANCE[norm] <= found.distance <= 1.3 * DISTANCE[norm]
