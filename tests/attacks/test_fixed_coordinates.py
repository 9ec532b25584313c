"""A coordinate that nothing moves has no part in an attack, however steep the network is along it."""

import math

import pytest
import torch

import clearance as cl
from clearance.attacks.table import ATTACKS

NORMS = (1.0, 2.0, math.inf)


def distance(steep: float, method: str, norm: float) -> float:
    """Of the nearest witness of `x1 + x2 + x3 + s x4 > 0`, whose last coordinate is fixed at 0."""
    line = torch.nn.Linear(4, 2, bias=False)
    with torch.no_grad():
        line.weight.copy_(torch.tensor([[1.0, 1.0, 1.0, steep], [0.0, 0.0, 0.0, 0.0]]))
    model = cl.Classifier(line, bounds=(-10, 10), fixed=torch.tensor([False, False, False, True]))
    (found,) = cl.attack(model, torch.tensor([[1.0, 0.5, 0.5, 0.0]]), [0], norm=norm, method=method, budget=300)
    return found.distance


@pytest.mark.parametrize(
    ("method", "norm"), [(name, norm) for name, method in ATTACKS.items() for norm in NORMS if method.is_for(norm)]
)
def test_a_steep_fixed_coordinate_changes_nothing(method: str, norm: float):
    expected = distance(1.0, method, norm)
    assert [distance(steep, method, norm) for steep in (0.0, 1e3)] == [expected] * 2
    if method in ("fast_minimum_norm", "ddn", "pdpgd"):
        assert expected == pytest.approx(2 / 3 ** (1 - 1 / norm), rel=0.05)
