"""The door to the network: what it lets in, and networks that take one input at a time."""

import math

import pytest
import torch
from torch import Tensor, nn

import clearance as cl

X = torch.rand(3, 4, generator=torch.Generator().manual_seed(0))


class OneAtATime(nn.Module):
    """A network that was exported for a batch of one; it fails on two, or answers for the first alone."""

    def __init__(self, *, silent: bool) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
        self.silent = silent

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)[:1] if self.silent else self.layers(x.reshape(1, 4))


@pytest.mark.parametrize("silent", [False, True])
def test_a_network_for_a_batch_of_one_is_found_out_by_trying(silent: bool):
    torch.manual_seed(0)
    network = OneAtATime(silent=silent)
    model, plain = cl.Classifier(network, bounds=(0, 1)), cl.Classifier(network.layers, bounds=(0, 1), micro_batch=1)
    assert torch.equal(model.logits(X), plain.logits(X)) and model.micro_batch(X) == 1
    options = {"bound": "ball", "blocks": 2, "block_size": 8, "sampler": "uniform", "radius": 0.1}
    fresh = cl.Classifier(network, bounds=(0, 1))
    assert [s.radius for s in cl.clever(fresh, X, **options)] == [s.radius for s in cl.clever(plain, X, **options)]
    fresh = cl.Classifier(network, bounds=(0, 1))
    one, other = (cl.attack(m, X, budget="quick") for m in (fresh, plain))
    assert [a.distance for a in one] == [a.distance for a in other]


def test_a_network_that_fails_on_one_input_too_is_refused_with_the_first_failure():
    calls: list[int] = []

    def network(x: Tensor) -> Tensor:
        calls.append(len(x))
        if len(calls) > 1:
            raise ValueError(f"{len(x)} inputs")
        return x

    with pytest.raises(cl.NetworkError, match="got ValueError: 3 inputs"):
        cl.Classifier(network).logits(X)
    assert calls == [1, 3, 1]


@pytest.mark.filterwarnings("ignore:.*nested tensors")
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (X.to_sparse, r"a sparse one, torch\.sparse_coo \(pass x\.to_dense\(\)\)"),
        (X.to_sparse_csr, r"a sparse one, torch\.sparse_csr"),
        (lambda: X.to("meta"), "a meta tensor, which has a shape and no values"),
        (lambda: torch.nested.nested_tensor([X[0], X[1, :2]]), "a nested tensor"),
    ],
)
def test_inputs_without_an_array_of_numbers_are_refused(make: object, said: str):
    assert callable(make)
    with pytest.raises(cl.InputError, match=f"inputs: expected a dense tensor, got {said}"):
        cl.attack(cl.Classifier(nn.Linear(4, 3)), make())


def test_a_gradient_may_be_pulled_where_no_graph_is_built():
    model = cl.Classifier(nn.Linear(3, 4))
    _, _, pull = model.vjp(torch.ones(2, 3), lambda logits: logits)
    with torch.no_grad():
        assert torch.equal(pull(1), model.network.weight[1].expand(2, 3))


@pytest.mark.parametrize("given", [torch.float64, torch.bfloat16])
@pytest.mark.parametrize("norm", [1.0, 1.5, 2.0, math.inf])
def test_logits_of_another_precision_are_brought_to_that_of_the_classifier(given: torch.dtype, norm: float):
    weights = torch.tensor([[1.0, -2.0, 0.5], [-0.5, 1.0, 1.0], [0.0, 0.5, -1.0]])
    x = torch.tensor([[0.9, 0.1, 0.3]])
    model, same = (cl.Classifier(lambda x, to=to: (x @ weights.T).to(to), bounds=(0, 1)) for to in (given, x.dtype))
    assert model.logits(x).dtype == torch.float32
    (found,), (expected,) = (cl.attack(one, x, norm=norm, budget="quick") for one in (model, same))
    assert found.distance == pytest.approx(expected.distance, rel=0.02)
    (audited,), (bracket,) = cl.audit(model, x, norm=norm, budget="quick"), cl.bracket(model, x, norm=norm, budget=1500)
    assert audited.witness is not None and bracket.predicted == int(same.logits(x).argmax())
