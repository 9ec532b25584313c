"""Scores against closed forms; seeds, costs, racing, statuses."""

import json
import math

import pytest
import torch
from torch import Tensor, nn

from clearance.estimates.clever import clever
from clearance.estimates.evidence import Evidence, MarginProblem, Observation
from clearance.estimates.extremes import FitStatus, fit_reverse_weibull
from clearance.estimates.fixed_point import Ball
from clearance.estimates.judgement import TargetEstimate, judge
from clearance.estimates.samplers.gradient_search import FEW_DIMENSIONS, search_blocks
from clearance.estimates.samplers.region_search import PRESAMPLING_WIDTH
from clearance.estimates.settings import PAPER, Settings
from clearance.estimates.status import Status
from clearance.geometry.norms import dual_norm, vector_norm
from clearance.model.classifier import Classifier
from clearance.model.cost import Cost
from clearance.model.margins import resolve_targets
from clearance.zoo.networks import softplus_mlp
from closed_forms import Linear, random_linear

ORDERS = (1.0, 1.5, 2.0, math.inf)
SMALL = {"blocks": 8, "block_size": 64}


def inputs(count: int, size: int, seed: int = 0) -> Tensor:
    return torch.randn(count, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def mlp(seed: int = 0) -> nn.Module:
    return softplus_mlp((6,), 4, hidden=16, seed=seed).double()


def linear_distance(network: Linear, x: Tensor, score_target: int, order: float) -> float:
    logits = network(x[None])[0]
    best = int(logits.argmax())
    slope = vector_norm((network.weight[best] - network.weight[score_target])[None], dual_norm(order))
    return float((logits[best] - logits[score_target]) / slope)


@pytest.mark.parametrize("order", [*ORDERS, 1.001, 300.0])
@pytest.mark.parametrize("target", ["untargeted", "runner-up", "random", "least-likely"])
@pytest.mark.parametrize("sampler", ["directed", "uniform"])
def test_linear_classifiers_are_exact(order: float, target: str, sampler: str):
    network, x = random_linear(3), inputs(5, 6)
    model = Classifier(network, dtype=torch.float64)
    for row, score in zip(x, clever(model, x, target=target, norm=order, sampler=sampler, **SMALL), strict=True):
        exact = float(network.distance(row[None], order)) if target == "untargeted" else None
        exact = exact or linear_distance(network, row, score.target, order)
        assert score.radius == pytest.approx(exact, rel=1e-4)
        assert score.interval == pytest.approx((exact, exact), rel=1e-4)
        assert score.status is Status.OK


def test_linear_classifiers_are_exact_in_single_precision_at_a_given_radius():
    network, x = random_linear(4, size=784), inputs(3, 784).float()
    model = Classifier(network, dtype=torch.float32)
    for row, score in zip(x, clever(model, x, norm=2, radius=50.0, **SMALL), strict=True):
        assert score.radius == pytest.approx(float(network.distance(row[None].double(), 2.0)), rel=1e-4)


class Quadratic(nn.Module):
    """Logits `(m + a.x - x' A x / 2, 0)`: `||grad||_2 = ||a - A x||` is largest on the sphere."""

    def __init__(self, curvature: Tensor, slope: Tensor, margin: float) -> None:
        super().__init__()
        self.curvature, self.slope, self.margin = curvature, slope, margin

    def forward(self, x: Tensor) -> Tensor:
        values = self.margin + x @ self.slope - 0.5 * (x * (x @ self.curvature)).sum(1)
        return torch.stack([values, torch.zeros_like(values)], 1)


def largest_gradient(curvature: Tensor, slope: Tensor, radius: float) -> float:
    """`max ||a - A x||_2` over `||x||_2 <= R`, by its secular equation.

    At the maximum `A (A x - a) = m x` with `m` above the largest eigenvalue of `A A`; the norm of `x(m)` falls in `m`.
    """
    values, vectors = torch.linalg.eigh(curvature)
    part = vectors.T @ (curvature @ slope)

    def excess(multiplier: float) -> float:
        return float((part / (values**2 - multiplier)).norm()) - radius

    low, high = float(values.abs().max() ** 2), float(values.abs().max() ** 2) + float(part.norm()) / radius + 1.0
    for _ in range(200):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if excess(middle) > 0 else (low, middle)
    x = vectors @ (part / (values**2 - high))
    return float((slope - curvature @ x).norm())


def fixed_point(curvature: Tensor, slope: Tensor, margin: float) -> float:
    low, high = 0.0, 1e3
    for _ in range(100):
        middle = 0.5 * (low + high)
        inside = margin / largest_gradient(curvature, slope, middle) > middle
        low, high = (middle, high) if inside else (low, middle)
    return low


@pytest.mark.parametrize("dimension", [2, 5, 20])
@pytest.mark.parametrize("seed", range(3))
def test_the_radius_search_finds_the_fixed_point(dimension: int, seed: int):
    generator = torch.Generator().manual_seed(seed)
    square = torch.randn(dimension, dimension, generator=generator, dtype=torch.float64)
    slope = torch.randn(dimension, generator=generator, dtype=torch.float64)
    curvature = square + square.T
    exact = fixed_point(curvature, slope, 1.0)
    model = Classifier(Quadratic(curvature, slope, 1.0), dtype=torch.float64)
    score = clever(model, torch.zeros(1, dimension, dtype=torch.float64), norm=2)[0]
    assert score.ball_radius == pytest.approx(exact, rel=0.01)
    assert score.radius == pytest.approx(exact, rel=0.01)


def test_secular_equation_against_brute_force():
    generator = torch.Generator().manual_seed(7)
    square = torch.randn(2, 2, generator=generator, dtype=torch.float64)
    slope = torch.randn(2, generator=generator, dtype=torch.float64)
    angles = torch.linspace(0, 2 * math.pi, 100001, dtype=torch.float64)
    sphere = 0.7 * torch.stack([angles.cos(), angles.sin()], 1)
    brute = float((slope - sphere @ (square + square.T)).norm(dim=1).max())
    assert largest_gradient(square + square.T, slope, 0.7) == pytest.approx(brute, rel=1e-6)


def test_the_same_input_gives_the_same_bits_whatever_is_beside_it():
    model, x = Classifier(mlp(), dtype=torch.float64), inputs(4, 6)
    together = clever(model, x, target="random", seed=5, **SMALL)
    for index in (0, 3):
        alone = clever(model, x[index : index + 1], target="random", seed=5, **SMALL)[0]
        assert alone.maxima == together[index].maxima
        assert (alone.radius, alone.interval, alone.target) == (
            together[index].radius,
            together[index].interval,
            together[index].target,
        )
    turned = clever(model, x.flip(0), target="random", seed=5, **SMALL)
    assert [s.maxima for s in turned[::-1]] == [s.maxima for s in together]


def test_another_seed_gives_other_samples():
    model, x = Classifier(mlp(), dtype=torch.float64), inputs(1, 6)
    settings = {"target": "runner-up", "sampler": "uniform", "radius": 0.5, **SMALL}
    first, second = (clever(model, x, seed=seed, **settings)[0].maxima for seed in (0, 1))
    assert not set(first) & set(second)


@pytest.mark.parametrize("sampler", ["directed", "uniform"])
def test_more_blocks_keep_the_first_ones(sampler: str):
    model, x = Classifier(mlp(), dtype=torch.float64), inputs(1, 6)
    settings = {"target": "runner-up", "sampler": sampler, "radius": 0.5, "block_size": 32}
    few, many = (clever(model, x, blocks=blocks, **settings)[0].maxima for blocks in (24, 60))
    assert many[:24] == few


@pytest.mark.parametrize("radius", ["auto", 0.4])
@pytest.mark.parametrize("sampler", ["directed", "uniform"])
def test_racing_finds_the_plain_minimum(sampler: str, radius: float):
    model, x = Classifier(mlp(2), dtype=torch.float64), inputs(6, 6, seed=1)
    settings = {"sampler": sampler, "radius": radius, "blocks": 48, "block_size": 64}
    raced, plain = (clever(model, x, racing=racing, **settings) for racing in (True, False))
    for fast, full in zip(raced, plain, strict=True):
        assert fast.target == full.target
        assert fast.radius == pytest.approx(full.radius, rel=0.03)
    assert sum(s.cost.backward for s in raced) < sum(s.cost.backward for s in plain)


def test_untargeted_without_racing_is_the_minimum_over_targets():
    model, x = Classifier(mlp(3), dtype=torch.float64), inputs(2, 6, seed=2)
    settings = {"sampler": "uniform", "radius": 0.3, "blocks": 10, "block_size": 50}
    for row in x:
        best = int(model.logits(row[None]).argmax())
        singles = [clever(model, row[None], target=t, **settings)[0].radius for t in range(4) if t != best]
        untargeted = clever(model, row[None], racing=False, **settings)[0]
        assert untargeted.radius == pytest.approx(min(singles), rel=1e-9)


def test_costs_count_samples():
    model, x = Classifier(mlp(), dtype=torch.float64), inputs(1, 6)
    score = clever(model, x, target="runner-up", sampler="uniform", radius=0.5, blocks=7, block_size=50)[0]
    assert score.cost.forward == score.cost.backward == 7 * 50 + 1  # the gradient at the input is one more
    many = clever(model, x, sampler="uniform", radius=0.5, blocks=7, block_size=50, racing=False)[0]
    assert many.cost.forward == 7 * 50 + 1  # shared by the three targets
    assert many.cost.backward == 3 * (7 * 50 + 1)
    searched = clever(model, x, target="runner-up", radius=0.5, blocks=5, block_size=37)[0]
    assert searched.cost.backward == 5 * 37 + 1
    assert searched.cost.seconds > 0


def test_the_default_stays_below_twenty_thousand_gradients():
    model, x = Classifier(mlp(), dtype=torch.float64), inputs(3, 6)
    assert all(score.cost.backward <= 20_000 for score in clever(model, x, target="runner-up"))


def test_paper_settings():
    settings = Settings(**PAPER)
    assert (settings.sampler, settings.radius, settings.schedule(9), settings.size) == ("uniform", 5.0, [500], 1024)
    model, x = Classifier(random_linear(0), dtype=torch.float64), inputs(1, 6)
    assert clever(model, x, **{**PAPER, "blocks": 5, "block_size": 8})[0].status in (Status.OK, Status.AT_RADIUS)


def flat(x: Tensor) -> Tensor:
    """A staircase: the margin moves, the gradient is zero."""
    steps = torch.ceil(x.sum(1) * 20) / 20
    return torch.stack([2 + steps, torch.zeros_like(steps)], 1)


def constant(x: Tensor) -> Tensor:
    return torch.stack([x.sum(1) * 0 + 1, x.sum(1) * 0], 1)


def half_hidden(x: Tensor) -> Tensor:
    """A detached branch carries nine tenths of the slope."""
    total = x.sum(1)
    value = 2 + 0.1 * total + 0.9 * total.detach()
    return torch.stack([value, torch.zeros_like(value)], 1)


def undefined_nearby(x: Tensor) -> Tensor:
    value = 1 + torch.log(1 - x.abs().sum(1))
    return torch.stack([value, torch.zeros_like(value)], 1)


@pytest.mark.parametrize("sampler", ["directed", "uniform"])
@pytest.mark.parametrize(
    ("network", "settings", "status"),
    [
        (flat, {"radius": 1.0}, Status.MASKED),
        (flat, {}, Status.MASKED),
        (constant, {"radius": 1.0}, Status.NO_GRADIENT),
        (constant, {}, Status.NO_GRADIENT),
        (half_hidden, {"radius": 3.0}, Status.REFUTED),
        (undefined_nearby, {"radius": 2.0}, Status.NON_FINITE),
        (random_linear(0, size=3), {"radius": 1e-3}, Status.AT_RADIUS),
        (lambda x: random_linear(0, size=3)(x).softmax(1), {}, Status.PROBABILITIES),
    ],
)
def test_statuses(network: object, settings: dict[str, float], status: Status, sampler: str):
    x = torch.zeros(1, 3, dtype=torch.float64)
    model = Classifier(network, dtype=torch.float64)  # pyright: ignore
    score = clever(model, x, target="runner-up", sampler=sampler, **settings, **SMALL)[0]
    assert score.status is status
    assert math.isnan(score.radius) == (status is Status.NON_FINITE)


def test_statuses_without_a_number_say_so():
    assert not any(s.has_number for s in (Status.MASKED, Status.REFUTED, Status.NON_FINITE, Status.MISCLASSIFIED))
    assert all(s.has_number for s in (Status.OK, Status.NO_ENDPOINT, Status.AT_RADIUS, Status.PROBABILITIES))


def test_bounds_limit_the_ball():
    model = Classifier(random_linear(1, size=3), bounds=(0, 1), dtype=torch.float64)
    logits = model.network(torch.full((1, 3), 0.5, dtype=torch.float64))
    steep = Classifier(lambda x: model.network(x) + 100 * nn.functional.one_hot(logits.argmax(1), 4), bounds=(0, 1))
    score = clever(steep, torch.full((1, 3), 0.5), norm=2, **SMALL)[0]
    assert score.ball_radius == pytest.approx(0.5 * math.sqrt(3), rel=1e-6)
    assert score.status is Status.AT_RADIUS


def test_clipped_samples_stay_in_bounds():
    seen: list[Tensor] = []

    def network(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return mlp_(x)

    mlp_ = mlp(5)
    model = Classifier(network, bounds=(-0.1, 0.1), dtype=torch.float64)
    x = torch.full((1, 6), 0.05, dtype=torch.float64)
    for sampler in ("directed", "uniform"):
        seen.clear()
        score = clever(model, x, radius=1.0, clip="project", sampler=sampler, target="runner-up", **SMALL)[0]
        points = torch.cat(seen)
        assert float(points.abs().max()) <= 0.1 + 1e-12
        assert score.clip == "project"
    seen.clear()
    clever(model, x, radius=1.0, target="runner-up", **SMALL)
    assert float(torch.cat(seen).abs().max()) > 0.1


def test_a_misclassified_input_has_a_row():
    model, x = Classifier(mlp(), dtype=torch.float64), inputs(3, 6)
    labels = model.logits(x).argmax(1)
    labels[1] = (labels[1] + 1) % 4
    scores = clever(model, x, labels=labels, target="runner-up", **SMALL)
    assert [s.status is Status.MISCLASSIFIED for s in scores] == [False, True, False]
    assert math.isnan(scores[1].radius)
    assert scores[1].predicted == int(model.logits(x[1:2]).argmax())


def test_records_are_plain_json():
    model, x = Classifier(mlp(), dtype=torch.float64), inputs(2, 6)
    labels = model.logits(x).argmax(1)
    labels[1] = (labels[1] + 1) % 4
    text = json.dumps([s.as_record() for s in clever(model, x, labels=labels, norm=math.inf, **SMALL)], allow_nan=False)
    first, second = json.loads(text)
    assert first["norm"] == "inf"
    assert first["fit"]["status"] in list(FitStatus)
    assert second["radius"] is None
    assert second["status"] == "misclassified"


def test_the_largest_gradient_is_kept_with_its_point():
    model, x = Classifier(mlp(4), dtype=torch.float64), inputs(1, 6)
    score = clever(model, x, target="runner-up", norm=2, **SMALL)[0]
    assert score.largest_point is not None
    point = score.largest_point.clone().requires_grad_(True)
    logits = model.network(point[None])[0]
    (gradient,) = torch.autograd.grad(logits[score.predicted] - logits[score.target], point)
    assert float(gradient.norm()) == pytest.approx(score.largest_seen, rel=1e-9)
    assert float((score.largest_point - x[0]).norm()) <= score.ball_radius * (1 + 1e-6)
    assert score.lipschitz >= score.largest_seen >= max(score.maxima) * (1 - 1e-12)


@pytest.mark.parametrize("size", [6, 20])
@pytest.mark.parametrize("order", [1.0, 2.0, 3.0, math.inf])
def test_searches_stay_in_the_ball_and_spend_their_budget(order: float, size: int):
    """Up to 16 inputs, some blocks pre-sample in a wider ball; what they meet out there does not count."""
    seen: list[Tensor] = []
    network = softplus_mlp((size,), 4, hidden=16, seed=6).double()
    widest = PRESAMPLING_WIDTH if size <= FEW_DIMENSIONS else 1.0

    def watched(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return network(x)

    model, x = Classifier(watched, dtype=torch.float64), inputs(1, size)
    logits = model.logits(x)
    target = torch.tensor(resolve_targets(logits, "runner-up")[0])
    best = int(logits.argmax())
    margin = (logits[0, best] - logits[0, target]).reshape(1)
    problem = MarginProblem(model, x[0], "key", best, target, margin, order, dual_norm(order), False, 0)
    for budget in (1, 2, 3, 7, 64):
        seen.clear()
        maxima, evidence = search_blocks(problem, radius=0.3, blocks=range(5), block_size=budget, purpose="test")
        points = torch.cat(seen)
        assert len(points) == 5 * budget == evidence.samples
        assert float(vector_norm(points - x, order).max()) <= 0.3 * widest * (1 + 1e-9)
        assert evidence.derivative.value == float(maxima.max()) and bool(maxima.isfinite().all())
        assert evidence.derivative.distance <= 0.3 * (1 + 1e-6)


def test_evidence_of_slopes_and_witnesses():
    model = Classifier(half_hidden, dtype=torch.float64)
    zero = torch.zeros(2, dtype=torch.float64)
    problem = MarginProblem(
        model, zero, "key", 0, torch.tensor([1]), torch.tensor([2.0], dtype=torch.float64), 2.0, 2.0, False, 0
    )
    evidence = Evidence()
    points = torch.tensor([[-3.0, 0.0], [-2.0, 0.0], [1.0, 0.0]], dtype=torch.float64)
    evidence.add(problem, 0, points, 2 + points.sum(1), torch.full((3,), 0.1, dtype=torch.float64))
    assert evidence.secant.value == pytest.approx(1.0)
    assert -evidence.witness.value == pytest.approx(2.0)
    assert evidence.refuted_above == pytest.approx(20.0)
    assert evidence.within(1.5).secant.value in (0.0, pytest.approx(1.0))


def test_running_out_of_memory_halves_the_micro_batch_and_goes_on():
    calls: list[int] = []
    network = mlp()

    def small_machine(x: Tensor) -> Tensor:
        calls.append(len(x))
        if len(x) > 8:
            raise MemoryError("not enough memory")
        return network(x)

    tight = Classifier(small_machine, dtype=torch.float64, micro_batch=64)
    roomy = Classifier(network, dtype=torch.float64, micro_batch=8)
    x = inputs(1, 6)
    settings = {"target": "runner-up", "sampler": "uniform", "radius": 0.5, "blocks": 4, "block_size": 64}
    assert clever(tight, x, **settings)[0].maxima == pytest.approx(clever(roomy, x, **settings)[0].maxima, rel=1e-9)
    assert max(calls) == 64
    assert tight.micro_batch(x) == 8


def test_a_memory_budget_sets_the_micro_batch():
    network, x = mlp(), inputs(1, 6)
    small, large = (Classifier(network, memory_budget=budget).micro_batch(x) for budget in (10_000, 1_000_000))
    assert 1 <= small < large <= 4096


@pytest.mark.parametrize("settings", [{}, {"radius": 1.0}, {"order": 2}, {"sampler": "uniform"}])
@pytest.mark.parametrize("size", [3, 20])
def test_an_input_on_the_boundary_has_radius_zero_and_does_not_disturb_its_neighbours(settings: dict, size: int):
    network, x = nn.Linear(size, 3, bias=False), inputs(2, size)
    model, both = Classifier(network), torch.stack([torch.zeros(size), x[1]])
    tied, other = clever(model, both, **settings)
    assert (tied.radius, tied.interval, tied.margin, tied.status) == (0.0, (0.0, 0.0), 0.0, Status.OK)
    assert tied.witness is not None and torch.equal(tied.witness, both[0])
    assert other.radius == clever(model, x[1:], **settings)[0].radius
    json.dumps(tied.as_record(), allow_nan=False)


def hidden_class(x: Tensor) -> Tensor:
    """Class 1 is at distance 1; class 2 at 1/8, and its gradient is 50 times too small."""
    steep = 24 * x[:, 1]
    return torch.stack([torch.full_like(steep, 3.0), 3 * x[:, 0], 0.98 * steep.detach() + 0.02 * steep], 1)


@pytest.mark.parametrize("settings", [{}, {"racing": False}, {"radius": 2.0}, {"sampler": "uniform"}])
def test_untargeted_a_contradiction_of_any_class_refutes(settings: dict):
    found = clever(Classifier(hidden_class), torch.zeros(1, 8), **settings)[0]
    assert found.status is Status.REFUTED and found.target == 2
    assert clever(Classifier(hidden_class), torch.zeros(1, 8), target=1)[0].status is Status.OK


def test_few_blocks_that_leave_the_interval_open_are_not_ok():
    found = clever(Classifier(mlp(3)), inputs(1, 6, seed=3), blocks=3)[0]
    assert found.interval[0] < 0.95 * found.radius and found.status is not Status.OK


def test_a_larger_norm_than_the_fit_allows_is_a_poor_fit():
    settings, fit = Settings(), fit_reverse_weibull((1 - 0.2 * torch.linspace(0.01, 1, 60) ** 2).tolist())
    met = Evidence(derivative=Observation(2.0, torch.zeros(1)))
    outcome = TargetEstimate(0, 1, 1.0, Ball(5.0, searched=True), (1.0, 1.1), fit, met)
    found = judge(settings, outcome, False, Cost())
    assert found.radius == 0.5 and found.interval == (0.0, 0.5) and found.status is Status.POOR_FIT


def test_of_many_classes_short_blocks_drop_the_first(monkeypatch: pytest.MonkeyPatch):
    torch.manual_seed(2)
    model = Classifier(nn.Sequential(nn.Linear(30, 64), nn.Tanh(), nn.Linear(64, 100)))
    screened = clever(model, inputs(1, 30).float(), **SMALL)[0]
    monkeypatch.setattr("clearance.estimates.fixed_point.MANY_CLASSES", 10**9)
    followed = clever(model, inputs(1, 30).float(), **SMALL)[0]
    assert screened.radius == followed.radius and screened.cost.backward < 0.7 * followed.cost.backward
