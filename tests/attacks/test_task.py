"""What a method is given: the goal, the near classes, aims and starts."""

import torch

from attack_cases import LinearCase, linear_case
from clearance.attacks.task import AttackRun, AttackTask, make_task
from clearance.model.inputs import prepare


def task_of(case: LinearCase, norm: float = 2.0, seed: int = 0) -> AttackTask:
    return make_task(prepare(case.model, case.x, None, target="untargeted", norm=norm, seed=seed, l0=norm == 0))


def test_a_task_knows_how_near_the_boundary_is(case: LinearCase):
    task = task_of(case)
    assert torch.allclose(task.scale, case.exact(2.0)) and torch.equal(task.goal.wanted, case.goal.wanted)
    assert torch.equal(task.near, (1 - case.goal.source)[:, None])


def test_for_l0_the_linearised_model_is_looked_at_in_l1():
    case = linear_case(0, classes=4)
    count, convex = task_of(case, 0.0), task_of(case, 1.0)
    assert count.norm == 0 and torch.equal(count.scale, convex.scale) and torch.equal(count.near, convex.near)


def test_a_rank_aims_at_one_class():
    case = linear_case(0, classes=4)
    task = task_of(case)
    assert AttackRun("ddn", 10).aim(task) is task.goal
    for rank in range(3):
        wanted = AttackRun("ddn", 10, rank=rank).aim(task).wanted
        assert (wanted.sum(1) == 1).all() and torch.equal(wanted.long().argmax(1), task.near[:, rank])
    last = AttackRun("ddn", 10, rank=8).aim(task)
    assert torch.equal(last.wanted.long().argmax(1), task.near[:, -1])
