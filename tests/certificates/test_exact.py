"""The exact solver: closed forms, brute force in two dimensions, an independent integer program, and its limits."""

import math

import pytest
import torch
from torch import nn

from clearance import Classifier, certify
from closed_forms import as_module, exact_relu, nearest_on_rays, random_inputs, random_network, random_relu

NORMS = [1.0, 2.0, math.inf]
each_norm = pytest.mark.parametrize("norm", NORMS)


@each_norm
@pytest.mark.parametrize("bounds", [None, (0.0, 1.0)])
@pytest.mark.parametrize("target", ["untargeted", "runner-up"])
@pytest.mark.thinned(6)
def test_it_agrees_with_brute_force_in_two_dimensions(norm: float, bounds: tuple[float, float] | None, target: str):
    for seed in range(6):
        sizes = (2, 7, 3) if seed % 2 else (2, 5, 4, 3)
        activation = nn.ReLU if seed % 3 else lambda: nn.LeakyReLU(0.2)
        network = random_network(seed, sizes, activation)  # type: ignore[arg-type]
        x = random_inputs(seed, 1, 2)
        (proof,) = certify(Classifier(network, bounds), x, norm=norm, target=target, method="exact")
        assert proof.status == "certified"
        farthest = 3.0 if math.isinf(proof.radius) else 1.05 * proof.radius
        aim = None if target == "untargeted" else proof.target
        found = nearest_on_rays(network, x[0], norm, farthest, target=aim, bounds=bounds, rays=1440, steps=300)
        assert found >= proof.radius * (1 - 1e-9)
        if math.isfinite(proof.radius) and proof.radius > 0:
            assert found <= 1.02 * proof.radius
            assert proof.radius + proof.gap <= found * (1 + 1e-6)
            assert 0 <= proof.gap <= 1e-5 * max(1.0, proof.radius)


@pytest.mark.parametrize("norm", [1.0, math.inf])
def test_it_agrees_with_an_independent_integer_program(norm: float):
    for seed in range(12):
        model = random_relu(seed)
        x = random_inputs(seed, 2, 4)
        logits = model(x)
        proofs = certify(Classifier(as_module(model), (0, 1)), x, norm=norm, method="exact")
        for row, proof in zip(range(2), proofs, strict=True):
            others = [k for k in range(3) if k != int(logits[row].argmax())]
            wanted = exact_relu(model, x[row], norm, others, 0.0, 1.0)
            assert proof.radius == pytest.approx(wanted, rel=1e-5, abs=1e-6)


@each_norm
def test_targeted_the_target_has_to_lead_all_classes(norm: float):
    network = random_network(3, (3, 8, 4), nn.ReLU)
    x, farther = random_inputs(3, 4, 3), 0
    model = Classifier(network)
    for target in range(4):
        rows = [i for i, own in enumerate(model.logits(x).argmax(1).tolist()) if own != target]
        if not rows:
            continue
        alone = certify(model, x[rows], norm=norm, target=target, method="exact")
        for i, proof in zip(rows, alone, strict=True):
            (any_class,) = certify(model, x[[i]], norm=norm, method="exact")
            assert proof.radius >= any_class.radius * (1 - 1e-6)
            farther += proof.radius > 1.01 * any_class.radius
    assert farther


def test_what_cannot_be_reached_is_infinitely_far():
    network = random_network(0, (2, 4, 2), nn.ReLU)
    network[-1].bias.data.copy_(torch.tensor([1e3, 0.0]))
    (within,) = certify(Classifier(network, (0, 1)), torch.full((1, 2), 0.5).double(), method="exact")
    assert math.isinf(within.radius) and within.status == "certified" and within.as_record()["radius"] == "inf"
    network[-1].weight.data.zero_()
    (without,) = certify(Classifier(network), torch.full((1, 2), 0.5).double(), method="exact")
    assert 1e3 < without.radius < math.inf and without.status == "certified"


@each_norm
def test_a_time_limit_leaves_a_proved_radius(norm: float):
    network = random_network(1, (12, 40, 40, 5), nn.ReLU)
    x = random_inputs(1, 1, 12)
    (short,) = certify(Classifier(network), x, norm=norm, method="exact", time_limit=0.3)
    (crown,) = certify(Classifier(network), x, norm=norm, method="crown")
    assert short.status in ("time_limit", "certified")
    assert short.radius >= crown.radius * (1 - 1e-9)
    if norm == 2:  # the others may or may not need longer on a fast machine
        assert short.status == "time_limit" and short.gap > 0 and "no point" in short.reason


def test_limits_are_statuses():
    x = random_inputs(0, 1, 4)
    wide = Classifier(random_network(0, (4, 200, 3), nn.ReLU))
    (proof,) = certify(wide, x, method="exact")
    assert proof.status == "too_large" and "200 hidden units" in proof.reason and math.isnan(proof.radius)
    smooth = Classifier(random_network(0, (4, 5, 3), nn.Tanh))
    (proof,) = certify(smooth, x, method="exact")
    assert proof.status == "unsupported" and "tanh" in proof.reason
    (proof,) = certify(Classifier(random_network(0, (4, 5, 3), nn.ReLU)), x, norm=3, method="exact")
    assert proof.status == "unsupported" and "norm" in proof.reason


def test_residual_convolution_is_encoded():
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.linear = nn.Conv2d(1, 1, 3, padding=1), nn.Linear(9, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.linear(torch.relu(self.conv(x) + x).flatten(1))

    torch.manual_seed(0)
    model = Classifier(Residual().double(), (0, 1))
    x = torch.rand(2, 1, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for norm in NORMS:
        exact = certify(model, x, norm=norm, method="exact")
        crown = certify(model, x, norm=norm, method="crown")
        assert all(a.radius >= b.radius for a, b in zip(exact, crown, strict=True))
        assert all(a.radius < 4 * b.radius for a, b in zip(exact, crown, strict=True))


def test_what_the_solver_claims_is_asked_of_the_network():
    """Far out, HiGHS's tolerances times the units' bounds let it call the input itself adversarial (seed 1152)."""
    network = random_network(1152, (2, 4, 4, 3), nn.ReLU)
    x = random_inputs(1152, 5, 2)[[3]]
    (proof,) = certify(Classifier(network), x, norm=1, target="least-likely", method="exact")
    (crown,) = certify(Classifier(network), x, norm=1, target="least-likely", method="crown")
    assert proof.radius >= crown.radius
    assert math.isnan(proof.gap) or proof.gap >= 0
