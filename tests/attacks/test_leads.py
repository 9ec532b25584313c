"""Runs side by side: what shares a batch, where each row starts, and that a row is what it is alone."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from attack_cases import INF, LinearCase, linear_case, relu_network, small_inputs
from clearance.attacks.best import best
from clearance.attacks.ensembles import carry_out
from clearance.attacks.known import KnownWitnesses
from clearance.attacks.leads import groups, side_by_side
from clearance.attacks.task import AttackRun, AttackTask, make_task
from clearance.geometry.norms import vector_norm
from clearance.model.classifier import Classifier
from clearance.model.inputs import prepare


def task_of(case: LinearCase, norm: float = 2.0, seed: int = 0) -> AttackTask:
    return make_task(prepare(case.model, case.x, None, target="untargeted", norm=norm, seed=seed))


def start_of(task: AttackTask, run: AttackRun) -> Tensor:
    rows = side_by_side(task, (run,))
    return rows.x if rows.start is None else rows.start


def sizes(*runs: AttackRun) -> list[int]:
    return [len(group) for group in groups(runs)]


def test_runs_with_the_same_iterations_share_a_batch():
    run = AttackRun("ddn", 9)
    assert sizes(run, replace(run, rank=0), replace(run, restart=1, deep=True)) == [3]
    assert sizes(run, replace(run, steps=8), AttackRun("fast_minimum_norm", 8)) == [1, 1, 1]
    assert sizes(run, AttackRun("pdpgd", 9), run) == [1, 1, 1]  # only neighbours: the order of runs stays


def test_what_reads_its_run_is_not_mixed():
    apgd, blind = AttackRun("apgd", 5, rounds=3), AttackRun("square", 5, rounds=3)
    assert sizes(apgd, replace(apgd, rank=0), replace(apgd, rank=1), replace(apgd, restart=1)) == [1, 2, 1]
    assert sizes(blind, blind) == [1, 1]
    walk = AttackRun("boundary_walk", 4)
    assert sizes(walk, replace(walk, rank=1)) == [2]


def test_rows_are_the_inputs_once_for_each_run():
    case = linear_case(0, classes=4)
    task, count = task_of(case), len(case.x)
    rows = side_by_side(task, (AttackRun("ddn", 5), AttackRun("ddn", 5, rank=1), AttackRun("ddn", 5, restart=1)))
    assert torch.equal(rows.x, torch.cat([task.x] * 3)) and torch.equal(rows.goal.source, task.goal.source.repeat(3))
    assert rows.keys[:count] == task.keys and len(set(rows.keys[-count:]) - set(task.keys)) == count
    assert torch.equal(rows.aim.wanted[:count], task.goal.wanted)
    assert torch.equal(rows.aim.wanted[count : 2 * count].long().argmax(1), task.near[:, 1])
    assert rows.start is not None and torch.equal(rows.start[: 2 * count], torch.cat([task.x] * 2))


def test_a_restart_starts_in_a_ball_of_the_linear_distance(case: LinearCase):
    task = task_of(case)
    assert side_by_side(task, (AttackRun("ddn", 10),)).start is None
    starts = [start_of(task, AttackRun("ddn", 10, restart=restart)) for restart in (1, 1, 2)]
    assert torch.equal(starts[0], starts[1]) and not torch.equal(starts[0], starts[2])
    assert (vector_norm(starts[0] - task.x, 2.0) <= task.scale * (1 + 1e-12)).all()
    other = start_of(task_of(case, seed=1), AttackRun("ddn", 10, restart=1))
    assert not torch.equal(starts[0], other)


def test_starts_in_one_batch_are_those_of_each_run_alone():
    task = task_of(linear_case(0))
    runs = [AttackRun("ddn", 9, restart=k % 3, deep=k > 1, inward=3 * (k > 3)) for k in range(6)]
    together = side_by_side(task, runs).start
    assert together is not None
    assert torch.allclose(together, torch.cat([start_of(task, run) for run in runs]), rtol=1e-9)


def test_a_deep_start_is_brought_back_to_a_witness():
    case = linear_case(0)
    task = task_of(case)
    far = start_of(task, AttackRun("ddn", 10, deep=True))
    back = start_of(task, AttackRun("ddn", 10, deep=True, inward=20))
    assert task.goal.reached(case.model.logits(back)).all()
    assert (vector_norm(back - task.x, 2.0) < vector_norm(far - task.x, 2.0)).all()


@pytest.mark.parametrize(("method", "norm"), [("ddn", 2.0), ("fast_minimum_norm", INF), ("pdpgd", 1.0)])
def test_a_row_finds_what_its_run_finds_alone(method: str, norm: float):
    """In double precision a batch of two rows rounds like one of one, up to some units."""
    model, x = Classifier(relu_network(1, 4), (0, 1), dtype=torch.float64), small_inputs(1, 2)
    task = make_task(prepare(model, x, None, target="untargeted", norm=norm, seed=0))
    runs = (AttackRun(method, 12), AttackRun(method, 12, deep=True))
    known = KnownWitnesses(task.x, norm)
    _, together = carry_out(task, runs, known, torch.arange(len(task.x)))
    alone = torch.cat([carry_out(task, (run,), known, torch.arange(len(task.x)))[1].distance for run in runs])
    assert torch.allclose(together.distance, alone, rtol=1e-6)


def test_walks_start_from_the_witnesses_of_several_runs():
    """In double precision three walks in one batch round like one alone, up to some units."""
    model, x = Classifier(relu_network(2, 4), (0, 1), dtype=torch.float64), small_inputs(2, 3)
    task = make_task(prepare(model, x, None, target="untargeted", norm=2, seed=0))
    runs = (AttackRun("ddn", 4), AttackRun("fast_minimum_norm", 4), AttackRun("ddn", 5, deep=True))
    walks = tuple(AttackRun("boundary_walk", 6, rank=rank) for rank in range(3))
    one, three = best(task, runs + walks[:1]), best(task, runs + walks)
    assert (three.witnesses.distance <= one.witnesses.distance * (1 + 1e-12)).all()
    assert (one.witnesses.distance < best(task, runs).witnesses.distance).any()
