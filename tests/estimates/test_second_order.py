"""Second-order scores against closed forms; what they refuse; their records, statuses and costs."""

import json
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies
from torch import Tensor, nn

from clearance.cli import run
from clearance.estimates.clever import clever
from clearance.estimates.scores import CleverScore
from clearance.estimates.second_order import SecondOrderScore, second_order_radius
from clearance.estimates.status import Status
from clearance.geometry.norms import dual_norm, vector_norm
from clearance.model.classifier import Classifier
from closed_forms import ball_classifier, random_linear
from score_cases import Quadratic, deep_mlp, half_hidden, margin_problem, normal, quadratic, stairs

SMALL = {"order": 2, "blocks": 4, "block_size": 48}


@pytest.mark.parametrize("curvature", ["norm", "one-sided"])
@pytest.mark.parametrize("sampler", ["directed", "uniform"])
@pytest.mark.parametrize("radius", ["auto", 5.0])
@pytest.mark.parametrize("size", [2, 6, 40])
@pytest.mark.thinned(5)
def test_quadratic_classifiers_are_exact(curvature: str, sampler: str, radius: Any, size: int):
    for seed in range(2):
        network = quadratic(size, seed)
        values = torch.linalg.eigvalsh(network.matrix)
        a = float(values.abs().max() if curvature == "norm" else values.max())
        b = float(network.weight.norm())
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
    b = float(vector_norm(network.weight[None], dual_norm(order)))
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
    single = margin_problem(
        Classifier(quadratic(3, 0), dtype=torch.float64), torch.zeros(3, dtype=torch.float64), order=2
    )
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
    network = quadratic(4, seed) if kind else deep_mlp(nn.Tanh(), seed=seed)
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


def hidden(x: Tensor) -> Tensor:
    """Its gradient moves by a path that the second derivative does not see."""
    value = 2 + (x * (x.detach().sin() + 1)).sum(1)
    return torch.stack([value, torch.zeros_like(value)], 1)


@pytest.mark.parametrize(
    "network", [deep_mlp(nn.ReLU()), kinked_maximum, hidden], ids=["relu", "max pooling", "hidden"]
)
@pytest.mark.parametrize("radius", ["auto", 0.5])
def test_no_number_without_a_hessian(network: Any, radius: Any):
    scores = clever(Classifier(network, dtype=torch.float64), normal(2, 8), radius=radius, **SMALL)
    for score in scores:
        assert score.status is Status.NOT_TWICE_DIFFERENTIABLE and not score.status.has_number
        assert math.isnan(score.radius) and math.isnan(score.curvature) and score.margin > 0
        assert score.cost.hessian_vector > 0 and math.isnan(score.interval[0])
    json.dumps(scores[0].as_record(), allow_nan=False)


def undefined_nearby(x: Tensor) -> Tensor:
    value = 1 + torch.log(1 - x.square().sum(1))
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
    model = Classifier(deep_mlp(nn.Tanh()), dtype=torch.float64)
    score = clever(model, normal(1, 8), order=2, radius=2.0, sampler="uniform", blocks=2, block_size=4)[0]
    assert score.fit is not None and math.isinf(float(score.fit.interval[1]))
    assert score.interval[0] == 0.0
    assert score.interval[1] == pytest.approx(
        second_order_radius(score.margin, score.gradient_norm, score.largest_curvature)
    )


def test_a_record_holds_what_its_numbers_rest_on():
    network, x = deep_mlp(nn.Tanh()), normal(1, 8)
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
    first = clever(model, x, target="runner-up", bound="ball", blocks=6)[0]
    assert type(first) is CleverScore
    document = json.loads(json.dumps(score.as_record(), allow_nan=False))
    assert "lipschitz" not in document and document["curvature"] == score.curvature


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
