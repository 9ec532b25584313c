"""The certificate of affine networks: distances to hyperplanes, linear programs within bounds."""

import math

import pytest
import torch
from torch import nn

import clearance as cl
from certificate_cases import NO_TIME
from clearance.certificates.problem import RESERVE
from closed_forms import as_module, exact_linear, random_inputs, random_linear, random_network


@pytest.mark.parametrize("norm", [1.0, 1.0001, 1.5, 2.0, 3.0, 300.0, math.inf])
def test_a_linear_network_is_certified_to_its_hyperplanes(norm: float):
    line, x = random_linear(0), random_inputs(0, 5, 6)
    proofs = cl.certify(cl.Classifier(as_module(line)), x, norm=norm)
    wanted = line.distance(x, norm).tolist()
    assert [proof.method for proof in proofs] == ["linear"] * 5
    assert [proof.radius for proof in proofs] == pytest.approx(wanted, rel=2 * RESERVE)
    assert all(proof.radius < distance for proof, distance in zip(proofs, wanted, strict=True))


@pytest.mark.parametrize("norm", [1.0, math.inf])
def test_a_linear_network_within_bounds(norm: float):
    line, x = random_linear(1), random_inputs(1, 6, 6)
    proofs = cl.certify(cl.Classifier(as_module(line), (0, 1)), x, norm=norm)
    for row, proof in zip(x, proofs, strict=True):
        others = [k for k in range(4) if k != proof.predicted]
        wanted = exact_linear(line, row, norm, others, 0.0, 1.0)
        assert proof.radius == pytest.approx(wanted, rel=1e-6) and proof.radius <= wanted


def test_a_linear_network_within_bounds_in_l2():
    weight = torch.tensor([[3.0, 4.0], [0.0, 0.0]], dtype=torch.float64)
    line = nn.Linear(2, 2, bias=False, dtype=torch.float64)
    line.weight.data.copy_(weight)
    x = torch.tensor([[1.0, 0.5]], dtype=torch.float64)
    (free,), (held,) = (cl.certify(cl.Classifier(line, bounds), x) for bounds in (None, (0, 1)))
    assert free.radius == pytest.approx(1.0)
    assert held.radius == pytest.approx(math.sqrt(1.25), rel=1e-6)  # only the corner (0, 0) is level


def test_a_tie_proves_nothing():
    line = nn.Linear(2, 2, bias=False, dtype=torch.float64)
    line.weight.data.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    (proof,) = cl.certify(cl.Classifier(line), torch.ones(1, 2, dtype=torch.float64))
    assert proof.radius == 0 and proof.status == "unproven"


@pytest.mark.parametrize("norm", [1.0, 2.0, math.inf])
def test_an_affine_network_without_time_has_the_distances_without_bounds(norm: float):
    network, x = as_module(random_linear(3)), random_inputs(3, 5, 6)
    held = cl.Classifier(network, (0, 1))
    free = cl.certify(cl.Classifier(network), x, norm=norm, target="least-likely")
    full = cl.certify(held, x, norm=norm, target="least-likely")
    short = cl.certify(held, x, norm=norm, target="least-likely", time_limit=NO_TIME)
    assert all(proof.status == "time_limit" for proof in short)
    assert [proof.radius for proof in short] == pytest.approx([proof.radius for proof in free], rel=1e-12)
    assert all(a.radius <= b.radius for a, b in zip(short, full, strict=True))
    assert any(a.radius < b.radius for a, b in zip(short, full, strict=True))


def test_what_is_not_affine_is_refused_by_name():
    network, x = random_network(0, (3, 4, 2), nn.Tanh), random_inputs(0, 1, 3)
    (proof,) = cl.certify(cl.Classifier(network), x, method="linear")
    assert proof.status == "unsupported" and proof.reason == "linear: expected an affine network, found tanh"


def test_the_identity_is_an_affine_network():
    x = torch.tensor([[3.0, 1.0, 2.0]], dtype=torch.float64)
    for norm, distance in ((1.0, 1.0), (2.0, 0.5**0.5), (math.inf, 0.5)):
        (proof,) = cl.certify(cl.Classifier(nn.Identity()), x, norm=norm)
        assert (proof.method, proof.target) == ("linear", 2)
        assert proof.radius == pytest.approx(distance, rel=2 * RESERVE)
