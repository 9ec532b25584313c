"""The penalty and the search over its weight, by their formulas."""

import pytest
import torch

from attack_cases import LinearCase
from clearance.attacks.constants import ConstantSearch, make_penalty
from clearance.errors import InputError


def test_the_penalty_of_a_linear_margin(case: LinearCase):
    """Its gradient is `||d|| / (g(x) + k)` times the difference of weights until the goal is reached, then 0."""
    penalty = make_penalty(case.model, case.x, case.goal, norm=2.0, confidence=0.5)
    gap = case.network.weight[case.goal.source] - case.network.weight[1 - case.goal.source]
    values = (case.x * gap).sum(1) + (case.network.bias[case.goal.source] - case.network.bias[1 - case.goal.source])
    assert torch.allclose(penalty.scale, values + 0.5)
    assert torch.allclose(penalty.distance, case.exact(2.0))
    push, reached = penalty.at(case.x)
    assert torch.allclose(push, gap * (penalty.distance / penalty.scale)[:, None]) and not reached.any()
    beyond = case.x - gap * ((values + 0.51) / gap.square().sum(1))[:, None]
    push, reached = penalty.at(beyond)
    assert reached.all() and not push.any()
    short = case.x - gap * ((values + 0.49) / gap.square().sum(1))[:, None]
    assert case.goal.reached(case.model.logits(short)).all() and not penalty.at(short)[1].any()


def test_the_search_closes_in_on_the_smallest_weight_that_works():
    needed = torch.tensor([0.3, 1.0, 40.0, 12_345.0], dtype=torch.float64)
    search, best = ConstantSearch(torch.ones(4, dtype=torch.float64)), torch.full((4,), torch.inf, dtype=torch.float64)
    for _ in range(40):
        worked = search.constant >= needed
        best = torch.where(worked, torch.minimum(best, search.constant), best)
        search.learn(worked)
    assert torch.allclose(best, needed, rtol=1e-6)


def test_it_grows_tenfold_until_it_works():
    search = ConstantSearch(torch.ones(1))
    seen = []
    for worked in (False, False, True, False):
        search.learn(torch.tensor([worked]))
        seen.append(float(search.constant))
    assert seen == [10.0, 100.0, 55.0, 77.5]


@pytest.mark.parametrize("confidence", [-1.0, float("inf"), float("nan")])
def test_misuse_is_one_clear_line(case: LinearCase, confidence: float):
    with pytest.raises(InputError, match="confidence: expected a finite number >= 0"):
        make_penalty(case.model, case.x, case.goal, norm=2.0, confidence=confidence)
