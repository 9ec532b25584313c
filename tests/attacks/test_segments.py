"""`bisect_segments`: the crossing of a segment with a boundary that is known."""

import pytest
import torch

from attack_cases import LinearCase, assert_near, classifier, goal_of
from clearance.attacks import Witnesses, bisect_segments
from closed_forms import ball_classifier, random_inputs


def far_away(x: torch.Tensor, way: torch.Tensor) -> Witnesses:
    found = Witnesses(x, 2.0)
    found.offer(x + way, torch.ones(len(x), dtype=torch.bool))
    return found


@pytest.mark.parametrize("steps", [1, 5, 20])
def test_the_crossing_of_a_sphere(steps: int):
    """Along the ray from the origin through the input the crossing is at `1 - ||x||`, missed by at most `2^-steps`."""
    x = 0.4 * random_inputs(5, 6, 5)
    model = classifier(ball_classifier)
    length = x.norm(dim=1, keepdim=True)
    way = 2 * x / length
    found = bisect_segments(model, goal_of(model, x), far_away(x, way), steps=steps)
    crossing = 1 - length[:, 0]
    assert (found.distance >= crossing).all()
    assert (found.distance <= crossing + 2.0 ** (1 - steps) * (1 + 1e-9)).all()


def test_a_lower_end_spares_halvings(case: LinearCase):
    """With the shortest direction known and a lower end just below the crossing, four halvings leave a thousandth."""
    exact = case.exact(2.0)
    ahead = case.network.weight[1 - case.goal.source] - case.network.weight[case.goal.source]
    way = 4 * exact[:, None] * ahead / ahead.norm(dim=1, keepdim=True)
    low = torch.full_like(exact, 0.246)
    found = bisect_segments(case.model, case.goal, far_away(case.x, way), steps=10, low=low)
    assert_near(found.distance, exact, 4 * 0.754 / 2**10 * (1 + 1e-9))


@pytest.mark.parametrize(
    ("share", "left"), [(0.999, 2e-4), (0.99, 2e-4), (0.95, 2e-3), (0.7, 2e-2), (0.4, 2e-2), (0.02, 2e-2)]
)
def test_near_the_far_end_the_same_passes_leave_less(case: LinearCase, share: float, left: float):
    """Where the crossing lies at most at `1 - 1/64` of the segment, eight passes leave an eighth of a thousandth."""
    exact = case.exact(2.0)
    ahead = case.network.weight[1 - case.goal.source] - case.network.weight[case.goal.source]
    way = exact[:, None] / share * ahead / ahead.norm(dim=1, keepdim=True)
    found = bisect_segments(case.model, case.goal, far_away(case.x, way), steps=8, near=True)
    crossed = found.distance * share / exact  # in lengths of the segment
    assert ((crossed >= share * (1 - 1e-9)) & (crossed <= share + left)).all()


def test_the_given_witnesses_are_left_as_they_are(case: LinearCase):
    nothing = Witnesses(case.x, 2.0)
    assert not bisect_segments(case.model, case.goal, nothing, steps=3).success.any()
    rough = far_away(case.x, torch.ones_like(case.x))
    before = rough.adversarial.clone()
    bisect_segments(case.model, case.goal, rough, steps=3)
    assert torch.equal(rough.adversarial, before)


def test_a_segment_without_a_witness_keeps_its_far_end(case: LinearCase):
    """What the caller calls a witness stays one: nothing nearer reaches the goal, so nothing nearer is kept."""
    ahead = case.network.weight[1 - case.goal.source] - case.network.weight[case.goal.source]
    rough = far_away(case.x, -ahead)
    assert torch.equal(bisect_segments(case.model, case.goal, rough, steps=5).distance, rough.distance)
