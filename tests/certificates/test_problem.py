"""What a method is given and gives back: rows, margins, parts, and how a radius becomes a proof."""

import math
import time

import pytest
import torch
from torch import nn

from certificate_cases import make_problem
from clearance.certificates.certificate import CertificateStatus
from clearance.certificates.problem import MARGIN_SLACK, RESERVE, as_proofs, make_proof
from closed_forms import random_inputs, random_network


def test_rows_are_the_margins():
    network, x = random_network(0, (4, 6, 5), nn.Tanh), random_inputs(0, 3, 4)
    problem, logits = make_problem(network, x), network(x).detach()
    own = logits.argmax(1)
    assert problem.rows.shape == (3, 4, 5)
    assert torch.allclose((problem.rows @ logits[:, :, None])[..., 0], problem.gaps())
    wanted = torch.stack([logits[i, own[i]] - logits[i, problem.targets[i]] for i in range(3)])
    assert torch.allclose(problem.gaps(), wanted) and (problem.gaps() >= 0).all()
    sizes = torch.stack([logits[i, own[i]].abs() + logits[i, problem.targets[i]].abs() for i in range(3)])
    assert torch.allclose(problem.slack(), MARGIN_SLACK * sizes, atol=0)


def test_parts_are_the_inputs_in_order(monkeypatch: pytest.MonkeyPatch):
    network, x = random_network(0, (4, 6, 5), nn.Tanh), random_inputs(0, 5, 4)
    problem = make_problem(network, x, bounds=(-1.0, 2.0))
    monkeypatch.setattr("clearance.certificates.graph.LARGEST_TENSOR", 2 * 4 * problem.graph.widest)
    parts = list(problem.parts())
    assert [len(part.x) for part in parts] == [2, 2, 1] and len(list(problem.each())) == 5
    for name in ("x", "source", "targets"):
        assert torch.equal(torch.cat([getattr(part, name) for part in parts]), getattr(problem, name))
    assert all(part.bounds is not None and part.bounds[0].shape == part.x.shape for part in parts)
    assert all(part.graph is problem.graph and part.deadline == problem.deadline for part in parts)


def test_the_deadline():
    network, x = random_network(0, (4, 5), nn.Tanh), random_inputs(0, 1, 4)
    assert not make_problem(network, x).time_is_up()
    assert make_problem(network, x, deadline=time.perf_counter() - 1).time_is_up()


@pytest.mark.parametrize(
    ("radius", "timed_out", "status"),
    [
        (2.0, False, CertificateStatus.CERTIFIED),
        (2.0, True, CertificateStatus.TIME_LIMIT),
        (0.0, False, CertificateStatus.UNPROVEN),
        (0.0, True, CertificateStatus.TIME_LIMIT),
        (math.inf, False, CertificateStatus.CERTIFIED),
    ],
)
def test_a_proof_gives_a_share_away(radius: float, timed_out: bool, status: CertificateStatus):
    proof = make_proof(radius, 3, timed_out=timed_out)
    assert proof.radius == radius * (1 - RESERVE) and (proof.target, proof.status) == (3, status)
    assert bool(proof.reason) == math.isinf(radius) and math.isnan(proof.gap)


def test_the_smallest_radius_of_an_input_counts():
    problem = make_problem(random_network(0, (4, 6, 4), nn.Tanh), random_inputs(0, 3, 4))
    radii = torch.tensor([[3.0, 1.0, 2.0], [0.5, 4.0, math.inf], [2.0, -1.0, 5.0]])
    cut = torch.tensor([[True, False, True], [True, False, False], [False, False, False]])
    proofs = as_proofs(radii, problem, timed_out=cut)
    assert [proof.radius for proof in proofs] == pytest.approx([1.0, 0.5, 0.0])
    assert [proof.target for proof in proofs] == [int(problem.targets[i, j]) for i, j in enumerate((1, 0, 1))]
    assert [proof.status.value for proof in proofs] == ["certified", "time_limit", "unproven"]
