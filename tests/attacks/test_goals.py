"""Goals and losses, by their definitions."""

import math

import pytest
import torch

from clearance.attacks import make_goal
from clearance.attacks.goals import dlr, margin, soft_margin
from clearance.errors import InputError

LOGITS = torch.randn(20, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
SOURCE = LOGITS.argmax(1)


def untargeted():
    return make_goal(SOURCE, [[k for k in range(5) if k != own] for own in SOURCE.tolist()], 5)


def to_next():
    return make_goal(SOURCE, [[(own + 1) % 5] for own in SOURCE.tolist()], 5)


def test_the_margin_is_the_best_unwanted_less_the_best_wanted():
    for goal in (untargeted(), to_next()):
        for row, logits in enumerate(LOGITS.tolist()):
            wanted = [value for value, is_in in zip(logits, goal.wanted[row].tolist(), strict=True) if is_in]
            others = [value for value, is_in in zip(logits, goal.unwanted[row].tolist(), strict=True) if is_in]
            assert float(margin(LOGITS, goal)[row]) == max(others) - max(wanted)


def test_the_soft_margin_is_the_logarithm_of_the_odds():
    for goal in (untargeted(), to_next()):
        probabilities = LOGITS.softmax(1)
        wanted = (probabilities * goal.wanted).sum(1)
        assert torch.allclose(soft_margin(LOGITS, goal), ((1 - wanted) / wanted).log())
        assert (soft_margin(LOGITS, goal) - margin(LOGITS, goal)).abs().max() <= math.log(4) + 1e-12


def test_dlr_by_its_equations():
    """Croce and Hein 2020, equations 6 (untargeted) and 7 (targeted), with the sign that an attack lowers."""
    ranked = LOGITS.sort(1, descending=True).values
    free = (ranked[:, 0] - ranked[:, 1]) / (ranked[:, 0] - ranked[:, 2])
    assert torch.allclose(dlr(LOGITS, untargeted()), free)
    target = LOGITS.gather(1, ((SOURCE + 1) % 5)[:, None])[:, 0]
    aimed = (ranked[:, 0] - target) / (ranked[:, 0] - (ranked[:, 2] + ranked[:, 3]) / 2)
    assert torch.allclose(dlr(LOGITS, to_next()), aimed)


@pytest.mark.parametrize("classes", [2, 3, 4, 6])
def test_dlr_is_defined_for_few_classes(classes: int):
    logits = torch.arange(classes, 0, -1, dtype=torch.float32)[None].clone()
    for targets in ([[1]], [list(range(1, classes))]):
        goal = make_goal(torch.tensor([0]), targets, classes)
        assert 0 < float(dlr(logits, goal)) <= float(margin(logits, goal))
    if classes > 3:
        goal = make_goal(torch.tensor([0]), [[1]], classes)
        assert dlr(7 * logits + 3, goal) == pytest.approx(dlr(logits, goal))


@pytest.mark.parametrize("classes", [2, 3, 4, 6])
def test_dlr_towards_the_last_class_has_a_gradient(classes: int):
    logits = torch.arange(classes, 0, -1, dtype=torch.float64)[None].requires_grad_()
    (gradient,) = torch.autograd.grad(dlr(logits, make_goal(torch.tensor([0]), [[classes - 1]], classes)), logits)
    assert float(gradient[0, -1]) < 0


def test_a_targeted_goal_asks_that_no_third_class_is_ahead():
    goal = make_goal(torch.tensor([0]), [[1]], 3)
    assert not goal.reached(torch.tensor([[0.0, 1.0, 2.0]]))
    assert goal.reached(torch.tensor([[0.0, 3.0, 2.0]]))
    assert not goal.reached(torch.tensor([[0.0, 2.0, 2.0]]))
    assert not goal.reached(torch.tensor([[0.0, math.nan, 2.0]]))


@pytest.mark.parametrize("scale", [1.0, 1e6])
def test_a_difference_of_rounding_is_no_witness(scale: float):
    goal, unit = make_goal(torch.tensor([0]), [[1]], 2), scale * torch.finfo(torch.float32).eps
    assert not goal.reached(torch.tensor([[scale, scale + 2 * unit]]))
    assert goal.reached(torch.tensor([[scale, scale + 32 * unit]]))


def test_an_aim_is_one_class_against_what_is_unwanted():
    goal = make_goal(torch.tensor([0]), [[1, 2]], 4)
    aim = goal.to_class(torch.tensor([2]))
    assert aim.wanted.tolist() == [[False, False, True, False]]
    assert aim.unwanted.tolist() == [[True, False, False, True]]
    assert goal.rows(slice(0, 1)).wanted.tolist() == goal.wanted.tolist()


@pytest.mark.parametrize("targets", [[[0]], [], [[]]])
def test_misuse_is_one_clear_line(targets):
    with pytest.raises(InputError, match="targets: expected"):
        make_goal(torch.tensor([0]), targets, 2)
