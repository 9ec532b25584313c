"""`certify` itself: closed forms, statuses, misuse, what it leaves alone."""

import json
import math

import pytest
import torch
from torch import nn

import clearance as cl
from clearance.certificates.problem import RESERVE
from clearance.errors import InputError, ShapeError, TargetError
from closed_forms import as_module, exact_linear, random_inputs, random_linear, random_network


@pytest.mark.parametrize("order", [1.0, 1.0001, 1.5, 2.0, 3.0, 300.0, math.inf])
def test_a_linear_network_is_certified_to_its_hyperplanes(order: float):
    line, x = random_linear(0), random_inputs(0, 5, 6)
    proofs = cl.certify(cl.Classifier(as_module(line)), x, norm=order)
    wanted = line.distance(x, order).tolist()
    assert [proof.method for proof in proofs] == ["linear"] * 5
    assert [proof.radius for proof in proofs] == pytest.approx(wanted, rel=2 * RESERVE)
    assert all(proof.radius < distance for proof, distance in zip(proofs, wanted, strict=True))


@pytest.mark.parametrize("order", [1.0, math.inf])
def test_a_linear_network_within_bounds(order: float):
    line, x = random_linear(1), random_inputs(1, 6, 6)
    proofs = cl.certify(cl.Classifier(as_module(line), (0, 1)), x, norm=order)
    for row, proof in zip(x, proofs, strict=True):
        others = [k for k in range(4) if k != proof.predicted]
        wanted = exact_linear(line, row, order, others, 0.0, 1.0)
        assert proof.radius == pytest.approx(wanted, rel=1e-6) and proof.radius <= wanted


def test_a_linear_network_within_bounds_in_l2():
    weight = torch.tensor([[3.0, 4.0], [0.0, 0.0]], dtype=torch.float64)
    line = nn.Linear(2, 2, bias=False, dtype=torch.float64)
    line.weight.data.copy_(weight)
    x = torch.tensor([[1.0, 0.5]], dtype=torch.float64)
    (free,), (held,) = (cl.certify(cl.Classifier(line, bounds), x) for bounds in (None, (0, 1)))
    assert free.radius == pytest.approx(1.0)
    assert held.radius == pytest.approx(math.sqrt(1.25), rel=1e-6)  # only the corner (0, 0) is level


def test_the_product_of_norms_by_hand():
    network = random_network(0, (3, 5, 4), nn.ReLU)
    first, last = network[1].weight.detach(), network[3].weight.detach()
    x = random_inputs(0, 3, 3)
    logits = network(x).detach()
    for order, dual in ((1.0, math.inf), (2.0, 2.0), (math.inf, 1.0)):
        proofs = cl.certify(cl.Classifier(network), x, norm=order, method="operator-norms")
        for row, proof in zip(logits, proofs, strict=True):
            own = int(row.argmax())
            slopes = torch.linalg.vector_norm(last[own] - last, dual, dim=1) * torch.linalg.matrix_norm(first, order)
            radii = torch.where(slopes > 0, (row[own] - row) / slopes, torch.inf)
            assert proof.radius == pytest.approx(float(radii.min()), rel=1e-8)
            assert proof.target == int(radii.argmin())


def test_one_hidden_unit_by_hand():
    """`g = w - softplus(v x)` (up to a constant): the largest slope in the ball is at its right end."""
    first, last = nn.Linear(1, 1, dtype=torch.float64), nn.Linear(1, 2, dtype=torch.float64)
    for layer, weight, bias in ((first, [[2.0]], [0.0]), (last, [[0.0], [1.0]], [3.0, 0.0])):
        layer.weight.data.copy_(torch.tensor(weight))
        layer.bias.data.copy_(torch.tensor(bias))
    x = torch.tensor([[0.1]], dtype=torch.float64)
    gap = 3 - math.log1p(math.exp(0.2))
    low, high = 0.0, 10.0
    for _ in range(100):
        radius = (low + high) / 2
        slope = 2 / (1 + math.exp(-2 * (0.1 + radius)))
        low, high = (radius, high) if radius * slope < gap else (low, radius)
    for order in (1.0, 2.0, math.inf):
        network = nn.Sequential(first, nn.Softplus(), last)
        (proof,) = cl.certify(cl.Classifier(network), x, norm=order, method="one-hidden")
        assert proof.radius == pytest.approx(low, rel=1e-5) and proof.radius <= low


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Softplus, nn.LeakyReLU])
@pytest.mark.parametrize("order", [1.0, 1.5, 2.0, math.inf])
def test_one_hidden_bounds_every_gradient_in_its_ball(activation: type[nn.Module], order: float):
    network = random_network(5, (4, 12, 3), activation)
    x = random_inputs(5, 3, 4)
    model = cl.Classifier(network)
    proofs = cl.certify(model, x, norm=order, method="one-hidden")
    products = cl.certify(model, x, norm=order, method="operator-norms")
    assert all(a.radius > b.radius > 0 for a, b in zip(proofs, products, strict=True))
    draw = torch.Generator().manual_seed(0)
    for row, proof in zip(x, proofs, strict=True):
        ball = cl.balls.sample_ball(2000, (4,), norm=order, radius=proof.radius, generator=draw)
        assert (model.logits(row + ball.double()).argmax(1) == proof.predicted).all()


def test_one_hidden_refuses_a_way_around_the_layer():
    class Around(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(3, 3), nn.Linear(3, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last(torch.relu(self.first(x)) + x)

    x = torch.rand(1, 3, generator=torch.Generator().manual_seed(0))
    (proof,) = cl.certify(cl.Classifier(Around()), x, method="one-hidden")
    assert proof.status == "unsupported" and "around" in proof.reason
    (proof,) = cl.certify(cl.Classifier(Around()), x)
    assert proof.status == "certified"


def test_best_is_the_best_of_those_that_apply():
    network, x = random_network(2, (4, 10, 3), nn.Softplus), random_inputs(2, 4, 4)
    model = cl.Classifier(network)
    for order in (1.0, 2.0, math.inf):
        best = cl.certify(model, x, norm=order)
        single = {m: cl.certify(model, x, norm=order, method=m) for m in ("crown", "one-hidden", "operator-norms")}
        for row, proof in enumerate(best):
            assert proof.radius == max(found[row].radius for found in single.values())
            assert proof.radius == single[proof.method][row].radius


def test_untargeted_is_the_smallest_of_all_targets():
    model, x = cl.Classifier(random_network(4, (5, 9, 9, 4), nn.ReLU)), random_inputs(4, 3, 5)
    for proof, row in zip(cl.certify(model, x, method="crown"), x, strict=True):
        others = [k for k in range(4) if k != proof.predicted]
        each = [cl.certify(model, row[None], target=k, method="crown")[0] for k in others]
        nearest = min(each, key=lambda other: other.radius)
        assert proof.radius == pytest.approx(nearest.radius, rel=3e-3)
        assert proof.target == nearest.target


def test_misclassified_inputs_keep_their_place():
    line, x = random_linear(0), random_inputs(0, 4, 6)
    model = cl.Classifier(as_module(line))
    labels = model.logits(x).argmax(1)
    labels[1] = (labels[1] + 1) % 4
    proofs = cl.certify(model, x, labels=labels)
    assert [proof.status.value for proof in proofs] == ["certified", "misclassified", "certified", "certified"]
    assert math.isnan(proofs[1].radius)
    whole = cl.certify(model, x)
    assert [p.radius for p in proofs][2:] == [p.radius for p in whole][2:]
    assert cl.certify(model, x[:1], labels=labels[1:2])[0].status == "misclassified"


def test_the_record_is_json():
    model, x = cl.Classifier(as_module(random_linear(0))), random_inputs(0, 1, 6)
    (proof,) = cl.certify(model, x, norm="inf")
    record = json.loads(json.dumps(proof.as_record(), allow_nan=False))
    assert record["norm"] == "inf" and record["gap"] is None and record["status"] == "certified"
    assert record["radius"] == proof.radius and record["cost"]["forward"] == 1


def test_float32_networks_and_a_time_limit():
    network, x = random_network(1, (6, 20, 20, 3), nn.ReLU).float(), random_inputs(1, 3, 6).float()
    full = cl.certify(cl.Classifier(network), x, method="crown")
    short = cl.certify(cl.Classifier(network), x, method="crown", time_limit=1e-9)
    assert all(proof.status == "certified" for proof in full)
    assert all(proof.status == "time_limit" and proof.radius >= 0 for proof in short)
    assert all(a.radius <= b.radius * 1.001 for a, b in zip(short, full, strict=True))


def test_the_network_is_left_as_it_was():
    network = random_network(1, (4, 6, 3), nn.ReLU).append(nn.Dropout(0.5)).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    state = torch.get_rng_state()
    cl.certify(cl.Classifier(network), random_inputs(1, 1, 4))
    assert all(module.training for module in network.modules())
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    assert not [name for name in vars(network) if name.startswith("_tensor_constant")]


def test_a_tie_proves_nothing():
    line = nn.Linear(2, 2, bias=False, dtype=torch.float64)
    line.weight.data.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    (proof,) = cl.certify(cl.Classifier(line), torch.ones(1, 2, dtype=torch.float64))
    assert proof.radius == 0 and proof.status == "unproven"


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"norm": 0.5}, InputError, "norm: expected p >= 1"),
        ({"method": "magic"}, InputError, "method: expected one of best"),
        ({"time_limit": 0}, InputError, "time_limit: expected a positive"),
        ({"target": "nearest"}, TargetError, "target: expected one of"),
        ({"target": 9}, TargetError, "target: expected a class index from 0 to 3"),
        ({"labels": [0]}, ShapeError, "labels: expected one per input"),
    ],
)
def test_misuse_raises(options: dict[str, object], error: type[Exception], said: str):
    model, x = cl.Classifier(as_module(random_linear(0))), random_inputs(0, 2, 6)
    with pytest.raises(error, match=said):
        cl.certify(model, x, **options)  # type: ignore[arg-type]


def test_best_leaves_crown_out_of_large_networks_and_says_so(monkeypatch: pytest.MonkeyPatch):
    network = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3)).eval()
    model, x = cl.Classifier(network), torch.rand(1, 4, generator=torch.Generator().manual_seed(0))
    assert cl.certify(model, x)[0].method == "crown"
    monkeypatch.setattr("clearance.certificates.best.CROWN_NEURONS", 10)
    (found,) = cl.certify(model, x)
    assert found.method == "operator-norms" and "crown was left out: 16 neurons" in found.reason
    assert cl.certify(model, x, method="crown")[0].method == "crown"
