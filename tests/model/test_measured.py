"""Scales and fixed coordinates: every public number against closed forms of linear classifiers."""

import math

import pytest
import torch
from torch import nn

import clearance as cl
from clearance.errors import DtypeError, InputError, ShapeError
from clearance.model.measured import around, measured

W = torch.tensor([[3.0, -4.0, 0.5], [0.0, 0.0, 0.0]])
X = torch.tensor([[1.0, 0.2, 2.0], [0.9, 0.1, 1.0]])
LOW, HIGH = torch.tensor([-10.0, -10.0, -100.0]), torch.tensor([10.0, 10.0, 100.0])
SCALE = torch.tensor([0.5, 2.0, 10.0])
NORMS = [1.0, 2.0, math.inf]


def linear() -> nn.Module:
    layer = nn.Linear(3, 2, bias=False).double()
    with torch.no_grad():
        layer.weight.copy_(W)
    return layer


def distance(norm: float, scale: torch.Tensor, moves: torch.Tensor) -> list[float]:
    """`g / ‖s w‖_q` over the coordinates that move."""
    weights = (W[0] * scale)[moves].double()
    dual = {1.0: math.inf, 2.0: 2.0, math.inf: 1.0}[norm]
    return [float(row.double() @ W[0].double() / torch.linalg.vector_norm(weights, dual)) for row in X]


def make(**options: object) -> cl.Classifier:
    return cl.Classifier(linear(), bounds=(LOW, HIGH), **options)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("norm", NORMS)
def test_every_number_is_in_units_of_the_scale_and_points_are_in_units_of_the_input(norm: float) -> None:
    model, expected = make(scale=SCALE), distance(norm, SCALE, torch.ones(3, dtype=torch.bool))
    for found, value, x in zip(cl.bracket(model, X, [0, 0], norm=norm, budget="quick"), expected, X, strict=True):
        assert found.lower == pytest.approx(value, rel=1e-6)
        assert found.radius == pytest.approx(value, rel=1e-3)
        assert found.attacked.distance == pytest.approx(value, rel=2e-2)
        assert torch.equal(found.x0, x.double())
        witness = found.attacked.adversarial
        assert witness is not None
        shift = (witness - found.x0) / SCALE.double()
        assert float(torch.linalg.vector_norm(shift, norm)) == pytest.approx(found.attacked.distance, rel=1e-6)
        assert int(model.logits(witness[None]).argmax()) == 1


@pytest.mark.parametrize("norm", NORMS)
def test_fixed_coordinates_keep_each_inputs_own_value(norm: float) -> None:
    fixed = torch.tensor([False, True, False])
    model, expected = make(fixed=fixed), distance(norm, torch.ones(3), ~fixed)
    for found, value, x in zip(cl.bracket(model, X, [0, 0], norm=norm, budget="quick"), expected, X, strict=True):
        assert found.lower == pytest.approx(value, rel=1e-6)
        assert found.radius == pytest.approx(value, rel=1e-3)
        assert found.attacked.adversarial is not None
        assert found.attacked.adversarial[1] == x[1].double()
        assert found.attacked.distance == pytest.approx(value, rel=2e-2)


@pytest.mark.parametrize("norm", [0.0, *NORMS])
def test_fixed_coordinates_of_a_witness_are_those_of_the_input_to_the_last_bit(norm: float) -> None:
    torch.manual_seed(0)
    x, fixed, scale = torch.rand(8, 20), torch.rand(20) < 0.4, torch.rand(20) + 0.1
    assert not torch.equal(x / scale * scale, x)  # a scale that rounds
    model = cl.Classifier(nn.Linear(20, 3), bounds=(0, 1), fixed=fixed, scale=scale)
    for found, own in zip(cl.attack(model, x, norm=norm, budget=200), x, strict=True):
        assert found.adversarial is not None
        assert torch.equal(found.adversarial[fixed], own[fixed])
        assert int(model.logits(found.adversarial[None]).argmax()) == found.predicted


def test_the_parts_alone_agree_with_the_bracket() -> None:
    model = make(scale=SCALE, fixed=torch.tensor([False, True, False]))
    expected = distance(2.0, SCALE, torch.tensor([True, False, True]))
    attacked = cl.attack(model, X, [0, 0], budget="quick")
    proofs, scores = cl.certify(model, X), cl.clever(model, X, budget="quick")
    audits = cl.audit(model, X, [0, 0], scores=scores, attacks=attacked)
    within = cl.attack(model, X, [0, 0], radius=1.1 * max(expected), budget="quick")
    for place, value in enumerate(expected):
        witness, near = attacked[place].adversarial, within[place].adversarial
        assert witness is not None
        assert near is not None
        assert witness[1] == near[1] == X[place, 1].double()
        assert within[place].distance <= 1.1 * max(expected)
        assert proofs[place].radius == pytest.approx(value, rel=1e-6)
        assert scores[place].radius == pytest.approx(value, rel=1e-3)
        assert attacked[place].distance == pytest.approx(value, rel=2e-2)
        assert not audits[place].masked


def test_robust_accuracy_counts_in_units_of_the_scale() -> None:
    expected = distance(2.0, SCALE, torch.ones(3, dtype=torch.bool))
    radius = sum(expected) / 2  # between the two inputs
    found = cl.robust_accuracy(make(scale=SCALE), X, [0, 0], radius, 2, budget="quick")
    assert found.proved.count == found.not_broken.count == 1


def test_the_network_sees_what_it_saw() -> None:
    model = make(scale=SCALE, preprocessing=lambda x: x + 1.0)
    inner = measured(model)
    x = X.double()
    assert inner.scale is None
    assert torch.allclose(inner.logits(x / SCALE), model.logits(x), rtol=1e-12)
    assert inner.meter is model.meter
    assert measured(make()).scale is None


def test_a_scale_of_one_number_divides_every_distance() -> None:
    one, ten = (cl.certify(make(scale=scale), X)[0].radius for scale in (1.0, 10.0))
    assert one == pytest.approx(10 * ten, rel=1e-9)


def test_seeds_follow_the_content_of_the_input_and_not_the_scale() -> None:
    alone = cl.attack(make(scale=SCALE), X[1:], [0], budget="quick")[0]
    beside = cl.attack(make(scale=SCALE), X, [0, 0], budget="quick")[1]
    assert alone.distance == beside.distance


def test_around_changes_the_bounds_of_one_input_alone() -> None:
    model = make(fixed=torch.tensor([True, False, False]))
    one = around(model, X[:1].double())
    assert one.bounds is not None
    assert one.bounds[0].tolist() == [1.0, -10.0, -100.0]
    assert model.bounds is not None
    assert model.bounds[0].tolist() == LOW.tolist()


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"scale": 0.0}, InputError, "scale: expected positive numbers, got 0"),
        ({"scale": torch.tensor([1.0, math.nan, 1.0])}, InputError, "scale: expected positive numbers, got nan"),
        (
            {"scale": "std"},
            InputError,
            "with one for each feature, got 'std'; load_model",
        ),
        ({"fixed": torch.ones(3)}, DtypeError, "fixed: expected a bool tensor"),
        ({"fixed": torch.ones(3, dtype=torch.bool)}, InputError, "fixed: expected a coordinate that moves"),
    ],
)
def test_what_cannot_be_used_is_refused(options: dict[str, object], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        make(**options)


def test_fixed_coordinates_need_bounds_and_a_scale_needs_the_inputs_shape() -> None:
    with pytest.raises(InputError, match="fixed: expected bounds with it"):
        cl.Classifier(linear(), fixed=torch.tensor([True, False, False]))
    with pytest.raises(ShapeError, match=r"scale: expected \(3,\), as one input, got shape \(2,\)"):
        cl.certify(make(scale=torch.ones(2)), X)


def test_a_proof_gives_away_what_the_rounding_of_the_units_moves():
    """Far from zero in float32 `x / s` lies beside `x`: the proof must hold around `x` itself."""
    draw, above = torch.Generator().manual_seed(0), 0
    scale = torch.tensor([7.3, 9.1])
    for _ in range(40):
        x = torch.tensor([[2000.0, 185.0]]) + torch.rand(1, 2, generator=draw)
        weight = torch.randn(2, generator=draw)
        layer = nn.Linear(2, 2)
        with torch.no_grad():
            layer.weight.copy_(torch.stack([weight, torch.zeros(2)]))
            layer.bias.copy_(torch.tensor([100.0 - float(x[0] @ weight) + 0.01, 100.0]))
        margin = float(x[0].double() @ layer.weight[0].double() + layer.bias[0].double() - layer.bias[1].double())
        exact = margin / float((layer.weight[0].double() * scale.double()).norm())
        (proof,) = cl.certify(cl.Classifier(layer, scale=scale), x, [0], method="crown")
        above += proof.status.has_radius and proof.radius > exact
    assert above == 0
