"""The graph is held against the network throughout the ball that is claimed: what differs has no radius."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, fx, nn

import clearance as cl
from certificate_cases import NETWORKS, images, model_of
from clearance.certificates.agreement import RATES, changed, kept_numbers
from clearance.certificates.ball_points import DIRECTIONS
from clearance.certificates.problem import Proof, VerificationProblem
from clearance.certificates.table import CERTIFICATES
from closed_forms import as_module, random_inputs, random_linear, random_network

NORMS = (1.0, 1.5, 2.0, 3.0, math.inf)
METHODS = ("best", *(name for name in CERTIFICATES if name != "auto-lirpa"))
MASKS = (-1e6, -1e9, torch.finfo(torch.float32).min)


class TwoFaced(nn.Module):
    """Shows one function to `torch.fx` and runs another."""

    def __init__(self, shown: Callable[[Tensor], Tensor], run: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.shown, self.run = shown, run

    def forward(self, x: Tensor) -> Tensor:
        return self.shown(x) if isinstance(x, fx.Proxy) else self.run(x)


class Masked(nn.Module):
    """A network with one class more, which is never predicted."""

    def __init__(self, network: nn.Module, mask: float) -> None:
        super().__init__()
        self.network, self.mask = network, mask

    def forward(self, x: Tensor) -> Tensor:
        logits = self.network(x)
        return torch.cat([logits, logits[:, :1] * 0.0 + self.mask], 1)


def with_masked_row(network: nn.Sequential, mask: float) -> nn.Sequential:
    """The same, the class as one more row of the last layer."""
    last = network[-1]
    more = nn.Linear(last.in_features, last.out_features + 1, dtype=last.weight.dtype)
    more.weight.data = torch.cat([last.weight.data, torch.zeros_like(last.weight.data[:1])])
    more.bias.data = torch.cat([last.bias.data, torch.full_like(last.bias.data[:1], mask)])
    return nn.Sequential(*network[:-1], more)


def refused(network: nn.Module, x: Tensor, said: str = "differ", **options: object) -> None:
    """Every method refuses the network in one line, for every norm."""
    for method in METHODS:
        for norm in NORMS:
            if method == "exact" and norm not in (1.0, 2.0, math.inf):
                continue
            for proof in cl.certify(cl.Classifier(network, **options), x, norm=norm, method=method):  # type: ignore[arg-type]
                if proof.radius != 0 and "expected" not in proof.reason:  # what the method has no proof for anyway
                    assert proof.status == "unsupported" and said in proof.reason, (method, norm, proof)
                    assert math.isnan(proof.radius) and "\n" not in proof.reason


def relu_network(dtype: torch.dtype = torch.float64) -> nn.Sequential:
    return random_network(3, (4, 8, 3), nn.ReLU).to(dtype)


@pytest.mark.parametrize("bounds", [None, (0.0, 1.0)])
def test_a_network_that_differs_away_from_the_input_only(bounds: tuple[float, float] | None):
    network, x = relu_network(), random_inputs(3, 1, 4)
    away = TwoFaced(
        network, lambda y: network(x + 3 * (y - x))
    )  # the same function at the input, and its boundary nearer
    refused(away, x, "", bounds=bounds)
    (proof,) = cl.certify(cl.Classifier(away, bounds), x)
    assert proof.status == "unsupported" and "from the input" in proof.reason


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.thinned(3)
def test_a_masked_class_does_not_hide_a_difference(mask: float):
    line, x = random_linear(1), random_inputs(1, 1, 6).float()
    network = as_module(line).float()
    (honest,) = cl.certify(cl.Classifier(Masked(network, mask)), x)
    assert honest.radius == pytest.approx(float(line.distance(x.double(), 2.0)), rel=1e-5)  # float32 weights
    refused(Masked(TwoFaced(network, lambda y: network(x + 2 * (y - x))), mask), x)
    refused(Masked(TwoFaced(network, lambda y: network(1.01 * y)), mask), x)
    away = Masked(TwoFaced(network, lambda y: network(x + 2 * (y - x))), mask)
    (proof,) = cl.certify(cl.Classifier(away), x, target="least-likely")  # the masked class itself
    assert proof.status == "unsupported"


@pytest.mark.parametrize("mask", MASKS)
def test_a_masked_class_does_not_change_what_is_proved(mask: float):
    network, x = relu_network(torch.float32), random_inputs(3, 2, 4).float()
    for method in ("crown", "one-hidden", "operator-norms", "exact"):
        for norm in (1.0, 2.0, math.inf):
            without = cl.certify(cl.Classifier(network), x, norm=norm, method=method)
            masked = cl.certify(cl.Classifier(with_masked_row(network, mask)), x, norm=norm, method=method)
            assert [p.radius for p in masked] == pytest.approx([p.radius for p in without], rel=2e-3)
            assert [p.target for p in masked] == [p.target for p in without]


class Staircase(nn.Module):
    """Rounds its input, or the logits, to multiples of 2^-6 by the arithmetic of float32."""

    def __init__(self, *, last: bool) -> None:
        super().__init__()
        self.layers, self.last = relu_network(torch.float32), last

    def forward(self, x: Tensor) -> Tensor:
        return (self.layers(x) + 2**18) - 2**18 if self.last else self.layers((x + 2**18) - 2**18)


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.thinned(3)
def test_a_staircase_of_floats_is_refused(last: bool, seed: int):
    x = random_inputs(seed, 2, 4).float()
    refused(Staircase(last=last), x)
    on_the_grid = (x * 64).round() / 64  # where the input itself is not rounded
    refused(Staircase(last=last), on_the_grid)


class FusedLinearReLU(nn.Linear):
    """A layer that also rectifies, under a name from torch."""

    __module__ = "torch.nn.modules.fused"

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).relu()


@pytest.mark.slow
def test_fused_layers_are_refused():
    for seed in range(20):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = nn.Sequential(FusedLinearReLU(4, 8), nn.Linear(8, 4)).double()
        refused(Masked(network, -1e9), random_inputs(seed, 1, 4), "")


class LooksAtGradients(nn.Module):
    """Another network where gradients are enabled."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = relu_network()

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(2 * x) if torch.is_grad_enabled() else self.layers(x)


class LooksAtTheBatch(nn.Module):
    """Another network for single inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = relu_network()

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(2 * x) if isinstance(x, Tensor) and len(x) == 1 else self.layers(x)


class Counts(nn.Module):
    """Counts its calls, as a number or in a buffer, and answers the same until far more of them."""

    def __init__(self, *, buffer: bool) -> None:
        super().__init__()
        self.layers, self.calls = relu_network(), 0
        self.register_buffer("passes", torch.zeros(()))
        self.buffer = buffer

    def forward(self, x: Tensor) -> Tensor:
        if self.buffer and isinstance(x, Tensor) and not isinstance(x, fx.Proxy):
            self.passes = self.passes + 1
        elif not self.buffer:
            self.calls += 1
        return self.layers(x if self.calls < 10**6 else 2 * x)


def test_networks_that_look_at_how_they_are_called():
    x = random_inputs(3, 2, 4)
    refused(LooksAtGradients(), x)
    refused(LooksAtTheBatch(), x)
    refused(Counts(buffer=False), x, "calls changes from call to call")


def test_what_a_module_keeps_is_compared():
    counts = Counts(buffer=True)
    before = kept_numbers(counts)
    counts(torch.zeros(1, 4, dtype=torch.float64))
    assert changed(before, kept_numbers(counts)) == "the network: passes"
    assert not changed(before, before)


def test_a_prediction_inside_the_radius_refutes_it(monkeypatch: pytest.MonkeyPatch):
    network, x = relu_network(), random_inputs(3, 3, 4)
    exact = [proof.radius for proof in cl.certify(cl.Classifier(network), x, method="exact")]

    def too_large(problem: VerificationProblem) -> list[Proof]:
        return [Proof(1.05 * radius, int(row[0])) for radius, row in zip(exact, problem.targets, strict=True)]

    monkeypatch.setattr("clearance.certificates.crown.crown", too_large)
    for proof, radius in zip(cl.certify(cl.Classifier(network), x, method="crown"), exact, strict=True):
        assert proof.status == "unsupported" and "the network predicts class" in proof.reason
        distance = float(proof.reason.partition("a distance of ")[2].partition(",")[0])
        assert radius * (1 - 1e-3) <= distance <= 1.05 * radius


def test_infinite_radii_are_looked_at_too(monkeypatch: pytest.MonkeyPatch):
    network, x = relu_network(), random_inputs(3, 1, 4)
    monkeypatch.setattr(
        "clearance.certificates.crown.crown", lambda problem: [Proof(math.inf, int(problem.targets[0, 0]))]
    )
    for bounds in (None, (-50.0, 50.0)):
        (proof,) = cl.certify(cl.Classifier(network, bounds), x, method="crown")
        assert proof.status == "unsupported" and "within the radius of inf" in proof.reason


def test_an_answer_that_is_not_finite_inside_the_radius():
    network, x = relu_network(), random_inputs(3, 1, 4)
    two = TwoFaced(network, lambda y: network(y) + (1e-4 - (y - x).square().sum(1, keepdim=True)).sqrt() * 0)
    (proof,) = cl.certify(cl.Classifier(two), x)
    assert proof.status == "unsupported" and "is not finite" in proof.reason


def test_only_the_inputs_that_differ_are_refused():
    network, x = relu_network(), random_inputs(3, 4, 4)
    first = float(x[0, 0])
    two = TwoFaced(network, lambda y: torch.where((y[:, :1] - first).abs() < 1e-3, network(y) * 1.1, network(y)))
    proofs = cl.certify(cl.Classifier(two), x, norm=1)
    assert proofs[0].status == "unsupported"
    others = cl.certify(cl.Classifier(two), x[[2]], norm=1)
    assert others[0].status == proofs[2].status and others[0].reason == proofs[2].reason


def test_the_points_are_the_same_alone_and_in_a_batch_and_are_counted():
    seen: list[Tensor] = []

    class Seen(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = relu_network()

        def forward(self, x: Tensor) -> Tensor:
            if not isinstance(x, fx.Proxy):
                seen.append(x.detach().clone())
            return self.layers(x)

    model, x = cl.Classifier(Seen()), random_inputs(3, 3, 4)
    cl.certify(model, x, method="operator-norms", seed=4)
    together = torch.cat(seen[1:])
    seen.clear()
    proofs = [cl.certify(model, row[None], method="operator-norms", seed=4)[0] for row in x]
    walked = 2 * 2 * len(RATES)  # two targets, each from the input and from a random point
    assert {(p.cost.forward, p.cost.backward) for p in proofs} == {(1 + 3 * walked + 3 * DIRECTIONS + 3, walked)}
    alone = torch.cat(seen)
    assert all(bool((alone - point).abs().amax(1).min() < 1e-12) for point in together)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.thinned(6)
def test_honest_networks_are_never_refused(norm: float, dtype: torch.dtype):
    for name in NETWORKS:
        model = model_of(name)
        model = cl.Classifier(model.network, model.bounds, preprocessing=model.preprocessing, dtype=dtype)
        for proof in cl.certify(model, images(2).to(dtype), norm=norm, method="operator-norms"):
            assert proof.status == "certified", (name, proof.reason)


@pytest.mark.parametrize("depth", [1, 10, 40])
@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh, nn.Softplus])
def test_deep_float32_networks_are_not_refused(depth: int, activation: type[nn.Module]):
    network = random_network(depth, (8, *[16] * depth, 4), activation).float()
    scaled = nn.Sequential(*network)
    with torch.no_grad():  # large values inside: the rounding of the logits grows with them
        scaled[1].weight.mul_(1e3)
    for seed in range(3):
        x = random_inputs(seed, 2, 8).float()
        for proof in cl.certify(cl.Classifier(scaled), x, method="operator-norms"):
            assert proof.status in {"certified", "unproven"}, proof.reason
