"""`certify` itself: the best of the methods, statuses, misuse, what it leaves alone."""

import json
import math
from collections.abc import Callable

import pytest
import torch
from torch import nn

import clearance as cl
from certificate_cases import NO_TIME
from clearance.certificates.certificate import CertificateStatus
from clearance.certificates.problem import Proof, VerificationProblem
from clearance.errors import InputError, ShapeError, TargetError
from closed_forms import as_module, random_inputs, random_linear, random_network


def test_best_is_the_best_of_those_that_apply():
    network, x = random_network(2, (4, 10, 3), nn.Softplus), random_inputs(2, 4, 4)
    model = cl.Classifier(network)
    for norm in (1.0, 2.0, math.inf):
        best = cl.certify(model, x, norm=norm)
        single = {m: cl.certify(model, x, norm=norm, method=m) for m in ("crown", "one-hidden", "operator-norms")}
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
    # The products of four inputs and of three may be summed in another order: to the rounding of float64.
    assert [p.radius for p in proofs][2:] == pytest.approx([p.radius for p in whole][2:], rel=1e-12)
    assert cl.certify(model, x[:1], labels=labels[1:2])[0].status == "misclassified"


def test_the_record_is_json():
    model, x = cl.Classifier(as_module(random_linear(0))), random_inputs(0, 1, 6)
    (proof,) = cl.certify(model, x, norm="inf")
    record = json.loads(json.dumps(proof.as_record(), allow_nan=False))
    assert record["norm"] == "inf" and record["gap"] is None and record["status"] == "certified"
    assert record["radius"] == proof.radius and record["cost"]["forward"] > 1  # the points of its ball are counted


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


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"norm": 0.5}, InputError, "norm: expected p >= 1"),
        ({"norm": 0}, InputError, "norm: expected p >= 1, got 0; l0 is no norm"),
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


def test_when_the_time_is_up_other_methods_are_tried_only_where_nothing_is_proved(monkeypatch: pytest.MonkeyPatch):
    network = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3)).eval()
    model, x = cl.Classifier(network), torch.rand(1, 4, generator=torch.Generator().manual_seed(0))
    tried: list[str] = []

    def of(name: str, radius: float) -> Callable[[VerificationProblem], list[Proof]]:
        def prove(problem: VerificationProblem) -> list[Proof]:
            tried.append(name)
            return [Proof(radius, 1, CertificateStatus.TIME_LIMIT)] * len(problem.x)

        return prove

    for first, names in ((1e-9, ["crown"]), (0.0, ["crown", "operator-norms"])):
        monkeypatch.setattr("clearance.certificates.crown.crown", of("crown", first))
        monkeypatch.setattr("clearance.certificates.operator_norms.operator_norms", of("operator-norms", 1e-9))
        (found,) = cl.certify(model, x, time_limit=NO_TIME)
        assert tried == names and found.method == names[-1]
        tried.clear()


def test_best_says_which_method_the_time_cut_short():
    network, x = random_network(1, (6, 20, 20, 3), nn.ReLU), random_inputs(1, 2, 6)
    for proof in cl.certify(cl.Classifier(network), x, time_limit=NO_TIME):
        assert (proof.method, proof.status) == ("operator-norms", "certified")
        assert proof.reason == "crown: the time was up"
    assert [proof.reason for proof in cl.certify(cl.Classifier(network), x)] == ["", ""]


def test_a_proof_that_holds_no_other_input_is_no_proof():
    """A product of norms far beyond what is there: the interval of each layer is wider than the last by 1e15."""
    layers = [layer for _ in range(6) for layer in (nn.Linear(2, 2, bias=False), nn.Tanh())]
    network = nn.Sequential(*layers, nn.Linear(2, 2))
    for layer in network:
        if isinstance(layer, nn.Linear):
            layer.weight.data = 1e15 * torch.tensor([[1.0, -1.0], [1.0, 1.0]])
    x = torch.tensor([[1.0, 0.5]])
    (norms,) = cl.certify(cl.Classifier(network), x, method="operator-norms")
    assert (norms.radius, norms.status) == (0.0, CertificateStatus.UNPROVEN)
    assert "is proved, and no other input of this precision is that near" in norms.reason
    (double,) = cl.certify(cl.Classifier(network.double()), x, method="operator-norms")
    assert 0 < double.radius < 1e-45
