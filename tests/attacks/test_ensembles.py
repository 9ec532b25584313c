"""Which runs a norm and a budget have: each budget begins with the one below it, and costs what it says."""

from dataclasses import replace

import pytest

from attack_cases import INF, relu_network, small_inputs
from clearance.attacks import attack
from clearance.attacks.best import best
from clearance.attacks.ensembles import ensemble, passes_of_run, runs_of
from clearance.attacks.table import ATTACKS
from clearance.attacks.task import AttackRun, make_task
from clearance.errors import InputError
from clearance.model.budgets import BUDGETS
from clearance.model.classifier import Classifier
from clearance.model.inputs import prepare

each_norm = pytest.mark.parametrize("norm", [1.0, 2.0, 3.0, INF])
each_distance = pytest.mark.parametrize("norm", [0.0, 1.0, 2.0, 3.0, INF])


@each_distance
def test_each_budget_begins_with_the_one_below(norm: float):
    quick, standard, thorough = (ensemble(norm, budget) for budget in BUDGETS)
    assert standard[: len(quick)] == quick and thorough[: len(standard)] == standard
    assert len(quick) < len(standard) < len(thorough)
    assert runs_of("best", norm, "standard") == standard


@each_distance
@pytest.mark.parametrize("budget", BUDGETS)
def test_every_run_is_of_a_method_for_the_norm(norm: float, budget: str):
    assert all(ATTACKS[run.method].is_for(norm) for run in ensemble(norm, budget))


@pytest.mark.thinned(2)
@pytest.mark.parametrize(("budget", "least", "most"), [("quick", 200, 330), ("standard", 1500, 2150)])
@pytest.mark.parametrize("norm", [0.0, 1.0, 2.0, INF])
def test_budgets_cost_what_they_say(norm: float, budget: str, least: int, most: int):
    model, x = Classifier(relu_network(0, 5), (0, 1)), small_inputs(0, 2)
    before = model.meter.read()
    cost = attack(model, x, norm=norm, budget=budget)[0].cost
    spent = model.meter.since(before)
    assert least <= cost.forward + cost.backward <= most and cost.backward >= 0.35 * least
    assert cost.forward < spent.forward and cost.backward < spent.backward


def twice(runs: tuple[AttackRun, ...]) -> tuple[AttackRun, ...]:
    """Twice the iterations: the same runs, then all of them again from other starts."""
    return runs + tuple(replace(run, restart=run.restart + 1) for run in runs)


@each_norm
@pytest.mark.slow
def test_twice_the_iterations_never_give_a_larger_distance(norm: float):
    nearer = 0
    for seed in range(3):
        model, x = Classifier(relu_network(seed, 4), (0, 1)), small_inputs(seed, 6)
        task = make_task(prepare(model, x, None, target="untargeted", norm=norm, seed=0))
        runs = (AttackRun("fast_minimum_norm", 15), AttackRun("apgd", 8, rounds=3), AttackRun("boundary_walk", 2))
        once, again = best(task, runs), best(task, twice(runs))
        assert sum(run.steps * run.rounds for run in twice(runs)) == 2 * sum(run.steps * run.rounds for run in runs)
        assert (again.witnesses.distance <= once.witnesses.distance).all()
        nearer += int((again.witnesses.distance < once.witnesses.distance).sum())
        budgets = [attack(model, x, norm=norm, budget=budget) for budget in ("quick", "standard")]
        assert all(more.distance <= less.distance for less, more in zip(*budgets, strict=True))
    assert nearer  # with the walks at their end some runs are at the minimum at once


@pytest.mark.slow
def test_a_larger_budget_never_needs_more_coordinates():
    for seed in range(3):
        model, x = Classifier(relu_network(seed, 4), (0, 1)), small_inputs(seed, 6)
        budgets = [attack(model, x, norm=0, budget=budget) for budget in ("quick", "standard")]
        assert all(more.distance <= less.distance for less, more in zip(*budgets, strict=True))


@each_distance
def test_a_number_of_passes_takes_whole_groups_from_the_first_on(norm: float):
    everything, before = ensemble(norm, "thorough"), ()
    for passes in (200, 280, 400, 1000, 2000, 3000, 9999, 10000, 20000):
        runs = ensemble(norm, passes)
        assert runs == everything[: len(runs)] and len(runs) >= len(before)
        reached = [name for name, level in BUDGETS.items() if level.passes <= passes][-1:]
        whole, spent = sum(len(ensemble(norm, name)) for name in reached), sum(BUDGETS[name].passes for name in reached)
        assert sum(map(passes_of_run, runs[whole:])) <= passes - spent
        before = runs
    assert before == everything


@each_distance
@pytest.mark.parametrize("budget", BUDGETS)
def test_the_number_of_a_named_budget_is_that_budget(norm: float, budget: str):
    assert ensemble(norm, BUDGETS[budget].passes) == ensemble(norm, budget)


@pytest.mark.parametrize("budget", [0, -5, True, 2.5, None])
def test_a_number_of_passes_is_a_positive_integer(budget: object):
    with pytest.raises(InputError, match="budget: expected one of quick, standard, thorough or a number of passes"):
        ensemble(2.0, budget)  # pyright: ignore[reportArgumentType]


def test_too_few_passes_are_refused():
    with pytest.raises(InputError, match="budget: expected at least 20 passes for l2, got 3"):
        ensemble(2.0, 3)


def test_misuse_is_one_clear_line():
    with pytest.raises(
        InputError, match="budget: expected one of quick, standard, thorough or a number of passes, got 'lavish'"
    ):
        ensemble(2.0, "lavish")
    with pytest.raises(
        InputError, match="budget: expected one of quick, standard, thorough or a number of passes, got 'lavish'"
    ):
        runs_of("ddn", 2.0, "lavish")
