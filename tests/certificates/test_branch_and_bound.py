"""Branch and bound: the exact solver, brute force in two dimensions, points of a dense search, and its limits."""

import math

import pytest
import torch
from torch import nn

from certificate_cases import NO_TIME
from clearance import Classifier, certify
from clearance.certificates import branch_and_bound
from clearance.geometry.norms import vector_norm
from closed_forms import nearest_on_rays, random_inputs, random_network
from split_cases import NORMS, ball, points_in, small_network

METHOD = "branch-and-bound"


@pytest.mark.parametrize("norm", [1.0, 2.0, math.inf])
@pytest.mark.parametrize("bounds", [None, (0.0, 1.0)])
@pytest.mark.thinned(3)
def test_it_agrees_with_the_exact_solver(norm: float, bounds: tuple[float, float] | None):
    for seed in range(4):
        activation = nn.ReLU if seed % 2 else lambda: nn.LeakyReLU(0.2)
        network = random_network(seed, (3, 6, 6, 3), activation)  # type: ignore[arg-type]
        model, x = Classifier(network, bounds), random_inputs(seed, 1, 3)
        (wanted,) = certify(model, x, norm=norm, method="exact")
        (found,) = certify(model, x, norm=norm, method=METHOD)
        assert found.status == "certified"
        assert found.radius == pytest.approx(wanted.radius, rel=1e-5)
        if math.isfinite(wanted.radius):
            assert found.target == wanted.target or found.gap < 1e-4
            assert 0 <= found.gap <= 1e-5 * found.radius + 1e-9


@pytest.mark.thinned(6)
@pytest.mark.parametrize("norm", NORMS)
def test_it_agrees_with_brute_force_in_two_dimensions(norm: float):
    for seed in range(3):
        network = random_network(seed, (2, 5, 4, 3), nn.ReLU)
        bounds, x = (0.0, 1.0) if seed % 2 else None, random_inputs(seed, 1, 2)
        patience = 2 if norm == 1.5 else 60  # its distances are not exact, and the last of the gap stays
        (proof,) = certify(Classifier(network, bounds), x, norm=norm, method=METHOD, time_limit=patience)
        gap = 0.0 if math.isnan(proof.gap) else proof.gap
        farthest = 3.0 if math.isinf(proof.radius) else 1.05 * (proof.radius + gap)
        found = nearest_on_rays(network, x[0], norm, farthest, bounds=bounds, rays=1440, steps=300)
        assert found >= proof.radius * (1 - 1e-9)
        assert math.isnan(proof.gap) or found <= 1.02 * (proof.radius + proof.gap)
        assert math.isnan(proof.gap) or norm == 1.5 or proof.gap <= 1e-5 * proof.radius + 1e-9


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.thinned(5)
def test_no_point_of_a_dense_search_is_nearer(seed: int, norm: float):
    """Dense and convolutional networks with residual sums, ReLU and LeakyReLU, stopped early or finished."""
    model, x = small_network(seed)
    (proof,) = certify(model, x, norm=norm, method=METHOD, time_limit=0.4)
    (crown,) = certify(model, x, norm=norm, method="crown")
    assert proof.status in ("certified", "time_limit") and proof.radius >= crown.radius * (1 - 1e-8)
    points = points_in(ball(model, x, min(1.5 * proof.radius, 3.0), norm), 20_000, seed)
    other = model.logits(points).argmax(1) != proof.predicted
    distance = vector_norm(points[other] - x, norm)
    assert not len(distance) or float(distance.min()) >= proof.radius
    if not math.isnan(proof.gap):
        assert proof.gap >= 0


def test_what_cannot_be_reached_is_infinitely_far():
    network = random_network(0, (2, 4, 2), nn.ReLU)
    network[-1].bias.data.copy_(torch.tensor([1e3, 0.0]))
    x = torch.full((1, 2), 0.5, dtype=torch.float64)
    (within,) = certify(Classifier(network, (0, 1)), x, method=METHOD)
    assert math.isinf(within.radius) and within.status == "certified"
    network[-1].weight.data.zero_()
    (without,) = certify(Classifier(network), x, method=METHOD)
    assert 1e2 < without.radius < math.inf and "no point" in without.reason


def test_an_affine_network_needs_no_splits():
    network = nn.Linear(2, 2, bias=False)
    network.weight.data = torch.tensor([[3.0, 4.0], [0.0, 0.0]])
    (proof,) = certify(Classifier(network), torch.tensor([[1.0, 0.5]]), norm=2, method=METHOD)
    assert proof.radius == pytest.approx(1.0, rel=1e-5) and proof.status == "certified" and proof.target == 1


def test_targeted_it_is_where_the_target_overtakes_the_predicted_class():
    network = random_network(3, (3, 8, 4), nn.ReLU)
    model, x = Classifier(network), random_inputs(3, 1, 3)
    own = int(model.logits(x).argmax())
    proofs = {t: certify(model, x, norm=2, target=t, method=METHOD)[0] for t in range(4) if t != own}
    (any_class,) = certify(model, x, norm=2, method=METHOD)
    assert min(proof.radius for proof in proofs.values()) == pytest.approx(any_class.radius, rel=1e-5)
    for target, proof in proofs.items():
        (exact,) = certify(model, x, norm=2, target=target, method="exact")
        assert proof.target == target and proof.radius <= exact.radius * (1 + 1e-6)
        assert math.isnan(proof.gap) == ("overtakes" in proof.reason)


def test_a_time_limit_leaves_crown_s_radius():
    model, x = small_network(3)
    for limit in (NO_TIME, 0.05):
        (short,) = certify(model, x, norm=math.inf, method=METHOD, time_limit=limit)
        assert short.status == "time_limit" and short.radius >= 0
    network, x = random_network(1, (12, 60, 60, 5), nn.ReLU), random_inputs(1, 1, 12)
    (crown,) = certify(Classifier(network), x, norm=2, method="crown")
    (short,) = certify(Classifier(network), x, norm=2, method=METHOD, time_limit=1.0)
    assert short.status == "time_limit" and short.gap > 0 and "a point at" in short.reason
    assert short.radius >= crown.radius * (1 - 1e-8)


def test_float32_chooses_multipliers_and_float64_proves(monkeypatch: pytest.MonkeyPatch):
    network, x = random_network(2, (3, 6, 6, 3), nn.ReLU), random_inputs(2, 1, 3)
    (wanted,) = certify(Classifier(network), x, norm=math.inf, method="exact")
    monkeypatch.setattr(branch_and_bound, "WORTH_SINGLE", 1)
    (found,) = certify(Classifier(network), x, norm=math.inf, method=METHOD)
    assert found.radius == pytest.approx(wanted.radius, rel=1e-5)


@pytest.mark.parametrize("layer", [nn.Tanh(), nn.MaxPool1d(2), nn.ReLU6()])
def test_other_networks_are_refused(layer: nn.Module):
    features = 3 if isinstance(layer, nn.MaxPool1d) else 6
    network = nn.Sequential(nn.Linear(2, 6), layer, nn.Linear(features, 2))
    (proof,) = certify(Classifier(network), torch.rand(1, 2), method=METHOD)
    assert proof.status == "unsupported" and math.isnan(proof.radius)
