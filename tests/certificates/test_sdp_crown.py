"""CROWN with the units of a layer together: against minimum distortions, attacks and CROWN itself."""

import math

import pytest
import torch
from torch import nn

from certificate_cases import IMAGE, NETWORKS, NO_TIME, images, model_of
from clearance import Classifier, certify
from clearance.attacks import attack
from clearance.certificates import sdp_crown
from clearance.certificates.deviations import Deviations, two_pieces
from clearance.certificates.table import CERTIFICATES
from clearance.certificates.translate import translate
from closed_forms import random_inputs, random_network

BENT = [name for name in NETWORKS if two_pieces(translate(model_of(name), IMAGE))]


LOWEST = sdp_crown._Search.lowest


def wide(seed: int) -> tuple[Classifier, torch.Tensor]:
    """A network with so many units that `best` bounds them together."""
    network, x = random_network(seed, (20, 150, 150, 3), nn.ReLU), random_inputs(seed, 1, 20)
    return Classifier(network), x


@pytest.mark.parametrize(("norm", "bounds"), [(2.0, None), (1.0, (-1.0, 1.0)), (2.0, (-1.0, 1.0)), (1.0, None)])
@pytest.mark.thinned(2)
def test_it_lies_between_crown_and_the_minimum_distortion(norm: float, bounds: tuple[float, float] | None):
    gained: list[bool] = []
    for seed in range(2):
        network, x = random_network(seed, (4, 8, 8, 3), nn.ReLU), random_inputs(seed, 1, 4).clamp(-1, 1)
        model = Classifier(network, bounds)
        found, crown, exact = (certify(model, x, norm=norm, method=m) for m in ("sdp-crown", "crown", "exact"))
        for one, other, most in zip(found, crown, exact, strict=True):
            assert other.radius <= one.radius <= most.radius * (1 + 1e-9)
            gained.append(one.radius > 1.001 * other.radius)
    assert sum(gained) >= len(gained) / 2


@pytest.mark.parametrize("name", BENT)
@pytest.mark.parametrize("norm", [1.0, 1.5, 2.0])
@pytest.mark.thinned(10)
def test_no_witness_lies_inside(name: str, norm: float):
    model, x = model_of(name), images(1)
    proofs = certify(model, x, norm=norm, method="sdp-crown")
    for proof, witness in zip(proofs, attack(model, x, norm=norm, budget="quick"), strict=True):
        assert proof.status == "certified" and 0 < proof.radius <= witness.distance


def test_of_many_units_it_proves_much_more():
    for norm, least in ((1.0, 1.05), (2.0, 1.1)):
        ratios: list[float] = []
        for seed in range(2):
            model, x = wide(seed)
            (found,), (crown,) = (certify(model, x, norm=norm, method=m) for m in ("sdp-crown", "crown"))
            ratios.append(found.radius / crown.radius)
        assert min(ratios) > least


def test_a_search_in_float32_is_proved_in_float64(monkeypatch: pytest.MonkeyPatch):
    model, x = wide(0)
    (double,) = certify(model, x, method="sdp-crown")
    monkeypatch.setattr(sdp_crown, "WORTH_SINGLE", 1)
    (single,) = certify(model, x, method="sdp-crown")
    assert single.radius == pytest.approx(double.radius, rel=0.03)
    for share in (0.995, 0.5):
        monkeypatch.setattr(sdp_crown._Search, "lowest", refusing_above(share * single.radius))
        (less,) = certify(model, x, method="sdp-crown")
        (crown,) = certify(model, x, method="crown")
        if share == 0.5:
            assert less.radius == crown.radius
        else:
            assert 0.97 * single.radius < less.radius < share * single.radius


def refusing_above(radius: float):
    """Bounds that float64 does not confirm above a radius."""

    def judged(self: sdp_crown._Search, tried: torch.Tensor) -> torch.Tensor:
        found = LOWEST(self, tried)
        return found - math.inf if tried.dtype == torch.float64 and float(tried) > radius else found

    return judged


def test_larger_norms_and_other_networks_are_refused():
    model, x = wide(1)
    for norm in (3.0, math.inf):
        (proof,) = certify(model, x, norm=norm, method="sdp-crown")
        assert proof.status == "unsupported" and "expected a norm of at most 2" in proof.reason
    (proof,) = certify(Classifier(random_network(0, (4, 8, 3), nn.Tanh)), random_inputs(0, 1, 4), method="sdp-crown")
    assert proof.status == "unsupported" and proof.reason == "expected a network with ReLU or LeakyReLU, found tanh"


def test_best_takes_it_for_many_units_and_leaves_crown_out(monkeypatch: pytest.MonkeyPatch):
    model, x = wide(2)
    (best,) = certify(model, x, method="best")
    (own,) = certify(model, x, method="sdp-crown")
    assert best.method == "sdp-crown" and best.radius == own.radius
    (best,) = certify(model, x, method="best", time_limit=5)
    assert best.method == "crown" and best.radius < own.radius
    (best,) = certify(model, x, norm="inf", method="best")
    assert best.method == "crown"
    few = Classifier(random_network(2, (6, 20, 20, 3), nn.ReLU))
    (best,) = certify(few, random_inputs(2, 1, 6), method="best")
    assert best.method != "sdp-crown"
    monkeypatch.setattr(sdp_crown, "WORTH_TOGETHER", (1, 1000))
    (best,) = certify(few, random_inputs(2, 1, 6), method="best")
    assert best.method == "sdp-crown"


def test_branch_and_bound_begins_with_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sdp_crown, "WORTH_SECONDS", 1.0)
    model, x = wide(0)
    (own,) = certify(model, x, method="sdp-crown")
    (found,) = certify(model, x, method="branch-and-bound", time_limit=4)
    assert found.radius >= own.radius * (1 - 1e-6)


def test_what_it_includes_is_in_the_table():
    assert {name for method in CERTIFICATES.values() for name in method.includes} <= set(CERTIFICATES)


def test_when_the_time_is_up_what_crown_proved_stays():
    model, x = wide(3)
    (crown,) = certify(model, x, method="crown", time_limit=NO_TIME)
    (found,) = certify(model, x, method="sdp-crown", time_limit=NO_TIME)
    assert found.radius == crown.radius and found.status == "time_limit"


def test_a_search_that_is_cut_short_keeps_what_it_proved(monkeypatch: pytest.MonkeyPatch):
    model, x = wide(3)
    (crown,) = certify(model, x, method="crown")
    monkeypatch.setattr(sdp_crown._Search, "_time_is_up", lambda self: self._longest > 0)
    (found,) = certify(model, x, method="sdp-crown")
    assert crown.radius <= found.radius and found.status == "time_limit"


def test_deviations_that_are_too_small_are_found_out(monkeypatch: pytest.MonkeyPatch):
    """A planted mistake: the points of the ball refute some proof that rests on it."""
    monkeypatch.setattr(Deviations, "of", lambda self, index: 0.1 * self._crossing[index])
    refused = 0
    for seed in range(3):
        network, x = random_network(seed, (3, 12, 12, 3), nn.ReLU), random_inputs(seed, 2, 3)
        proofs = certify(Classifier(network), x, method="sdp-crown")
        refused += sum(proof.status == "unsupported" for proof in proofs)
    assert refused > 0
