"""The bracket: four parts put together, and their contradictions."""

import json
from dataclasses import replace

import pytest
import torch
from torch import nn

import clearance as cl
from clearance.attacks import AttackResult
from clearance.audit import Audit, Severity
from clearance.bracket import Bracket, _compare, _standing
from clearance.certificates import Certificate, CertificateStatus
from clearance.estimates.status import Status
from clearance.geometry.norms import dual_norm, vector_norm
from clearance.model.classifier import Classifier
from clearance.model.cost import Cost
from clearance.model.transforms import Staircase
from closed_forms import as_module, random_inputs, random_linear, random_network


def line() -> nn.Linear:
    layer = nn.Linear(2, 2, bias=False).double().requires_grad_(False).eval()
    layer.weight.copy_(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
    return layer


X = torch.tensor([[1.0, 1.0], [0.2, 0.2]])


@pytest.fixture(scope="module")
def brackets() -> list[Bracket]:
    return cl.bracket(Classifier(line()), X, budget="quick", references=X)


def test_a_linear_network_has_no_gap(brackets: list[Bracket]):
    for found, exact in zip(brackets, (7 / 5, 1.4 / 5), strict=True):
        assert found.lower == pytest.approx(exact, rel=1e-6) and found.radius == pytest.approx(exact, rel=1e-4)
        assert found.attacked.distance == pytest.approx(exact, rel=1e-3)
        assert found.lower <= found.attacked.distance and found.status is Status.OK


def test_an_input_gives_the_same_bracket_whatever_else_is_in_the_batch(brackets: list[Bracket]):
    (alone,) = cl.bracket(Classifier(line()), X[1:], budget="quick", references=X)
    assert without_seconds(alone.as_record()) == without_seconds(brackets[1].as_record())


def without_seconds(record: object) -> object:
    if isinstance(record, dict):
        return {key: without_seconds(value) for key, value in record.items() if key != "seconds"}
    return [without_seconds(item) for item in record] if isinstance(record, list) else record


def test_the_record_is_plain_and_says_the_threat(brackets: list[Bracket]):
    record = json.loads(json.dumps(brackets[0].as_record(), allow_nan=False))
    assert record["threat"] == {
        "norm": 2.0, "target": "untargeted", "bounds": None, "access": "white-box", "budget": "quick", "seed": 0
    }  # fmt: skip
    assert record["estimated"]["radius"] == brackets[0].radius and len(record["witness_logits"]) == 2
    arrays = brackets[0].as_arrays()
    assert arrays["input"].tolist() == [1.0, 1.0] and arrays["witness"].shape == (2,)
    assert len(arrays["maxima"]) >= 2 and arrays["maxima"].tolist() == pytest.approx([5.0] * len(arrays["maxima"]))


def test_a_masked_network_shows_no_radius():
    hidden = nn.Sequential(Staircase(255), line())
    (found,) = cl.bracket(Classifier(hidden, bounds=(0, 1)), X[1:], budget="quick", certificate="none")
    assert found.status in {Status.MASKED, Status.REFUTED} and found.radius is None and found.lower == 0
    record = found.as_record()
    assert record["estimated"]["radius"] is None and record["estimated"]["interval"] is None
    assert record["certified"] is None and record["audit"]["worst"] == "error"


def test_a_misclassified_input_has_a_row_without_numbers():
    (found,) = cl.bracket(Classifier(line()), X[:1], [1], budget="quick")
    assert found.status is Status.MISCLASSIFIED and found.radius is None and found.predicted == 0 and found.label == 1
    assert found.as_record()["attacked"]["distance"] is None and "witness" not in found.as_arrays()


def test_a_target_for_each_input_and_order_two(brackets: list[Bracket]):
    found = cl.bracket(Classifier(line()), X, target=[1, 1], order=2, budget="quick")
    assert [one.threat.target for one in found] == ["1", "1"] and found[0].estimated.order == 2
    assert found[0].radius == pytest.approx(brackets[0].radius, rel=1e-3)


def parts(radius: float, proved: float, distance: float) -> tuple[Audit, Certificate, cl.CleverScore, AttackResult]:
    (score,) = cl.clever(Classifier(line()), X[:1], bound="ball", blocks=4)
    proof = Certificate(proved, "linear", CertificateStatus.CERTIFIED, "", 0, 1, 2.0, float("nan"), Cost())
    witness = AttackResult(X[0], distance, True, 1, "ddn", Cost())
    return Audit((), None, Cost()), proof, replace(score, radius=radius), witness


def test_a_certificate_beyond_a_witness_refutes():
    audit, proof, score, witness = parts(radius=1.0, proved=1.5, distance=1.2)
    found = _compare(audit, proof, score, witness)
    assert found.has("contradiction") and found.worst is Severity.ERROR and _standing(score, found) is Status.REFUTED


def test_an_estimate_below_the_certificate_is_worth_knowing():
    audit, proof, score, witness = parts(radius=1.0, proved=1.1, distance=1.2)
    found = _compare(audit, proof, score, witness)
    assert [flag.code for flag in found.flags] == ["below_certificate"] and found.worst is Severity.INFO
    assert _standing(score, found) is score.status


def test_a_proper_bracket_has_no_flag():
    audit, proof, score, witness = parts(radius=1.0, proved=0.9, distance=1.2)
    assert _compare(audit, proof, score, witness) == audit
    assert _compare(audit, None, score, witness) == audit


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"budget": "huge"}, "budget: expected one of quick, standard, thorough or a number of passes, got 'huge'"),
        ({"certificate": "magic"}, "certificate: expected one of best, "),
        ({"norm": 0.5}, "norm: expected p >= 1"),
        ({"norm": 0}, "norm: expected p >= 1, got 0; l0 is no norm"),
        ({"target": 0}, "target: expected a class to move to"),
        ({"order": 3}, "order: expected 1 or 2"),
    ],
)
def test_misuse_is_an_error(options: dict[str, object], message: str):
    with pytest.raises(cl.ClearanceError, match=message):
        cl.bracket(Classifier(line()), X[:1], **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("norm", [1.0, 2.0, float("inf")])
def test_the_sandwich_on_linear_networks(norm: float):
    """The estimate counts the gradients of all classes that are second somewhere: none is above the steepest one's."""
    exact = random_linear(7)
    layer = nn.Linear(6, 4).double().requires_grad_(False)
    layer.weight.copy_(exact.weight)
    layer.bias.copy_(exact.bias)
    x = torch.rand(2, 6, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    brackets = cl.bracket(Classifier(layer), x, norm=norm, budget="quick")
    for found, truth in zip(brackets, exact.distance(x, norm).tolist(), strict=True):
        assert found.radius is not None and found.lower <= truth <= found.attacked.distance
        gradients = exact.weight[[k for k in range(4) if k != found.predicted]] - exact.weight[found.predicted]
        steepest = float(vector_norm(gradients, dual_norm(norm)).max())
        assert found.lower == pytest.approx(truth, rel=1e-6)
        assert found.estimated.margin / steepest * (1 - 1e-9) <= found.radius <= truth * (1 + 1e-9)


@pytest.mark.parametrize("norm", [1.0, 2.0, float("inf")])
def test_fixed_coordinates_do_not_move(norm: float):
    line = random_linear(3, classes=3, size=6)
    x, fixed = torch.rand(6, generator=torch.Generator().manual_seed(3)).double(), torch.tensor([1, 1, 0, 0, 0, 1]) == 1
    bounds = torch.where(fixed, x, torch.tensor(-50.0).double()), torch.where(fixed, x, torch.tensor(50.0).double())
    (found,) = cl.bracket(Classifier(as_module(line), bounds), x[None], norm=norm, budget="quick")
    own, logits = found.attacked.adversarial, line(x[None])[0]
    best = int(logits.argmax())
    free = (line.weight[best] - line.weight)[:, ~fixed]
    dual = {1.0: float("inf"), 2.0: 2.0}.get(norm, 1.0)
    exact = min(
        float((logits[best] - logits[t]) / torch.linalg.vector_norm(free[t], dual)) for t in range(3) if t != best
    )
    assert own is not None and torch.equal(own[fixed], x[fixed])
    assert exact * (1 - 1e-6) <= found.attacked.distance <= exact * 1.01
    assert found.radius <= exact * 1.0001 and found.lower == pytest.approx(exact, rel=1e-6)
    assert found.audit.worst in {None, Severity.INFO}


@pytest.fixture(scope="module")
def small_networks() -> list[Bracket]:
    """Ordinary networks whose estimate is contradicted by what the other parts of its own bracket met."""
    found: list[Bracket] = []
    for seed in (2, 4, 5, 6):
        model = Classifier(random_network(seed, (12, 24, 24, 5), nn.ReLU), bounds=(0, 1))
        x = random_inputs(seed, 1, 12).clamp(0, 1)
        found += [cl.bracket(model, x, norm=norm, budget="quick")[0] for norm in (2.0, "inf")]
    return found


def test_the_estimate_is_never_shown_below_the_proof(small_networks: list[Bracket]):
    assert all(found.radius is None or found.radius >= found.lower for found in small_networks)


@pytest.mark.slow
def test_what_the_audit_met_is_in_the_lipschitz_constant():
    """On a network whose steepest part lies on the way to the witness, every gradient norm met there counts."""
    raised: set[str] = set()
    for seed in range(6):
        model = Classifier(random_network(seed, (40, 64, 64, 5), nn.ReLU), bounds=(0, 1))
        x = random_inputs(seed, 1, 40).clamp(0, 1)
        (found,) = cl.bracket(model, x, budget="quick", certificate="none")
        raised |= {flag.code for flag in found.audit.flags}
    assert not raised & {"lipschitz_exceeded", "refuted"}, raised
