"""A start far beyond the boundary: sign steps that cross the bounds, on every scale of inputs."""

import pytest
import torch
from torch import Tensor

from attack_cases import linear_case, relu_network, small_inputs
from clearance.attacks.deep_start import DEEP_REACH, DEEP_SHARE, DEEP_STEPS, deep_start
from clearance.attacks.goals import make_goal
from clearance.attacks.linear_model import linear_distance
from clearance.errors import InputError
from clearance.geometry.norms import vector_norm
from clearance.model.classifier import Classifier


def test_on_a_linear_network_it_ends_in_a_corner_of_the_bounds():
    case = linear_case(0)
    model = Classifier(case.model.network, (-3.0, 3.0), dtype=case.x.dtype)
    far = deep_start(model, case.x, case.goal)
    assert ((far == -3) | (far == 3)).all() and DEEP_STEPS * DEEP_SHARE >= 1
    assert case.goal.reached(model.logits(far)).all()


def test_without_bounds_it_goes_as_many_linear_distances():
    case = linear_case(0)
    far = deep_start(case.model, case.x, case.goal, steps=3)
    expected = 3 * DEEP_REACH * linear_distance(case.model, case.x, case.goal, torch.inf)
    assert torch.allclose(vector_norm(far - case.x, torch.inf), expected)


@pytest.mark.parametrize("unit", [1e-3, 255.0])
def test_the_unit_of_the_inputs_does_not_matter(unit: float):
    base, x = relu_network(0, 4), small_inputs(0)
    goal = make_goal(base(x).argmax(1), [[k for k in range(4) if k != own] for own in base(x).argmax(1).tolist()], 4)

    def scaled(points: Tensor) -> Tensor:
        return base(points / unit)

    plain = deep_start(Classifier(base, (0, 1)), x, goal)
    assert torch.allclose(deep_start(Classifier(scaled, (0, unit)), x * unit, goal) / unit, plain, atol=1e-5)


def test_at_least_one_step():
    case = linear_case(0)
    with pytest.raises(InputError, match="steps"):
        deep_start(case.model, case.x, case.goal, steps=0)
