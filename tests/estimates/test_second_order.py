"""Second-order scores against closed forms; what they refuse; their records, statuses and costs."""

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies
from torch import Tensor, nn

from clearance.cli import run
from clearance.errors import InputError
from clearance.estimates.clever import clever
from clearance.estimates.evidence import Evidence, MarginProblem
from clearance.estimates.samplers.curvature_search import directed_curvatures
from clearance.estimates.samplers.point_curvature import with_taylor
from clearance.estimates.samplers.uniform import uniform_curvatures
from clearance.estimates.scores import CleverScore
from clearance.estimates.second_order import SecondOrderScore, second_order_radius
from clearance.estimates.settings import PAPER_SECOND_ORDER, Settings
from clearance.estimates.smoothness import is_twice_differentiable
from clearance.estimates.status import Status
from clearance.geometry.norms import dual_norm, vector_norm
from clearance.model.classifier import Classifier
from clearance.zoo.networks import initialise
from closed_forms import ball_classifier, random_linear

SMALL = {"order": 2, "blocks": 4, "block_size": 48}


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Quadratic(nn.Module):
    """Logits `(m + a.x - x' A x / 2, 0)`: the Hessian is `-A` everywhere."""

    def __init__(self, matrix: Tensor, slope: Tensor, margin: float) -> None:
        super().__init__()
        self.matrix, self.slope, self.margin = matrix, slope, margin

    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(1)
        values = self.margin + flat @ self.slope.to(x) - 0.5 * (flat * (flat @ self.matrix.to(x))).sum(1)
        return torch.stack([values, torch.zeros_like(values)], 1)


def quadratic(size: int, seed: int, margin: float = 2.0) -> Quadratic:
    square = normal(size, size, seed=seed)
    return Quadratic(square + square.T, normal(size, seed=seed + 100), margin)


def mlp(activation: nn.Module, *, size: int = 8, seed: int = 0) -> nn.Module:
    layers = (nn.Flatten(), nn.Linear(size, 24), activation, nn.Linear(24, 16), activation, nn.Linear(16, 4))
    return initialise(nn.Sequential(*layers), seed=seed).double()


def problem(model: Classifier, x: Tensor, order: float = 2.0) -> MarginProblem:
    logits = model.logits(x[None])[0]
    first, second = logits.topk(2).indices.tolist()
    margin = (logits[first] - logits[second]).reshape(1)
    plain = MarginProblem(model, x, "key", first, torch.tensor([second]), margin, order, dual_norm(order), False, 0)
    return with_taylor(plain, "norm", float(logits.abs().max()))


@pytest.mark.parametrize("curvature", ["norm", "one-sided"])
@pytest.mark.parametrize("sampler", ["directed", "uniform"])
@pytest.mark.parametrize("radius", ["auto", 5.0])
@pytest.mark.parametrize("size", [2, 6, 40])
def test_quadratic_classifiers_are_exact(curvature: str, sampler: str, radius: Any, size: int):
    for seed in range(2):
        network = quadratic(size, seed)
        values = torch.linalg.eigvalsh(network.matrix)
        a = float(values.abs().max() if curvature == "norm" else values.max())
        b = float(network.slope.norm())
        exact = 2 * 2.0 / (b + math.sqrt(b**2 + 2 * a * 2.0))
        model = Classifier(network, dtype=torch.float64)
        score = clever(model, torch.zeros(1, size), curvature=curvature, sampler=sampler, radius=radius, **SMALL)[0]
        assert score.radius == pytest.approx(exact, rel=1e-3)
        assert score.interval == pytest.approx((exact, exact), rel=2e-3)
        assert score.curvature == pytest.approx(a, rel=2e-3)
        assert score.gradient_norm == pytest.approx(b)
        assert score.status is Status.OK
        alike = a == pytest.approx(float(values.abs().max()))  # then either curvature may give the larger radius
        assert score.order == 2 and (score.curvature_kind == curvature or alike)


def test_a_sphere_around_the_input_is_exact_in_single_precision():
    score = clever(Classifier(lambda x: ball_classifier(x) * 3), torch.zeros(1, 1, 5, 5), **SMALL)[0]
    assert score.radius == pytest.approx(1.0, rel=1e-3)  # 3 - 3 ||x||²: a = 6, b = 0
    assert score.gradient_norm == 0.0 and score.status is Status.OK


@pytest.mark.parametrize("order", [1.0, math.inf])
def test_a_diagonal_quadratic_is_exact_for_other_norms(order: float):
    diagonal = torch.tensor([1.0, 3.0, 0.5, 2.0], dtype=torch.float64)
    network = Quadratic(torch.diag(diagonal), torch.tensor([0.3, -0.2, 0.1, 0.4], dtype=torch.float64), 2.0)
    a = float(diagonal.max() if order == 1 else diagonal.sum())
    b = float(vector_norm(network.slope[None], dual_norm(order)))
    score = clever(Classifier(network, dtype=torch.float64), torch.zeros(1, 4), norm=order, **SMALL)[0]
    exact = second_order_radius(2.0, b, a)
    assert score.largest_curvature == pytest.approx(a, rel=1e-9)
    assert score.interval[1] == pytest.approx(exact, rel=1e-9)
    assert 0.9 * exact < score.radius <= exact * (1 + 1e-9)  # blocks that end in another local maximum lower it


@pytest.mark.parametrize("order", [1.0, 1.5, 2.0, math.inf])
@pytest.mark.parametrize("sampler", ["directed", "uniform"])
def test_linear_classifiers_have_no_curvature(order: float, sampler: str):
    network, x = random_linear(3), normal(2, 6)
    model = Classifier(network, dtype=torch.float64)
    for row, score in zip(x, clever(model, x, norm=order, sampler=sampler, **SMALL), strict=True):
        exact = float(network.distance(row[None], order))
        assert score.radius == pytest.approx(exact, rel=1e-9)
        assert score.interval == pytest.approx((exact, exact), rel=1e-9)
        assert (score.curvature, score.largest_curvature) == (0.0, 0.0)
        assert score.status is Status.OK


@settings(max_examples=200, deadline=None)
@given(
    margin=strategies.floats(1e-6, 1e6),
    slope=strategies.floats(1e-6, 1e6),
    curvature=strategies.floats(0, 1e6),
)
def test_the_radius_solves_its_equation(margin: float, slope: float, curvature: float):
    radius = second_order_radius(margin, slope, curvature)
    assert slope * radius + 0.5 * curvature * radius**2 == pytest.approx(margin, rel=1e-12)
    assert radius <= margin / slope * (1 + 1e-12)


@pytest.mark.parametrize("curvature", [0.0, 1e-300, 1e-30, 1e-20, 1e-12])
def test_no_digits_are_lost_as_the_curvature_vanishes(curvature: float):
    assert second_order_radius(0.7, 1.3, curvature) == pytest.approx(
        0.7 / 1.3 * (1 - curvature * 0.7 / (2 * 1.3**2)), rel=4e-16
    )
    single = replace(problem(Classifier(quadratic(3, 0), dtype=torch.float64), torch.zeros(3, dtype=torch.float64)))
    assert single.taylor is not None
    part = single.radius_for(torch.tensor([curvature], dtype=torch.float64))
    assert float(part) == pytest.approx(float(single.margins / single.taylor.gradient_norms), rel=1e-11)


def test_the_limits_of_the_radius():
    assert second_order_radius(1.0, 0.0, 0.0) == math.inf
    assert second_order_radius(1.0, 2.0, math.inf) == 0.0
    assert second_order_radius(1e-30, 1e-30, 1e-30) == pytest.approx(0.7320508, rel=1e-6)  # sqrt(3) - 1
    assert second_order_radius(1e-200, 1e-200, 0.0) == pytest.approx(1.0)


@settings(max_examples=12, deadline=None)
@given(
    seed=strategies.integers(0, 10_000), radius=strategies.sampled_from(["auto", 0.3]), kind=strategies.integers(0, 1)
)
def test_one_sided_is_never_smaller(seed: int, radius: Any, kind: int):
    network = quadratic(4, seed) if kind else mlp(nn.Tanh(), seed=seed)
    model, x = Classifier(network, dtype=torch.float64), normal(1, 4 if kind else 8, seed=seed) * 0.3
    chosen = {"target": "runner-up", "radius": radius, "seed": seed, **SMALL}
    norm, one_sided = (clever(model, x, curvature=kind, **chosen)[0] for kind in ("norm", "one-sided"))
    assert one_sided.radius >= norm.radius
    assert one_sided.curvature_kind == "one-sided" or one_sided.radius == norm.radius


def test_a_fall_that_the_one_sided_searches_met_refutes_the_norm():
    torch.manual_seed(35)
    network, x = nn.Sequential(nn.Linear(12, 8), nn.Tanh(), nn.Linear(8, 3)), torch.rand(1, 12) * 2
    found = clever(Classifier(network), x, order=2, curvature="one-sided", blocks=6)[0]
    assert found.curvature_kind == "norm" and found.largest_secant_curvature > found.curvature * 1.01
    assert found.status is Status.REFUTED


def kinked_maximum(x: Tensor) -> Tensor:
    pooled = nn.functional.max_pool1d(x.tanh()[:, None], 2)[:, 0]
    return pooled @ normal(4, 3, seed=1)


SMOOTH = [nn.Tanh(), nn.Softplus(), nn.Softplus(beta=100), nn.Softplus(beta=1000), nn.GELU(), nn.ELU(), nn.SiLU()]
KINKED = [nn.ReLU(), nn.LeakyReLU(0.1), nn.Hardtanh(), nn.SELU()]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("activation", SMOOTH, ids=str)
def test_smooth_networks_are_twice_differentiable(activation: nn.Module, dtype: torch.dtype):
    for seed in range(3):
        model = Classifier(mlp(activation, seed=seed), dtype=dtype)
        for x in normal(3, 8, seed=seed).to(dtype):
            with model.frozen():
                assert all(is_twice_differentiable(problem(model, x), radius) for radius in (None, 1e-3, 5.0))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("activation", KINKED, ids=str)
def test_kinked_networks_are_not(activation: nn.Module, dtype: torch.dtype):
    for seed in range(3):
        model = Classifier(mlp(activation, seed=seed), dtype=dtype)
        for x in normal(3, 8, seed=seed).to(dtype):
            with model.frozen():
                assert not any(is_twice_differentiable(problem(model, x), radius) for radius in (None, 1e-3, 5.0))


def hidden(x: Tensor) -> Tensor:
    """Its gradient moves by a path that the second derivative does not see."""
    value = 2 + (x * (x.detach().sin() + 1)).sum(1)
    return torch.stack([value, torch.zeros_like(value)], 1)


@pytest.mark.parametrize("network", [mlp(nn.ReLU()), kinked_maximum, hidden], ids=["relu", "max pooling", "hidden"])
@pytest.mark.parametrize("radius", ["auto", 0.5])
def test_no_number_without_a_hessian(network: Any, radius: Any):
    scores = clever(Classifier(network, dtype=torch.float64), normal(2, 8), radius=radius, **SMALL)
    for score in scores:
        assert score.status is Status.NOT_TWICE_DIFFERENTIABLE and not score.status.has_number
        assert math.isnan(score.radius) and math.isnan(score.curvature) and score.margin > 0
        assert score.cost.hessian_vector > 0 and math.isnan(score.interval[0])
    json.dumps(scores[0].as_record(), allow_nan=False)


def stairs(x: Tensor) -> Tensor:
    steps = torch.ceil(x.sum(1) * 20) / 20
    return torch.stack([2 + steps, torch.zeros_like(steps)], 1)


def undefined_nearby(x: Tensor) -> Tensor:
    value = 1 + torch.log(1 - x.square().sum(1))
    return torch.stack([value, torch.zeros_like(value)], 1)


def half_hidden(x: Tensor) -> Tensor:
    """Linear to the gradient, while the margin really falls faster."""
    value = 2 + 0.1 * x.sum(1) + 0.9 * x.detach().sum(1)
    return torch.stack([value, torch.zeros_like(value)], 1)


@pytest.mark.parametrize("sampler", ["directed", "uniform"])
@pytest.mark.parametrize(
    ("network", "radius", "status"),
    [
        (stairs, 1.0, Status.MASKED),
        (lambda x: torch.stack([x.sum(1) * 0 + 2, x.sum(1) * 0], 1), 1.0, Status.NO_GRADIENT),
        (half_hidden, 3.0, Status.REFUTED),
        (undefined_nearby, 2.0, Status.NON_FINITE),
        (quadratic(3, 0), 1e-3, Status.AT_RADIUS),
        (lambda x: torch.stack([0.9 - x.square().sum(1), 0.1 + x.square().sum(1)], 1), "auto", Status.PROBABILITIES),
    ],
)
def test_statuses(network: Any, radius: Any, status: Status, sampler: str):
    model = Classifier(network, dtype=torch.float64)
    score = clever(model, torch.zeros(1, 3), sampler=sampler, radius=radius, **SMALL)[0]
    assert score.status is status
    assert math.isnan(score.radius) == (status is Status.NON_FINITE)


def test_an_open_endpoint_opens_the_interval():
    model = Classifier(mlp(nn.Tanh()), dtype=torch.float64)
    score = clever(model, normal(1, 8), order=2, radius=2.0, sampler="uniform", blocks=2, block_size=4)[0]
    assert score.fit is not None and math.isinf(float(score.fit.interval[1]))
    assert score.interval[0] == 0.0
    assert score.interval[1] == pytest.approx(
        second_order_radius(score.margin, score.gradient_norm, score.largest_curvature)
    )


def test_a_record_holds_what_its_numbers_rest_on():
    network, x = mlp(nn.Tanh()), normal(1, 8)
    model = Classifier(network, dtype=torch.float64)
    score = clever(model, x, target="runner-up", order=2, blocks=6)[0]

    def margin(point: Tensor) -> Tensor:
        logits = network(point[None])[0]
        return logits[score.predicted] - logits[score.target]

    assert score.largest_point is not None
    there = float(torch.linalg.eigvalsh(torch.func.hessian(margin)(score.largest_point)).abs().max().detach())
    assert score.largest_curvature == pytest.approx(there, rel=1e-3)
    assert score.largest_curvature <= there * (1 + 1e-9)
    assert score.curvature >= score.largest_curvature >= score.largest_secant_curvature > 0
    assert float((score.largest_point - x[0]).norm()) <= score.ball_radius * (1 + 1e-6)
    expected = second_order_radius(score.margin, score.gradient_norm, score.curvature)
    assert score.radius == pytest.approx(min(expected, score.ball_radius))
    assert type(score) is SecondOrderScore
    first = clever(model, x, target="runner-up", blocks=6)[0]
    assert type(first) is CleverScore
    document = json.loads(json.dumps(score.as_record(), allow_nan=False))
    assert "lipschitz" not in document and document["curvature"] == score.curvature


def test_a_witness_refutes():
    network = mlp(nn.Tanh())
    model, x = Classifier(network, dtype=torch.float64), normal(1, 8)
    where = problem(model, x[0])
    evidence = Evidence()
    points = x + 0.1 * normal(1, 8, seed=2)
    evidence.add(where, 0, points, torch.tensor([-1.0], dtype=torch.float64), torch.tensor([0.0], dtype=torch.float64))
    assert -evidence.witness.value == pytest.approx(float((points - x).norm()))
    secant = evidence.secant.value  # the fall that no line explains needs at least this curvature
    assert where.taylor is not None
    linear = float(((points - x) * where.taylor.gradients).sum())
    fall = float(where.margins) + linear + 1.0
    assert secant == pytest.approx(2 * fall / float((points - x).norm()) ** 2, rel=1e-6)


def test_secant_curvatures_never_exceed_the_curvature_between():
    network = mlp(nn.Tanh())
    model, x = Classifier(network, dtype=torch.float64), normal(1, 8)
    where, values = problem(model, x[0]), []
    for point in x[0] + normal(50, 8, seed=3):
        evidence = Evidence()
        logits = network(point[None])[0].detach()
        margin = (logits[where.predicted] - logits[int(where.targets[0])]).reshape(1)
        evidence.add(where, 0, point[None], margin, torch.zeros_like(margin))

        def value(at: Tensor) -> Tensor:
            output = network(at[None])[0]
            return output[where.predicted] - output[int(where.targets[0])]

        between = [
            float(torch.linalg.eigvalsh(torch.func.hessian(value)(x[0] + share * (point - x[0]))).abs().max())
            for share in np.linspace(0, 1, 21)
        ]
        values.append(evidence.secant.value / max(between))
    assert 0.05 < max(values) <= 1.0


def test_the_curvature_found_is_below_the_true_maximum_and_near_it():
    """Two inputs only: the maximum over the ball is known from a grid."""
    network = mlp(nn.Tanh(), size=2, seed=3)
    x = torch.tensor([[0.3, -0.2]], dtype=torch.float64)
    model, radius = Classifier(network, dtype=torch.float64), 1.0
    score = clever(model, x, target="runner-up", order=2, radius=radius, blocks=12)[0]

    def margin(point: Tensor) -> Tensor:
        logits = network(point[None])[0]
        return logits[score.predicted] - logits[score.target]

    line = torch.linspace(-radius, radius, 121, dtype=torch.float64)
    grid = torch.cartesian_prod(line, line)
    grid = x + grid[grid.norm(dim=1) <= radius]
    exact = float(torch.linalg.eigvalsh(torch.func.vmap(torch.func.hessian(margin))(grid)).abs().max())
    assert 0.99 * exact <= score.largest_curvature <= exact * 1.01


@pytest.mark.parametrize("sampler", [uniform_curvatures, directed_curvatures])
@pytest.mark.parametrize("order", [1.0, 2.0, math.inf])
def test_samples_stay_in_the_ball_and_keep_to_their_budget(sampler: Any, order: float):
    seen: list[Tensor] = []
    network = mlp(nn.Tanh())

    def watched(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return network(x)

    model, x = Classifier(watched, dtype=torch.float64, micro_batch=512), normal(1, 8)
    where = problem(model, x[0], order)
    for size in (16, 37, 96):
        seen.clear()
        start = model.meter.read()
        maxima, evidence = sampler(where, 0.3, range(5), size, "test")
        points = torch.cat(seen)
        assert maxima.shape == (1, 5) and evidence[0].derivative.value == pytest.approx(float(maxima.max()))
        assert float(vector_norm(points - x, order).max()) <= 0.3 * (1 + 1e-9)
        if sampler is directed_curvatures:
            cost = model.meter.since(start)
            assert cost.backward + cost.hessian_vector <= 5 * size * 1.2  # rebuilt graphs are the rest
            assert cost.backward + cost.hessian_vector >= 5 * size * 0.6


def test_the_same_input_gives_the_same_bits_whatever_is_beside_it_or_follows():
    model, x = Classifier(mlp(nn.Tanh()), dtype=torch.float64), normal(3, 8)
    for sampler in ("directed", "uniform"):
        chosen = {"target": "runner-up", "sampler": sampler, "radius": 0.4, "order": 2, "block_size": 16}
        together = clever(model, x, blocks=26, **chosen)
        alone = clever(model, x[1:2], blocks=26, **chosen)[0]
        assert alone.maxima == together[1].maxima and alone.radius == together[1].radius
        assert clever(model, x[1:2], blocks=24, **chosen)[0].maxima == together[1].maxima[:24]
        assert clever(model, x[1:2], blocks=24, seed=1, **chosen)[0].maxima != together[1].maxima[:24]


def test_racing_and_targets():
    model, x = Classifier(mlp(nn.Tanh(), seed=2), dtype=torch.float64), normal(2, 8, seed=1)
    labels = model.logits(x).argmax(1)
    labels[1] = (labels[1] + 1) % 4
    raced, plain = (clever(model, x, labels=labels, order=2, racing=racing, blocks=12) for racing in (True, False))
    assert raced[0].target == plain[0].target
    assert raced[0].radius == pytest.approx(plain[0].radius, rel=0.03)
    assert raced[1].status is Status.MISCLASSIFIED and raced[1].order == 2


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"order": 3}, "order: expected 1 or 2, got 3"),
        ({"order": 2, "curvature": "trace"}, "curvature: expected 'norm' or 'one-sided'"),
        ({"curvature": "one-sided"}, "only meaningful with order=2"),
        ({"order": 2, "curvature": "one-sided", "norm": 1}, "expected norm 2"),
        ({"order": 2, "block_size": 4}, "block_size: expected at least 16"),
    ],
)
def test_choices_that_cannot_be_used(choice: dict[str, Any], message: str):
    with pytest.raises(InputError, match=message):
        Settings(**choice)


def test_the_papers_settings():
    chosen = Settings(**PAPER_SECOND_ORDER)
    assert (chosen.order, chosen.sampler, chosen.schedule(9), chosen.size) == (2, "uniform", [100], 200)
    assert (Settings(order=2).size, Settings(order=2).most_blocks) == (96, 24)


def test_the_command_line(capfd: pytest.CaptureFixture[str], tmp_path: Any, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "smooth_factories.py").write_text(
        "from torch import nn\nfrom clearance.zoo.networks import initialise\n\n\n"
        "def smooth():\n    layers = nn.Flatten(), nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3)\n"
        "    return initialise(nn.Sequential(*layers), seed=0)\n\n\n"
        "def kinked():\n    layers = nn.Flatten(), nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)\n"
        "    return initialise(nn.Sequential(*layers), seed=0)\n"
    )
    images = np.array([[[0.9, 0.2, 0.1, 0.5]], [[0.1, 0.7, 0.3, 0.5]]], dtype=np.float32)
    smooth = __import__("importlib").import_module
    monkeypatch.syspath_prepend(str(tmp_path))
    network = smooth("smooth_factories").smooth()
    labels = network(torch.from_numpy(images)).argmax(1).numpy()
    np.savez(tmp_path / "data.npz", images=images, labels=labels)
    arguments = ["score", "smooth_factories:smooth", str(tmp_path / "data.npz"), "--order", "2", "--blocks", "4"]
    assert run([*arguments, "--curvature", "one-sided"]) == 0
    out = " ".join(capfd.readouterr().out.split())
    assert "second order (one-sided)" in out and "Hessian-vector products" in out
    assert run([*arguments, "--json"]) == 0
    document = json.loads(capfd.readouterr().out)
    assert document["settings"]["order"] == 2
    assert all(result["order"] == 2 and result["curvature"] > 0 for result in document["results"])
    assert document["summary"]["cost"]["hessian_vector"] > 0
    arguments[1] = "smooth_factories:kinked"
    assert run(arguments) == 0
    out = capfd.readouterr().out
    assert "not_twice_differentiable" in out or "misclassified" in out
    assert run([*arguments[:4], "3"]) == 2
    assert "'--order': 3 is not in the range" in capfd.readouterr().err
