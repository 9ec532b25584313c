"""`boundary_walk`: one step to the exact minimum on linear classifiers, nearer or unchanged on any other."""

import pytest
import torch

from attack_cases import (
    INF,
    LinearCase,
    Method,
    assert_above_the_program,
    assert_near,
    classifier,
    far_witnesses,
    goal_of,
    linear_case,
    relu_network,
    small_inputs,
)
from clearance.attacks import Goal, Witnesses, boundary_walk, fast_minimum_norm, fgsm
from clearance.attacks.boundary_walk import WALK_HALVINGS
from clearance.errors import InputError
from clearance.model.classifier import Classifier
from closed_forms import ball_classifier, random_inputs

each_norm = pytest.mark.parametrize("norm", [1.0, 2.0, INF])


@pytest.mark.parametrize("norm", [1.0, 1.5, 2.0, 3.0])
def test_on_linear_classifiers_the_first_step_has_the_exact_direction(case: LinearCase, norm: float):
    """Its halvings leave `2^-4` of the segment; ten steps leave `0.02 / (2^4 - 1)`: each begins 0.02 below."""
    rough, exact = far_witnesses(case, norm), case.exact(norm)
    assert (rough.distance > 1.3 * exact).all()
    once, often = (boundary_walk(case.model, case.goal, rough, steps=steps) for steps in (1, 10))
    assert ((once.distance >= exact) & (once.distance <= exact + rough.distance / 2**WALK_HALVINGS)).all()
    assert_near(often.distance, exact, 0.02 / 15 * 1.01)
    if norm == 2:
        gap = case.network.weight[1 - case.goal.source] - case.network.weight[case.goal.source]
        assert torch.allclose(torch.cosine_similarity(once.adversarial - case.x, gap), torch.ones(8).double())


def walked(norm: float) -> Method:
    def run(model: Classifier, x: torch.Tensor, goal: Goal) -> Witnesses:
        rough = fast_minimum_norm(model, x, goal, norm=norm, steps=20)
        return boundary_walk(model, goal, rough, steps=10)

    return run


@each_norm
@pytest.mark.parametrize("seed", range(3))
def test_after_a_rough_attack_within_5_percent(norm: float, seed: int):
    case = linear_case(seed)
    assert_near(walked(norm)(case.model, case.x, case.goal).distance, case.exact(norm))


@each_norm
def test_with_bounds_above_the_program(norm: float):
    assert_above_the_program(norm, walked(norm))


def test_on_a_sphere_it_walks_around_to_the_nearest_point():
    x = 0.4 * random_inputs(5, 6, 5)
    model = classifier(ball_classifier)
    rough = Witnesses(x, 2.0)
    rough.offer(torch.eye(5, dtype=torch.float64)[:1].repeat(6, 1) * 1.01, torch.ones(6, dtype=torch.bool))
    walk = boundary_walk(model, goal_of(model, x), rough, steps=20)
    exact = 1 - x.norm(dim=1)
    assert (rough.distance > 1.2 * exact).all()
    assert_near(walk.distance, exact, 0.01)


def test_it_only_comes_nearer():
    model, x = Classifier(relu_network(2, 4), (0, 1)), small_inputs(2, 8)
    goal = goal_of(model, x)
    rough = fgsm(model, x, goal, norm=2, epsilon=2.0)
    before = rough.distance.clone()
    nearer = boundary_walk(model, goal, rough, steps=10)
    assert rough.success.any() and torch.equal(nearer.success, rough.success)
    assert (nearer.distance[rough.success] < rough.distance[rough.success]).all()
    assert torch.equal(rough.distance, before)


def test_without_a_witness_there_is_none(case: LinearCase):
    found = boundary_walk(case.model, case.goal, Witnesses(case.x, 2.0), steps=3)
    assert not found.success.any() and torch.equal(found.adversarial, case.x)


def test_misuse_is_one_clear_line(case: LinearCase):
    with pytest.raises(InputError, match="steps: expected at least 1, got 0"):
        boundary_walk(case.model, case.goal, Witnesses(case.x, 2.0), steps=0)
