"""`refine`: from a far witness down its valley, never farther, and no pass where there is no witness."""

import pytest
import torch

from attack_cases import (
    INF,
    LinearCase,
    Method,
    assert_above_the_program,
    assert_near,
    far_witnesses,
    goal_of,
    linear_case,
    relu_network,
    small_inputs,
)
from clearance.attacks import Goal, Witnesses, attack, boundary_walk, fgsm, refine
from clearance.attacks.best import best
from clearance.attacks.ensembles import passes_of_run
from clearance.attacks.known import brought_nearer
from clearance.attacks.task import AttackRun, make_task
from clearance.errors import InputError
from clearance.model.classifier import Classifier
from clearance.model.inputs import prepare
from closed_forms import random_inputs

each_norm = pytest.mark.parametrize("norm", [1.0, 2.0, INF])


def from_fgsm(norm: float) -> Method:
    def run(model: Classifier, x: torch.Tensor, goal: Goal) -> Witnesses:
        rough = fgsm(model, x, goal, norm=norm, epsilon=3.0)
        return refine(model, goal, rough, steps=200)

    return run


@each_norm
@pytest.mark.parametrize("seed", range(3))
def test_from_a_far_witness_within_5_percent(norm: float, seed: int):
    case = linear_case(seed)
    assert_near(refine(case.model, case.goal, far_witnesses(case, norm), steps=200).distance, case.exact(norm))


@each_norm
def test_with_bounds_above_the_program(norm: float):
    assert_above_the_program(norm, from_fgsm(norm))


@each_norm
def test_it_only_comes_nearer(norm: float):
    model, x = Classifier(relu_network(2, 4), (0, 1)), small_inputs(2, 8)
    goal = goal_of(model, x)
    rough = fgsm(model, x, goal, norm=norm, epsilon=2.0)
    before = rough.distance.clone()
    for steps in (1, 2, 20):
        nearer = refine(model, goal, rough, steps=steps)
        assert rough.success.any() and torch.equal(nearer.success, rough.success)
        assert (nearer.distance[rough.success] <= rough.distance[rough.success]).all()
    assert torch.equal(rough.distance, before)


@pytest.mark.parametrize("way", [refine, boundary_walk])
def test_an_input_without_a_witness_costs_no_pass(case: LinearCase, way: Method):
    some = far_witnesses(case, 2.0)
    some.distance[1:] = torch.inf
    some.adversarial[1:] = case.x[1:]
    spent = []
    for known in (Witnesses(case.x, 2.0), some):
        model = case.model
        found = way(model, case.goal, known, steps=3)
        assert torch.equal(found.success, known.success)
        spent.append(model.meter.read())
    assert (spent[0].forward, spent[0].backward) == (0, 0) and spent[1].backward == 3


def test_a_way_that_leads_farther_changes_nothing(case: LinearCase):
    known = far_witnesses(case, 2.0)

    def astray(own: Witnesses, _: Goal) -> Witnesses:
        found = Witnesses(own.x, own.norm)
        found.offer(own.x + 2 * (own.adversarial - own.x), own.success)
        return found

    assert torch.equal(brought_nearer(known, case.goal, astray).adversarial, known.adversarial)


def test_misuse_is_one_clear_line(case: LinearCase):
    with pytest.raises(InputError, match="steps: expected at least 1, got 0"):
        refine(case.model, case.goal, far_witnesses(case, 2.0), steps=0)
    with pytest.raises(InputError, match="steps: expected at least 1, got 0"):
        refine(case.model, case.goal, Witnesses(case.x, 2.0), steps=0)


@each_norm
def test_a_run_that_ends_with_a_walk_is_at_most_as_far(norm: float):
    model, x = Classifier(relu_network(1, 4), (0, 1)), small_inputs(1, 8)
    task = make_task(prepare(model, x, None, target="untargeted", norm=norm, seed=0))
    short, walked = (best(task, (AttackRun("fast_minimum_norm", 3, walk=walk),)).witnesses for walk in (0, 4))
    assert (walked.distance <= short.distance * (1 + 1e-5)).all()
    assert (walked.distance < 0.99 * short.distance).any()


def test_a_walk_is_in_the_price_of_its_run():
    plain, walked = (passes_of_run(AttackRun("refine", 10, walk=walk)) for walk in (0, 3))
    assert walked - plain == 3 * 7


def test_alone_it_begins_at_the_witness_of_fgsm():
    model, x = Classifier(relu_network(3, 3), (0, 1)), random_inputs(3, 4, 6).float().reshape(4, 2, 3)
    one, other = (attack(model, x, norm=2, method=method, budget="quick") for method in ("refine", "fgsm"))
    assert all(a.distance <= b.distance for a, b in zip(one, other, strict=True))
