"""Networks that are compiled or laid out with channels last: the same numbers, the same proofs, one line where not."""

import copy
import pickle
import shutil

import pytest
import torch
from torch import Tensor, nn

import clearance as cl
from clearance.certificates.crown import CROWN_TOLERANCE
from clearance.errors import NetworkError
from clearance.runs.fingerprint import fingerprint

COMPILER = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
"""What torch.compile needs on a CPU."""
ROUNDING = {"rtol": 1e-5, "atol": 1e-5}
"""Sums of some hundred float32 products of numbers around 1, in another order."""


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch):
    """All of `torch.compile` but the compiler of machine code, which takes seconds for each kind of batch."""
    monkeypatch.setattr("clearance.model.execution.BACKEND", "aot_eager")
    torch.compiler.reset()


def convolutional(activation: type[nn.Module] = nn.ReLU, pooling: type[nn.Module] = nn.MaxPool2d) -> nn.Sequential:
    torch.manual_seed(0)
    body = (
        nn.Conv2d(3, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        activation(),
        nn.Conv2d(4, 6, 1),
        pooling(2),
        nn.Flatten(),
    )
    return nn.Sequential(*body, nn.Linear(6 * 16, 5))


def smooth() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))


def images(count: int) -> Tensor:
    return torch.rand(count, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def gradients(model: cl.Classifier, x: Tensor) -> Tensor:
    """Two columns of one graph: the second backward pass goes through what the first one left."""
    logits, _, pull = model.vjp(x, lambda output: output[:, :2])
    return torch.cat([logits, pull(0).flatten(1), pull(1).flatten(1)], 1)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize(
    "settings", [{"compiled": True}, {"channels_last": True}, {"compiled": True, "channels_last": True}]
)
def test_the_same_numbers(settings: dict[str, bool], count: int):
    network, x = convolutional(), images(count)
    plain, other = cl.Classifier(network, (0, 1)), cl.Classifier(network, (0, 1), **settings)
    torch.testing.assert_close(other.logits(x), plain.logits(x), **ROUNDING)
    torch.testing.assert_close(gradients(other, x), gradients(plain, x), **ROUNDING)
    assert other.micro_batch(x) == plain.micro_batch(x)
    assert (other.meter.forward, other.meter.backward) == (plain.meter.forward, plain.meter.backward)
    assert other.execution.settings == settings and plain.execution.settings == {}


@pytest.mark.skipif(COMPILER is None, reason="torch.compile needs a C++ compiler")
@pytest.mark.slow
def test_the_same_numbers_by_the_compiler():
    torch.compiler.reset()
    network = convolutional()
    plain, other = cl.Classifier(network, (0, 1)), cl.Classifier(network, (0, 1), compiled=True, channels_last=True)
    for count in (1, 3, 7):
        torch.testing.assert_close(other.logits(images(count)), plain.logits(images(count)), **ROUNDING)
        found, expected = gradients(other, images(count)), gradients(plain, images(count))
        torch.testing.assert_close(found, expected, **ROUNDING)


@pytest.mark.usefixtures("quick")
def test_it_is_compiled_and_hessians_are_of_the_network_itself(monkeypatch: pytest.MonkeyPatch):
    calls, x = [0], torch.rand(2, 6)
    compile_it = torch.compile

    def counted(network: nn.Module, **options: str) -> object:
        compiled = compile_it(network, **options)

        def call(points: Tensor) -> Tensor:
            calls[0] += 1
            return compiled(points)

        return call

    monkeypatch.setattr("clearance.model.execution.torch.compile", counted)
    plain, other = cl.Classifier(smooth()), cl.Classifier(smooth(), compiled=True)
    parts = [model.hessian(x, lambda logits: logits[:, 0]) for model in (plain, other)]
    assert calls == [0] and torch.equal(parts[0][2](x), parts[1][2](x)) and bool(parts[0][2](x).any())
    other.logits(x)
    assert calls == [1]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("settings", [{"compiled": True}, {"channels_last": True}])
def test_proofs_and_fingerprints_are_of_the_network_itself(settings: dict[str, bool]):
    # Smooth layers: relaxations of ReLU and of maxima jump with the radius (by .5 % here), and rounding picks a side.
    network, x = convolutional(nn.Softplus, nn.AvgPool2d), images(2)
    before = fingerprint(network)
    plain, other = cl.Classifier(network, (0, 1)), cl.Classifier(network, (0, 1), **settings)
    for method in ("crown", "operator-norms"):
        proofs = [cl.certify(model, x, norm="inf", method=method) for model in (plain, other)]
        radii = [[proof.radius for proof in each] for each in proofs]
        assert radii[0] == pytest.approx(radii[1], rel=2 * CROWN_TOLERANCE) and min(radii[0]) > 0
    assert fingerprint(network) == before
    assert all(p.is_contiguous() for p in network.parameters())


@pytest.mark.usefixtures("quick")
def test_copies_and_pickles_compute_alike():
    model, x = cl.Classifier(convolutional(), (0, 1), compiled=True, channels_last=True), images(2)
    expected = model.logits(x)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert other.execution.network is other.network and other.execution.settings == model.execution.settings
        torch.testing.assert_close(other.logits(x), expected, **ROUNDING)


@pytest.mark.usefixtures("quick")
def test_a_function_is_compiled_too():
    model = cl.Classifier(lambda x: torch.stack([x.sum(1), x.square().sum(1)], 1), compiled=True)
    assert torch.allclose(model.logits(torch.tensor([[1.0, 2.0]])), torch.tensor([[3.0, 5.0]]))


@pytest.mark.usefixtures("quick")
def test_a_network_that_fails_says_so_itself():
    for compiled in (False, True):
        with pytest.raises(
            NetworkError, match=r"network: expected inputs of \d+ values, as it takes, got 4, of shape \(4,\)"
        ):
            cl.Classifier(smooth(), compiled=compiled).logits(torch.rand(2, 4))


def test_what_cannot_be_compiled_is_one_line(monkeypatch: pytest.MonkeyPatch):
    def broken(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> object:
        raise FileNotFoundError("no C++ compiler")

    torch.compiler.reset()
    monkeypatch.setattr("clearance.model.execution.BACKEND", broken)
    with pytest.raises(
        NetworkError, match=r"^compile: expected a network that torch.compile takes here, got .*--compile"
    ):
        cl.Classifier(smooth(), compiled=True).logits(torch.rand(2, 6))


@pytest.mark.usefixtures("quick")
def test_an_attack_finds_the_same_distances():
    x = images(2)
    plain, other = (cl.Classifier(convolutional(), (0, 1), compiled=compiled) for compiled in (False, True))
    found = [cl.attack(model, x, norm=2, budget=60, method="ddn") for model in (plain, other)]
    for one, two in zip(*found, strict=True):
        assert one.distance == pytest.approx(two.distance, rel=1e-3)
