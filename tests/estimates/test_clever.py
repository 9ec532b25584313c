"""Scores against closed forms; seeds and what is left as it was found."""

import json
import math

import pytest
import torch
from torch import Tensor, nn

from clearance.estimates.clever import clever
from clearance.estimates.status import Status
from clearance.geometry.norms import dual_norm, vector_norm
from clearance.model.classifier import Classifier
from closed_forms import Linear, random_inputs, random_linear, random_network
from score_cases import normal, small_mlp

SMALL = {"bound": "ball", "blocks": 8, "block_size": 64}
QUICK = {"budget": "quick"}
BOTH = pytest.mark.parametrize("choices", [QUICK, SMALL], ids=["profile", "ball"])
ORDERS = (1.0, 1.5, 2.0, math.inf)


def linear_distance(network: Linear, x: Tensor, score_target: int, order: float) -> float:
    logits = network(x[None])[0]
    best = int(logits.argmax())
    slope = vector_norm((network.weight[best] - network.weight[score_target])[None], dual_norm(order))
    return float((logits[best] - logits[score_target]) / slope)


@pytest.mark.parametrize("order", [*ORDERS, 1.001, 300.0])
@pytest.mark.parametrize("target", ["untargeted", "runner-up", "random", "least-likely"])
@pytest.mark.parametrize("sampler", ["directed", "uniform"])
@pytest.mark.thinned(20)
def test_linear_classifiers_are_exact(order: float, target: str, sampler: str):
    network, x = random_linear(3), normal(5, 6)
    model = Classifier(network, dtype=torch.float64)
    for row, score in zip(x, clever(model, x, target=target, norm=order, sampler=sampler, **SMALL), strict=True):
        exact = float(network.distance(row[None], order)) if target == "untargeted" else None
        exact = exact or linear_distance(network, row, score.target, order)
        assert score.radius == pytest.approx(exact, rel=1e-4)
        assert score.interval == pytest.approx((exact, exact), rel=1e-4)
        assert score.status is Status.OK


@pytest.mark.thinned(2)
@pytest.mark.parametrize("order", [*ORDERS, 1.001, 300.0])
@pytest.mark.parametrize("target", ["runner-up", "random", "least-likely"])
def test_the_profile_of_a_linear_margin_is_exact(order: float, target: str):
    """Every gradient is the same: whatever was sampled, the radius is `g / ||w||_q`, and so are both ends.

    A radial slope is `||w||_q` in one direction only: its reading lies between that and the witness.
    """
    network, x = random_linear(3), normal(2, 6)
    model = Classifier(network, dtype=torch.float64)
    for row, score in zip(x, clever(model, x, target=target, norm=order, budget=5400), strict=True):
        exact = linear_distance(network, row, score.target, order)
        assert score.radius == pytest.approx(exact, rel=1e-9)
        assert score.interval == pytest.approx((exact, exact), rel=1e-9)
        assert score.status is Status.OK and score.by_radial is not None
        assert exact * (1 - 1e-9) <= score.by_radial.radius <= score.witness_distance * (1 + 1e-9)


@pytest.mark.parametrize("budget", [1000, "quick"])
def test_a_block_that_met_nothing_in_its_ball_says_nothing(budget: int | str):
    """A nearer witness, met in the last round, shrinks the levels: some blocks have no point in the smaller balls.

    All others have the same maximum, that of the one gradient there is: no spacing between two blocks is above 0.
    """
    model, x = Classifier(random_linear(3), dtype=torch.float64), normal(2, 6)
    scores = [score for p in (1.001, 2.0) for score in clever(model, x, target="least-likely", norm=p, budget=budget)]
    assert all(score.interval[0] == pytest.approx(score.radius, rel=1e-9) for score in scores)


@pytest.mark.parametrize("order", ORDERS)
def test_the_untargeted_profile_of_linear_margins_lies_between_the_steepest_class_and_the_distance(order: float):
    """Its gradients are those of classes that are second somewhere: none is steeper than the steepest class."""
    network, x = random_linear(3), normal(3, 6)
    for row, score in zip(x, clever(Classifier(network, dtype=torch.float64), x, norm=order, budget=3000), strict=True):
        others = [target for target in range(len(network.weight)) if target != score.predicted]
        steepest = vector_norm(network.weight[others] - network.weight[score.predicted], dual_norm(order)).max()
        exact = float(network.distance(row[None], order))
        assert score.margin / float(steepest) * (1 - 1e-9) <= score.radius <= exact * (1 + 1e-9)
        assert score.radius == pytest.approx(exact, rel=0.3)


def test_linear_classifiers_are_exact_in_single_precision_at_a_given_radius():
    network, x = random_linear(4, size=784), normal(3, 784).float()
    model = Classifier(network, dtype=torch.float32)
    for row, score in zip(x, clever(model, x, norm=2, radius=50.0, **SMALL), strict=True):
        assert score.radius == pytest.approx(float(network.distance(row[None].double(), 2.0)), rel=1e-4)


@pytest.mark.thinned(2)
@BOTH
def test_the_same_input_gives_the_same_bits_whatever_is_beside_it(choices: dict):
    model, x = Classifier(small_mlp(), dtype=torch.float64), normal(4, 6)
    together = clever(model, x, target="random", seed=5, **choices)
    for index in (0, 3):
        alone = clever(model, x[index : index + 1], target="random", seed=5, **choices)[0]
        assert alone.maxima == together[index].maxima
        assert (alone.radius, alone.interval, alone.target) == (
            together[index].radius,
            together[index].interval,
            together[index].target,
        )
    turned = clever(model, x.flip(0), target="random", seed=5, **choices)
    assert [s.maxima for s in turned[::-1]] == [s.maxima for s in together]


def test_another_seed_gives_other_samples():
    model, x = Classifier(small_mlp(), dtype=torch.float64), normal(1, 6)
    settings = {"target": "runner-up", "sampler": "uniform", "radius": 0.5, **SMALL}
    first, second = (clever(model, x, seed=seed, **settings)[0].maxima for seed in (0, 1))
    assert not set(first) & set(second)


@pytest.mark.parametrize("sampler", ["directed", "uniform"])
def test_more_blocks_keep_the_first_ones(sampler: str):
    model, x = Classifier(small_mlp(), dtype=torch.float64), normal(1, 6)
    settings = {"bound": "ball", "target": "runner-up", "sampler": sampler, "radius": 0.5, "block_size": 32}
    few, many = (clever(model, x, blocks=blocks, **settings)[0].maxima for blocks in (24, 60))
    assert many[:24] == few


def test_samples_stay_in_bounds_unless_it_is_said_otherwise():
    seen: list[Tensor] = []

    def network(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return mlp_(x)

    mlp_ = small_mlp(5)
    model = Classifier(network, bounds=(-0.1, 0.1), dtype=torch.float64)
    x = torch.full((1, 6), 0.05, dtype=torch.float64)
    for choices in ({"radius": 1.0, **SMALL}, {"radius": 1.0, "sampler": "uniform", **SMALL}, QUICK):
        seen.clear()
        score = clever(model, x, target="runner-up", **choices)[0]
        points = torch.cat(seen)
        assert float(points.abs().max()) <= 0.1 + 1e-12
        assert score.clip == "project"
    seen.clear()
    clever(model, x, radius=1.0, clip=None, feasible=False, target="runner-up", **SMALL)
    assert float(torch.cat(seen).abs().max()) > 0.1


@BOTH
def test_a_misclassified_input_has_a_row(choices: dict):
    model, x = Classifier(small_mlp(), dtype=torch.float64), normal(3, 6)
    labels = model.logits(x).argmax(1)
    labels[1] = (labels[1] + 1) % 4
    scores = clever(model, x, labels=labels, target="runner-up", **choices)
    assert [s.status is Status.MISCLASSIFIED for s in scores] == [False, True, False]
    assert math.isnan(scores[1].radius)
    assert scores[1].predicted == int(model.logits(x[1:2]).argmax())


def test_running_out_of_memory_halves_the_micro_batch_and_goes_on():
    calls: list[int] = []
    network = small_mlp()

    def small_machine(x: Tensor) -> Tensor:
        calls.append(len(x))
        if len(x) > 8:
            raise MemoryError("not enough memory")
        return network(x)

    tight = Classifier(small_machine, dtype=torch.float64, micro_batch=64)
    roomy = Classifier(network, dtype=torch.float64, micro_batch=8)
    x = normal(1, 6)
    settings = {"target": "runner-up", "sampler": "uniform", "radius": 0.5, **SMALL}
    assert clever(tight, x, **settings)[0].maxima == pytest.approx(clever(roomy, x, **settings)[0].maxima, rel=1e-9)
    assert max(calls) == 64
    assert tight.micro_batch(x) == 8


def test_a_memory_budget_sets_the_micro_batch():
    network, x = small_mlp(), normal(1, 6)
    small, large = (Classifier(network, memory_budget=budget).micro_batch(x) for budget in (10_000, 1_000_000))
    assert 1 <= small < large <= 4096


@pytest.mark.thinned(3)
@pytest.mark.parametrize(
    "settings", [QUICK, SMALL, {**SMALL, "radius": 1.0}, {"order": 2}, {**SMALL, "sampler": "uniform"}]
)
@pytest.mark.parametrize("size", [3, 20])
def test_an_input_on_the_boundary_has_radius_zero_and_does_not_disturb_its_neighbours(settings: dict, size: int):
    network, x = nn.Linear(size, 3, bias=False), normal(2, size)
    model, both = Classifier(network), torch.stack([torch.zeros(size), x[1]])
    tied, other = clever(model, both, **settings)
    assert (tied.radius, tied.interval, tied.margin, tied.status) == (0.0, (0.0, 0.0), 0.0, Status.OK)
    assert tied.witness is not None and torch.equal(tied.witness, both[0])
    assert other.radius == clever(model, x[1:], **settings)[0].radius
    json.dumps(tied.as_record(), allow_nan=False)


def test_untargeted_is_at_most_the_distance_of_any_class():
    """The search for all classes at once is held against the witnesses of searches for each class."""
    for seed in (0, 7):
        model, x = Classifier(random_network(seed, (12, 24, 24, 5), nn.ReLU)), random_inputs(seed, 1, 12)
        others = [target for target in range(5) if target != int(model.logits(x).argmax())]
        (untargeted,) = clever(model, x, **QUICK)
        distances = [clever(model, x, target=target, **QUICK)[0].witness_distance for target in others]
        assert untargeted.radius <= min(distances) and untargeted.witness_distance <= 1.05 * min(distances)


@pytest.mark.thinned(3)
@BOTH
@pytest.mark.parametrize("norm", [1.0, 2.0, math.inf])
@pytest.mark.parametrize("embedded", [False, True])
def test_the_search_stays_inside_the_bounds(norm: float, embedded: bool, choices: dict):
    """A network may be defined there only: the logarithm of a pixel, an embedding of whole numbers from 0 to 255.

    What the embedding does has no gradient, and the falls that are met refute the estimate.
    """
    table = normal(256, 4, seed=1).float()

    def network(x: Tensor) -> Tensor:
        inside = bool(((x >= 0) & (x <= 1)).all())
        if not inside:
            raise ValueError("a value outside [0, 1]")
        known = table[(x * 255).round().long()].sum(1) if embedded else 0.0
        return known + torch.log1p(4 * x) @ table[:6].to(x)

    model = Classifier(network, bounds=(0, 1))
    (score,) = clever(model, normal(1, 6).float().sigmoid(), norm=norm, **choices)
    assert score.status.has_number is not embedded and score.radius > 0
