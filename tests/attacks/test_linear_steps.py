"""A step to the linearised boundary: exact on linear networks, also where bounds are active."""

import pytest
import torch

from attack_cases import INF, linear_case, random_inputs, random_linear
from clearance.attacks.linear_steps import BEYOND, linear_steps
from clearance.attacks.task import make_task
from clearance.model.classifier import Classifier
from clearance.model.inputs import prepare
from closed_forms import exact_linear


@pytest.mark.parametrize("norm", [1.0, 2.0, 3.0, INF])
def test_exact_on_linear_networks(norm: float):
    case = linear_case(0, classes=4)
    task = make_task(prepare(case.model, case.x, None, target="untargeted", norm=norm, seed=0))
    found = linear_steps(case.model, case.x, task.goal, norm=norm, classes=task.near)
    assert torch.allclose(found.distance, (1 + BEYOND) * case.exact(norm))


@pytest.mark.parametrize("norm", [1.0, INF])
def test_exact_within_bounds(norm: float):
    network, x = random_linear(1), random_inputs(1, 6, 6)
    model = Classifier(network, (0, 1), dtype=torch.float64)
    task = make_task(prepare(model, x, None, target="untargeted", norm=norm, seed=0))
    found = linear_steps(model, x, task.goal, norm=norm, classes=task.near)
    for row, own in enumerate(network(x).argmax(1).tolist()):
        others = [k for k in range(network(x).shape[1]) if k != own]
        exact = exact_linear(network, x[row], norm, others, 0.0, 1.0)
        if found.success[row]:
            assert exact - 1e-7 <= found.distance[row] <= (1 + 2 * BEYOND) * exact
    assert found.success.any()
