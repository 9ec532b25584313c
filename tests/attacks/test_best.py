"""`attack`: what every result promises, on random networks, norms, bounds and targets; and how it fails."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from attack_cases import (
    INF,
    assert_near,
    bounds_of,
    classifier,
    constant,
    flat,
    goal_of,
    relu_network,
    small_inputs,
    staircase,
    targets_of,
    undefined,
    undefined_around,
)
from clearance.attacks import Goal, Witnesses, attack
from clearance.attacks.best import Best
from clearance.attacks.confirm import confirmed
from clearance.attacks.table import ATTACKS
from clearance.attacks.task import make_task
from clearance.errors import InputError, ShapeError, TargetError
from clearance.geometry.norms import vector_norm
from clearance.model.classifier import Classifier
from clearance.model.inputs import prepare
from clearance.model.margins import resolve_targets
from closed_forms import ball_classifier, exact_linear, exact_relu, random_inputs, random_linear, random_relu

each_norm = pytest.mark.parametrize("norm", [1.0, 2.0, INF])


@each_norm
@pytest.mark.parametrize("budget", ["quick", "standard"])
@pytest.mark.thinned(6)
def test_within_half_a_percent_on_linear_classifiers(norm: float, budget: str):
    for seed in range(3):
        network, x = random_linear(seed), random_inputs(seed, 8, 6)
        results = attack(classifier(network), x, norm=norm, budget=budget)
        distance = torch.tensor([result.distance for result in results], dtype=torch.float64)
        assert_near(distance, network.distance(x, norm), 0.005)


@pytest.mark.thinned(3)
@pytest.mark.parametrize("norm", [1.5, 3.0, 7.0])
def test_any_norm(norm: float):
    network, x = random_linear(0), random_inputs(0, 4, 6)
    exact = network.distance(x, norm)
    for result, least in zip(attack(classifier(network), x, norm=norm), exact.tolist(), strict=True):
        assert least <= result.distance <= 1.005 * least


@pytest.mark.parametrize("norm", [1.0, INF])
@pytest.mark.parametrize("target", ["untargeted", "runner-up", "least-likely"])
@pytest.mark.thinned(7)
def test_active_bounds_never_below_the_linear_program(norm: float, target: str):
    reached, reachable = 0, 0
    for seed in range(4):
        network, x = random_linear(seed), random_inputs(seed, 6, 6)
        model = classifier(network, (0, 1))
        results = attack(model, x, norm=norm, target=target, budget="quick")
        for row, (result, targets) in enumerate(zip(results, resolve_targets(network(x), target), strict=True)):
            exact = exact_linear(network, x[row], norm, targets, 0.0, 1.0)
            assert result.distance >= exact - 1e-7  # the tolerance of the program itself
            reachable += exact < INF
            if result.success:
                reached += 1
                assert result.distance <= 1.01 * exact or target != "untargeted"
    assert reached == reachable >= 3


@pytest.mark.parametrize("norm", [1.0, INF])
@pytest.mark.slow
def test_tiny_relu_networks_against_the_mixed_integer_program(norm: float):
    ratios: list[float] = []
    for seed in range(8):
        network, x = random_relu(seed), random_inputs(seed, 3, 4)
        results = attack(classifier(network, (0, 1)), x, norm=norm)
        for row, result in enumerate(results):
            targets = [k for k in range(3) if k != int(network(x[row : row + 1]).argmax())]
            exact = exact_relu(network, x[row], norm, targets, 0.0, 1.0)
            assert result.distance >= exact - 1e-6  # the program's feasibility tolerance
            if math.isfinite(exact):
                ratios.append(result.distance / exact)
    assert len(ratios) >= 12
    assert sorted(ratios)[len(ratios) // 2] <= 1.1


@pytest.mark.parametrize("budget", ["quick", "standard"])
def test_curved_boundary(budget: str):
    x = 0.4 * random_inputs(5, 6, 5)
    exact = 1 - x.norm(dim=1)
    assert (exact > 0).all()
    for result, least in zip(attack(classifier(ball_classifier), x, budget=budget), exact.tolist(), strict=True):
        assert least <= result.distance <= 1.01 * least


@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    norm=st.sampled_from([1.0, 1.5, 2.0, 3.0, INF]),
    seed=st.integers(0, 10_000),
    classes=st.integers(2, 5),
    bounds=bounds_of,
    target=st.one_of(targets_of, st.integers(0, 1)),
)
def test_it_keeps_its_promises(norm: float, seed: int, classes: int, bounds, target: str | int):
    model, x = Classifier(relu_network(seed, classes), bounds), small_inputs(seed, 3)
    source = model.logits(x).argmax(1)
    x = x[source != target] if isinstance(target, int) else x
    if len(x) == 0:
        return
    logits = model.logits(x)
    for row, result in enumerate(attack(model, x, norm=norm, target=target, budget="quick")):
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
        assert result.distance == float(vector_norm((result.adversarial - x[row])[None], norm))
        assert result.distance == min(result.distances.values()) and result.distances[result.method] == result.distance
        assert torch.equal(model.clip(result.adversarial), result.adversarial)
        assert int(model.logits(result.adversarial[None]).argmax()) == result.predicted
        assert result.predicted in wanted


@pytest.mark.parametrize("target", ["untargeted", "least-likely"])
def test_every_input_has_a_witness(target: str):
    """Without this, an attack that finds nothing would keep every promise."""
    model, x = Classifier(random_linear(0, classes=3).__call__), small_inputs(0, 12)
    assert all(result.success for result in attack(model, x, target=target, budget="quick"))


def test_results_do_not_depend_on_the_rest_of_the_batch():
    model = Classifier(relu_network(3, 3), (0, 1), dtype=torch.float64)
    x = small_inputs(3, 5).double()
    small = Classifier(relu_network(3, 3), (0, 1), dtype=torch.float64, micro_batch=2)
    in_parts = attack(small, x, norm=INF, budget="quick")
    for row, result in enumerate(attack(model, x, norm=INF, budget="quick")):
        own = x[row : row + 1]
        for other in (attack(model, own, norm=INF, budget="quick")[0], in_parts[row]):
            assert result.distance == pytest.approx(other.distance, rel=1e-6)


def test_no_global_random_state_is_read_or_written():
    model, x = Classifier(relu_network(1, 3)), small_inputs(1)
    before = torch.get_rng_state()
    once = attack(model, x, seed=5)
    assert torch.equal(before, torch.get_rng_state())
    torch.rand(3)
    again = attack(model, x, seed=5)
    torch.set_rng_state(before)
    assert [result.distance for result in once] == [result.distance for result in again]


def test_misclassified_inputs_have_their_own_mark():
    model, x = Classifier(relu_network(0, 3)), small_inputs(0)
    labels = model.logits(x).argmax(1)
    labels[1] = (labels[1] + 1) % 3
    results = attack(model, x, labels, budget="quick")
    assert [result.method == "misclassified" for result in results] == [False, True, False, False]
    assert math.isnan(results[1].distance) and not results[1].success and results[1].adversarial is None
    assert all(result.method == "misclassified" for result in attack(model, x, (labels + 1) % 3)[:1])


@pytest.mark.thinned(2)
@pytest.mark.parametrize("budget", ["quick", "standard"])
@pytest.mark.parametrize("norm", [1.0, 1.5, 2.0, INF])
@pytest.mark.parametrize("bounds", [None, (0, 1)])
def test_on_a_tie_the_witness_is_next_to_the_input(bounds, norm: float, budget: str):
    layer = nn.Linear(4, 3, bias=False)
    layer.weight.data = torch.tensor([[1.0, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 0.1, 0]])
    found = attack(Classifier(layer, bounds), torch.full((1, 4), 0.5), norm=norm, budget=budget)[0]
    assert found.success
    assert found.distance < 1e-6


class Randomised(nn.Module):
    """Logits with noise: another answer at every pass."""

    def __init__(self, spread: float) -> None:
        super().__init__()
        self.inner, self.spread = random_linear(0, classes=3), spread
        self.draw = torch.Generator().manual_seed(0)

    def forward(self, x: Tensor) -> Tensor:
        logits = self.inner(x)
        return logits + self.spread * torch.randn(logits.shape, generator=self.draw)


def test_a_randomised_network_needs_nothing_special():
    x = small_inputs(0)
    calm = attack(Classifier(random_linear(0, classes=3).__call__), x, budget="quick")
    noisy = attack(Classifier(Randomised(1e-3)), x, budget="quick")
    for one, other in zip(calm, noisy, strict=True):
        assert other.success and other.distance == pytest.approx(one.distance, rel=0.2)


def test_what_a_fresh_pass_takes_back_is_looked_for_farther_out():
    """A claimed witness 2 % short of the plane: 1.01 x is still short, 1.03 x is one."""
    network, x = random_linear(0, classes=2), random_inputs(0, 4, 6)
    model = classifier(network)
    task = make_task(prepare(model, x, None, target="untargeted", norm=2, seed=0))
    gap = network.weight[1 - task.goal.source] - network.weight[task.goal.source]
    exact = network.distance(x, 2.0)
    claimed, every = Witnesses(x, 2.0), torch.ones(4, dtype=torch.bool)
    claimed.offer(x + 0.98 * (exact / gap.norm(dim=1))[:, None] * gap, every)
    kept, said = confirmed(task, claimed)
    assert torch.allclose(kept.distance, 0.98 * 1.03 * exact) and torch.equal(said, 1 - task.goal.source)
    hopeless = Witnesses(x, 2.0)
    hopeless.offer(x - 0.5 * gap, every)
    kept, said = confirmed(task, hopeless)
    assert not kept.success.any() and torch.equal(said, task.goal.source)


def test_best_keeps_the_nearest_of_each_method():
    network, x = random_linear(0, classes=2), random_inputs(0, 4, 6)
    task = make_task(prepare(classifier(network), x, None, target="untargeted", norm=2, seed=0))
    gap = network.weight[1 - task.goal.source] - network.weight[task.goal.source]
    exact, found = network.distance(x, 2.0), Best(task)
    for method, sideways in (("far", 1.0), ("near", 0.0)):
        offered = Witnesses(x, 2.0)
        step = 1.5 * (exact / gap.norm(dim=1))[:, None] * gap
        across = torch.roll(step, 1, dims=1)
        across = across - (across * gap).sum(1, keepdim=True) / gap.square().sum(1, keepdim=True) * gap
        offered.offer(x + step + sideways * across, torch.ones(4, dtype=torch.bool))
        found.take([method], task, offered, torch.arange(4))
    found.settle()
    assert found.method == ["near"] * 4 and (found.distances["far"] > found.distances["near"]).all()
    assert_near(found.witnesses.distance, exact, 0.02)  # at 1.5 times the distance, far beyond an iterate's


def test_a_witness_that_is_taken_back_at_the_end_leaves_those_of_the_other_runs():
    """The last forward pass of a batch of its own may round another way than that in which a witness was confirmed."""
    network, x = random_linear(0, classes=2), random_inputs(0, 4, 6)
    task = make_task(prepare(classifier(network), x, None, target="untargeted", norm=2, seed=0))
    gap = network.weight[1 - task.goal.source] - network.weight[task.goal.source]
    exact, found = network.distance(x, 2.0), Best(task)
    real, lost = Witnesses(x, 2.0), Witnesses(x, 2.0)
    real.offer(x + (1.01 * exact / gap.norm(dim=1))[:, None] * gap, torch.ones(4, dtype=torch.bool))
    found.take(["real"], task, real, torch.arange(4))
    lost.offer(x + (0.5 * exact / gap.norm(dim=1))[:, None] * gap, torch.ones(4, dtype=torch.bool))
    found.witnesses.absorb(lost.rows(torch.arange(4)))
    before = found.distances["real"]
    found.settle()
    assert found.method == ["real"] * 4 and torch.equal(found.witnesses.distance, before)
    assert torch.equal(found.predicted, 1 - task.goal.source)


@pytest.mark.parametrize("radius", [None, 0.01])
@pytest.mark.parametrize("norm", [1.0, 2.0, INF])
@pytest.mark.parametrize(
    ("network", "nothing"), [(flat, True), (staircase, True), (undefined, True), (relu_network(1, 4), False)]
)
def test_a_gradient_that_leads_nowhere_is_said(network, nothing: bool, norm: float, radius: float | None):
    results = attack(Classifier(network, (0.0, 1.0)), small_inputs(0, 2), norm=norm, budget=120, radius=radius)
    assert [result.zero_gradient for result in results] == [nothing, nothing]
    assert [result.as_record()["zero_gradient"] for result in results] == [nothing, nothing]


@pytest.mark.parametrize("budget", ["quick", "standard", pytest.param("thorough", marks=pytest.mark.slow)])
@pytest.mark.parametrize("norm", [1.0, 2.0, 3.0, INF])
@pytest.mark.parametrize("bounds", [None, (0.0, 1.0)])
@pytest.mark.parametrize("dead", [constant, flat, undefined, staircase, undefined_around])
@pytest.mark.thinned(33)
def test_a_network_without_gradients_ends_without_success(dead, norm: float, bounds, budget: str):
    x = small_inputs(0, 2)
    for result in attack(Classifier(dead, bounds), x, norm=norm, budget=budget):
        assert not result.success and result.adversarial is None
        assert result.distance == INF and result.predicted == 0 and result.method == "none"
        assert set(result.distances.values()) == {INF}


@pytest.mark.parametrize(
    ("error", "call"),
    [
        (InputError, lambda m, x, g: attack(m, x, budget="lavish")),
        (InputError, lambda m, x, g: attack(m, x, method="lavish")),
        (InputError, lambda m, x, g: attack(m, x, norm="0.3")),
        (InputError, lambda m, x, g: attack(m, x + 10)),
        (ShapeError, lambda m, x, g: attack(m, x, [0])),
        (TargetError, lambda m, x, g: attack(m, x, target="elsewhere")),
        (TargetError, lambda m, x, g: attack(m, x, target=g.source)),
    ],
)
def test_misuse_is_one_clear_line(error: type[Exception], call: Callable[[Classifier, Tensor, Goal], object]):
    model, x = Classifier(relu_network(0, 3), (0, 1)), small_inputs(0)
    with pytest.raises(error, match="expected") as caught:
        call(model, x, goal_of(model, x))
    assert "\n" not in str(caught.value)


def test_the_same_bits_whatever_else_is_in_the_batch():
    """Matrix products round as the size of a batch decides; here a pass of several inputs differs by a unit or two."""
    base = relu_network(3, 4)

    def network(x: Tensor) -> Tensor:
        return base(x) * (1 + (len(x) - 1) * torch.finfo(x.dtype).eps)

    model, x = classifier(network), small_inputs(3)
    together = attack(model, x, budget="quick")
    alone = [attack(model, row[None], budget="quick")[0] for row in x]
    assert [found.distance for found in together] == [found.distance for found in alone]


@pytest.mark.slow
def test_a_larger_budget_is_never_worse_for_one_method_either():
    worse: list[str] = []
    for name, line in ATTACKS.items():
        norm = next(p for p in (2.0, 1.0, INF, 0.0) if line.is_for(p))
        model, x = Classifier(relu_network(0, 4), bounds=(0, 1)), small_inputs(0, 2).clamp(0, 1)
        quick, standard = (attack(model, x, norm=norm, method=name, budget=budget) for budget in ("quick", "standard"))
        worse += [name for few, many in zip(quick, standard, strict=True) if many.distance > few.distance]
    assert worse == []


@pytest.mark.parametrize("norm", [0.0, 1.0, 2.0, INF])
def test_inputs_share_batches_and_each_has_its_own_bits_and_cost(norm: float) -> None:
    torch.manual_seed(0)
    network, sizes = nn.Sequential(nn.Linear(12, 96), nn.ReLU(), nn.Linear(96, 4)), list[int]()
    network.register_forward_hook(lambda _, given, __: sizes.append(len(given[0])))
    model, x = Classifier(network, (0, 1)), torch.rand(7, 12, generator=torch.Generator().manual_seed(2))
    apart = [attack(model, row, norm=norm, budget="quick")[0] for row in x.split(1)]
    before = model.meter.read()
    sizes.clear()
    together = attack(model, x, norm=norm, budget="quick")
    assert max(sizes) > 7 and len(sizes) < 500  # several runs of all inputs at once
    for one, other in zip(together, apart, strict=True):
        assert one.distance == other.distance and one.method == other.method
        assert one.distances == other.distances and torch.equal(one.adversarial, other.adversarial)
        assert (one.cost.forward, one.cost.backward) == (other.cost.forward, other.cost.backward)
    spent = model.meter.since(before)
    total = sum(one.cost.forward for one in together), sum(one.cost.backward for one in together)
    assert total == (spent.forward, spent.backward)


@pytest.mark.parametrize("method", [name for name in ATTACKS if name != "sigma_zero"])
def test_each_method_counts_its_passes_input_by_input(method: str) -> None:
    case, norm = relu_network(1, 4), 1.0 if method in {"pdpgd", "elastic_net"} else 2.0
    x = random_inputs(3, 3, 6)
    before = (model := classifier(case)).meter.read()
    found = attack(model, x, norm=norm, method=method, budget="quick")
    spent = model.meter.since(before)
    assert sum(one.cost.forward + one.cost.backward for one in found) == spent.forward + spent.backward
