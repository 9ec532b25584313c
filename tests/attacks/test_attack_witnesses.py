"""What every returned witness promises, on random networks, norms, bounds and targets; and how attacks fail."""

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from clearance.attacks import (
    Goal,
    Witnesses,
    apgd,
    attack,
    bisect_radius,
    boundary_walk,
    carlini_wagner,
    ddn,
    elastic_net,
    fast_minimum_norm,
    fgsm,
    ifgsm,
    make_goal,
    pdpgd,
    pgd,
    square,
)
from clearance.attacks.best import best
from clearance.attacks.ensembles import ensemble
from clearance.attacks.goals import dlr, margin
from clearance.attacks.task import AttackRun, make_task
from clearance.errors import InputError, ShapeError, TargetError
from clearance.geometry.norms import vector_norm
from clearance.model.classifier import Classifier
from clearance.model.inputs import prepare
from clearance.model.margins import resolve_targets
from clearance.zoo.networks import digits_cnn
from closed_forms import random_inputs, random_linear, random_relu

INF = math.inf
Method = Callable[[Classifier, Tensor, Goal], Witnesses]
METHODS: dict[str, tuple[float, Method]] = {
    "fgsm-1": (1.0, lambda m, x, g: fgsm(m, x, g, norm=1, epsilon=2.0)),
    "fgsm-2": (2.0, lambda m, x, g: fgsm(m, x, g, norm=2, epsilon=1.0)),
    "fgsm-inf": (INF, lambda m, x, g: fgsm(m, x, g, norm=INF, epsilon=0.3)),
    "ifgsm": (INF, lambda m, x, g: ifgsm(m, x, g, steps=5)),
    "pgd-1": (1.0, lambda m, x, g: pgd(m, x, g, norm=1, epsilon=2.0, steps=8, restarts=2)),
    "pgd-2": (2.0, lambda m, x, g: pgd(m, x, g, norm=2, epsilon=1.0, steps=8)),
    "pgd-inf": (INF, lambda m, x, g: pgd(m, x, g, norm=INF, epsilon=0.3, steps=8)),
    "apgd-1": (1.0, lambda m, x, g: apgd(m, x, g, norm=1, epsilon=2.0, steps=10)),
    "apgd-2": (2.0, lambda m, x, g: apgd(m, x, g, norm=2, epsilon=1.0, steps=10)),
    "apgd-inf": (INF, lambda m, x, g: apgd(m, x, g, norm=INF, epsilon=0.3, steps=10, restarts=2)),
    "square-2": (2.0, lambda m, x, g: square(m, x, g, norm=2, epsilon=2.0, steps=40)),
    "square-inf": (INF, lambda m, x, g: square(m, x, g, norm=INF, epsilon=0.5, steps=40)),
    "ddn": (2.0, lambda m, x, g: ddn(m, x, g, steps=20)),
    "fmn-1": (1.0, lambda m, x, g: fast_minimum_norm(m, x, g, norm=1, steps=20)),
    "fmn-inf": (INF, lambda m, x, g: fast_minimum_norm(m, x, g, norm=INF, steps=20)),
    "pdpgd": (1.0, lambda m, x, g: pdpgd(m, x, g, steps=20)),
    "elastic_net": (1.0, lambda m, x, g: elastic_net(m, x, g, searches=3, steps=15)),
    "carlini_wagner-2": (2.0, lambda m, x, g: carlini_wagner(m, x, g, norm=2, searches=3, steps=15)),
    "carlini_wagner-inf": (INF, lambda m, x, g: carlini_wagner(m, x, g, norm=INF, searches=3, steps=15)),
}
RADII = {1.0: 2.0, 2.0: 1.0, INF: 0.3}
each_method = pytest.mark.parametrize("name", METHODS)


def network(seed: int, classes: int) -> Callable[[Tensor], Tensor]:
    return random_relu(seed, classes=classes, size=6, hidden=16)


def goal_of(model: Classifier, x: Tensor, target: str = "untargeted") -> Goal:
    logits = model.logits(x)
    return make_goal(logits.argmax(1), resolve_targets(logits, target), logits.shape[1])


def inputs(seed: int, count: int = 4) -> Tensor:
    return random_inputs(seed, count, 6).float().reshape(count, 2, 3)


bounds_of = st.sampled_from(
    [None, (0.0, 1.0), (-1.0, 2.0), (torch.full((2, 3), -0.25), torch.tensor([[1.0, 1.5, 2.0], [1.0, 1.0, 3.0]]))]
)
targets_of = st.sampled_from(["untargeted", "runner-up", "random", "least-likely"])
shared = settings(max_examples=40, deadline=None, derandomize=True)


def check(model: Classifier, x: Tensor, goal: Goal, found: Witnesses, order: float) -> None:
    success = found.success
    assert torch.equal(success, found.distance < INF)
    y = found.adversarial
    assert torch.equal(model.clip(y), y)
    assert torch.equal(vector_norm(y - x, order)[success], found.distance[success])
    assert torch.equal(y[~success], x[~success])
    assert (found.distance > 0).all()
    alone = torch.cat([model.logits(row[None]).argmax(1) for row in y])
    assert goal.wanted.gather(1, alone[:, None])[:, 0][success].all()


@shared
@given(
    name=st.sampled_from(sorted(METHODS)),
    seed=st.integers(0, 10_000),
    classes=st.integers(2, 5),
    bounds=bounds_of,
    target=targets_of,
)
def test_methods_keep_their_promises(name: str, seed: int, classes: int, bounds, target: str):
    order, method = METHODS[name]
    model, x = Classifier(network(seed, classes), bounds), inputs(seed)
    goal = goal_of(model, x, target)
    check(model, x, goal, method(model, x, goal), order)


@shared
@given(
    order=st.sampled_from([1.0, 1.5, 2.0, 3.0, INF]),
    seed=st.integers(0, 10_000),
    classes=st.integers(2, 5),
    bounds=bounds_of,
    target=st.one_of(targets_of, st.integers(0, 1)),
)
def test_best_keeps_its_promises(order: float, seed: int, classes: int, bounds, target: str | int):
    model, x = Classifier(network(seed, classes), bounds), inputs(seed, 3)
    source = model.logits(x).argmax(1)
    x = x[source != target] if isinstance(target, int) else x
    if len(x) == 0:
        return
    logits = model.logits(x)
    for row, result in enumerate(attack(model, x, norm=order, target=target, budget="quick")):
        own, wanted = int(logits[row].argmax()), resolve_targets(logits, "untargeted")[row]
        if target == "runner-up":
            wanted = wanted[:1]
        elif target == "least-likely":
            wanted = wanted[-1:]
        elif isinstance(target, int):
            wanted = [target]
        assert result.success == (result.adversarial is not None) == math.isfinite(result.distance)
        assert result.cost.forward > 0 and result.cost.backward > 0
        if result.adversarial is None:
            assert result.distance == INF and result.predicted == own and result.method == "none"
            continue
        assert result.distance > 0
        assert result.distance == float(vector_norm((result.adversarial - x[row])[None], order))
        assert result.distance == min(result.distances.values()) and result.distances[result.method] == result.distance
        assert torch.equal(model.clip(result.adversarial), result.adversarial)
        assert int(model.logits(result.adversarial[None]).argmax()) == result.predicted
        assert result.predicted in wanted


@pytest.mark.parametrize("target", ["untargeted", "least-likely"])
def test_most_inputs_have_a_witness(target: str):
    """Without this, an attack that finds nothing would keep every promise."""
    model, x = Classifier(random_linear(0, classes=3).__call__), inputs(0, 12)
    goal = goal_of(model, x, target)
    for name in ("ddn", "fmn-1", "fmn-inf", "pdpgd", "elastic_net", "carlini_wagner-2"):
        assert METHODS[name][1](model, x, goal).success.float().mean() >= 0.75, name
    assert all(result.success for result in attack(model, x, target=target, budget="quick"))


def test_results_do_not_depend_on_the_rest_of_the_batch():
    model = Classifier(network(3, 3), (0, 1), dtype=torch.float64)
    x = inputs(3, 5).double()
    small = Classifier(network(3, 3), (0, 1), dtype=torch.float64, micro_batch=2)
    in_parts = attack(small, x, norm=INF, budget="quick")
    drawn = pgd(model, x, goal_of(model, x), norm=2, epsilon=1.0, steps=3)
    for row, result in enumerate(attack(model, x, norm=INF, budget="quick")):
        own = x[row : row + 1]
        for other in (attack(model, own, norm=INF, budget="quick")[0], in_parts[row]):
            assert result.distance == pytest.approx(other.distance, rel=1e-6)
        lone = pgd(model, own, goal_of(model, own), norm=2, epsilon=1.0, steps=3)
        assert float(lone.distance[0]) == pytest.approx(float(drawn.distance[row]), rel=1e-9)
    assert drawn.success.any()


def test_the_seed_fixes_everything_and_matters():
    model, x = Classifier(network(1, 3)), inputs(1)
    goal = goal_of(model, x)

    def start(seed: int) -> Tensor:
        found = pgd(model, x, goal, norm=2, epsilon=20.0, steps=1, seed=seed)
        assert found.success.any()
        return found.adversarial

    assert torch.equal(start(0), start(0)) and not torch.equal(start(0), start(1))
    before = torch.get_rng_state()
    attack(model, x, seed=5)
    assert torch.equal(before, torch.get_rng_state())


def test_misclassified_inputs_have_their_own_mark():
    model, x = Classifier(network(0, 3)), inputs(0)
    labels = model.logits(x).argmax(1)
    labels[1] = (labels[1] + 1) % 3
    results = attack(model, x, labels, budget="quick")
    assert [result.method == "misclassified" for result in results] == [False, True, False, False]
    assert math.isnan(results[1].distance) and not results[1].success and results[1].adversarial is None
    assert all(result.method == "misclassified" for result in attack(model, x, (labels + 1) % 3)[:1])


class Randomised(nn.Module):
    """Logits with noise: another answer at every pass."""

    def __init__(self, spread: float) -> None:
        super().__init__()
        self.inner, self.spread = random_linear(0, classes=3), spread
        self.draw = torch.Generator().manual_seed(0)

    def forward(self, x: Tensor) -> Tensor:
        logits = self.inner(x)
        return logits + self.spread * torch.randn(logits.shape, generator=self.draw)


@pytest.mark.parametrize("budget", ["quick", "standard"])
@pytest.mark.parametrize("order", [1.0, 1.5, 2.0, math.inf])
@pytest.mark.parametrize("bounds", [None, (0, 1)])
def test_on_a_tie_the_witness_is_next_to_the_input(bounds, order: float, budget: str):
    layer = nn.Linear(4, 3, bias=False)
    layer.weight.data = torch.tensor([[1.0, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 0.1, 0]])
    found = attack(Classifier(layer, bounds), torch.full((1, 4), 0.5), norm=order, budget=budget)[0]
    assert found.success
    assert found.distance < 1e-6


def test_a_randomised_network_needs_nothing_special():
    x = inputs(0)
    calm = attack(Classifier(random_linear(0, classes=3).__call__), x, budget="quick")
    noisy = attack(Classifier(Randomised(1e-3)), x, budget="quick")
    for one, other in zip(calm, noisy, strict=True):
        assert other.success and other.distance == pytest.approx(one.distance, rel=0.2)


def constant(x: Tensor) -> Tensor:
    return torch.tensor([1.0, 0.0, -1.0], dtype=x.dtype).repeat(len(x), 1)


def flat(x: Tensor) -> Tensor:
    """Depends on its input, with a gradient that is zero everywhere."""
    return constant(x) + 0.0 * x.flatten(1).sum(1, keepdim=True)


def staircase(x: Tensor) -> Tensor:
    """Moves with its input, but only in steps."""
    return torch.stack([x.flatten(1).sum(1).round().abs() + 1, torch.zeros(len(x))], 1)


def undefined(x: Tensor) -> Tensor:
    """Finite logits whose gradient is NaN: the square root of zero."""
    nothing = x.flatten(1).sum(1, keepdim=True) * 0.0
    return constant(x) + nothing.square().sqrt()


def undefined_around(x: Tensor) -> Tensor:
    """Finite logits with honest gradients at the inputs themselves, NaN everywhere else."""
    away = torch.cdist(x.flatten(1), inputs(0, 2).flatten(1), p=INF).amin(1, keepdim=True) > 0
    return torch.where(away, torch.nan, constant(x) + x.flatten(1)[:, :3])


@pytest.mark.parametrize("budget", ["quick", "standard", pytest.param("thorough", marks=pytest.mark.slow)])
@pytest.mark.parametrize("order", [1.0, 2.0, 3.0, INF])
@pytest.mark.parametrize("bounds", [None, (0.0, 1.0)])
@pytest.mark.parametrize("dead", [constant, flat, undefined, staircase, undefined_around])
def test_a_network_without_gradients_ends_without_success(dead, order: float, bounds, budget: str):
    x = inputs(0, 2)
    for result in attack(Classifier(dead, bounds), x, norm=order, budget=budget):
        assert not result.success and result.adversarial is None
        assert result.distance == INF and result.predicted == 0 and result.method == "none"
        assert set(result.distances.values()) == {INF}


@each_method
@pytest.mark.parametrize("dead", [constant, flat, undefined, undefined_around])
def test_methods_without_gradients_find_nothing(name: str, dead):
    x = inputs(0, 2)
    for bounds in (None, (0.0, 1.0)):
        model = Classifier(dead, bounds)
        found = METHODS[name][1](model, x, make_goal(torch.zeros(2, dtype=torch.long), [[1, 2]] * 2, 3))
        assert not found.success.any() and torch.equal(found.adversarial, x)


FIXED: dict[str, tuple[float, Callable[..., Witnesses]]] = {
    "fgsm-1": (1.0, fgsm),
    "fgsm-2": (2.0, fgsm),
    "fgsm-inf": (INF, fgsm),
    "pgd-1": (1.0, pgd),
    "pgd-2": (2.0, pgd),
    "pgd-inf": (INF, pgd),
    "apgd-1": (1.0, apgd),
    "apgd-2": (2.0, apgd),
    "apgd-inf": (INF, apgd),
    "square-2": (2.0, square),
    "square-inf": (INF, square),
}
GRID = {1.0: (0.25, 0.5, 1, 2, 4, 8), 2.0: (0.1, 0.2, 0.4, 0.8, 1.6, 3.2), INF: (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)}


@pytest.mark.parametrize("name", FIXED)
def test_success_does_not_fall_as_the_radius_grows(name: str):
    """On a linear classifier, for every input; on a network, for the rate over inputs."""
    order, method = FIXED[name]
    straight = Classifier(random_linear(0, classes=2).__call__, dtype=torch.float64)
    curved = Classifier(digits_cnn(seed=1), (0, 1))
    x = random_inputs(0, 20, 6)
    images = random_inputs(1, 20, 64).float().reshape(20, 1, 8, 8)
    for model, points, each in ((straight, x, True), (curved, images, False)):
        goal = goal_of(model, points)
        runs = [method(model, points, goal, norm=order, epsilon=epsilon).success for epsilon in GRID[order]]
        assert runs[-1].any() and not runs[0].all()
        for narrow, wide in pairwise(runs):
            assert wide.sum() >= narrow.sum()
            assert not each or (wide >= narrow).all()


def test_ifgsm_keeps_the_smallest_success_of_its_grid():
    model, x = Classifier(digits_cnn(seed=1), (0, 1)), random_inputs(1, 10, 64).float().reshape(10, 1, 8, 8)
    goal, best_so_far = goal_of(model, x), torch.full((10,), INF)
    for count in range(1, 9):
        found = ifgsm(model, x, goal, epsilons=(0.01, 0.025, 0.05, 0.1, 0.3, 0.5, 0.8, 1.0)[:count], steps=10)
        assert (found.distance <= best_so_far).all()
        best_so_far = found.distance
    assert best_so_far.isfinite().any()


def twice(runs: tuple[AttackRun, ...]) -> tuple[AttackRun, ...]:
    """Twice the iterations: the same runs, then all of them again from other starts."""
    return runs + tuple(replace(run, restart=run.restart + 1) for run in runs)


@pytest.mark.parametrize("order", [1.0, 2.0, 3.0, INF])
def test_twice_the_iterations_never_give_a_larger_distance(order: float):
    for seed in range(3):
        model, x = Classifier(network(seed, 4), (0, 1)), inputs(seed, 6)
        task = make_task(prepare(model, x, None, target="untargeted", norm=order, seed=0))
        runs = (AttackRun("fast_minimum_norm", 15), AttackRun("apgd", 8, rounds=3), AttackRun("boundary_walk", 2))
        once, again = best(task, runs), best(task, twice(runs))
        assert sum(run.steps * run.rounds for run in twice(runs)) == 2 * sum(run.steps * run.rounds for run in runs)
        assert (again.witnesses.distance <= once.witnesses.distance).all()
        assert (again.witnesses.distance < once.witnesses.distance).any()
        budgets = [attack(model, x, norm=order, budget=budget) for budget in ("quick", "standard")]
        assert all(more.distance <= less.distance for less, more in zip(*budgets, strict=True))


@pytest.mark.parametrize("order", [1.0, 2.0, 3.0, INF])
def test_each_budget_begins_with_the_one_below(order: float):
    quick, standard, thorough = (ensemble(order, budget) for budget in ("quick", "standard", "thorough"))
    assert standard[: len(quick)] == quick and thorough[: len(standard)] == standard
    assert len(quick) < len(standard) < len(thorough)


@pytest.mark.parametrize(("budget", "least", "most"), [("quick", 80, 250), ("standard", 700, 1300)])
@pytest.mark.parametrize("order", [1.0, 2.0, INF])
def test_budgets_cost_what_they_say(order: float, budget: str, least: int, most: int):
    model, x = Classifier(network(0, 5), (0, 1)), inputs(0, 2)
    before = model.meter.read()
    cost = attack(model, x, norm=order, budget=budget)[0].cost
    spent = model.meter.since(before)
    assert least <= cost.forward <= most and least * 0.7 <= cost.backward <= most
    assert 2 * cost.forward <= spent.forward < 2 * cost.forward + 2
    assert 2 * cost.backward <= spent.backward < 2 * cost.backward + 2


def test_walk_and_bisection_only_come_nearer():
    model, x = Classifier(network(2, 4), (0, 1)), inputs(2, 8)
    goal = goal_of(model, x)
    rough = fgsm(model, x, goal, norm=2, epsilon=2.0)
    walked = boundary_walk(model, goal, rough, steps=10)
    assert rough.success.any() and torch.equal(walked.success, rough.success)
    assert (walked.distance[rough.success] < rough.distance[rough.success]).all()


@pytest.mark.parametrize("classes", [2, 3, 4, 6])
def test_dlr_is_defined_for_few_classes(classes: int):
    logits = torch.arange(classes, 0, -1, dtype=torch.float32)[None].clone()
    for targets in ([[1]], [list(range(1, classes))]):
        goal = make_goal(torch.tensor([0]), targets, classes)
        assert 0 < float(dlr(logits, goal)) <= float(margin(logits, goal))
    if classes > 2:
        goal = make_goal(torch.tensor([0]), [[1]], classes)
        assert dlr(7 * logits + 3, goal) == pytest.approx(dlr(logits, goal))


def test_a_targeted_goal_asks_that_no_third_class_is_ahead():
    goal = make_goal(torch.tensor([0]), [[1]], 3)
    assert not goal.reached(torch.tensor([[0.0, 1.0, 2.0]]))
    assert goal.reached(torch.tensor([[0.0, 3.0, 2.0]]))
    assert not goal.reached(torch.tensor([[0.0, 2.0, 2.0]]))
    assert not goal.reached(torch.tensor([[0.0, math.nan, 2.0]]))


@pytest.mark.parametrize(
    ("error", "call"),
    [
        (InputError, lambda m, x, g: fgsm(m, x, g, norm=0.5, epsilon=1.0)),
        (InputError, lambda m, x, g: fgsm(m, x, g, norm=2, epsilon=-1.0)),
        (InputError, lambda m, x, g: fgsm(m, x, g, norm=2, epsilon=torch.ones(3))),
        (InputError, lambda m, x, g: pgd(m, x, g, norm=2, epsilon=1.0, steps=0)),
        (InputError, lambda m, x, g: pgd(m, x, g, norm=2, epsilon=1.0, restarts=0)),
        (InputError, lambda m, x, g: square(m, x, g, norm=1, epsilon=1.0)),
        (InputError, lambda m, x, g: carlini_wagner(m, x, g, norm=1)),
        (InputError, lambda m, x, g: carlini_wagner(m, x, g, confidence=-1.0)),
        (InputError, lambda m, x, g: elastic_net(m, x, g, beta=0.0)),
        (InputError, lambda m, x, g: ddn(m, x, g, steps=0)),
        (InputError, lambda m, x, g: ifgsm(m, x, g, epsilons=())),
        (InputError, lambda m, x, g: bisect_radius(lambda e, s: Witnesses(x, 2.0), x, norm=2, first=INF)),
        (InputError, lambda m, x, g: make_goal(torch.tensor([0]), [[0]], 2)),
        (InputError, lambda m, x, g: make_goal(torch.tensor([0]), [], 2)),
        (InputError, lambda m, x, g: attack(m, x, budget="lavish")),
        (InputError, lambda m, x, g: attack(m, x, norm="0.3")),
        (InputError, lambda m, x, g: attack(m, x + 10)),
        (ShapeError, lambda m, x, g: attack(m, x, [0])),
        (TargetError, lambda m, x, g: attack(m, x, target="elsewhere")),
        (TargetError, lambda m, x, g: attack(m, x, target=g.source)),
    ],
)
def test_misuse_is_one_clear_line(error: type[Exception], call: Callable[[Classifier, Tensor, Goal], object]):
    model, x = Classifier(network(0, 3), (0, 1)), inputs(0)
    with pytest.raises(error, match="expected") as caught:
        call(model, x, goal_of(model, x))
    assert "\n" not in str(caught.value)
